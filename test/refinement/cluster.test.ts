import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cluster, type Clusterable, type Link } from '../../src/refinement/cluster.ts';

const item = (key: string, quality: number, same?: string): Clusterable =>
  same === undefined ? { key, quality } : { key, quality, same };
const link = (a: number, b: number, similarity = 0.8, method = 'minhash'): Link => ({
  a,
  b,
  similarity,
  method,
});

test('an item without links is a cluster of its own', () => {
  expect(cluster([item('x', 1)], [])).toEqual([
    { representative: 0, members: [{ index: 0, similarity: 1, method: 'self' }] },
  ]);
  expect(cluster([], [])).toEqual([]);
});

test('the best item stands for those linked to it', () => {
  const clusters = cluster([item('a', 1), item('b', 3), item('c', 2)], [link(0, 1, 0.75), link(2, 1, 0.9)]);
  expect(clusters).toEqual([
    {
      representative: 1,
      members: [
        { index: 1, similarity: 1, method: 'self' },
        { index: 2, similarity: 0.9, method: 'minhash' },
        { index: 0, similarity: 0.75, method: 'minhash' },
      ],
    },
  ]);
});

test('a chain does not become one cluster', () => {
  const items = [item('a', 4), item('b', 3), item('c', 2), item('d', 1)];
  const clusters = cluster(items, [link(0, 1), link(1, 2), link(2, 3)]);
  expect(clusters.map((c) => c.members.map((m) => m.index))).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test('equal quality is decided by the key', () => {
  expect(cluster([item('b', 1), item('a', 1)], [link(0, 1)])[0]?.representative).toBe(1);
});

test('of several links between two items the most similar counts, then the method', () => {
  const links = [link(0, 1, 0.7, 'minhash'), link(1, 0, 0.95, 'minhash'), link(0, 1, 0.95, 'embedding')];
  expect(cluster([item('a', 2), item('b', 1)], links)[0]?.members[1]).toEqual({
    index: 1,
    similarity: 0.95,
    method: 'embedding',
  });
});

test('copies are one, and a link of one copy is a link of each', () => {
  const items = [item('a', 1, 't'), item('b', 5), item('c', 3, 't'), item('d', 2, 't'), item('e', 4, 'u')];
  expect(cluster(items, [link(0, 1, 0.9)])).toEqual([
    {
      representative: 1,
      members: [
        { index: 1, similarity: 1, method: 'self' },
        { index: 2, similarity: 0.9, method: 'minhash' },
        { index: 3, similarity: 0.9, method: 'minhash' },
        { index: 0, similarity: 0.9, method: 'minhash' },
      ],
    },
    { representative: 4, members: [{ index: 4, similarity: 1, method: 'self' }] },
  ]);
  const alone = cluster(items.slice(2, 4), []);
  expect(alone[0]?.members[1]).toEqual({ index: 1, similarity: 1, method: 'exact' });
});

test('what makes no sense is refused', () => {
  expect(() => cluster([item('a', NaN)], [])).toThrow(RangeError);
  expect(() => cluster([item('a', 1), item('a', 1)], [])).toThrow(RangeError);
  expect(() => cluster([item('a', 1)], [link(0, 1)])).toThrow(RangeError);
  expect(() => cluster([item('a', 1), item('b', 1)], [link(0, 1, NaN)])).toThrow(RangeError);
});

/** Items with distinct keys, a few of them copies, random links, and an order to put the items in. */
const graph = fc.integer({ min: 1, max: 30 }).chain((n) =>
  fc.record({
    items: fc.tuple(
      ...Array.from({ length: n }, (_, i) =>
        fc
          .tuple(
            fc.integer({ min: 0, max: 3 }),
            fc.option(fc.constantFrom('s', 't'), { nil: undefined, freq: 4 }),
          )
          .map(([quality, same]) => item(`k${i}`, quality, same)),
      ),
    ),
    links: fc.array(
      fc
        .tuple(
          fc.nat(n - 1),
          fc.nat(n - 1),
          fc.constantFrom(0.7, 0.8, 0.9),
          fc.constantFrom('minhash', 'embedding'),
        )
        .map(([a, b, similarity, method]) => link(a, b, similarity, method)),
      { maxLength: 60 },
    ),
    order: fc.shuffledSubarray(
      Array.from({ length: n }, (_, i) => i),
      { minLength: n },
    ),
  }),
);

const byKeys = (items: readonly Clusterable[], links: readonly Link[]) =>
  cluster(items, links).map(({ representative, members }) => ({
    representative: items[representative]?.key,
    members: members.map((m) => ({ key: items[m.index]?.key, similarity: m.similarity, method: m.method })),
  }));

test('the order of items and links makes no difference', () => {
  fc.assert(
    fc.property(graph, ({ items, links, order }) => {
      const place = order.map((_, i) => order.indexOf(i));
      const moved = links.map((l) => ({ ...l, a: place[l.b] as number, b: place[l.a] as number })).reverse();
      const shuffled = order.map((i) => items[i] as Clusterable);
      expect(byKeys(shuffled, moved)).toEqual(byKeys(items, links));
    }),
  );
});

test('each item is in one cluster, linked to its representative, which is the best of them', () => {
  fc.assert(
    fc.property(graph, ({ items, links }) => {
      const node = (i: number) => items[i]?.same ?? `item ${i}`;
      const linked = new Set(links.flatMap(({ a, b }) => [`${node(a)} ${node(b)}`, `${node(b)} ${node(a)}`]));
      const clusters = cluster(items, links);
      const all = clusters.flatMap((c) => c.members.map((m) => m.index));
      expect([...all].sort((x, y) => x - y)).toEqual(items.map((_, i) => i));
      for (const { representative, members } of clusters) {
        for (const { index } of members) {
          const direct = linked.has(`${node(representative)} ${node(index)}`);
          expect(direct || node(index) === node(representative)).toBe(true);
          expect(items[index]?.quality).toBeLessThanOrEqual(items[representative]?.quality ?? NaN);
        }
      }
    }),
  );
});
