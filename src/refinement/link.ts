import { bandKeys, planFor, type Plan } from './minhash.ts';
import { jaccard, longestOf, shingle, type Shingles } from './shingles.ts';

/** Texts to compare, at places 0 to n - 1, each block's one after the other, the best first; shared among threads. */
export interface Memory extends Shingles {
  /** For each text one key a band. */
  keys: Uint32Array;
  /** Least Jaccard similarity of a link. */
  threshold: number;
  /** Every pair, or for each text the first one before it that it is linked to and that is itself linked to none. */
  links: 'all' | 'first';
  /** Unit vectors, end to end (all 0: none), and their least cosine. */
  vectors?: { values: Float32Array; dimensions: number; threshold: number };
}

/** Shingles and signs texts, from a place on; or links the texts of some groups, each given by the places where its blocks begin and end. */
export type Task =
  | { kind: 'sign'; memory: Memory; at: number; texts: readonly string[] }
  | { kind: 'link'; memory: Memory; groups: readonly (readonly number[])[] };

/** Links by the places of their texts, `a < b`; `method` is an index of `methods`. */
export interface Links {
  a: number[];
  b: number[];
  similarity: number[];
  method: number[];
}

/** `across`: in different blocks of a group, by their characters. */
export const methods = ['ngram', 'embedding', 'across'] as const;
const [NGRAM, EMBEDDING, ACROSS] = [0, 1, 2];

const plans = new Map<number, Plan>();

/** Does a task; pure but for what it writes into the memory at its own texts' places. */
export function work(task: Task): Links {
  const { memory } = task;
  const plan = plans.get(memory.threshold) ?? planFor(memory.threshold);
  plans.set(memory.threshold, plan);
  const links: Links = { a: [], b: [], similarity: [], method: [] };
  if (task.kind === 'sign') signAll(plan, memory, task.at, task.texts);
  else for (const bounds of task.groups) linkGroup(plan, memory, bounds, links);
  return links;
}

function signAll(plan: Plan, memory: Memory, at: number, texts: readonly string[]): void {
  const { hashes, starts, ends, keys } = memory;
  const longest = longestOf(texts);
  const points = new Uint32Array(longest);
  // Sorted here: an array that threads share would be copied for it.
  const own = new Uint32Array(longest);
  const signature = new Int32Array(plan.values);
  texts.forEach((text, i) => {
    const size = shingle(text, points, own, 0);
    const start = starts[at + i] as number;
    hashes.set(own.subarray(0, size), start);
    ends[at + i] = start + size;
    bandKeys(plan, own, 0, size, signature, keys, (at + i) * plan.bands);
  });
}

/** Links the texts within each block, then those that stand for themselves across the blocks. */
function linkGroup(plan: Plan, memory: Memory, bounds: readonly number[], links: Links): void {
  const blockOf = bounds.length > 2 ? new Map<number, number>() : undefined;
  for (let block = 0; block + 1 < bounds.length; block++) {
    const from = bounds[block] as number;
    const places = Uint32Array.from({ length: (bounds[block + 1] as number) - from }, (_, at) => from + at);
    const open = linkPlaces(plan, memory, places, links);
    if (blockOf) for (const place of open) blockOf.set(place, block);
  }
  if (blockOf)
    linkPlaces(plan, memory, Uint32Array.from(blockOf.keys()), links, Uint32Array.from(blockOf.values()));
}

/**
 * Links the texts at these places and gives those that others may be linked to. Each text looks in the buckets of its
 * bands for the ones before it; every candidate is checked exactly. With vectors it is also compared with every one
 * before it. With `blocks`, one number a text, only texts of different ones are compared, all of them, by characters.
 */
