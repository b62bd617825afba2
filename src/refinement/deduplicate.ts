import { groupBy } from '../group-by.ts';
import { cluster } from './cluster.ts';
import { nearDuplicates } from './minhash.ts';
import { normalise } from './normalise.ts';
import type { Opinion } from './types.ts';

/** An opinion with the block that its duplicates can lie in. */
export interface Candidate extends Pick<Opinion, 'id' | 'key' | 'text' | 'quote' | 'polarity' | 'rewriteOf'> {
  culture: string;
  topicId: string;
}

export interface OpinionCluster {
  representative: string;
  members: { opinionId: string; method: string; similarity: number }[];
}

/** Opinions of equal normalised text, the best first. */
interface Twins {
  text: string;
  block: string;
  known: boolean;
  members: Candidate[];
}

/**
 * Near-duplicates within a culture and topic: equal after normalisation, then by character n-grams. Two opinions of
 * different polarity are never one cluster; an unknown polarity merges only with equal normalised text.
 */
export function deduplicate(
  candidates: readonly Candidate[],
  settings: { threshold: number },
): OpinionCluster[] {
  const twins = twinsOf(candidates);
  const known = twins.flatMap((group, at) => (group.known ? [at] : []));
  const pairs = nearDuplicates(
    known.map((at) => (twins[at] as Twins).text),
    { threshold: settings.threshold, blocks: known.map((at) => (twins[at] as Twins).block) },
  );
  const links = [...pairs].map(({ a, b, similarity }) => ({
    a: known[a] as number,
    b: known[b] as number,
    similarity,
    method: 'ngram',
  }));
  const items = twins.map(({ members: [best] }) => ({
    key: (best as Candidate).key,
    quality: quality(best as Candidate),
  }));
  return cluster(items, links).map(({ representative, members }) => ({
    representative: ((twins[representative] as Twins).members[0] as Candidate).id,
    members: members.flatMap(({ index, method, similarity }) =>
      (twins[index] as Twins).members.map(({ id }, at) => ({
        opinionId: id,
        method: index === representative && at > 0 ? 'exact' : method,
        similarity,
      })),
    ),
  }));
}

/** A quote that is the whole opinion tells most surely what was said, a rewrite least; length tells nothing. */
function quality(candidate: Candidate): number {
  if (candidate.rewriteOf !== null) return 0;
  return candidate.quote === candidate.text ? 2 : 1;
}

function twinsOf(candidates: readonly Candidate[]): Twins[] {
  const texts = new Map(candidates.map((candidate) => [candidate.id, normalise(candidate.text)]));
  const ordered = [...candidates].sort((a, b) => quality(b) - quality(a) || (a.key < b.key ? -1 : 1));
  const cell = (candidate: Candidate): string =>
    JSON.stringify([candidate.culture, candidate.topicId, texts.get(candidate.id)]);
  return [...groupBy(ordered, cell).values()].flatMap((equal) => {
    const byPolarity = groupBy(equal, ({ polarity }) => polarity);
    const unread = byPolarity.get('unknown') ?? [];
    byPolarity.delete('unknown');
    const groups = [...byPolarity.values()];
    // Equal words of unknown polarity join the first group; alone they are one of their own.
    if (groups[0]) groups[0] = [...groups[0], ...unread];
    else groups.push(unread);
    return groups.map((members) => {
      const [best] = members as [Candidate];
      return {
        text: texts.get(best.id) as string,
        block: JSON.stringify([best.culture, best.topicId, best.polarity]),
        known: best.polarity !== 'unknown',
        members,
      };
    });
  });
}
