import { availableParallelism } from 'node:os';
import { setImmediate as immediate } from 'node:timers/promises';
import { groupBy } from '../group-by.ts';
import { openCrew, type Crew } from '../workers.ts';
import { methods, work, type Links, type Memory, type Task } from './link.ts';
import { planFor } from './minhash.ts';
import type { Shingles } from './shingles.ts';

/** Two texts that are nearly the same: `a < b` are their indexes, `similarity` the Jaccard of their shingle sets or the cosine of their vectors. */
export interface NearDuplicate {
  a: number;
  b: number;
  similarity: number;
  method: 'exact' | (typeof methods)[number];
}

/** Vectors to compare texts by, beside their characters. */
export interface Vectors {
  /** Least cosine. */
  threshold: number;
  /** Unit vectors of the texts at these indexes, end to end, in memory that threads can share. */
  of(indexes: readonly number[]): Promise<{ values: Float32Array<SharedArrayBuffer>; dimensions: number }>;
}

export interface NearDuplicateOptions {
  /** Least Jaccard similarity, 0.2 to 1. */
  threshold: number;
  /** One key a text, such as culture, topic and polarity: only texts with equal keys are compared. */
  blocks?: readonly (string | number)[] | undefined;
  /** One key a text, such as topic and polarity: of such a group all pairs in different blocks are given too (`across`), of texts that are linked to none in their own. */
  groups?: readonly (string | number)[] | undefined;
  /**
   * `all` pairs; or for each text, the texts being in order of their quality, the `first` one before it that it is linked to
   * and that is itself linked to none: star clusters (Aslam, Pelekhov & Rus 2004, with quality for degree), in which every
   * member is linked to its representative, and a long chain of small changes never ends in one cluster.
   */
  links?: Memory['links'] | undefined;
  vectors?: Vectors | undefined;
  /** 0: in this thread. As many as the machine has cores, where there is enough work, unless given. */
  threads?: number | undefined;
}

/** UTF-16 units from which threads pay for their start. */
const MANY = 750_000;
/** UTF-16 units, or numbers of vectors, that are held at once, where a block is not larger. */
const WAVE = 2 ** 24;
/** Texts a task. */
const BATCH = 1000;

/**
 * Texts whose character shingle sets (`shingle`) have a Jaccard similarity of at least `threshold`, or whose vectors have
 * the least cosine. Give it normalised texts (`normalise`): it compares them character by character. Candidates come from
 * MinHash and LSH (`planFor`), and each is checked exactly, so that no pair is wrong and about 0.003 of those right at the
 * threshold are missed; vectors are compared each with each, so that none is.
 *
 * Equal texts of a block are given as pairs of the first one with each copy (similarity 1, `exact`), and only the first is
 * compared with other texts. The same input gives the same pairs, whatever the number of threads. Memory: 4 bytes a
 * character and 400 bytes a text of at most 16 million characters, or of the largest block.
 *
 * Throws RangeError when the threshold is not in [0.2, 1] or `blocks` or `groups` has another length than `texts`.
 */
export async function nearDuplicates(
  texts: readonly string[],
  options: NearDuplicateOptions,
): Promise<NearDuplicate[]> {
  const { blocks, groups, threshold } = options;
  const { bands } = planFor(threshold);
  for (const keys of [blocks, groups])
    if (keys && keys.length !== texts.length)
      throw new RangeError(`${keys.length} blocks or groups for ${texts.length} texts`);
  const units = texts.reduce((sum, { length }) => sum + length, 0);
  const threads = options.threads ?? (units < MANY ? 0 : Math.min(availableParallelism(), 16));
  const crew = threads > 0 ? openCrew<Task, Links>(workerFile, threads) : inThisThread;
  const found: NearDuplicate[] = [];
  try {
    const waves = [...wavesOf(texts, options, found)];
    const room = roomFor(texts, waves, bands);
    for (const wave of waves) await linkWave(texts, wave, room, options, crew, found);
  } finally {
    await crew.close();
  }
  return found;
}

