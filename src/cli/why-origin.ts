import type { DialogueHead, SeatRecord, TurnRecord } from '../store/inspect-dialogue.ts';
import { dialogueHead, seatRecords, turnRecords } from '../store/inspect-dialogue.ts';
import { callRecord, type CallRecord } from '../store/inspect-rows.ts';
import { promptRefs } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { endInWords, nameOf, roleName } from './inspect-dialogue.ts';
import { count, fields, heading, modelName, moment, page, type Field } from './inspect-text.ts';
import { countryNamer, missingInWords, respondentsInWords, stanceInWords } from './inspect-words.ts';
import { oneLine, paint } from './text.ts';

export type PromptRef = Awaited<ReturnType<typeof promptRefs>>[number];

/** A turn with all that it goes back to. */
export interface Origin {
  turn: TurnRecord;
  dialogue: DialogueHead;
  /** Who spoke, with its answer and survey cell. */
  speaker: SeatRecord | null;
  call: CallRecord['call'];
  prompts: PromptRef[];
}

export async function originOf(store: Store, dialogueId: string, idx: number): Promise<Origin> {
  const dialogue = await dialogueHead(store.read, dialogueId);
  const [turn] = await turnRecords(store.read, dialogueId, idx);
  if (!turn) throw new Error(`turn ${dialogueId}/${idx} is gone`);
  const seats = await seatRecords(store.read, dialogue);
  const { call } = await callRecord(store, turn.call_id);
  return {
    turn,
    dialogue,
    speaker: seats.find(({ seat }) => seat === turn.seat) ?? null,
    call,
    prompts: await promptRefs(store, dialogue.run_id),
  };
}

/** The run's settings are left to `inspect run`. */
export function withoutConfig<T extends { dialogue: DialogueHead }>(record: T) {
  const { config: _, ...dialogue } = record.dialogue;
  return { ...record, dialogue };
}

/** A link of the chain: its title, its id, what is known of it. */
export const link = (title: string, id: string, rows: readonly Field[]): string =>
  `${paint('dim', '← ')}${heading(title)} ${id}\n${fields(rows, '    ')}`;

/** The run's prompt file whose name begins so: a language may have a standard and a brief one. */
export function promptInWords(prompts: readonly PromptRef[], start: string): string {
  const prompt = prompts.find(({ name }) => name.startsWith(start));
  return prompt
    ? `${prompt.name} version ${prompt.version} (${prompt.hash.slice(0, 8)})`
    : `${start}*, which is not stored`;
}

/** From the turn to the model call, and to the persona and its survey cell. */
export function originText({ turn, dialogue, speaker, call, prompts }: Origin): string {
  const persona = speaker?.persona;
  const stance = speaker?.stance;
  const country = persona ? countryNamer(dialogue.config)(persona.country, persona.culture) : '';
  const missing = stance ? missingInWords(stance) : null;
  return page([
    link('Turn', `${dialogue.id}/${turn.idx}`, [
      ['said', `“${turn.text}”`],
      [
        'by',
        `${nameOf(speaker ?? undefined)}, ${roleName(speaker?.role ?? '')}${turn.kind === 'private' ? ', in private' : ''}`,
      ],
      ['flags', turn.flags.join(', '), 'red'],
      ['about', `“${dialogue.statement}” (${dialogue.topic_id})`],
      [
        'in',
        `dialogue ${dialogue.id} of run ${dialogue.run_id} (${dialogue.scenario}): ${dialogue.protocol}, ${endInWords(dialogue)}`,
      ],
    ]),
    link('Model call', call.id, [
      ['model', modelName(call)],
      ['prompt', promptInWords(prompts, `dialogue.${dialogue.language}.`)],
      [
        'when',
        `${moment(call.created_at)}, ${count(call.input_tokens)} tokens in, ${count(call.output_tokens)} out`,
      ],
    ]),
    persona
      ? link('Persona', persona.id, [
          [
            'who',
            `${persona.name}, ${persona.gender}, ${persona.age_band}, ${country}, ${persona.culture} culture`,
          ],
          ['stance', stanceInWords(stance ?? null)],
        ])
      : null,
    stance
      ? link('Survey cell', oneLine(`${stance.topic_id} in ${country}`), [
          ['answer', respondentsInWords(stance)],
          ['missing', missing, missing?.startsWith('!') ? 'yellow' : undefined],
        ])
      : null,
  ]);
}
