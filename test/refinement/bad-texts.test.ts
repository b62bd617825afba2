import { describe, expect, test } from 'vitest';
import { judge } from '../../src/models/reply.ts';
import { decide } from '../../src/refinement/decide.ts';
import { applyExtract, planExtract } from '../../src/refinement/extract.ts';
import { applyGate, gateFault, loadGatePrompts, planGate } from '../../src/refinement/gate.ts';
import { planRewrite } from '../../src/refinement/rewrite.ts';
import { windowsOf } from '../../src/refinement/scene.ts';
import { planVerify } from '../../src/refinement/verify.ts';
import { from, opinionOf, sceneOf, turkish } from './scenes.ts';

const { prompts: gate } = loadGatePrompts();
const usage = { input: 1, cachedInput: 0, output: 1 };
const copy = { maxTokens: 500, quotes: 'copy' } as const;
const opinionsOf = (turn: string, quote: string, opinion = quote) =>
  applyExtract(
    sceneOf(turkish, ['Hello.', turn]),
    JSON.stringify({ opinions: [{ turn: 1, quote, opinion, polarity: 'agree', class: 'belief' }] }),
    from,
  );

/** A turn that nobody would wish for, the quote that a model gives of it, and what is stored as its words. */
const turns: [string, string, string, string | null][] = [
  ['an empty turn', '', 'nothing', null],
  ['a turn of white space', ' \n\t ', ' ', null],
  ['a one-word turn', 'Yes.', 'Yes.', 'Yes.'],
  ['one word of two letters', 'No', 'No', null],
  ['one Chinese word', '信任', '信任', '信任'],
  ['emoji alone', '👍👍', '👍', null],
  ['an opinion with emoji', 'Family first 👩‍👩‍👧 always!', 'Family first 👩‍👩‍👧 always', 'Family first 👩‍👩‍👧 always'],
  [
    'right-to-left marks',
    '\u200fالثقة\u202c\u200e أولا دائما',
    'الثقة أولا دائما',
    'الثقة\u202c\u200e أولا دائما',
  ],
  [
    'an override that hides words',
    'I say \u202eyletulosba on\u202c to it',
    'yletulosba on to it',
    'yletulosba on\u202c to it',
  ],
  ['a lone surrogate in the turn', 'Trust \ud83d is earned slowly', 'is earned slowly', 'is earned slowly'],
  [
    'a lone surrogate in the quote',
    'Trust is earned slowly here',
    '\udc00Trust is earned slowly',
    'Trust is earned slowly',
  ],
  ['a NUL', 'Trust is\u0000 earned slowly', 'earned slowly', 'earned slowly'],
];

describe('a turn that nobody would wish for', () => {
  test.each(turns)('%s stops nothing: its words are found, or it is ungrounded', (_, turn, quote, words) => {
    const scene = sceneOf(turkish, ['Hello.', turn]);
    for (const request of [
      planExtract(scene, copy),
      planExtract(scene, { ...copy, quotes: 'choose' }),
      planGate(scene, gate, { maxTokens: 9 }),
    ])
      expect(() => JSON.stringify(request?.messages)).not.toThrow();
    const found = opinionsOf(turn, quote, quote.trim() || 'x');
    expect(found.map((opinion) => opinion.quote)).toEqual([words]);
    if (words === null)
      expect(
        decide(found[0]!, {
          ...{
            verdict: 'entail',
            hasStance: true,
            representative: true,
            selected: true,
            includeRewritten: true,
          },
        }),
      ).toEqual({ status: 'dropped', reason: 'ungrounded' });
  });

  test('nothing to harvest is no call', () => {
    expect(planExtract(sceneOf(turkish, ['']), copy)).toBeNull();
    expect(planGate(sceneOf(turkish, ['']), gate, { maxTokens: 9 })).toBeNull();
  });
});