/** From the sources (tests), the thread is the one that was built: Node runs no TypeScript. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/refinement/link-worker.js' : 'link-worker.js',
  import.meta.url,
);

const inThisThread: Crew<Task, Links> = {
  async *run(tasks) {
    for (const task of tasks) {
      yield work(task);
      await immediate();
    }
  },
  async close() {},
};

/** Groups of blocks of indexes without copies, as many as are worked off at once; the copies go to `found`. */
function* wavesOf(
  texts: readonly string[],
  { blocks, groups, vectors }: NearDuplicateOptions,
  found: NearDuplicate[],
): Generator<number[][][]> {
  const inGroups = groups ? [...groupBy(texts.keys(), (index) => groups[index]).values()] : [texts.keys()];
  let wave: number[][][] = [];
  let units = 0;
  for (const inGroup of inGroups) {
    const inBlocks = blocks ? [...groupBy(inGroup, (index) => blocks[index]).values()] : [[...inGroup]];
    const own = inBlocks.map((block) => firstsOf(texts, block, found));
    for (const group of groups ? [own] : own.map((block) => [block])) {
      const indexes = group.flat();
      if (indexes.length < 2) continue;
      const size = indexes.reduce((sum, at) => sum + (texts[at] as string).length + (vectors ? 1000 : 0), 0);
      if (wave.length > 0 && units + size > WAVE) {
        yield wave;
        wave = [];
        units = 0;
      }
      wave.push(group);
      units += size;
    }
  }
  if (wave.length > 0) yield wave;
}

/** The first of equal texts; pairs with the others go to `found`. */
function firstsOf(texts: readonly string[], block: readonly number[], found: NearDuplicate[]): number[] {
  const firsts = new Map<string, number>();
  for (const b of block) {
    const a = firsts.get(texts[b] as string);
    if (a === undefined) firsts.set(texts[b] as string, b);
    else found.push({ a, b, similarity: 1, method: 'exact' });
  }
  return [...firsts.values()];
}

/** Memory for the largest wave, which all share: what is left to the garbage collection stays for long. */
function roomFor(
  texts: readonly string[],
  waves: readonly (readonly number[][][])[],
  bands: number,
): Shingles & Pick<Memory, 'keys'> {
  let [most, units] = [0, 0];
  for (const wave of waves) {
    let [own, ownUnits] = [0, 0];
    for (const block of wave.flat()) {
      own += block.length;
      for (const index of block) ownUnits += mostShingles(texts[index] as string);
    }
    most = Math.max(most, own);
    units = Math.max(units, ownUnits);
  }
  return { hashes: shared(units), starts: shared(most), ends: shared(most), keys: shared(most * bands) };
}

async function linkWave(
  texts: readonly string[],
  wave: readonly number[][][],
  room: Shingles & Pick<Memory, 'keys'>,
  { threshold, links = 'all', vectors }: NearDuplicateOptions,
  crew: Crew<Task, Links>,
  found: NearDuplicate[],
): Promise<void> {
  const indexes = wave.flat(2);
  let units = 0;
  indexes.forEach((index, at) => {
    room.starts[at] = units;
    units += mostShingles(texts[index] as string);
  });
  const memory: Memory = { ...room, threshold, links };
  if (vectors) {
    memory.vectors = { ...(await vectors.of(indexes)), threshold: vectors.threshold };
  }
  for await (const _ of crew.run(signing(texts, indexes, memory), 8));
  for await (const { a, b, similarity, method } of crew.run(linking(wave, memory), Infinity))
    for (let i = 0; i < a.length; i++)
      found.push({
        a: indexes[a[i] as number] as number,
        b: indexes[b[i] as number] as number,
        similarity: similarity[i] as number,
        method: methods[method[i] as number] as (typeof methods)[number],
      });
}

/** Shingles that a text has at most: one of three characters at each. */
const mostShingles = ({ length }: string): number => Math.max(1, length - 2);

const shared = (length: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(length * 4));

function* signing(texts: readonly string[], indexes: readonly number[], memory: Memory): Generator<Task> {
  for (let at = 0; at < indexes.length; at += BATCH) {
    const own = indexes.slice(at, at + BATCH).map((index) => texts[index] as string);
    yield { kind: 'sign', memory, at, texts: own };
  }
}

function* linking(wave: readonly number[][][], memory: Memory): Generator<Task> {
  let groups: number[][] = [];
  let from = 0;
  let at = 0;
  for (const group of wave) {
    const bounds = [at];
    for (const { length } of group) bounds.push((at += length));
    groups.push(bounds);
    if (at - from < BATCH) continue;
    yield { kind: 'link', memory, groups };
    groups = [];
    from = at;
  }
  if (groups.length > 0) yield { kind: 'link', memory, groups };
}
