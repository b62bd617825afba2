import { jaccard, shingleAll } from '../refinement/shingles.ts';
import { normalise } from '../refinement/normalise.ts';
import { random } from './random.ts';

/**
 * Distinct-n (Li et al. 2016): how many different runs of n words the texts have, as a share of all their
 * runs. Falls with the number and the length of texts: compare sets of about the same size.
 *
 * Words are those of the normalised text; a Han or kana character counts as one. Null when no text has n words.
 */
export function distinctN(texts: readonly string[], n: number): number | null {
  const seen = new Set<string>();
  let runs = 0;
  for (const text of texts) {
    const words =
      normalise(text).match(/[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]|[^\s\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]+/gu) ??
      [];
    for (let at = 0; at + n <= words.length; at++, runs++) seen.add(words.slice(at, at + n).join(' '));
  }
  return runs > 0 ? seen.size / runs : null;
}

/** Mean distances of pairs of texts: 0 for equal ones, 1 for those that share no run of characters. */
export interface TextSpread {
  /** Of two texts of the set; null with fewer than two. */
  within: number | null;
  /** Of a text of the set and one of the others; null without others. */
  between: number | null;
}

/**
 * How different the texts of a set (a cell, a persona) are from each other, beside how different they are from others
 * (other cells on the topic). A set whose `within` lies far below `between` has a voice of its own, or says one thing.
 *
 * The distance is 1 - Jaccard over character shingles (5 characters, 3 in Han, kana and Hangul), the measure by which
 * near-duplicates are found. Texts of different languages share nothing, so compare within a language. Texts with no
 * letters are left out.
 * @param seed which pairs are taken where there are more than `pairs` of a kind; same seed, same pairs
 */
export function textSpread(
  texts: readonly string[],
  others: readonly string[],
  seed: string | number,
  pairs = 2000,
): TextSpread {
  const [own, foreign] = [texts, others].map((list) => list.map(normalise).filter((text) => text !== '')) as [
    string[],
    string[],
  ];
  const all = [...own, ...foreign];
  const shingles = shingleAll(all);
  const next = random('spread', seed);
  const below = (count: number) => Math.floor(next() * count);
  const mean = (count: number, every: () => Iterable<Pair>, any: () => Pair) => {
    if (count === 0) return null;
    const taken = count <= pairs ? [...every()] : Array.from({ length: pairs }, any);
    return taken.reduce((sum, [a, b]) => sum + 1 - jaccard(shingles, a, b, 0), 0) / taken.length;
  };
  const n = own.length;
  return {
    within: mean(
      (n * (n - 1)) / 2,
      () => own.flatMap((_, b) => own.slice(0, b).map((_, a): Pair => [a, b])),
      () => {
        const a = below(n);
        const b = below(n - 1);
        return [a, b < a ? b : b + 1];
      },
    ),
    between: mean(
      n * foreign.length,
      () => own.flatMap((_, a) => foreign.map((_, b): Pair => [a, n + b])),
      () => [below(n), n + below(foreign.length)],
    ),
  };
}

type Pair = [number, number];
