import { groupBy } from '../group-by.ts';
import { personaRecord, type PersonaRecord } from '../store/inspect-rows.ts';
import { getRun } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { block, coloured, fields, heading, page, scriptedBanner, type Page } from './inspect-text.ts';
import {
  answerInWords,
  countryNamer,
  readInWords,
  respondentsInWords,
  stanceInWords,
} from './inspect-words.ts';
import { oneLine } from './text.ts';

const SHOWN = 10;

/** A persona with its answers, each beside the people who gave it, and where it spoke. */
export async function personaPage(store: Store, id: string): Promise<Page> {
  const record = await personaRecord(store.read, id);
  const { persona, respondent, stances, dialogues, opinions } = record;
  const { config } = await getRun(store, persona.run_id);
  const country = countryNamer(config)(persona.country, persona.culture);
  const answers = stances.map((stance) =>
    [
      block(`${stance.topic_id}: “${stance.statement}”`, '  '),
      block(`answers ${stanceInWords(stance)}`, '      '),
      coloured('dim', block(respondentsInWords(stance), '      ')),
    ].join('\n'),
  );
  const sat = dialogues.slice(0, SHOWN).map((dialogue) => {
    const words = `${dialogue.role.replaceAll('_', ' ')}, ${dialogue.topic_id}, ${dialogue.status}`;
    return `  ${dialogue.id}  ${oneLine(words)}`;
  });
  const counted = Object.entries(opinions).map(([status, n]) => `${n} ${status}`);
  const text = page([
    `${heading(`Persona ${id}: ${oneLine(persona.name)}`)}\n${fields([
      [
        'who',
        [
          persona.gender,
          persona.age_band,
          ...(persona.education ? [`${persona.education} education`] : []),
          country,
        ].join(', '),
      ],
      [
        'stands for',
        respondent &&
          oneLine(`respondent ${respondent.number} of ${respondent.survey} (${respondent.country})`),
      ],
      ['culture', persona.culture],
      ['run', persona.run_id],
      ['opinions', counted.join(', ') || 'none'],
      ['key', persona.key],
    ])}`,
    `${heading('Answers')}\n${answers.join('\n') || '  none: no stance is claimed'}`,
    ledgerText(record),
    `${heading(`Dialogues: ${dialogues.length}`)}\n${sat.join('\n')}${dialogues.length > SHOWN ? '\n  …' : ''}`,
  ]);
  const next = [
    ...(dialogues[0] ? [`inspect dialogue ${dialogues[0].id}`] : []),
    `inspect run ${persona.run_id}`,
  ];
  return { text, next, json: record };
}

/** Its answers from the one that was assigned to the last, dialogue by dialogue. */
function ledgerText({ ledger, stances }: PersonaRecord): string | null {
  const dialogues = [...groupBy(ledger, ({ dialogue_id }) => dialogue_id)].filter(
    ([, own]) => own.length > 1,
  );
  if (dialogues.length === 0) return null;
  const parts = dialogues.slice(0, SHOWN).map(([id, own]) => {
    const stance = stances.find(({ topic_id }) => topic_id === own[0]?.topic_id) ?? null;
    const rows = own.map((row) => {
      const isRead = row.moment === 'turn' || row.moment === 'check';
      const answer =
        isRead || row.code === null
          ? readInWords(row, stance)
          : answerInWords(row.code, stance?.options ?? []);
      return [momentInWords(row), answer] as const;
    });
    return `  ${id}  ${own[0]?.protocol}, ${own[0]?.topic_id}\n${fields(rows, '      ')}`;
  });
  const rehearsed = ledger.some(({ scripted }) => scripted)
    ? [scriptedBanner('the scripted model gave or read these answers')]
    : [];
  return [
    heading('Stance ledger'),
    ...rehearsed,
    ...parts,
    ...(dialogues.length > SHOWN ? ['  …'] : []),
  ].join('\n');
}

function momentInWords({ moment, idx }: PersonaRecord['ledger'][number]): string {
  switch (moment) {
    case 'assigned':
      return 'assigned';
    case 'private-before':
      return 'private, before';
    case 'private-after':
      return 'private, after';
    case 'control-first':
      return 'private, first';
    case 'control-second':
      return 'private, second, with no talk between';
    case 'check':
      return `turn ${idx}, as it was spoken`;
    case 'turn':
      return `turn ${idx}`;
  }
}
