import { groupBy } from '../group-by.ts';
import { nearDuplicates, type NearDuplicate, type Vectors } from './near-duplicates.ts';
import { normalise } from './normalise.ts';
import type { Polarity } from '../survey/types.ts';
import { qualityOf, type Judged } from './quality.ts';

/** An opinion with the block that its duplicates can lie in. */
export interface Candidate extends Judged {
  id: string;
  key: string;
  polarity: Polarity;
  culture: string;
  topicId: string;
  /** Of the dialogue (ISO 639-1). */
  language: string;
}

export interface OpinionCluster {
  representative: string;
  /** The representative first (`self`, 1), then the most similar. */
  members: { opinionId: string; method: string; similarity: number }[];
  /** Other cultures in which the same is said of the topic, on the same side: told, never merged. */
  alsoIn: string[];
}

export interface DeduplicationSettings {
  /** Least Jaccard similarity of character shingles. */
  threshold: number;
  /** With an embedder: the vectors of texts, their least cosine, and the languages that it is used in. */
  embedding?: { threshold: number; languages: readonly string[]; vectorsOf: VectorsOf } | undefined;
  /** Threads to work in; as many as pay unless given. */
  threads?: number | undefined;
}

/** The unit vectors of texts, end to end; zeros for those that have none (null). */
export type VectorsOf = (
  texts: readonly (string | null)[],
) => Promise<{ values: Float32Array<SharedArrayBuffer>; dimensions: number }>;

/** The first one is none that words alone can be merged on. */
const sides: readonly Polarity[] = ['unknown', 'agree', 'middle', 'disagree'];

/** Opinions of equal normalised text, the best first. */
interface Twins {
  text: string;
  /** One number a culture, topic and side. */
  block: number;
  /** One number a topic and side. */
  group: number;
  known: boolean;
  /** Place of the best one among all opinions. */
  rank: number;
  members: Candidate[];
}

/**
 * Near-duplicates within a culture, topic and side: equal after normalisation, by character n-grams, and by vectors where
 * there is an embedder. Two opinions of different polarity are never one cluster, whatever their words; an unknown
 * polarity merges only with equal normalised text. Every member is linked to its representative, the best of them
 * (`qualityOf`, then by key): nothing is merged through a third one. The result does not depend on the order of arrival.
 *
 * `before` are clusters that the same settings made of some of these opinions: where a topic and side has had nothing new
 * they are taken over, and only the others are compared again. The result is the same.
 */
export async function deduplicate(
  candidates: readonly Candidate[],
  settings: DeduplicationSettings,
  before: readonly OpinionCluster[] = [],
): Promise<OpinionCluster[]> {
  const all = twinsOf(candidates);
  const kept = takenOver(all, before);
  const twins = all.filter(({ group }) => !kept.has(group));
  const known = twins.filter((one) => one.known);
  const links = await linksOf(known, settings);
  const inBlock = groupBy(
    links.filter(({ method }) => method !== 'across'),
    ({ a }) => known[a] as Twins,
  );
  const taken = new Set([...inBlock.values()].flat().map(({ b }) => known[b] as Twins));
  const others = new Map<Twins, Set<string>>();
  for (const { a, b, method } of links)
    if (method === 'across')
      for (const [one, other] of [[a, b] as const, [b, a] as const]) {
        const own = known[one] as Twins;
        others.set(own, (others.get(own) ?? new Set()).add(bestOf(known[other] as Twins).culture));
      }
  const made = twins.flatMap((own) => {
    if (taken.has(own)) return [];
    const [best, ...copies] = own.members as [Candidate, ...Candidate[]];
    const likest = (inBlock.get(own) ?? []).sort((x, y) => y.similarity - x.similarity || x.b - y.b);
    const members = [
      { opinionId: best.id, method: 'self', similarity: 1 },
      ...copies.map(({ id }) => ({ opinionId: id, method: 'exact', similarity: 1 })),
      ...likest.flatMap(({ b, method, similarity }) =>
        (known[b] as Twins).members.map(({ id }) => ({ opinionId: id, method, similarity })),
      ),
    ];
    return { representative: best.id, members, alsoIn: [...(others.get(own) ?? [])].sort() };
  });
  return [...[...kept.values()].flat(), ...made];
}

