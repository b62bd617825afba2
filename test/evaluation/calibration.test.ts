import { describe, expect, test } from 'vitest';
import {
  atChance,
  calibrationFigures,
  calibrationInWords,
  readingShares,
} from '../../src/evaluation/calibration.ts';
import { wilson } from '../../src/evaluation/intervals.ts';

const labels = ['entail', 'contradict', 'irrelevant'];
const items = (rows: readonly (readonly [string, string | null, number])[]) =>
  rows.flatMap(([truth, given, n]) => Array.from({ length: n }, () => ({ truth, given })));
const figures = (...rows: (readonly [string, string | null, number])[]) => {
  const found = calibrationFigures(items(rows), labels);
  if (!found) throw new Error('no figures');
  return found;
};
const told = (found: ReturnType<typeof figures>) =>
  calibrationInWords({
    ...found,
    source: 'pairs',
    provenance: 'author-written, not checked by native speakers',
  });

describe('figures', () => {
  test('are those worked out by hand', () => {
    const found = figures(
      ['entail', 'entail', 8],
      ['entail', 'contradict', 2],
      ['contradict', 'contradict', 5],
      ['contradict', 'irrelevant', 5],
      ['irrelevant', 'irrelevant', 9],
      ['irrelevant', 'entail', 1],
    );
    expect(found).toMatchObject({ n: 30, classes: 3 });
    expect(found.accuracy).toBeCloseTo(22 / 30, 12);
    expect(found.balanced_accuracy).toBeCloseTo((0.8 + 0.5 + 0.9) / 3, 12);
    // Chance: (10 x 9 + 10 x 7 + 10 x 14) / 900 = 1/3.
    expect(found.kappa).toBeCloseTo((22 / 30 - 1 / 3) / (2 / 3), 12);
    expect(found.low).toBeLessThan(found.balanced_accuracy);
    expect(found.high).toBeGreaterThan(found.balanced_accuracy);
    expect(found.confusion).toEqual({
      labels,
      counts: [
        [8, 2, 0],
        [0, 5, 5],
        [1, 0, 9],
      ],
    });
  });

  test('count what could not be used as wrong, in a column of its own', () => {
    const found = figures(['entail', 'entail', 6], ['entail', null, 4], ['contradict', 'perhaps', 10]);
    expect(found.n).toBe(20);
    expect(found.classes).toBe(2);
    expect(found.accuracy).toBeCloseTo(0.3, 12);
    expect(found.balanced_accuracy).toBeCloseTo(0.3, 12);
    expect(found.confusion.labels.at(-1)).toBe('unusable');
    expect(found.confusion.counts.map((row) => row.at(-1))).toEqual([4, 10, 0, 0]);
  });

  test('of one category alone are a plain proportion', () => {
    const found = figures(['irrelevant', 'irrelevant', 7], ['irrelevant', 'entail', 3]);
    const { low, high } = wilson(7, 10);
    expect(found.low).toBeCloseTo(low, 1);
    expect(found.high).toBeCloseTo(high, 1);
  });

  test('are none without items', () => {
    expect(calibrationFigures([], labels)).toBeNull();
  });
});

describe('words', () => {
  test('say that nothing is known', () => {
    expect(calibrationInWords(undefined)).toBe('not calibrated');
  });

  test.each(labels)('a judge that always says %s is no better than chance', (always) => {
    const found = figures(...labels.map((truth) => [truth, always, 68] as const));
    expect(atChance(found)).toBe(true);
    expect(told(found)).toMatch(/^no better than chance: balanced accuracy 0\.33 /);
  });

  test('give a good judge its interval, n and where the labels come from', () => {
    const found = figures(
      ...labels.flatMap((truth) => [[truth, truth, 60] as const, [truth, null, 8] as const]),
    );
    expect(told(found)).toMatch(
      /^balanced accuracy 0\.88 \(0\.8\d to 0\.9\d\), n 204, author-written pairs, not checked by native speakers$/,
    );
  });

  test('with two classes chance is a half', () => {
    expect(atChance({ low: 0.49, classes: 2 })).toBe(true);
    expect(atChance({ low: 0.49, classes: 3 })).toBe(false);
  });
});

test('a reading is exact, or next to it; none is right for none alone, and no reading for nothing', () => {
  const pairs = [
    { truth: 0, given: 0 },
    { truth: 0, given: 1 },
    { truth: 3, given: 1 },
    { truth: null, given: null },
    { truth: null, given: 2 },
    { truth: 2, given: null },
    { truth: null, given: undefined },
    { truth: 1, given: undefined },
  ];
  expect(readingShares(pairs)).toEqual({ exact: 2 / 8, within_one: 3 / 8 });
});
