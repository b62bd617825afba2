import { personaRecord } from '../store/inspect-rows.ts';
import { getRun } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { block, coloured, fields, heading, page, type Page } from './inspect-text.ts';
import { countryNamer, respondentsInWords, stanceInWords } from './inspect-words.ts';
import { oneLine } from './text.ts';

const SHOWN = 10;

/** A persona with its answers, each beside the people who gave it, and where it spoke. */
export async function personaPage(store: Store, id: string): Promise<Page> {
  const record = await personaRecord(store.read, id);
  const { persona, stances, dialogues, opinions } = record;
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
      ['who', `${persona.gender}, ${persona.age_band}, ${country}`],
      ['culture', persona.culture],
      ['run', persona.run_id],
      ['opinions', counted.join(', ') || 'none'],
      ['key', persona.key],
    ])}`,
    `${heading('Answers')}\n${answers.join('\n') || '  none: no stance is claimed'}`,
    `${heading(`Dialogues: ${dialogues.length}`)}\n${sat.join('\n')}${dialogues.length > SHOWN ? '\n  …' : ''}`,
  ]);
  const next = [
    ...(dialogues[0] ? [`inspect dialogue ${dialogues[0].id}`] : []),
    `inspect run ${persona.run_id}`,
  ];
  return { text, next, json: record };
}
