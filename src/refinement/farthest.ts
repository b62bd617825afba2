import type { VectorsOf } from './deduplicate.ts';
import { normalise } from './normalise.ts';
import { jaccard, shingleAll } from './shingles.ts';

/** What is chosen among. */
export interface Choosable {
  key: string;
  text: string;
  language: string;
  /** `qualityOf`. */
  quality: number;
}

/** Where texts lie: by their character shingles; by an embedder's vectors where it is used in all their languages. */
export interface Space {
  languages: readonly string[];
  vectorsOf: VectorsOf;
}

/** Likeness of two texts of a list, 0 to 1, by their places. */
type Likeness = (i: number, j: number) => number;

/** Texts that how typical an opinion is gets measured against, of its own culture and of others. */
const SAMPLE = 50;

/**
 * Gives the rows of a pool one by one, the best first: by quality in whole steps (grounding, confidence, class), and among
 * equals the one farthest from all given before (Gonzalez 1985), so that any number of first ones is spread out. `weight`
 * (0 to 1) mixes in how typical it is: how like the others of the pool, and how unlike `others`, which are of other
 * cultures on the same topic. `allowed` is asked each time. Ties go by key; nothing is random.
 */
export async function* farthestFirst<T extends Choosable>(
  pool: readonly T[],
  allowed: (row: T) => boolean,
  { weight, others, space }: { weight: number; others: readonly Choosable[]; space?: Space | undefined },
): AsyncGenerator<T, void, undefined> {
  const rows = [...pool].sort((a, b) => stepOf(b) - stepOf(a) || (a.key < b.key ? -1 : 1));
  const foreign = weight > 0 ? [...others].sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, SAMPLE) : [];
  const likeness = await likenessOf([...rows, ...foreign], space);
  const own = weight > 0 ? everyNth(rows.length, SAMPLE) : [];
  const abroad = foreign.map((_, at) => rows.length + at);
  const typical = rows.map((_, at) =>
    weight > 0
      ? (1 + mean(own, (other) => likeness(at, other)) - mean(abroad, (other) => likeness(at, other))) / 2
      : 0,
  );
  /** Of each row: the distance to the nearest that was given; -1 for those that were. */
  const distance = new Float64Array(rows.length).fill(1);
  for (;;) {
    let best = -1;
    let highest = -1;
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at] as T;
      if (best >= 0 && stepOf(row) < stepOf(rows[best] as T)) break;
      if ((distance[at] as number) < 0 || !allowed(row)) continue;
      const score = (1 - weight) * (distance[at] as number) + weight * (typical[at] as number);
      if (score > highest) [best, highest] = [at, score];
    }
    if (best < 0) return;
    yield rows[best] as T;
    for (let at = 0; at < rows.length; at++)
      if ((distance[at] as number) >= 0)
        distance[at] = Math.min(distance[at] as number, 1 - likeness(best, at));
    distance[best] = -1;
  }
}

/** Quality in whole steps. */
const stepOf = ({ quality }: Choosable): number => Math.floor(quality);

async function likenessOf(rows: readonly Choosable[], space: Space | undefined): Promise<Likeness> {
  if (space && rows.every(({ language }) => space.languages.includes(language))) {
    const { values, dimensions } = await space.vectorsOf(rows.map(({ text }) => text));
    const vectors = rows.map((_, at) => values.subarray(at * dimensions, (at + 1) * dimensions));
    return (i, j) => {
      const [a, b] = [vectors[i] as Float32Array, vectors[j] as Float32Array];
      let sum = 0;
      for (let at = 0; at < dimensions; at++) sum += (a[at] as number) * (b[at] as number);
      return Math.min(1, Math.max(0, sum));
    };
  }
  const shingles = shingleAll(rows.map(({ text }) => normalise(text)));
  return (i, j) => jaccard(shingles, i, j, 0);
}

/** At most n places of so many, evenly spread. */
const everyNth = (count: number, n: number): number[] =>
  Array.from({ length: Math.min(count, n) }, (_, at) => Math.floor((at * count) / Math.min(count, n)));

const mean = (places: readonly number[], of: (place: number) => number): number =>
  places.length === 0 ? 0 : places.reduce((sum, place) => sum + of(place), 0) / places.length;