/** By group, the clusters of before, where its opinions are the same as then. */
function takenOver(
  twins: readonly Twins[],
  before: readonly OpinionCluster[],
): Map<number, OpinionCluster[]> {
  const kept = new Map<number, OpinionCluster[]>();
  if (before.length === 0) return kept;
  const clusterOf = new Map<string, OpinionCluster>();
  for (const one of before) for (const { opinionId } of one.members) clusterOf.set(opinionId, one);
  for (const [group, own] of groupBy(twins, (one) => one.group)) {
    const ids = own.flatMap(({ members }) => members.map(({ id }) => id));
    const clusters = new Set(ids.flatMap((id) => clusterOf.get(id) ?? []));
    const size = [...clusters].reduce((sum, { members }) => sum + members.length, 0);
    if (size === ids.length && ids.every((id) => clusterOf.has(id))) kept.set(group, [...clusters]);
  }
  return kept;
}

/** Links among the opinions of equal words, by their places in the list. */
async function linksOf(
  twins: readonly Twins[],
  { threshold, threads, embedding }: DeduplicationSettings,
): Promise<NearDuplicate[]> {
  const vectors: Vectors | undefined = embedding && {
    threshold: embedding.threshold,
    of: (places) =>
      embedding.vectorsOf(
        places.map((at) => {
          const { text, language } = bestOf(twins[at] as Twins);
          return embedding.languages.includes(language) ? text : null;
        }),
      ),
  };
  return nearDuplicates(
    twins.map(({ text }) => text),
    {
      threshold,
      links: 'first',
      blocks: twins.map(({ block }) => block),
      groups: twins.map(({ group }) => group),
      vectors,
      threads,
    },
  );
}

const bestOf = ({ members }: Twins): Candidate => members[0] as Candidate;

/** Opinions of equal words by block, in the order of their best ones, the best of all first. */
function twinsOf(candidates: readonly Candidate[]): Twins[] {
  const ordered = candidates
    .map((candidate) => ({
      candidate,
      text: normalise(candidate.text),
      quality: qualityOf(candidate),
      rank: 0,
    }))
    .sort((x, y) => y.quality - x.quality || (x.candidate.key < y.candidate.key ? -1 : 1));
  ordered.forEach((one, rank) => (one.rank = rank));
  const twins: Twins[] = [];
  const topics = new Map<string, number>();
  let cell = 0;
  for (const inCulture of groupBy(ordered, ({ candidate }) => candidate.culture).values())
    for (const [topicId, onTopic] of groupBy(inCulture, ({ candidate }) => candidate.topicId)) {
      const topic = topics.get(topicId) ?? topics.size * sides.length;
      topics.set(topicId, topic);
      for (const equal of groupBy(onTopic, ({ text }) => text).values())
        for (const group of equal.length === 1 ? [equal] : bySide(equal)) {
          const [{ candidate, text, rank }] = group as [Ranked];
          const side = sides.indexOf(candidate.polarity);
          const members = group.map((one) => one.candidate);
          twins.push({ text, block: cell + side, group: topic + side, known: side > 0, rank, members });
        }
      cell += sides.length;
    }
  return twins.sort((x, y) => x.rank - y.rank);
}

interface Ranked {
  candidate: Candidate;
  text: string;
  rank: number;
}

/** Equal words of unknown polarity join the side of the best one; alone they are one of their own. */
function bySide(equal: readonly Ranked[]): Ranked[][] {
  const groups = groupBy(equal, ({ candidate }) => candidate.polarity);
  const unread = groups.get('unknown');
  const [first, ...others] = [...groups].flatMap(([side, own]) => (side === 'unknown' ? [] : [own]));
  return unread ? [[...(first ?? []), ...unread], ...others] : [...groups.values()];
}
