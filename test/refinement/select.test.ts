import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { select, type Selectable, type SelectSettings, type Wanted } from '../../src/refinement/select.ts';

const row = (key: string, topicId = 'Q27', culture = 'turkish'): Selectable => ({
  opinionId: `id ${key}`,
  key,
  culture,
  topicId,
  answer: `${culture} ${topicId}`,
  // One shingle each: all are equally unlike.
  text: key,
  language: 'en',
  quality: 1,
  model: 'm',
  persona: `persona of ${key}`,
  dialogue: `dialogue of ${key}`,
});
const plain: SelectSettings = { distinctive: 0, maxShare: {} };
const most = (n?: number): Wanted => (n === undefined ? { kind: 'all' } : { kind: 'per_culture', n });
const chosen = async (rows: Selectable[], quota?: number, settings = plain): Promise<string[]> =>
  (await select(rows, most(quota), settings))
    .flatMap(({ opinionId, selected }) => (selected ? [opinionId.slice(3)] : []))
    .sort();

test('without a quota everything is taken', async () => {
  expect(await chosen([row('a'), row('b'), row('c', 'Q28', 'korean')])).toEqual(['a', 'b', 'c']);
  expect(await select([], most(3), plain)).toEqual([]);
});

test('a quota is shared out among the topics, so that no topic fills it alone', async () => {
  const rows = [row('a'), row('b'), row('c'), row('d', 'Q28'), row('e', 'Q29')];
  expect(await chosen(rows, 3)).toEqual(['a', 'd', 'e']);
  expect(await chosen(rows, 4)).toEqual(['a', 'b', 'd', 'e']);
});

test('a quota is each culture’s own', async () => {
  const rows = [row('a'), row('b'), row('c', 'Q27', 'korean')];
  expect(await chosen(rows, 1)).toEqual(['a', 'c']);
});

test('what is left out says why', async () => {
  expect(await select([row('a'), row('b')], most(1), plain)).toEqual([
    { opinionId: 'id a', selected: true, reason: null },
    { opinionId: 'id b', selected: false, reason: 'quota is full' },
  ]);
});

test('whatever the rows, each culture gets its quota or all that it has, spread over its topics, in any order of arrival', async () => {
  const some = fc.array(
    fc.record({
      topicId: fc.constantFrom('Q27', 'Q28', 'Q29'),
      culture: fc.constantFrom('turkish', 'korean'),
    }),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(
      some,
      fc.integer({ min: 1, max: 12 }),
      fc.func(fc.integer()),
      async (list, quota, order) => {
        const rows = list.map(({ topicId, culture }, at) => row(`k${at}`, topicId, culture));
        const taken = new Set(await chosen(rows, quota));
        expect(
          await chosen(
            [...rows].sort((a, b) => order(a.key) - order(b.key)),
            quota,
          ),
        ).toEqual([...taken]);
        for (const culture of ['turkish', 'korean']) {
          const own = rows.filter((one) => one.culture === culture);
          const kept = own.filter(({ key }) => taken.has(key));
          expect(kept).toHaveLength(Math.min(quota, own.length));
          const topics = [...new Set(own.map(({ topicId }) => topicId))].map((topic) => ({
            all: own.filter(({ topicId }) => topicId === topic).length,
            kept: kept.filter(({ topicId }) => topicId === topic).length,
          }));
          const highest = Math.max(0, ...topics.map((topic) => topic.kept));
          // A topic with rows to spare is at most one behind the one that gave most.
          for (const topic of topics)
            if (topic.kept < topic.all) expect(topic.kept).toBeGreaterThanOrEqual(highest - 1);
        }
      },
    ),
  );
});

test('quotas by answer take the first of each by key, whatever the order of arrival, and nothing without a quota', async () => {
  const rows = ['c', 'a', 'b', 'd'].map((key) => row(key)).concat(row('e', 'Q28'));
  const wanted: Wanted = { kind: 'quotas', quotas: new Map([['turkish Q27', 2]]) };
  const taken = (await select(rows, wanted, plain)).flatMap(({ opinionId, selected }) =>
    selected ? [opinionId] : [],
  );
  expect(taken.sort()).toEqual(['id a', 'id b']);
});

