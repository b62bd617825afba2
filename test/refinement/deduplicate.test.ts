import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deduplicate, type Candidate } from '../../src/refinement/deduplicate.ts';
import { opinionOf, turkish } from './scenes.ts';

const candidate = (id: string, text: string, more: Partial<Candidate> = {}): Candidate => ({
  ...opinionOf(turkish, id, { text, quote: text, quoteStart: 0, quoteEnd: text.length }),
  culture: 'turkish',
  topicId: 'Q27',
  confidence: 1,
  language: 'en',
  ...more,
});
const settings = { threshold: 0.7 };

/** The clusters as sorted ids, the representative first. */
const clusters = async (...candidates: Candidate[]): Promise<string[]> =>
  (await deduplicate(candidates, settings))
    .map(({ representative, members }) =>
      [
        representative,
        ...members
          .map(({ opinionId }) => opinionId)
          .filter((id) => id !== representative)
          .sort(),
      ].join(' '),
    )
    .sort();

const long = 'My parents gave up a great deal for us, and I want both of them to be proud of what I do.';
const near = 'My parents gave up a great deal for us, and I want both of them to be proud of what we do.';

describe('one cluster', () => {
  test('are equal words, whatever their marks and case', async () => {
    expect(await clusters(candidate('a', 'Family first.'), candidate('b', '“FAMILY — first!”'))).toEqual([
      'a b',
    ]);
  });

  test('are words that differ little, with how much they are alike', async () => {
    const [found] = await deduplicate([candidate('a', long), candidate('b', near)], settings);
    expect(found?.members).toMatchObject([
      { opinionId: 'a', similarity: 1, method: 'self' },
      { opinionId: 'b', method: 'ngram' },
    ]);
    expect(found?.members[1]?.similarity).toBeGreaterThanOrEqual(0.7);
    expect(found?.members[1]?.similarity).toBeLessThan(1);
  });

  test('are copies of a near-duplicate too', async () => {
    expect(await clusters(candidate('a', long), candidate('b', near), candidate('c', near))).toEqual([
      'a b c',
    ]);
  });

  test.each([
    [
      'Chinese',
      '父母为我们付出了很多，我希望他们为我所做的一切感到骄傲。',
      '父母为我们付出了很多，我希望他们为我所做的一切感到自豪。',
    ],
    [
      'Arabic',
      'لقد ضحى والداي بالكثير من أجلنا وأريد أن يفخرا بما أفعله كل يوم',
      'لقد ضحى والداي بالكثير من أجلنا وأريد أن يفخرا بما نفعله كل يوم',
    ],
    [
      'Korean',
      '부모님은 우리를 위해 많은 것을 포기하셨고 저는 부모님이 저를 자랑스러워하시기를 바랍니다',
      '부모님은 우리를 위해 많은 것을 포기하셨고 저는 부모님이 우리를 자랑스러워하시기를 바랍니다',
    ],
  ])('are near-duplicates in %s', async (_, one, other) => {
    expect(await deduplicate([candidate('a', one), candidate('b', other)], { threshold: 0.6 })).toHaveLength(
      1,
    );
  });
});

describe('two clusters', () => {
  test('are different words', async () => {
    expect(await clusters(candidate('a', long), candidate('b', 'Work comes first where I live.'))).toEqual([
      'a',
      'b',
    ]);
  });

  test('are opposite sides, however close or even equal their words', async () => {
    expect(await clusters(candidate('a', long), candidate('b', near, { polarity: 'disagree' }))).toEqual([
      'a',
      'b',
    ]);
    expect(await clusters(candidate('a', long), candidate('b', long, { polarity: 'disagree' }))).toEqual([
      'a',
      'b',
    ]);
    expect(await clusters(candidate('a', long), candidate('b', long, { polarity: 'middle' }))).toEqual([
      'a',
      'b',
    ]);
  });

  test('are equal words in two cultures or on two topics', async () => {
    expect(await clusters(candidate('a', long), candidate('b', long, { culture: 'korean' }))).toEqual([
      'a',
      'b',
    ]);
    expect(await clusters(candidate('a', long), candidate('b', long, { topicId: 'Q28' }))).toEqual([
      'a',
      'b',
    ]);
    expect(await clusters(candidate('a', long), candidate('b', near, { culture: 'korean' }))).toEqual([
      'a',
      'b',
    ]);
  });
});

