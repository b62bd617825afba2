import { uniform } from '../ids.ts';

/**
 * Systematic sampling: n draws at (i + start) / n of the cumulated shares, i = 0..n-1.
 * Each item's count is the floor or the ceiling of n x share, and over a uniform start its expectation is
 * n x share exactly (Madow 1949). Any contiguous group of items has the same property.
 * @param weights non-negative, any unit; an item of weight 0 is never drawn
 * @param start uniform in [0, 1)
 * @returns the indices drawn, in order, n of them
 */
export function systematicSample(weights: readonly number[], n: number, start: number): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) throw new RangeError('systematic sampling needs a positive weight');
  const last = weights.findLastIndex((weight) => weight > 0);
  const drawn: number[] = [];
  let item = 0;
  let upTo = weights[0] as number;
  for (let i = 0; i < n; i += 1) {
    const point = ((i + start) / n) * total;
    while (point >= upTo && item < last) {
      item += 1;
      upTo += weights[item] as number;
    }
    drawn.push(item);
  }
  return drawn;
}

/** The start of a systematic sample: independent for every combination of parts. */
export function sampleStart(...parts: readonly (string | number)[]): number {
  return uniform('systematic-start', ...parts);
}