describe('within a quota', () => {
  const said = (key: string, text: string, more: Partial<Selectable> = {}): Selectable => ({
    ...row(key),
    text,
    ...more,
  });
  const family = 'My parents gave up a great deal for us, and I want both of them to be proud of';
  const rows = [
    said('a', `${family} me.`),
    said('b', `${family} us all.`),
    said('c', `${family} what I do.`),
    said('d', 'Whoever works at night sleeps badly by day.'),
    said('e', 'Neighbours here lend each other their tools without asking.'),
  ];

  test('those that are unlike are taken before those that say nearly the same', async () => {
    expect(await chosen(rows, 3)).toEqual(['a', 'd', 'e']);
    expect(await chosen([...rows].reverse(), 3)).toEqual(['a', 'd', 'e']);
  });

  test('quality comes first', async () => {
    const better = rows.map((one) => ('abc'.includes(one.key) ? { ...one, quality: 2 } : one));
    expect(await chosen(better, 3)).toEqual(['a', 'b', 'c']);
  });

  test('an embedder says which are unlike, where it is used in their language', async () => {
    // By their vectors a, d and e say the same.
    const at: Record<string, number[]> = { a: [1, 0], d: [1, 0], e: [1, 0], b: [0, 1], c: [0.6, 0.8] };
    const vectorsOf: NonNullable<SelectSettings['space']>['vectorsOf'] = async (texts) => {
      const values = new Float32Array(new SharedArrayBuffer(texts.length * 8));
      values.set(texts.flatMap((text) => at[rows.find((one) => one.text === text)?.key ?? ''] ?? []));
      return { values, dimensions: 2 };
    };
    const space = { languages: ['en'], vectorsOf };
    expect(await chosen(rows, 3, { ...plain, space })).toEqual(['a', 'b', 'c']);
    const german = rows.map((one) => ({ ...one, language: 'de' }));
    expect(await chosen(german, 3, { ...plain, space })).toEqual(['a', 'd', 'e']);
  });

  test('what is typical of the culture and of no other counts as much as is asked for', async () => {
    const korean = (key: string, text: string) => said(key, text, { culture: 'korean' });
    const all = [
      said('a', 'Everybody wants a good life for the children.'),
      said('b', 'Everybody wants a good life for the children, I think.'),
      said('c', `${family} me.`),
      said('d', `${family} us all.`),
      korean('x', 'Everybody wants a good life for the children here.'),
      korean('y', 'Everybody wants a good life for the children too.'),
    ];
    const turkish = async (distinctive: number) =>
      (await chosen(all, 1, { ...plain, distinctive })).filter((key) => 'abcd'.includes(key));
    expect(await turkish(0)).toEqual(['a']);
    expect(['c', 'd']).toContain((await turkish(1))[0]);
  });
});

describe('a cap on shares', () => {
  const of = (source: 'model' | 'persona' | 'dialogue', counts: Record<string, number>): Selectable[] =>
    Object.entries(counts).flatMap(([name, n]) =>
      Array.from({ length: n }, (_, at) => ({ ...row(`${name}${at}`), [source]: name })),
    );

  test.each(['model', 'persona', 'dialogue'] as const)(
    'holds for each %s, of all that are selected',
    async (source) => {
      const rows = of(source, { a: 50, b: 5, c: 5, d: 5 });
      for (const quota of [undefined, 20, 12]) {
        const taken = await chosen(rows, quota, { ...plain, maxShare: { [source]: 0.4 } });
        const mine = taken.filter((key) => key.startsWith('a')).length;
        expect(mine / taken.length).toBeLessThanOrEqual(0.4);
        expect(taken.length).toBeGreaterThanOrEqual(12);
      }
    },
  );

  test('says so of what is left out for it, and not of what a full quota leaves out', async () => {
    const rows = of('persona', { a: 6, b: 2 });
    const reasons = async (quota?: number) =>
      new Set(
        (await select(rows, most(quota), { ...plain, maxShare: { persona: 0.5 } })).map(
          ({ reason }) => reason,
        ),
      );
    expect(await reasons()).toEqual(new Set([null, 'its source has its share']));
    expect(await reasons(4)).toEqual(new Set([null, 'quota is full']));
  });

  test('that so few can’t share leaves each its equal part', async () => {
    expect(
      await chosen(of('model', { a: 4 }), undefined, { ...plain, maxShare: { model: 0.3 } }),
    ).toHaveLength(4);
    const two = await chosen(of('model', { a: 4, b: 4 }), undefined, { ...plain, maxShare: { model: 0.3 } });
    expect(two).toHaveLength(8);
  });
});