describe('turns of 100 kB', () => {
  const long = Array.from(
    { length: 1400 },
    (_, n) => `${n}: people here say that trust takes years to grow.`,
  ).join(' ');

  test('each is a window of its own, all are asked about once, and the last words are found', () => {
    const scene = sceneOf(turkish, ['Hello.', long, 'And you?', `${long} In the end I trust nobody.`]);
    const windows = windowsOf(scene);
    expect(windows.flatMap(({ turns: own }) => own.map(({ idx }) => idx))).toEqual([0, 1, 2, 3]);
    const asked = windows.flatMap((window) => planExtract(window, copy) ?? []);
    expect(asked).toHaveLength(2);
    expect(asked.map(({ messages }) => messages.at(-1)?.text.includes('In the end I trust'))).toEqual([
      false,
      true,
    ]);
    const reply = {
      opinions: [
        { turn: 3, quote: 'in the end I trust nobody', opinion: 'x', polarity: 'agree', class: 'belief' },
      ],
    };
    expect(asked[1]?.schema?.fault(reply)).toBeUndefined();
    expect(asked[0]?.schema?.fault(reply)).toBeTruthy();
    const [opinion] = applyExtract(windows.at(-1)!, JSON.stringify(reply), from);
    expect(opinion?.quote).toBe('In the end I trust nobody');
  });

  test('a dialogue of 14 long turns is one window, the whole', () => {
    const scene = sceneOf(turkish, Array<string>(14).fill('信'.repeat(1400)));
    expect(windowsOf(scene)).toEqual([scene]);
  });
});

describe('a judge that answers in another language', () => {
  const scene = sceneOf(turkish, ['Hello.', 'Family first.']);
  const opinions = [opinionOf(turkish, 'a')];
  const said = (request: ReturnType<typeof planVerify>, reply: unknown) =>
    judge({ text: JSON.stringify(reply), finish: 'stop', usage }, request?.schema).status;

  test('is malformed where a word was to be chosen, so that it is asked again and then noted', () => {
    const verify = planVerify(scene, opinions, { maxTokens: 9 });
    expect(said(verify, { verdicts: [{ opinion: 1, verdict: 'widerspricht' }] })).toBe('malformed');
    expect(said(verify, { Urteile: [{ opinion: 1, verdict: 'entail' }] })).toBe('malformed');
    expect(said(verify, 'Die erste Meinung widerspricht der Antwort.')).toBe('malformed');
    const talk = planGate(scene, gate, { maxTokens: 9 });
    expect(said(talk, { shown: 'gezeigt', consistent: true, reason: 'weil' })).toBe('malformed');
    expect(said(talk, { shown: 'shown', consistent: 'ja', reason: 'weil' })).toBe('malformed');
    const rewrite = planRewrite(scene, opinions, { maxTokens: 9 });
    expect(said(rewrite, { Meinungen: ['Familie zuerst.'] })).toBe('malformed');
  });

  test('is kept in its own words where it gives a reason', () => {
    const reply = { shown: 'stated', consistent: true, reason: 'nur  behauptet,\nnicht gezeigt' };
    expect(applyGate(JSON.stringify(reply))).toEqual({ ...reply, reason: 'nur behauptet, nicht gezeigt' });
  });
});

test('the gate passes values that are shown, consistently; what it did not judge has not passed', () => {
  expect(gateFault({ shown: 'shown', consistent: true })).toBeNull();
  expect(gateFault({ shown: 'shown', consistent: false })).toBe('values inconsistent');
  expect(gateFault({ shown: 'stated', consistent: true })).toBe('values only stated');
  expect(gateFault({ shown: 'absent', consistent: true })).toBe('values not shown');
  expect(gateFault(undefined)).toBe('no gate result');
});

test('the gate is told who is judged and with which answer, and judges delegates alone', () => {
  const scene = sceneOf(turkish, ['Hello.', 'Family first.']);
  const text = planGate(scene, gate, { maxTokens: 9 })?.messages.at(-1)?.text ?? '';
  const [main, delegate] = turkish.participants.map(({ persona }) => persona?.name ?? '');
  expect(text).toMatch(new RegExp(`- ${delegate} \\(answer: .+\\)`));
  expect(text).not.toContain(`- ${main}`);
  expect(text).toContain('Family first.');
});
