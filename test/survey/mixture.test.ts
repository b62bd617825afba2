import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadCulture } from '../../src/agents/load.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { cellKey } from '../../src/ids.ts';
import { mixture, type Mixture } from '../../src/survey/mixture.ts';
import type { Cell, Survey } from '../../src/survey/types.ts';

const survey = loadSurvey();
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const shareOf = (mixed: Mixture, of: (part: Mixture['parts'][number]) => boolean): number =>
  sum(mixed.parts.filter(of).map(({ share }) => share));
const arabic = loadCulture('arabic').countries;
const spanish = loadCulture('spanish').countries;

test('one country is its own distribution', () => {
  const { counts, validN, scale } = survey.cells.get(cellKey('Q27', 'TUR')) as Cell;
  const turkish = mixture(survey, [{ code: 'TUR', weight: 3 }], 'Q27') as Mixture;
  expect(turkish.parts.map(({ code }) => code)).toEqual(scale.options.map(({ code }) => code));
  turkish.parts.forEach(({ share }, at) => expect(share).toBeCloseTo((counts[at] as number) / validN, 12));
  expect(turkish.notAsked).toEqual([]);
});

test('several countries count by their weight, not by how many were asked there', () => {
  const mixed = mixture(survey, spanish, 'Q27') as Mixture;
  const total = sum(spanish.map(({ weight }) => weight));
  for (const { code, weight } of spanish)
    expect(shareOf(mixed, ({ country }) => country === code)).toBeCloseTo(weight / total, 12);
});

test('countries that were not asked are named, and their weight goes to the others', () => {
  const mixed = mixture(survey, arabic, 'Q36') as Mixture;
  expect(mixed.countries).toEqual(['LBY']);
  expect([...mixed.notAsked].sort()).toEqual(['EGY', 'IRQ', 'JOR', 'LBN', 'MAR', 'TUN']);
  expect(shareOf(mixed, ({ country }) => country === 'LBY')).toBeCloseTo(1, 12);
  const { missingN, validN } = survey.cells.get(cellKey('Q36', 'LBY')) as Cell;
  expect(mixed.missingShare).toBeCloseTo(missingN / (missingN + validN), 12);
});

test('where nobody was asked there is no mixture', () => {
  expect(mixture(survey, loadCulture('chinese').countries, 'Q125')).toBeNull();
  expect(mixture(survey, [{ code: 'FRA', weight: 1 }], 'Q27')).toBeNull();
});

test('countries with different scales keep their own answers', () => {
  const mixed = mixture(survey, spanish, 'Q33') as Mixture;
  const codes = (of: string) => mixed.parts.filter(({ country }) => country === of).map(({ code }) => code);
  expect(codes('ARG')).toEqual([2, 3, 4]);
  expect(codes('MEX')).toEqual([1, 2, 3, 4, 5]);
  expect(sum(mixed.parts.map(({ share }) => share))).toBeCloseTo(1, 12);
});

test('weighted counts, once they are loaded, come before the plain ones', () => {
  const cell = survey.cells.get(cellKey('Q27', 'TUR')) as Cell;
  const weighted = { ...cell, weighted: [1, 1, 0, 2] };
  const changed = { ...survey, cells: new Map([[cellKey('Q27', 'TUR'), weighted]]) };
  const shares = mixture(changed, [{ code: 'TUR', weight: 1 }], 'Q27')?.parts.map(({ share }) => share);
  expect(shares).toEqual([0.25, 0.25, 0, 0.5]);
});

const scale = {
  id: 's',
  options: [1, 2, 3, 4].map((code) => ({ code, label: `${code}`, agreement: code / 4 })),
};

/** A few countries with counts (some asked nobody) and weights. */
const countries = fc
  .uniqueArray(fc.constantFrom('AAA', 'BBB', 'CCC', 'DDD', 'EEE'), { minLength: 1 })
  .chain((codes) =>
    fc.tuple(
      ...codes.map((code) =>
        fc.record({
          code: fc.constant(code),
          weight: fc.double({ min: 0.01, max: 1000, noNaN: true }),
          counts: fc.oneof(
            { weight: 3, arbitrary: fc.array(fc.nat(1500), { minLength: 4, maxLength: 4 }) },
            { weight: 1, arbitrary: fc.constant<number[]>([0, 0, 0, 0]) },
          ),
        }),
      ),
    ),
  );

const surveyOf = (list: readonly { code: string; counts: readonly number[] }[]): Survey => ({
  topics: new Map(),
  scales: new Map(),
  cells: new Map(
    list.map(({ code, counts }) => [
      cellKey('T', code),
      { topicId: 'T', country: code, scale, counts, weighted: null, validN: sum(counts), missingN: 10 },
    ]),
  ),
});

test('whatever the countries, shares are none below 0, sum to 1, and follow weights and counts', () => {
  fc.assert(
    fc.property(countries, (list) => {
      const mixed = mixture(surveyOf(list), list, 'T');
      const asked = list.filter(({ counts }) => sum(counts) > 0);
      expect(mixed === null).toBe(asked.length === 0);
      if (mixed === null) return;
      const total = sum(asked.map(({ weight }) => weight));
      expect(sum(mixed.parts.map(({ share }) => share))).toBeCloseTo(1, 9);
      expect([...mixed.countries, ...mixed.notAsked].sort()).toEqual(list.map(({ code }) => code).sort());
      for (const { code: country, weight, counts } of asked)
        counts.forEach((count, at) => {
          const share = shareOf(mixed, (part) => part.country === country && part.code === at + 1);
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeCloseTo((count / sum(counts)) * (weight / total), 9);
        });
    }),
  );
});

test('the unit of the weights and the order of the countries make no difference', () => {
  fc.assert(
    fc.property(countries, fc.double({ min: 0.001, max: 1000, noNaN: true }), (list, unit) => {
      const plain = mixture(surveyOf(list), list, 'T');
      const moved = list.map((one) => ({ ...one, weight: one.weight * unit })).reverse();
      const other = mixture(surveyOf(list), moved, 'T');
      expect(other?.parts.map(({ code, country }) => `${code} ${country}`)).toEqual(
        plain?.parts.map(({ code, country }) => `${code} ${country}`),
      );
      plain?.parts.forEach(({ share }, at) => expect(other?.parts[at]?.share).toBeCloseTo(share, 9));
    }),
  );
});

test('all countries of one answer stand together, in the order of the answers', () => {
  for (const topic of survey.topics.keys()) {
    const codes = (mixture(survey, arabic, topic) as Mixture).parts.map(({ code }) => code);
    expect(codes).toEqual([...codes].sort((a, b) => a - b));
  }
});
