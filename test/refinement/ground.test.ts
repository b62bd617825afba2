import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ground } from '../../src/refinement/ground.ts';

/** The words of the turn that the quote was found to be. */
function words(turn: string, quote: string): string | null {
  const span = ground(turn, quote);
  return span && turn.slice(span.start, span.end);
}

const turn = `Well, I'd say: “family  comes\nfirst”, always. Trust is earned – slowly. In Café Zoë nobody lies.`;

const exact: [string, string, string][] = [
  ['verbatim', 'Trust is earned', 'Trust is earned'],
  ['white space', 'family comes first', 'family  comes\nfirst'],
  ['straight quotation marks', '"family comes first", always', '“family  comes\nfirst”, always'],
  ['an apostrophe', 'I’d say', "I'd say"],
  ['quotation marks around it', '"Trust is earned"', 'Trust is earned'],
  ['guillemets around it', '« Trust is earned »', 'Trust is earned'],
  ['ellipses around it', '...Trust is earned…', 'Trust is earned'],
  ['ellipses in brackets', '[...] Trust is earned [...]', 'Trust is earned'],
  ['both around it', '"… Trust is earned ..."', 'Trust is earned'],
  ['case', 'trust IS earned', 'Trust is earned'],
  ['decomposed', 'Café Zoë'.normalize('NFD'), 'Café Zoë'],
  ['case and quotation marks', '“always. trust”', 'always. Trust'],
];

test.each(exact)('found exactly: %s', (_name, quote, expected) => {
  expect(words(turn, quote)).toBe(expected);
  expect(ground(turn, quote)?.score).toBe(1);
});

test('offsets are those of the original turn, decomposed or not', () => {
  const decomposed = turn.normalize('NFD');
  expect(words(decomposed, 'Café Zoë')).toBe('Café Zoë'.normalize('NFD'));
  expect(words('각국의 신뢰가 중요하다'.normalize('NFD'), '신뢰가 중요')).toBe(
    '신뢰가 중요'.normalize('NFD'),
  );
  expect(words('x\u200b👩‍👩‍👧 \u202bالثقة\u202c أولا', 'الثقة أولا')).toBe('الثقة\u202c أولا');
  expect(words('İİİ Family first', 'family FIRST')).toBe('Family first');
});

test('whole words are preferred to parts of words', () => {
  expect(ground('start art', 'art')).toEqual({ start: 6, end: 9, score: 1 });
  expect(ground('start', 'art')).toEqual({ start: 2, end: 5, score: 1 });
});

test('a quote must say something', () => {
  for (const quote of ['', '  ', '…', '""', 'ab', '"I"', '\u200f\u200e\u200f', 'x'.repeat(2001)]) {
    expect(ground(`ab I "" … ${quote}`, quote)).toBeNull();
  }
  expect(words('我们需要信任。', '信任')).toBe('信任');
  expect(words('신뢰가 중요', '"신뢰"')).toBe('신뢰');
  expect(ground('我们需要信任。', '信心')).toBeNull();
});

const near: [string, string, string][] = [
  [
    'family comes before everything else in my life, always',
    'family comes before everything in my life',
    'family comes before everything else in my life',
  ],
  [
    'we trust our neighbours more than strangers here',
    'we trust our neighbors more than stranger',
    'we trust our neighbours more than strangers',
  ],
  [
    'I think trust between people takes many years',
    'trust between peopel takes many year',
    'trust between people takes many years',
  ],
  ['我认为家庭比工作更重要，因为家人支持我', '家庭比工作更加重要，因为家人', '家庭比工作更重要，因为家人'],
  [
    'أعتقد أن الأسرة تأتي قبل كل شيء في حياتنا اليومية',
    'الاسرة تأتي قبل كل شيء في حياتنا',
    'الأسرة تأتي قبل كل شيء في حياتنا',
  ],
  ['আমার কাছে পরিবার সবচেয়ে গুরুত্বপূর্ণ বিষয়', 'পরিবার সবচেয়ে গুরুত্বপূর্ন বিষয়', 'পরিবার সবচেয়ে গুরুত্বপূর্ণ বিষয়'],
  [
    '가족이 무엇보다 중요하다고 생각합니다',
    '가족이 무엇보다도 중요하다고 생각',
    '가족이 무엇보다 중요하다고 생각합니다',
  ],
  ['ผมคิดว่าครอบครัวสำคัญที่สุดในชีวิตของเรา', 'ครอบครัวสำคัญทีสุดในชีวิต', 'ครอบครัวสำคัญที่สุดในชีวิต'],
  ['people say that trust is earned slowly', 'that trust was earned s', 'that trust is earned'],
];

test.each(near)('found nearly: in %s', (text, quote, expected) => {
  expect(words(text, quote)).toBe(expected);
  const score = ground(text, quote)?.score ?? 0;
  expect(score).toBeLessThan(1);
  expect(score).toBeGreaterThanOrEqual(0.85);
});

test('what does not stand there is not found', () => {
  expect(ground(turn, 'Trust is given freely to everyone')).toBeNull();
  expect(ground('', 'Trust is earned')).toBeNull();
  expect(ground('earned', 'Trust is earned')).toBeNull();
});

