import { groupBy } from '../group-by.ts';
import { languageName } from '../refinement/scene.ts';
import {
  dialogueRecord,
  type DialogueHead,
  type DialogueRecord,
  type SeatRecord,
  type TurnRecord,
} from '../store/inspect-dialogue.ts';
import type { Store } from '../store/store.ts';
import type { OpinionRecord } from '../store/why.ts';
import {
  block,
  coloured,
  fields,
  heading,
  modelName,
  page,
  scriptedBanner,
  type Page,
} from './inspect-text.ts';
import {
  answerInWords,
  countryNamer,
  fateMark,
  gateInWords,
  missingInWords,
  readInWords,
  reasonInWords,
  respondentsInWords,
  stanceInWords,
} from './inspect-words.ts';
import { oneLine, paint } from './text.ts';

/** A dialogue to be read: who speaks and with which answer, what was said, and what became of it. */
export async function dialoguePage(store: Store, id: string): Promise<Page> {
  const record = await dialogueRecord(store.read, id);
  const { config, ...dialogue } = record.dialogue;
  const { seats, turns, opinions } = record;
  const nameCountry = countryNamer(config);
  const text = page([
    head(record),
    turns.some(({ scripted }) => scripted)
      ? scriptedBanner('the scripted model spoke in this dialogue')
      : null,
    `${heading('Who speaks')}\n${seats.map((seat) => participant(seat, nameCountry)).join('\n')}`,
    `${heading('The conversation')}${turns.length === 0 ? '\n  Nothing was said yet.' : ''}`,
    ...turns.map((turn) => spoken(turn, seats, opinions)),
    record.notes.length > 0
      ? record.notes.map(({ stage, note }) => paint('dim', `  ${stage}: ${oneLine(note)}`)).join('\n')
      : null,
  ]);
  const next = [
    ...(opinions[0] ? [`why ${opinions[0].id}`] : []),
    ...(turns[0] ? [`inspect turn ${id}/${turns[0].idx}`] : []),
    `inspect run ${dialogue.run_id}`,
  ];
  return { text, next, json: { ...record, dialogue } };
}

function head({ dialogue, turns, seats, gate }: DialogueRecord): string {
  const { statement, statement_said: said } = dialogue;
  const byModel = [...groupBy(turns, modelName)].map(([name, own]) => {
    const roles = new Set(own.map(({ seat }) => seats[seat]?.role ?? ''));
    return `${name} for ${[...roles].map(roleName).join(' and ')}`;
  });
  return [
    heading(`Dialogue ${dialogue.id}`),
    block(`“${said ?? statement}”`),
    ...(said && said !== statement ? [paint('dim', block(`“${statement}”`))] : []),
    '',
    fields([
      ['topic', `${dialogue.topic_id} (${dialogue.theme.replaceAll('_', ' ')})`],
      [
        'protocol',
        `${dialogue.protocol}, ${dialogue.pairing}${dialogue.arm === 'main' ? '' : `, arm ${dialogue.arm}`}`,
      ],
      ['language', languageName(dialogue.language)],
      ['status', endInWords(dialogue), dialogue.status === 'finished' ? 'green' : 'yellow'],
      ['run', `${dialogue.run_id} (${dialogue.scenario})`],
      ['spoken by', byModel.join('; ')],
      ['gate', gate && gateInWords(gate)],
    ]),
  ].join('\n');
}

/** How a dialogue ended, and why. */
export function endInWords({
  status,
  end_reason,
  attempt,
}: Pick<DialogueHead, 'status' | 'end_reason' | 'attempt'>): string {
  const again = attempt > 0 ? ` (attempt ${attempt + 1})` : '';
  return `${status === 'planned' ? 'planned: it has not come to its end' : `${status}: ${end_reason ?? 'no reason is stored'}`}${again}`;
}

export const roleName = (role: string): string => role.replaceAll('_', ' ');

export const nameOf = (seat: SeatRecord | undefined): string =>
  oneLine(seat?.persona?.name ?? (seat ? roleName(seat.role) : 'somebody'), 60);

function participant(seat: SeatRecord, nameCountry: ReturnType<typeof countryNamer>): string {
  const { persona, stance, role } = seat;
  if (!persona) return `  ${colouredName(seat)}  ${paint('dim', roleName(role))}`;
  const country = nameCountry(persona.country, persona.culture);
  const who = [roleName(role), persona.gender, persona.age_band, country, `${persona.culture} culture`]
    .map((part) => oneLine(part))
    .join(', ');
  const missing = stance && missingInWords(stance);
  return [
    `  ${colouredName(seat)}  ${who}`,
    block(`answers ${stanceInWords(stance)}`, '      '),
    ...(stance ? [coloured('dim', block(respondentsInWords(stance), '      '))] : []),
    // Shown where it is worth a warning; `why` has it always.
    ...(missing?.startsWith('!') ? [coloured('yellow', block(missing, '      '))] : []),
  ].join('\n');
}

const seatColours = ['cyan', 'yellow', 'green', 'red'] as const;

const colouredName = (seat: SeatRecord | undefined): string =>
  paint(
    seatColours[(seat?.seat ?? 0) % seatColours.length] as (typeof seatColours)[number],
    paint('bold', nameOf(seat)),
  );

/** A turn with what was taken from it. */
export function spoken(
  turn: TurnRecord,
  seats: readonly SeatRecord[],
  opinions: readonly OpinionRecord[],
): string {
  const seat = seats.find((one) => one.seat === turn.seat);
  const marks = [
    turn.kind === 'private' ? paint('dim', '(private: the others do not hear it)') : '',
    turn.flags.length > 0 ? paint('red', `[${oneLine(turn.flags.join(', '))}]`) : '',
  ];
  const own = opinions.filter(({ turn_idx, rewrite_of }) => turn_idx === turn.idx && rewrite_of === null);
  const answer =
    turn.code !== null
      ? `→ answers ${answerInWords(turn.code, seat?.stance?.options ?? [])}`
      : turn.read && `→ ${readInWords(turn.read, seat?.stance ?? null)}`;
  return [
    [paint('dim', `${String(turn.idx).padStart(3)} `) + colouredName(seat), ...marks.filter(Boolean)].join(
      '  ',
    ),
    block(turn.text, '    '),
    ...(answer ? [coloured('dim', block(answer, '    '))] : []),
    ...own.flatMap((opinion) => [
      taken(opinion, turn.text),
      ...opinions
        .filter(({ rewrite_of }) => rewrite_of === opinion.id)
        .map((rewrite) => taken(rewrite, turn.text, '        ↻ ')),
    ]),
  ].join('\n');
}

/** An opinion under its turn: its end, the verdict that stands, its words where they are not just the turn's. */
function taken(opinion: OpinionRecord, turnText: string, indent = '      '): string {
  const standing = opinion.verdicts.filter(({ current }) => current).map(({ verdict }) => verdict);
  const verdict = [...new Set(standing)].sort().join(' and ');
  const read = [
    verdict && `verdict ${verdict}`,
    opinion.class,
    `polarity ${opinion.polarity}`,
    ...(opinion.flags ?? []),
  ];
  const title = [
    `${indent}${fateMark(opinion.status)}`,
    opinion.id,
    paint('dim', read.filter(Boolean).join(', ')),
  ];
  const below = ' '.repeat(indent.length + 2);
  const lines = [title.join('  ')];
  if (opinion.status !== 'accepted') lines.push(block(reasonInWords(opinion), below));
  if (!turnText.includes(opinion.text)) lines.push(coloured('dim', block(`“${opinion.text}”`, below)));
  return lines.join('\n');
}
