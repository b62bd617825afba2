import { expect, test } from 'vitest';
import type { Rehearsal } from '../../src/models/rehearsal.ts';
import { scriptedModel } from '../../src/models/scripted.ts';
import type { Option } from '../../src/survey/types.ts';

const model = scriptedModel();
const play = async (rehearsal: Rehearsal): Promise<string> =>
  (
    await model.chat(
      { messages: [], sampling: { temperature: 0 }, maxTokens: 100, rehearsal },
      new AbortController().signal,
    )
  ).text;

const scale = (of: number, agreement: (at: number) => number | null): Option[] =>
  Array.from({ length: of }, (_, at) => ({
    code: at + 1,
    label: `Answer ${at + 1}.`,
    agreement: agreement(at),
  }));
const scales: [string, Option[]][] = [
  ...[2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((of): [string, Option[]] => [
    `${of} answers in order`,
    scale(of, (at) => at / (of - 1)),
  ]),
  ['answers close together, backwards', scale(4, (at) => 1 - at / 20)],
  ['two answers with the same agreement', scale(3, (at) => (at === 0 ? 0 : 1))],
  ['two answers without an order', scale(2, () => null)],
  ['eleven answers without an order', scale(11, () => null)],
];

test.each(['ar', 'bn', 'de', 'en', 'es', 'ko', 'pt', 'tr', 'zh'])(
  'what the scripted model says in %s is read back as the answer that it stands for, on any scale',
  async (language) => {
    const statement = 'Half of it (1/2) is right.';
    for (const [name, options] of scales)
      for (const { code, label } of options)
        for (const seed of ['a', 'b', 'c', 'd', 'e', 'f']) {
          const said = { seed, language, statement, theme: 'religion', answer: { code, label, options } };
          const turn = await play({
            ...{
              kind: 'turn',
              ...said,
              country: 'X',
              sentences: 3,
              idx: 0,
              otherAgreement: seed > 'c' ? 1 : null,
            },
          });
          const { rewrites } = JSON.parse(
            await play({ kind: 'rewrite', ...said, opinions: [''], answers: [said.answer] }),
          ) as { rewrites: { text: string }[] };
          const read = await play({
            kind: 'read',
            seed,
            language,
            texts: [
              { name: 'turn', text: turn },
              { name: 'rewrite', text: rewrites[0]?.text ?? '' },
            ],
            options: options.toReversed().map((option) => ({ ...option, letter: `L${option.code}` })),
          });
          expect(JSON.parse(read), `${name}: ${turn}`).toEqual({ turn: `L${code}`, rewrite: `L${code}` });
        }
  },
);

test('a text that is none of its own it does not read', async () => {
  const [, options] = scales[0] as (typeof scales)[number];
  const texts = [{ name: 'turn', text: 'Tea is good (1/2).' }];
  const read = await play({
    ...{ kind: 'read', seed: 's', language: 'en', texts },
    options: options.map((option) => ({ ...option, letter: 'A' })),
  });
  expect(JSON.parse(read)).toEqual({ turn: 'none' });
});
