import { openSqlite } from '../../src/store/sqlite.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { searchQuery, searchTokens } from '../../src/store/search-tokens.ts';

describe('tokens', () => {
  const cases: [string, string, string[]][] = [
    ['words', 'Family comes FIRST, 2nd: work!', ['family', 'comes', 'first', '2nd', 'work']],
    ['Han', '我们信任他。', ['我们', '们信', '信任', '任他', '他']],
    ['a single character', '信，任', ['信', '任']],
    ['Han and kana together', '食べるAI', ['食べ', 'べる', 'る', 'ai']],
    ['half-width kana', 'ﾃﾚﾋﾞ', ['テレ', 'レビ', 'ビ']],
    ['Hangul', '신뢰를 쌓다', ['신뢰', '뢰를', '를', '쌓다', '다']],
    ['Hangul jamo', '신뢰'.normalize('NFD'), ['신뢰', '뢰']],
    ['Bengali marks stay in words', 'বিশ্বাস গুরুত্বপূর্ণ', ['বিশ্বাস', 'গুরুত্বপূর্ণ']],
    ['Devanagari', 'परिवार पहले', ['परिवार', 'पहले']],
    ['Thai marks stay with their letters', 'ที่นี่', ['ที่นี่', 'นี่']],
    ['Arabic marks and tatweel', 'ثِقَة مهمـــة', ['ثِقَة', 'ثقة', 'مهمة']],
    ['the Arabic article', 'الثقة الأسرة الله', ['الثقة', 'ثقة', 'الأسرة', 'الاسرة', 'اسرة', 'الله']],
    ['Latin diacritics', 'Café São', ['café', 'cafe', 'são', 'sao']],
    ['Turkish i', 'İstanbul ISPARTA kadın', ['istanbul', 'isparta', 'kadın', 'kadin']],
    ['German', 'Straße über', ['straße', 'strasse', 'über', 'uber']],
    ['Greek final sigma', 'ΛΟΓΟΣ', ['λογοσ']],
    ['invisible characters', 'fa\u00admi\u200dly\ufeff', ['family']],
    ['full width', 'ＡＩ', ['ai']],
    ['nothing', ' “…”* ( ) 😀 \ud800 \u0301', []],
  ];

  test.each(cases)('%s', (_name, text, tokens) => {
    expect(searchTokens(text)).toEqual(tokens);
  });

  test('stay short, whatever the text', () => {
    expect(searchTokens('a'.repeat(100_000))).toEqual(['a'.repeat(64)]);
    expect(searchTokens(`e${'\u0316'.repeat(100_000)}`)[0]?.length).toBeLessThan(10);
  });
});

const texts = {
  zh: '我认为人与人之间的信任很重要',
  zh2: '我相信',
  ko: '가족 사이의 신뢰를 지켜야 한다',
  ar: 'أعتقد أن الثِّقَةَ بين الناس مهمة',
  ar2: 'لا ثقة دون صدق',
  ar3: 'قال له الحقيقة',
  ar4: 'الله أكبر',
  bn: 'আমি মনে করি বিশ্বাস অর্জন করতে হয়',
  hi: 'परिवार सबसे पहले आता है',
  th: 'ครอบครัวสำคัญที่สุด',
  ja: '家族の信頼が大切だ',
  tr: 'KADINLAR ve erkekler EŞİTTİR',
  fr: 'La confiance dans un café près de l’église',
  en: 'Family comes first, "NEAR" and dear; 50% agree',
};
type Name = keyof typeof texts;

