import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DISAGREE, decide, screen, vote, type Facts } from '../../src/refinement/decide.ts';

const said = { quote: 'words', rewriteOf: null };
const fine: Facts = {
  verdict: 'entail',
  hasStance: true,
  representative: true,
  selected: true,
  includeRewritten: false,
};

test.each<
  [string, { quote: string | null; rewriteOf: string | null }, Partial<Facts>, string, string | null]
>([
  ['an opinion that passed everything', said, {}, 'accepted', 'grounded; entails the stance'],
  ['one without words in the turn', { ...said, quote: null }, {}, 'dropped', 'ungrounded'],
  [
    'one without words, whatever the verdict',
    { ...said, quote: null },
    { verdict: 'contradict' },
    'dropped',
    'ungrounded',
  ],
  ['one without a verdict', said, { verdict: null }, 'dropped', 'no verdict'],
  ['a contradiction', said, { verdict: 'contradict' }, 'dropped', 'contradict'],
  ['one that two judges disagree on', said, { verdict: DISAGREE }, 'dropped', 'judges disagree'],
  ['an irrelevant one', said, { verdict: 'irrelevant' }, 'dropped', 'irrelevant'],
  [
    'a contradiction that would be a duplicate',
    said,
    { verdict: 'contradict', representative: false },
    'dropped',
    'contradict',
  ],
  ['a duplicate', said, { representative: false, selected: null }, 'dropped', 'duplicate'],
  ['one over the quota', said, { selected: false }, 'dropped', 'quota is full'],
  ['one that was not deduplicated yet', said, { representative: null, selected: null }, 'candidate', null],
  ['one that was not selected yet', said, { selected: null }, 'candidate', null],
  [
    'one where no stance is claimed',
    said,
    { hasStance: false, verdict: null },
    'accepted',
    'grounded; no stance claimed',
  ],
  [
    'one without words where no stance is claimed',
    { ...said, quote: null },
    { hasStance: false },
    'dropped',
    'ungrounded',
  ],
  ['a rewrite', { ...said, rewriteOf: 'a' }, {}, 'dropped', 'rewritten'],
  [
    'a rewrite that still contradicts',
    { ...said, rewriteOf: 'a' },
    { verdict: 'contradict' },
    'dropped',
    'contradict',
  ],
  [
    'a rewrite that is let in',
    { ...said, rewriteOf: 'a' },
    { includeRewritten: true },
    'accepted',
    'rewrite entails the stance',
  ],
])('%s', (_, opinion, facts, status, reason) => {
  expect(decide(opinion, { ...fine, ...facts })).toEqual({ status, reason });
});

test.each<[string, Partial<typeof said & { extendsTopic: boolean }>, Partial<Facts>, string, string]>([
  [
    'an irrelevant one that extends the topic, where such are kept',
    { extendsTopic: true },
    { verdict: 'irrelevant', keepExtends: true },
    'accepted',
    'grounded; extends the topic',
  ],
  [
    'one that extends the topic, where such are not kept',
    { extendsTopic: true },
    { verdict: 'irrelevant' },
    'dropped',
    'irrelevant',
  ],
  [
    'an irrelevant one that extends nothing',
    { extendsTopic: false },
    { verdict: 'irrelevant', keepExtends: true },
    'dropped',
    'irrelevant',
  ],
  [
    'a contradiction that extends the topic',
    { extendsTopic: true },
    { verdict: 'contradict', keepExtends: true },
    'dropped',
    'contradict',
  ],
  [
    'one that extends the topic and entails the stance',
    { extendsTopic: true },
    { keepExtends: true },
    'accepted',
    'grounded; entails the stance',
  ],
  [
    'one of a dialogue that fails the gate',
    {},
    { gateFault: 'values only stated' },
    'dropped',
    'values only stated',
  ],
  ['one in another language', {}, { otherLanguage: true }, 'dropped', 'another language'],
])('%s', (_, opinion, facts, status, reason) => {
  expect(decide({ ...said, ...opinion }, { ...fine, ...facts })).toEqual({ status, reason });
});

test('two judges come to their common verdict, or disagree; one that is missing is no verdict', () => {
  expect(vote(['entail', 'entail'], 2)).toBe('entail');
  expect(vote(['contradict', 'contradict'], 2)).toBe('contradict');
  expect(vote(['entail', 'irrelevant'], 2)).toBe(DISAGREE);
  expect(vote(['entail'], 2)).toBeNull();
  expect(vote(['entail'], 1)).toBe('entail');
  expect(vote([], 1)).toBeNull();
});

describe('whatever the facts', () => {
  const opinion = fc.record({ quote: fc.constantFrom(null, 'words'), rewriteOf: fc.constantFrom(null, 'a') });
  const maybe = fc.constantFrom(true, false, null);
  const facts: fc.Arbitrary<Facts> = fc.record({
    verdict: fc.constantFrom('entail', 'contradict', 'irrelevant', DISAGREE, null),
    hasStance: fc.boolean(),
    representative: maybe,
    selected: maybe,
    includeRewritten: fc.boolean(),
    gateFault: fc.constantFrom(null, 'values not shown'),
    otherLanguage: fc.boolean(),
  });

  test('what is accepted has words in the turn, agrees with the stance, stands for its cluster and was selected', () => {
    fc.assert(
      fc.property(opinion, facts, (one, found) => {
        const { status, reason } = decide(one, found);
        if (status === 'accepted') {
          expect(one.quote).not.toBeNull();
          expect(found.hasStance ? found.verdict : 'entail').toBe('entail');
          expect([found.representative, found.selected]).toEqual([true, true]);
        }
        expect(reason === null).toBe(status === 'candidate');
      }),
    );
  });

  test('a person wins, and what a person rejects leaves its place to others', () => {
    fc.assert(
      fc.property(
        opinion,
        facts,
        fc.constantFrom('accept', 'edit', 'reject' as const),
        (one, found, review) => {
          const { status } = decide(one, { ...found, review });
          expect(status).toBe(review === 'reject' ? 'dropped' : 'accepted');
          expect(screen(one, { ...found, review }) === undefined).toBe(review !== 'reject');
        },
      ),
    );
  });

  test('what is screened out is dropped for that reason, whatever comes after', () => {
    fc.assert(
      fc.property(opinion, facts, (one, found) => {
        const before = screen(one, found);
        if (before) expect(decide(one, found)).toEqual(before);
        else
          expect(['duplicate', 'quota is full', null]).toContain(
            decide(one, found).status === 'dropped' ? decide(one, found).reason : null,
          );
      }),
    );
  });
});
