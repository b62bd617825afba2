/** Two items said to be alike; `a` and `b` are their indexes in either order. */
export interface Link {
  a: number;
  b: number;
  similarity: number;
  method: string;
}

/** An item to cluster. `same` marks copies: items with an equal `same` are alike whatever the links say. */
export interface Clusterable {
  key: string;
  quality: number;
  same?: string;
}

interface Member {
  index: number;
  similarity: number;
  method: string;
}

export interface Cluster {
  representative: number;
  /** The representative itself first (similarity 1, method 'self'), then the most similar, then the best. */
  members: Member[];
}

/** A node of the link graph: one item, or all copies of one text. */
interface Node {
  /** Best first. */
  items: number[];
  links: { to: number; similarity: number; method: string }[];
}

/**
 * Star clusters (Aslam, Pelekhov & Rus 2004, with quality for degree): the best item left, by quality and then by
 * key, is a representative and takes all items left that are linked to it. Nothing is linked through a third item, so
 * a long chain of small changes never ends in one cluster. Every item is in one cluster, alone if need be.
 *
 * Copies (equal `same`) stay together: the best one stands for all (method 'exact', similarity 1 when it is the
 * representative's copy), and a link of one is a link of each, so k copies need no k² links. Of several links between
 * two items the most similar counts, then the method first in the alphabet.
 *
 * The result, best representative first, depends on the keys alone and not on the order of items or links.
 * Throws RangeError for a quality or similarity that is not a number, two items alike in key and quality, or a link
 * to nowhere.
 */
export function cluster(items: readonly Clusterable[], links: readonly Link[]): Cluster[] {
  const { order, rankOf } = ranked(items);
  const { nodes, nodeOf } = nodesOf(items, order);
  for (const { a, b, similarity, method } of links) {
    const from = nodeOf[a];
    const to = nodeOf[b];
    if (from === undefined || to === undefined) throw new RangeError(`a link from item ${a} to item ${b}`);
    if (Number.isNaN(similarity)) throw new RangeError(`no similarity between item ${a} and item ${b}`);
    if (from === to) continue;
    nodes[from]?.links.push({ to, similarity, method });
    nodes[to]?.links.push({ to: from, similarity, method });
  }
  const taken = new Uint8Array(nodes.length);
  const clusters: Cluster[] = [];
  nodes.forEach((node, number) => {
    if (taken[number]) return;
    taken[number] = 1;
    const [representative, ...copies] = node.items as [number, ...number[]];
    const members = copies.map((index): Member => ({ index, similarity: 1, method: 'exact' }));
    node.links.sort((x, y) => y.similarity - x.similarity || compare(x.method, y.method));
    for (const { to, similarity, method } of node.links) {
      if (taken[to]) continue;
      taken[to] = 1;
      for (const index of nodes[to]?.items ?? []) members.push({ index, similarity, method });
    }
    members.sort((x, y) => y.similarity - x.similarity || rankOf(x.index) - rankOf(y.index));
    clusters.push({
      representative,
      members: [{ index: representative, similarity: 1, method: 'self' }, ...members],
    });
  });
  return clusters;
}

/** The items' indexes, best first, and the place of an item in them. */
function ranked(items: readonly Clusterable[]): { order: number[]; rankOf: (index: number) => number } {
  const order = items.map((_, index) => index);
  const at = (index: number) => items[index] as Clusterable;
  const bad = items.find((item) => !Number.isFinite(item.quality));
  if (bad) throw new RangeError(`the quality of ${bad.key} is ${bad.quality}`);
  order.sort((x, y) => at(y).quality - at(x).quality || compare(at(x).key, at(y).key));
  const ranks = new Uint32Array(items.length);
  order.forEach((index, place) => {
    ranks[index] = place;
    const next = order[place + 1];
    if (next !== undefined && at(next).key === at(index).key && at(next).quality === at(index).quality) {
      throw new RangeError(`two items have the key ${at(index).key}`);
    }
  });
  return { order, rankOf: (index) => ranks[index] as number };
}

/** One node for all copies, in the order of their best item. */
function nodesOf(
  items: readonly Clusterable[],
  order: readonly number[],
): { nodes: Node[]; nodeOf: number[] } {
  const nodes: Node[] = [];
  const nodeOf: number[] = Array.from({ length: items.length }, () => 0);
  const bySame = new Map<string, number>();
  for (const index of order) {
    const same = items[index]?.same;
    let number = same === undefined ? undefined : bySame.get(same);
    if (number === undefined) {
      number = nodes.push({ items: [], links: [] }) - 1;
      if (same !== undefined) bySame.set(same, number);
    }
    nodes[number]?.items.push(index);
    nodeOf[index] = number;
  }
  return { nodes, nodeOf };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
