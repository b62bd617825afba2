import { describe, expect, test } from 'vitest';
import { uniform } from '../../src/ids.ts';
import { balancedSample } from '../../src/survey/balanced.ts';

/** People with uneven weights and answers to some topics, of which some are missing. */
function population(size: number, topics: number, draws: number) {
  const weights = Array.from({ length: size }, (_, i) => 0.2 + 2.5 * uniform('weight', i) ** 3);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const traits = weights.map((_, i) =>
    Array.from({ length: topics }, (__, t) => {
      const leaning = (uniform('leaning', i) + uniform('answer', i, t)) / 2;
      return uniform('missing', i, t) < 0.02 * (t % 10) ? [] : [4 * t + Math.floor(4 * leaning)];
    }).flat(),
  );
  return { expected: weights.map((weight) => (draws * weight) / total), traits };
}

const sums = (draws: readonly number[], traits: readonly (readonly number[])[]): number[] => {
  const of: number[] = [];
  traits.forEach((own, i) => own.forEach((trait) => (of[trait] = (of[trait] ?? 0) + (draws[i] as number))));
  return of;
};

describe('a balanced sample', () => {
  test.each([1, 4])('draws each unit as often as it should, at n = %i over 4,000 seeds', (n) => {
    const { expected, traits } = population(25, 3, n);
    const times = expected.map(() => 0);
    const seeds = 4000;
    for (let seed = 0; seed < seeds; seed += 1) {
      const drawn = balancedSample(expected, traits, seed);
      expect(drawn.reduce((sum, count) => sum + count, 0)).toBe(n);
      drawn.forEach((count, i) => (times[i] = (times[i] as number) + count));
    }
    expected.forEach((draws, i) => {
      const rest = draws - Math.floor(draws);
      const error = Math.sqrt((rest * (1 - rest)) / seeds);
      expect(Math.abs((times[i] as number) / seeds - draws)).toBeLessThan(4.5 * error + 1e-9);
    });
  });

  test.each([
    // The strictest measure: chance alone gives the root of 3 at four answers, whatever n is.
    [1000, 50, 300],
    [1000, 50, 1000],
    [1500, 20, 4000],
  ])('of %i people and %i topics is near their answers at n = %i', (size, topics, n) => {
    const { expected, traits } = population(size, topics, n);
    const [wanted, got] = [sums(expected, traits), sums(balancedSample(expected, traits, 'seed'), traits)];
    for (let t = 0; t < topics; t += 1) {
      const [all, drawn] = [wanted, got].map((list) => list.slice(4 * t, 4 * t + 4));
      const [of, among] = [all, drawn].map((list) => list!.reduce((sum, value) => sum + value, 0));
      const error = all!.reduce((sum, value, at) => {
        const share = value / of!;
        return share > 0 ? sum + ((drawn![at] ?? 0) / among! - share) ** 2 / share : sum;
      }, 0);
      expect(Math.sqrt(n * error), `topic ${t}`).toBeLessThan(1.3);
    }
  });

  test('takes the floor or the ceiling of what each unit expects, also of more than one', () => {
    const { expected, traits } = population(60, 5, 200);
    balancedSample(expected, traits, 1).forEach((count, i) => {
      expect(count).toBeGreaterThanOrEqual(Math.floor(expected[i] as number));
      expect(count).toBeLessThanOrEqual(Math.ceil(expected[i] as number));
    });
  });

  test('goes by the seed alone', () => {
    const { expected, traits } = population(100, 4, 10);
    const drawn = balancedSample(expected, traits, 'a', 1);
    expect(balancedSample([...expected], traits, 'a', 1)).toEqual(drawn);
    expect(balancedSample(expected, traits, 'a', 2)).not.toEqual(drawn);
  });

  test('of nobody, of one, of what is whole', () => {
    expect(balancedSample([], [], 1)).toEqual([]);
    expect(balancedSample([1], [[]], 1)).toEqual([1]);
    expect(balancedSample([2, 0, 1], [[1], [], [1, 2]], 1)).toEqual([2, 0, 1]);
    const halves = Array.from({ length: 200 }, (_, seed) => balancedSample([0.5], [[0]], seed)[0] as number);
    expect(new Set(halves)).toEqual(new Set([0, 1]));
  });
});
