import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uniform } from '../../src/ids.ts';
import { nearDuplicates, type NearDuplicateOptions } from '../../src/refinement/near-duplicates.ts';
import { normalise } from '../../src/refinement/normalise.ts';

const found = async (
  texts: readonly string[],
  threshold = 0.7,
  blocks?: readonly string[],
  more: Partial<NearDuplicateOptions> = {},
) => nearDuplicates(texts, { threshold, blocks, ...more });

const DENSE = /[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\u{20000}-\u{3ffff}]/u;

/** The same measure written plainly: sets of strings, 3 characters from a dense one on, else 5. */
function shinglesOf(text: string): Set<string> {
  const points = [...text];
  const set = new Set<string>();
  points.forEach((point, i) => {
    const size = DENSE.test(point) ? 3 : 5;
    if (i + size <= points.length) set.add(points.slice(i, i + size).join(''));
  });
  return set.size > 0 || points.length === 0 ? set : new Set([text]);
}

function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const shingle of a) if (b.has(shingle)) shared++;
  return shared / (a.size + b.size - shared);
}

/** Every pair with a similarity of 0.5 or more, counted shingle by shingle: no candidate can be missed. */
function similarPairs(sets: readonly ReadonlySet<string>[]): Map<string, number> {
  const having = new Map<string, number[]>();
  const shared = new Map<number, number>();
  sets.forEach((set, b) => {
    for (const shingle of set) {
      const earlier = having.get(shingle) ?? [];
      for (const a of earlier) shared.set(a * sets.length + b, (shared.get(a * sets.length + b) ?? 0) + 1);
      having.set(shingle, [...earlier, b]);
    }
  });
  const pairs = new Map<string, number>();
  for (const [pair, count] of shared) {
    const a = Math.floor(pair / sets.length);
    const b = pair % sets.length;
    const similarity = count / ((sets[a]?.size ?? 0) + (sets[b]?.size ?? 0) - count);
    if (similarity >= 0.5) pairs.set(`${a} ${b}`, similarity);
  }
  return pairs;
}

const scripts = [
  'abcdefghijklmnopqrstuvwxyz    ',
  'abcçdefgğhıijklmnoöprsştuüvyz    ',
  'абвгдежзийклмнопрстуфхцчшщыьэюя    ',
  'ابتثجحخدذرزسشصضطظعغفقكلمنهوي    ',
  'কখগঘচছজঝটঠডঢণতথদধনপফবভমযরলশষসহািীুূেো    ',
  '信任家庭工作重要人民社会国家教育孩子朋友政治宗教自由生活男女平等我们他的是不在有',
  '신뢰가족일중요사람사회국가교육아이친구정치종교자유생활평등우리의를은는   ',
  'かぞくしごとたいせつひとしゃかい家族仕事大切人社会教育信頼自由',
];

/** 600 random texts of 8 to 180 characters in the eight scripts, four changed copies of each. */
function planted(): string[] {
  const texts: string[] = [];
  for (let i = 0; i < 600; i++) {
    const alphabet = [...(scripts[i % scripts.length] as string)];
    const draw = (...parts: number[]) =>
      alphabet[Math.floor(uniform(i, ...parts) * alphabet.length)] as string;
    const length = 8 + Math.floor(uniform('length', i) * 172);
    const original = Array.from({ length }, (_, at) => draw(at));
    texts.push(original.join(''));
    for (let copy = 0; copy < 4; copy++) {
      const changed = [...original];
      const edits = 1 + Math.floor(uniform('edits', i, copy) * length * 0.05);
      for (let edit = 0; edit < edits; edit++) {
        const at = Math.floor(uniform('at', i, copy, edit) * changed.length);
        changed.splice(at, Math.floor(uniform('cut', i, copy, edit) * 3), draw(copy, edit));
      }
      texts.push(changed.join(''));
    }
  }
  return texts;
}

