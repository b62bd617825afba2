import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalise } from '../../src/refinement/normalise.ts';

const same: [string, string, string][] = [
  ['case and white space', '  Family \t comes\n FIRST ', 'family comes first'],
  ['quotation marks', '“Trust” is «earned»', 'trust is earned'],
  ['apostrophes', "One can't, one won’t", 'one cant one wont'],
  ['final punctuation', 'Family comes first.', 'Family comes first!'],
  ['punctuation without a space', 'family,work', 'family , work'],
  ['dashes', 'work – not family', 'work - not family'],
  ['full width', 'Ｆａｍｉｌｙ １', 'family 1'],
  ['Chinese punctuation', '我认为，家庭最重要。', '我认为家庭最重要'],
  ['Chinese beside Latin', '我用 AI 技术', '我用AI技术'],
  ['Japanese brackets', '「家族」が一番だ。', '家族が一番だ'],
  ['half-width kana', 'ｶﾞｲｺｸ', 'ガイコク'],
  ['Hangul jamo', '신뢰', '신뢰'.normalize('NFD')],
  ['Arabic marks and tatweel', 'الثِّقَةُ مُهِمَّةٌ', 'الثقة مهمـــة'],
  ['Arabic punctuation', 'لماذا؟ الأسرة، العمل؛', 'لماذا الأسرة العمل'],
  ['Bengali danda', 'পরিবার আগে।', 'পরিবার আগে'],
  ['Devanagari danda', 'परिवार पहले॥', 'परिवार पहले'],
  ['Ethiopic full stop', 'ቤተሰብ።', 'ቤተሰብ'],
  ['zero width', 'fa\u200bmi\u00adly\ufeff', 'family'],
  ['bidi controls', '\u202bالثقة\u202c\u200f', 'الثقة'],
  ['Turkish capital I with a dot', 'İstanbul', 'istanbul'],
  ['final sigma', 'ΛΟΓΟΣ', 'λόγος'.normalize('NFD').replace('\u0301', '')],
  ['emoji presentation', '❤️', '❤'],
];

test.each(same)('%s make no difference', (_name, a, b) => {
  expect(normalise(a)).toBe(normalise(b));
});

const different: [string, string][] = [
  ['50% of people', '50 of people'],
  ['sık', 'sik'],
  ['über', 'uber'],
  ['أم', 'ام'],
  ['the family', 'a family'],
  ['I like 👍', 'I like 👎'],
  ['বল', 'বলি'],
];

test.each(different)('%s is not %s', (a, b) => {
  expect(normalise(a)).not.toBe(normalise(b));
});

test('lone surrogates are replaced, pairs are kept', () => {
  expect(normalise('a\ud800b')).toBe('a\ufffdb');
  expect(normalise('a😀b')).toBe('a😀b');
});

test('nothing but punctuation is nothing', () => {
  expect(normalise(' …“”、؟! \u200f')).toBe('');
});

test('applying it twice changes nothing, whatever the text', () => {
  const pieces = fc.constantFrom(
    ' ',
    '.',
    "'",
    '\u0301',
    '\u0307',
    '\u0345',
    'I',
    'İ',
    'Σ',
    '\u1100',
    '\u1161',
    '信',
    'ー',
    '\u200d',
    '\u064e',
    '\ud83d',
    'ﷺ',
    '´',
    'ﹶ',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), pieces)), (parts) => {
      const once = normalise(parts.join(''));
      expect(normalise(once)).toBe(once);
      expect(/\p{Cs}/u.test(once)).toBe(false);
    }),
    { numRuns: 5000 },
  );
});