// The second keeps marks inside tokens, as the words here have them; both have to find the same.
describe.each(['unicode61 remove_diacritics 0', "unicode61 remove_diacritics 0 categories 'L* N* Co M*'"])(
  'FTS5 with %s',
  (tokenize) => {
    const db = openSqlite(':memory:');
    const names = Object.keys(texts) as Name[];
    const find = (query: string): Name[] => {
      const match = searchQuery(query);
      if (match === '') return [];
      const rows = db
        .prepare('SELECT rowid AS id FROM search WHERE search MATCH ? ORDER BY rowid')
        .all(match);
      return (rows as { id: number }[]).map(({ id }) => names[id - 1] as Name);
    };

    beforeAll(() => {
      db.exec(`CREATE VIRTUAL TABLE search USING fts5(tokens, tokenize = "${tokenize}")`);
      const insert = db.prepare('INSERT INTO search (tokens) VALUES (?)');
      for (const name of names) insert.run(searchTokens(texts[name]).join(' '));
    });
    afterAll(() => void db.close());

    const cases: [string, Name[]][] = [
      ['信任', ['zh']],
      ['人与人', ['zh']],
      ['任信', []],
      ['信', ['zh', 'zh2', 'ja']],
      ['要', ['zh']],
      ['신뢰', ['ko']],
      ['신뢰를 가족', ['ko']],
      ['신', ['ko']],
      ['를', ['ko']],
      ['الثقة', ['ar', 'ar2']],
      ['الثِّقَة', ['ar', 'ar2']],
      ['ثقة', ['ar', 'ar2']],
      ['ثقـــة', ['ar', 'ar2']],
      ['اعتقد', ['ar']],
      ['الله', ['ar4']],
      ['বিশ্বাস', ['bn']],
      ['परिवार', ['hi']],
      ['สำคัญ', ['th']],
      ['信頼', ['ja']],
      ['kadınlar', ['tr']],
      ['kadinlar eşittir', ['tr']],
      ['esittir', ['tr']],
      ['CAFÉ', ['fr']],
      ['cafe eglise', ['fr']],
      ["l'église", ['fr']],
      ['family first', ['en']],
      ['family last', []],
      ['50', ['en']],
      ['"near"', ['en']],
      ['', []],
      ['*', []],
    ];

    test.each(cases)('%s', (query, expected) => {
      expect(find(query)).toEqual(expected);
    });

    test('the very form asked for ranks first', () => {
      const match = searchQuery('الثقة');
      const best = db.prepare('SELECT rowid AS id FROM search WHERE search MATCH ? ORDER BY rank').get(match);
      expect(names[(best as { id: number }).id - 1]).toBe('ar');
    });

    const hostile = [
      'family"',
      '"family',
      '""',
      "'; DROP TABLE search; --",
      'family*',
      '*family',
      '^family',
      'tokens:family',
      '{tokens}:family',
      '-family',
      'family AND',
      'OR family',
      'NOT family',
      'NEAR(family first, 2)',
      '(((family',
      'family)))',
      'family + first',
      '\0family',
      '\ud800family',
      'family\udc00',
      '\u202efamily',
      'a\u0301\u0301\u0301',
      '信*',
      '"信',
      '信 OR 任',
      '𰻝𰻝麵',
      '𰻝',
      'x '.repeat(5000),
      Array.from({ length: 3000 }, (_, i) => `word${i}`).join(' '),
      '信任'.repeat(20_000),
      '('.repeat(50_000),
      'é'.repeat(50_000),
      `${'ا'.repeat(3)} `.repeat(3000),
    ];

    test.each(hostile)('hostile: %.30s', (query) => {
      expect(() => find(query)).not.toThrow();
    });

    test('operators are text', () => {
      expect(find('family"')).toEqual(['en']);
      expect(find('tokens:family')).toEqual([]);
      expect(find('NOT family')).toEqual([]);
      expect(find('fam*')).toEqual([]);
    });

    const operators = ['"', '*', ' NEAR(', ' AND ', ' OR ', ' NOT ', '(', ')', '^', '{a}:', '\0', ' ', ' '];
    const known = [
      '信',
      '任',
      'か',
      '신',
      '뢰',
      'ثِ',
      'ال',
      'أ',
      'é',
      'ß',
      'i',
      'İ',
      'ı',
      'কি',
      'শ্',
      'ที่',
      'Σ',
      '1',
      'ـ',
    ];

    test('no text is a syntax error', () => {
      const piece = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 8 }),
        fc.string({ unit: 'grapheme', maxLength: 8 }),
        fc.constantFrom(...operators, ...known),
      );
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 10 }), (parts) => {
          const text = parts.join('');
          expect(searchQuery(text) === '').toBe(searchTokens(text).length === 0);
          find(text);
        }),
        { numRuns: 1000 },
      );
    });

    // Not for letters of any script: SQLite's table of letters is older than the one here.
    test('a text finds itself', () => {
      const insert = db.prepare('INSERT INTO search (rowid, tokens) VALUES (1000, ?)');
      const remove = db.prepare('DELETE FROM search WHERE rowid = 1000');
      const own = db.prepare('SELECT count(*) AS n FROM search WHERE rowid = 1000 AND search MATCH ?');
      fc.assert(
        fc.property(fc.array(fc.constantFrom(...operators, ...known), { maxLength: 20 }), (parts) => {
          const match = searchQuery(parts.join(''));
          if (match === '') return;
          insert.run(searchTokens(parts.join('')).join(' '));
          const found = own.get(match);
          remove.run();
          expect(found).toEqual({ n: 1 });
        }),
        { numRuns: 500 },
      );
    });
  },
);