describe('3,000 texts in eight scripts', () => {
  const texts = [...new Set(planted())];
  const truth = similarPairs(texts.map(shinglesOf));

  test.each([0.5, 0.7, 0.9])('at %f: recall of 0.98 or more, nothing wrong', async (threshold) => {
    const pairs = new Map((await found(texts, threshold)).map((p) => [`${p.a} ${p.b}`, p.similarity]));
    const expected = [...truth].filter(([, similarity]) => similarity >= threshold);
    const right = expected.filter(([pair, similarity]) => pairs.get(pair) === similarity).length;
    expect(right).toBeGreaterThan(100);
    expect(right).toBe(pairs.size);
    expect(right / expected.length).toBeGreaterThanOrEqual(0.98);
  });

  test('the pairs of a block are those found without blocks', async () => {
    const blocks = texts.map((_, i) => `block ${i % 2}`);
    const inBlocks = await found(texts, 0.7, blocks);
    const all = (await found(texts)).filter((p) => p.a % 2 === p.b % 2);
    const names = (pairs: typeof all) => pairs.map((p) => `${p.a} ${p.b} ${p.similarity}`).sort();
    expect(names(inBlocks)).toEqual(names(all));
  });

  test('the same input gives the same pairs in the same order, however many threads find them', async () => {
    const blocks = texts.map((_, i) => `block ${i % 7}`);
    const groups = texts.map((_, i) => `group ${(i % 7) % 2}`);
    for (const links of ['all', 'first'] as const) {
      const here = await found(texts, 0.7, blocks, { groups, links, threads: 0 });
      expect(here.filter(({ method }) => method === 'across').length).toBeGreaterThan(100);
      expect(await found(texts, 0.7, blocks, { groups, links, threads: 2 })).toEqual(here);
    }
  });

  test('first links are the star clusters of all links: the best text left takes all that are linked to it', async () => {
    const all = await found(texts);
    const linked = new Map<number, Map<number, number>>();
    for (const { a, b, similarity } of all)
      linked.set(a, (linked.get(a) ?? new Map<number, number>()).set(b, similarity));
    const taken = new Set<number>();
    const stars: string[] = [];
    texts.forEach((_, a) => {
      if (taken.has(a)) return;
      for (const [b, similarity] of linked.get(a) ?? []) {
        if (taken.has(b)) continue;
        taken.add(b);
        stars.push(`${a} ${b} ${similarity}`);
      }
    });
    const first = await found(texts, 0.7, undefined, { links: 'first' });
    expect(first.map(({ a, b, similarity }) => `${a} ${b} ${similarity}`).sort()).toEqual(stars.sort());
  });

  test('across the blocks of a group are those that stand for themselves, and no others', async () => {
    const blocks = texts.map((_, i) => i % 5);
    const groups = blocks.map((block) => (block === 0 ? 'alone' : 'together'));
    const pairs = await found(texts, 0.7, undefined, { blocks, groups, links: 'first' });
    const taken = new Set(pairs.flatMap(({ b, method }) => (method === 'across' ? [] : [b])));
    const expected = (await found(texts)).filter(
      ({ a, b }) => a % 5 !== b % 5 && a % 5 !== 0 && b % 5 !== 0 && !taken.has(a) && !taken.has(b),
    );
    const names = (list: typeof pairs) =>
      list.map((p) => `${Math.min(p.a, p.b)} ${Math.max(p.a, p.b)} ${p.similarity}`).sort();
    expect(expected.length).toBeGreaterThan(50);
    expect(names(pairs.filter(({ method }) => method === 'across'))).toEqual(names(expected));
  });
});

test('equal texts are pairs with the first of them, in its block alone', async () => {
  expect(await found(['x', 'family', 'x', 'x'])).toEqual([
    { a: 0, b: 2, similarity: 1, method: 'exact' },
    { a: 0, b: 3, similarity: 1, method: 'exact' },
  ]);
  expect(await found(['x', 'x', 'x'], 0.7, ['p', 'q', 'p'])).toEqual([
    { a: 0, b: 2, similarity: 1, method: 'exact' },
  ]);
});

test('twenty thousand equal texts give no quadratic work', async () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `family comes first in all things of life ${i % 2}`);
  expect(await found(texts)).toHaveLength(19_999);
});

test('short texts and empty ones', async () => {
  expect(await found([])).toEqual([]);
  expect(await found([''])).toEqual([]);
  expect(await found(['', '', 'a', 'ab', '信', '信任'])).toEqual([
    { a: 0, b: 1, similarity: 1, method: 'exact' },
  ]);
  // Two of three shingles are shared.
  expect(await found(['familys', 'family'], 0.6)).toEqual([
    { a: 0, b: 1, similarity: 2 / 3, method: 'ngram' },
  ]);
});

