import { expect, test } from 'vitest';
import { decide } from '../../src/refinement/decide.ts';
import { applyRewrite, planRewrite } from '../../src/refinement/rewrite.ts';
import { verifiable } from '../../src/refinement/verify.ts';
import { from, opinionOf, sceneOf, turkish } from './scenes.ts';

const scene = sceneOf(turkish, ['Hello.', 'Family first.']);
const a = opinionOf(turkish, 'a', {
  text: 'Parents do not matter.',
  quote: 'not matter',
  quoteStart: 4,
  quoteEnd: 14,
});
const b = opinionOf(turkish, 'b');
const rewrite = (...rewrites: object[]) =>
  applyRewrite([a, b], JSON.stringify({ rewrites }), {
    ...from,
    stageRunId: 'rewrite stage',
    callId: 'another call',
  });

test('where nothing contradicts nothing is asked', () => {
  expect(planRewrite(scene, [], { maxTokens: 9 })).toBeNull();
});

test('the rewriter is told each contradiction with the answer that it should agree with', () => {
  const text = planRewrite(scene, [a, b], { maxTokens: 9 })?.messages.at(-1)?.text ?? '';
  const { persona, scale } = turkish.participants[1]!;
  const label = scale?.options.find(({ code }) => code === persona?.stances.get('Q27'))?.label;
  expect(text).toContain(`1. (the person's answer: "${label}") Parents do not matter.`);
  expect(text).toContain('2. (the person');
  expect(text).toContain('English');
});

test('the reply names opinions from 1 to the last', () => {
  const schema = planRewrite(scene, [a, b], { maxTokens: 9 })?.schema;
  expect(schema?.fault({ rewrites: [{ opinion: 2, text: 'x' }] })).toBeUndefined();
  for (const opinion of [0, 3, 1.5])
    expect(schema?.fault({ rewrites: [{ opinion, text: 'x' }] })).toBeTruthy();
});

test('a rewrite is an opinion of its own that points to the original and keeps its quote', () => {
  const before = structuredClone(a);
  const [rewritten] = rewrite({ opinion: 1, text: ' Parents  do matter. ' });
  expect(rewritten).toMatchObject({
    text: 'Parents do matter.',
    rewriteOf: 'a',
    quote: 'not matter',
    quoteStart: 4,
    quoteEnd: 14,
    turnIdx: a.turnIdx,
    personaId: a.personaId,
    polarity: 'unknown',
    callId: 'another call',
    stageRunId: 'rewrite stage',
  });
  expect(rewritten?.id).not.toBe(a.id);
  expect(a).toEqual(before);
  expect(verifiable(scene, [rewritten!])).toEqual([rewritten]);
});

test('rewrites belong to the opinion of their number, in any order', () => {
  const found = rewrite({ opinion: 2, text: 'Second.' }, { opinion: 1, text: 'First.' });
  expect(found.map(({ rewriteOf, text }) => `${rewriteOf} ${text}`)).toEqual(['a First.', 'b Second.']);
  expect(new Set(found.map(({ id }) => id)).size).toBe(2);
});

test('what was passed over, left empty or left as it was is no rewrite', () => {
  expect(rewrite()).toEqual([]);
  expect(rewrite({ opinion: 1, text: '  ' }, { opinion: 2, text: b.text })).toEqual([]);
});

test('a rewrite that entails the stance stays out of the samples unless the scenario lets it in', () => {
  const [rewritten] = rewrite({ opinion: 1, text: 'Parents do matter.' });
  const facts = { verdict: 'entail', hasStance: true, representative: true, selected: true } as const;
  expect(decide(rewritten!, { ...facts, includeRewritten: false })).toEqual({
    status: 'dropped',
    reason: 'rewritten',
  });
  expect(decide(rewritten!, { ...facts, includeRewritten: true })).toEqual({
    status: 'accepted',
    reason: 'rewrite entails the stance',
  });
});
