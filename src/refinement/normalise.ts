/** Apostrophes and single quotation marks: removed without a gap, so that don't, don’t and dont are one word. */
const APOSTROPHES = /['`´‘’‚‛′‵ʹʻʼʽˈ׳＇‹›]/gu;
/** Invisible: zero-width characters, bidi controls, joiners, soft hyphens, variation selectors, tags. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** Tatweel and the Arabic vowel marks; not U+0653 to U+0655, which are parts of letters (madda, hamza). */
const HARAKAT =
  /[\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0640]/gu;
/** Punctuation of every script, spacing accents and tildes; the percent signs stay, because they carry meaning. */
const PUNCTUATION = new RegExp('[[\\p{P}\\p{Sk}~〜]--[\\p{Emoji_Modifier}%‰٪]]', 'gv');
const GAPS = /[\s\p{Z}\p{Cc}]+/gu;
const HAN = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー]/u;
/** Han and kana are written without spaces: a gap left beside them by punctuation or a line break means nothing. */
const GAP_BESIDE_HAN =
  /(?<=[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー]) | (?=[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー])/gu;

/**
 * The form in which two opinions are compared exactly; not for display.
 *
 * NFKC and locale-free lower case; white space collapsed (dropped beside Han and kana); quotation marks and
 * punctuation of every script removed (inside a word an apostrophe leaves no gap, all else does); tatweel, harakat,
 * zero-width and bidi control characters dropped; each lone surrogate becomes U+FFFD. Final sigma counts as sigma
 * and the dotted capital İ as i; a dotless ı stays itself, since sık and sik are two words. Accents, numbers,
 * symbols and emoji stay. Applying it twice changes nothing.
 */
export function normalise(text: string): string {
  const plain = text
    .replace(/\p{Cs}/gu, '\ufffd')
    // Before NFKC as well: it would turn ´ into a space and an accent.
    .replace(APOSTROPHES, '')
    .normalize('NFKC')
    .toLowerCase()
    .replace(APOSTROPHES, '')
    .replace(INVISIBLE, '')
    .replace(HARAKAT, '')
    .replace(PUNCTUATION, ' ')
    .replaceAll('ς', 'σ');
  // What few texts have is looked for first: most of the time of a million texts is spent here.
  const dotted = plain.includes('\u0307') ? plain.replace(/i\u0307+/gu, 'i') : plain;
  const single = dotted.normalize('NFKC').replace(GAPS, ' ').trim();
  return HAN.test(single) ? single.replace(GAP_BESIDE_HAN, '') : single;
}