test('after normalisation, marks and quotation marks keep nothing apart', async () => {
  const texts = ['«الثِّقَةُ» مهمة جدا', 'الثقة مهمة جدا', 'الثقة مهمة جدا!'].map(normalise);
  expect(await found(texts)).toEqual([
    { a: 0, b: 1, similarity: 1, method: 'exact' },
    { a: 0, b: 2, similarity: 1, method: 'exact' },
  ]);
});

test('a 100 kB text among short ones', async () => {
  const long = Array.from({ length: 100_000 }, (_, i) =>
    String.fromCharCode(97 + Math.floor(uniform(i) * 26)),
  ).join('');
  const pairs = await found(['short one', long, `${long}x`, 'another']);
  expect(pairs).toHaveLength(1);
  expect(pairs[0]).toMatchObject({ a: 1, b: 2 });
});

test('hostile strings: no error, and every pair is a true one', async () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\ud800',
      '\udc00',
      '\u202e',
      '👩‍👩‍👧',
      '\0',
      'family first',
      '信任家人',
      'الثقة أولا',
      '가족이 먼저',
    ),
  );
  const texts = fc.array(
    fc.array(piece, { maxLength: 4 }).map((parts) => parts.join('')),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(texts, async (list) => {
      for (const { a, b, similarity } of await found(list, 0.5)) {
        expect(a).toBeLessThan(b);
        const [x, y] = [list[a] as string, list[b] as string];
        if (x !== y) expect(similarity).toBeCloseTo(jaccard(shinglesOf(x), shinglesOf(y)), 10);
      }
    }),
  );
});

test('a threshold or blocks that make no sense are refused', async () => {
  for (const threshold of [0, 0.1, 1.1, NaN])
    await expect(found(['a', 'b'], threshold)).rejects.toThrow(RangeError);
  await expect(found(['a', 'b'], 0.7, ['x'])).rejects.toThrow(RangeError);
  expect(await found(['family first', 'family first', 'family last'], 1)).toEqual([
    { a: 0, b: 1, similarity: 1, method: 'exact' },
  ]);
});

test('20,000 texts that are nearly the same are linked to the first, not each to each', async () => {
  const texts = Array.from(
    { length: 20_000 },
    (_, i) => `family comes first in all things of life, whatever the other ${i} people in our town may say`,
  );
  const links = await found(texts, 0.7, undefined, { links: 'first' });
  expect(links).toHaveLength(19_999);
  expect(new Set(links.map(({ a }) => a))).toEqual(new Set([0]));
});

describe('vectors', () => {
  const dimensions = 6;
  const unit = (i: number): number[] => {
    const numbers = Array.from({ length: dimensions }, (_, d) => uniform('vector', i, d) - 0.5);
    const length = Math.hypot(...numbers);
    return numbers.map((number) => number / length);
  };
  const of = async (indexes: readonly number[]) => {
    const values = new Float32Array(new SharedArrayBuffer(4 * dimensions * indexes.length));
    values.set(indexes.flatMap(unit));
    return { values, dimensions };
  };
  const texts = Array.from({ length: 300 }, (_, i) => `text ${uniform(i)}`);
  const blocks = texts.map((_, i) => i % 3);
  const cosine = (a: number, b: number) => {
    const [x, y] = [unit(a), unit(b)];
    return x.reduce((sum, number, d) => sum + number * (y[d] as number), 0);
  };

  test.each([0, 2])(
    'each pair of a block from the least cosine on, and no other (%i threads)',
    async (threads) => {
      const expected = texts.flatMap((_, b) =>
        texts.slice(0, b).flatMap((__, a) => (a % 3 === b % 3 && cosine(a, b) >= 0.8 ? [`${a} ${b}`] : [])),
      );
      const pairs = await nearDuplicates(texts, {
        threshold: 1,
        blocks,
        vectors: { threshold: 0.8, of },
        threads,
      });
      expect(expected.length).toBeGreaterThan(50);
      expect(pairs.map(({ a, b }) => `${a} ${b}`).sort()).toEqual(expected.sort());
      expect(new Set(pairs.map(({ method }) => method))).toEqual(new Set(['embedding']));
      for (const { a, b, similarity } of pairs) expect(similarity).toBeCloseTo(cosine(a, b), 5);
    },
  );
});