/** Random text of every script, with what models and users put in; cut at code points. */
const unicode = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
      fc.constantFrom(
        ' ',
        '\n',
        '“',
        "'",
        '\u0301',
        '\u200d',
        '\u202e',
        '\ud83d',
        '\udc00',
        '😀',
        'İ',
        'ﬁ',
        '가',
        '信',
        'ثِ',
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

describe('properties', () => {
  test('any part of a text of 8 characters or more is found in it, as it is', () => {
    fc.assert(
      fc.property(unicode, fc.nat(), fc.nat(), (text, a, b) => {
        const points = Array.from(text);
        const from = a % (points.length + 1);
        const quote = points.slice(from, from + 8 + (b % 40)).join('');
        fc.pre(
          Array.from(quote).length >= 8 &&
            Array.from(quote.replace(/[\s\p{Cf}\p{DI}\p{P}`´]/gu, '')).length >= 3,
        );
        expect(words(text, quote)).toBe(quote.trim());
        expect(ground(text, quote)?.score).toBe(1);
      }),
      { numRuns: 2000 },
    );
  });

  test('no span splits a pair or leaves the turn, whatever is asked', () => {
    fc.assert(
      fc.property(unicode, unicode, fc.nat(), (text, other, a) => {
        const points = Array.from(text);
        const from = a % (points.length + 1);
        const part = points.slice(from, from + 20);
        part.splice(3, 1, other.slice(0, 1));
        for (const quote of [
          other,
          part.join(''),
          text.slice(from, from + 15),
          part.join('').toUpperCase(),
        ]) {
          const span = ground(text, quote);
          if (!span) continue;
          expect(span.start).toBeGreaterThanOrEqual(0);
          expect(span.end).toBeGreaterThan(span.start);
          expect(span.end).toBeLessThanOrEqual(text.length);
          expect(span.score).toBeGreaterThanOrEqual(0.85);
          for (const at of [span.start, span.end]) {
            expect(
              /[\ud800-\udbff]$/.test(text.slice(0, at)) && /^[\udc00-\udfff]/.test(text.slice(at)),
            ).toBe(false);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('the score is that of the full table of edits', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 8, maxLength: 60 });
    fc.assert(
      fc.property(
        letters,
        letters,
        fc.array(fc.nat(59), { maxLength: 4 }),
        fc.boolean(),
        (text, other, edits, planted) => {
          const points = Array.from(planted ? text.slice(4, 44) : other);
          for (const at of edits) points.splice(at % (points.length + 1), at % 2, at % 3 ? 'c' : '');
          const quote = points.join('');
          fc.pre(quote.length >= 3);
          const similarity = 1 - fewestEdits(text, quote) / quote.length;
          expect(ground(text, quote)?.score ?? null).toBe(similarity >= 0.85 ? similarity : null);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

/** Sellers' table in full, without a cut-off. */
function fewestEdits(text: string, quote: string): number {
  let row = Array.from({ length: text.length + 1 }, () => 0);
  for (let i = 1; i <= quote.length; i++) {
    const next = [i];
    for (let j = 1; j <= text.length; j++) {
      const change = (row[j - 1] as number) + (quote[i - 1] === text[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return Math.min(...row);
}

describe('turns of 100 kB', () => {
  const sentence = 'People here say that trust takes years and that one lie is enough to lose it. ';
  const long = Array.from({ length: 1300 }, (_, i) => `${i}: ${sentence}`).join('');
  const changed = long.slice(90_000, 90_500).replaceAll('years', 'yearz');
  const cases: [string, string, string, [from: number, to: number, score: number] | null][] = [
    [
      'a 500-character quote that is not there',
      long,
      'Nobody knows why the weather was so good. '.repeat(12),
      null,
    ],
    ['a 500-character quote with changes', long, changed, [90_000, 90_498, 494 / 500]],
    [
      'one letter over and over',
      'a'.repeat(100_000),
      `${'a'.repeat(250)}bbbbb${'a'.repeat(245)}`,
      [0, 500, 495 / 500],
    ],
    ['a 2,000-character quote', 'ab'.repeat(50_000), 'aab'.repeat(666), null],
    ['decomposed', 'é'.normalize('NFD').repeat(50_000), 'è'.repeat(500), null],
    ['dots', '.'.repeat(100_000), `${'.'.repeat(1000)}x${'.'.repeat(900)}`, null],
  ];

  test.each(cases)('%s', (_name, text, quote, expected) => {
    const span = ground(text, quote);
    expect(span && [span.start, span.end]).toEqual(expected && expected.slice(0, 2));
    if (expected) expect(span?.score).toBeCloseTo(expected[2], 10);
  });

  test('where the table of edits would be beyond its bound, exact places alone are looked for', () => {
    const quote = Array.from({ length: 150 }, (_, i) => `word ${i} and`).join(' ');
    const near = quote.replace('word 90 and', 'word 90 or');
    expect(quote.length).toBeLessThan(2000);
    const filled = (length: number): string => 'x '.repeat(length / 2) + quote;
    const most = Math.floor(200_000_000 / near.length) - quote.length;
    expect(ground(filled(most - (most % 2)), near)?.score).toBeGreaterThan(0.99);
    expect(ground(filled(most + 2 + quote.length), near)).toBeNull();
    expect(ground(filled(most + 2 + quote.length), quote)?.score).toBe(1);
  });
});