test('what other cultures say too, on the same side of the same topic, is told and not merged', async () => {
  const found = await deduplicate(
    [
      candidate('a', long),
      candidate('b', near, { culture: 'korean' }),
      candidate('c', long, { culture: 'arabic' }),
      candidate('d', long, { culture: 'german', polarity: 'disagree' }),
      candidate('e', long, { culture: 'german', topicId: 'Q28' }),
      candidate('f', 'Work comes first where I live.', { culture: 'german' }),
    ],
    settings,
  );
  expect(Object.fromEntries(found.map((one) => [one.representative, one.alsoIn]))).toEqual({
    a: ['arabic', 'korean'],
    b: ['arabic', 'turkish'],
    c: ['korean', 'turkish'],
    d: [],
    e: [],
    f: [],
  });
});

test('a chain of small changes does not become one cluster', async () => {
  const words = 'many people in my town hold that parents who gave up so much should be proud of us'.split(
    ' ',
  );
  // Each changes a further word: neighbours are near-duplicates, the first and the last are not.
  const chain = words.map((_, n) =>
    candidate(String.fromCharCode(97 + n), words.map((word, at) => (at < n ? `${word}er` : word)).join(' ')),
  );
  const found = await deduplicate(chain, settings);
  expect(found.length).toBeGreaterThan(2);
  for (const { representative, members } of found)
    for (const { opinionId, similarity } of members) {
      expect(similarity).toBeGreaterThanOrEqual(0.7);
      expect(opinionId >= representative).toBe(true);
    }
});

describe('an opinion of unknown side', () => {
  test('joins equal words of a known one', async () => {
    expect(await clusters(candidate('a', long), candidate('b', long, { polarity: 'unknown' }))).toEqual([
      'a b',
    ]);
  });

  test('joins equal words of another of unknown side', async () => {
    const unknown = { polarity: 'unknown' } as const;
    expect(await clusters(candidate('a', long, unknown), candidate('b', long, unknown))).toEqual(['a b']);
  });

  test('joins no words that are only close, known or unknown', async () => {
    const unknown = { polarity: 'unknown' } as const;
    expect(await clusters(candidate('a', long), candidate('b', near, unknown))).toEqual(['a', 'b']);
    expect(await clusters(candidate('a', long, unknown), candidate('b', near, unknown))).toEqual(['a', 'b']);
  });

  test('does not bring two sides together', async () => {
    const found = await clusters(
      candidate('a', long),
      candidate('b', long, { polarity: 'unknown' }),
      candidate('c', long, { polarity: 'disagree' }),
    );
    expect(found).toHaveLength(2);
    expect(found.filter((ids) => ids.includes('a') && ids.includes('c'))).toEqual([]);
  });
});

describe('the representative', () => {
  test('is the one that is all the speaker’s own words, not the longest', async () => {
    const loose = candidate('a', `${near} Really.`, { quote: 'My parents' });
    expect(await clusters(loose, candidate('b', long))).toEqual(['b a']);
  });

  test('is the one that its judges are surer of, then the one that says more than itself again', async () => {
    const unsure = candidate('a', long, { confidence: 0.5 });
    expect(await clusters(unsure, candidate('b', near))).toEqual(['b a']);
    const again =
      'Proud of me, proud of me, proud of me, proud of me: that is how I want both of them to be.';
    const once = 'Proud of me, proud of me: that is how I want both of them to be.';
    const found = await deduplicate([candidate('a', again), candidate('b', once)], { threshold: 0.6 });
    expect(found.map(({ representative }) => representative)).toEqual(['b']);
  });

  test('is a rewrite only where there is nothing else', async () => {
    const rewrite = candidate('a', long, { rewriteOf: 'x' });
    expect(await clusters(rewrite, candidate('b', near, { quote: 'My parents' }))).toEqual(['b a']);
    expect(await clusters(rewrite)).toEqual(['a']);
  });

  test('of equals is the first by key, whatever the order of arrival', async () => {
    expect(await clusters(candidate('b', long), candidate('a', near))).toEqual(['a b']);
    expect(await clusters(candidate('a', near), candidate('b', long))).toEqual(['a b']);
  });
});