function linkPlaces(
  { bands }: Plan,
  memory: Memory,
  places: Uint32Array,
  links: Links,
  blocks?: Uint32Array,
): Uint32Array {
  const { keys, threshold } = memory;
  const vectors = blocks ? undefined : memory.vectors;
  const cosineOf = vectors && cosines(vectors, places);
  const first = memory.links === 'first' && !blocks;
  const size = places.length;
  if (size < 2) return places;
  // Few, for the sake of memory: what shares a slot is told apart by its key.
  const slots = 2 ** Math.max(0, Math.ceil(Math.log2(size)) - 2);
  // Of each band: the last text in a slot, and of each text the one before it in its slot; counted from 1.
  const last = new Int32Array(bands * slots);
  const before = new Int32Array(bands * size);
  const seen = new Int32Array(size).fill(-1);
  const open = new Uint32Array(size);
  let opened = 0;
  const add = (j: number, i: number, similarity: number, method: number): void => {
    links.a.push(places[j] as number);
    links.b.push(places[i] as number);
    links.similarity.push(similarity);
    links.method.push(method);
  };
  for (let i = 0; i < size; i++) {
    const place = places[i] as number;
    const base = place * bands;
    let best = size;
    let likeness = 0;
    let method = NGRAM;
    for (let band = 0; band < bands; band++) {
      const key = keys[base + band] as number;
      let j = (last[band * slots + (key & (slots - 1))] as number) - 1;
      for (; j >= 0; j = (before[band * size + j] as number) - 1) {
        if (seen[j] === i || (first && j > best) || keys[(places[j] as number) * bands + band] !== key)
          continue;
        seen[j] = i;
        if (blocks && blocks[j] === blocks[i]) continue;
        const similarity = jaccard(memory, places[j] as number, place, threshold);
        if (similarity < threshold) continue;
        if (!first) add(j, i, similarity, blocks ? ACROSS : NGRAM);
        else {
          best = j;
          likeness = similarity;
        }
      }
    }
    if (vectors && cosineOf)
      for (let at = 0; at < opened && (open[at] as number) < best; at++) {
        const j = open[at] as number;
        const cosine = cosineOf(i, j);
        if (cosine < vectors.threshold) continue;
        if (!first) {
          add(j, i, cosine, EMBEDDING);
          continue;
        }
        best = j;
        likeness = cosine;
        method = EMBEDDING;
      }
    if (best < size) {
      add(best, i, likeness, method);
      continue;
    }
    open[opened++] = i;
    for (let band = 0; band < bands; band++) {
      const slot = band * slots + ((keys[base + band] as number) & (slots - 1));
      before[band * size + i] = last[slot] as number;
      last[slot] = i + 1;
    }
  }
  return open.subarray(0, opened).map((at) => places[at] as number);
}

/** Dot product of a part of two vectors, which begin at a and b; `size` is a multiple of 4. */
function dot(values: Float32Array, a: number, b: number, size: number): number {
  // Four sums: one alone would wait for itself.
  let s0 = 0.0;
  let s1 = 0.0;
  let s2 = 0.0;
  let s3 = 0.0;
  for (let d = 0; d < size; d += 4) {
    s0 += (values[a + d] as number) * (values[b + d] as number);
    s1 += (values[a + d + 1] as number) * (values[b + d + 1] as number);
    s2 += (values[a + d + 2] as number) * (values[b + d + 2] as number);
    s3 += (values[a + d + 3] as number) * (values[b + d + 3] as number);
  }
  return s0 + s1 + s2 + s3;
}

/**
 * The cosine of two of these texts' vectors, by their places in the list; -1 where it can't reach the threshold. Of most
 * pairs the first half tells: what the second can add is at most the product of its lengths (Cauchy-Schwarz).
 */
function cosines(
  { values, dimensions, threshold }: NonNullable<Memory['vectors']>,
  places: Uint32Array,
): (i: number, j: number) => number {
  const half = 4 * Math.floor(dimensions / 8);
  const rest = 4 * Math.floor((dimensions - half) / 4);
  const last = half + rest;
  const tails = Float64Array.from(places, (place) => {
    let sum = 0;
    for (let d = half; d < dimensions; d++) sum += (values[place * dimensions + d] as number) ** 2;
    return Math.sqrt(sum);
  });
  const least = threshold - 1e-6;
  return (i, j) => {
    const a = (places[i] as number) * dimensions;
    const b = (places[j] as number) * dimensions;
    const first = dot(values, a, b, half);
    if (first + (tails[i] as number) * (tails[j] as number) < least) return -1;
    let sum = first + dot(values, a + half, b + half, rest);
    for (let d = last; d < dimensions; d++) sum += (values[a + d] as number) * (values[b + d] as number);
    return Math.min(sum, 1);
  };
}