test('nothing gives nothing', async () => {
  expect(await deduplicate([], settings)).toEqual([]);
});

describe('whatever the opinions', async () => {
  const texts = [long, near, 'Family first.', 'family first', 'Work comes first where I live.'];
  const some = fc
    .array(
      fc.record({
        text: fc.constantFrom(...texts),
        polarity: fc.constantFrom(
          'agree' as const,
          'middle' as const,
          'disagree' as const,
          'unknown' as const,
        ),
        culture: fc.constantFrom('turkish', 'korean'),
        verbatim: fc.boolean(),
      }),
      { maxLength: 10 },
    )
    .map((list) =>
      list.map(({ verbatim, ...more }, at) =>
        candidate(`o${at}`, more.text, { ...more, ...(verbatim ? {} : { quote: 'My' }) }),
      ),
    );

  test('each is in one cluster, with its representative, of one culture and at most one known side', async () => {
    await fc.assert(
      fc.asyncProperty(some, async (list) => {
        const byId = new Map(list.map((one) => [one.id, one]));
        const found = await deduplicate(list, settings);
        const all = found.flatMap(({ members }) => members.map(({ opinionId }) => opinionId));
        expect([...all].sort()).toEqual([...byId.keys()].sort());
        for (const { representative, members } of found) {
          expect(members.filter(({ method }) => method === 'self')).toEqual([
            { opinionId: representative, method: 'self', similarity: 1 },
          ]);
          const within = members.map(({ opinionId }) => byId.get(opinionId) as Candidate);
          expect(new Set(within.map(({ culture }) => culture)).size).toBe(1);
          const sides = new Set(within.map(({ polarity }) => polarity).filter((side) => side !== 'unknown'));
          expect(sides.size).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('their order makes no difference', async () => {
    const shuffled = some.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, async ([list, moved]) => {
        expect(await clusters(...moved)).toEqual(await clusters(...list));
      }),
      { numRuns: 50 },
    );
  });

  test('new ones meet the old without starting over, and the result is that of all at once', async () => {
    const parts = fc.tuple(some, fc.nat(10));
    await fc.assert(
      fc.asyncProperty(parts, async ([list, first]) => {
        const sorted = (found: Awaited<ReturnType<typeof deduplicate>>) =>
          found
            .map((one) => ({
              ...one,
              members: [...one.members].sort((a, b) => (a.opinionId < b.opinionId ? -1 : 1)),
            }))
            .sort((a, b) => (a.representative < b.representative ? -1 : 1));
        const before = await deduplicate(list.slice(0, first), settings);
        expect(sorted(await deduplicate(list, settings, before))).toEqual(
          sorted(await deduplicate(list, settings)),
        );
      }),
      { numRuns: 100 },
    );
  });

  test('what has had nothing new is not compared again', async () => {
    const old = [candidate('a', long), candidate('b', near), candidate('c', long, { topicId: 'Q28' })];
    const compared: (string | null)[] = [];
    const embedding = {
      threshold: 0.99,
      languages: ['en'],
      vectorsOf: async (texts: readonly (string | null)[]) => {
        compared.push(...texts);
        const values = new Float32Array(new SharedArrayBuffer(texts.length * 8));
        return { values, dimensions: 2 };
      },
    };
    const before = await deduplicate(old, { ...settings, embedding });
    compared.length = 0;
    const more = candidate('d', 'Work comes first where I live.', { topicId: 'Q28' });
    const found = await deduplicate([...old, more], { ...settings, embedding }, before);
    expect(found).toHaveLength(3);
    expect(compared.sort()).toEqual([long, more.text].sort());
  });
});
