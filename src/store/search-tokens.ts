/** A word, or a run of a script written without spaces: characters with their marks. */
interface Piece {
  kind: Kind;
  characters: string[];
}

type Kind = 'word' | 'han' | 'hangul' | 'thai';

const MAX_WORD = 64;
const MAX_TERMS = 32;
const MAX_PHRASE = 64;

/** Joiners, bidi controls, soft hyphens, variation selectors: inside words, and never typed in a search. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** A character with its marks, or what stands between words. */
const CHARACTER = /[\p{L}\p{N}]\p{M}*|[^\p{L}\p{N}]+/gu;
const HAN = /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}ー]/u;
const HANGUL = /^\p{sc=Hang}/u;
/** Without spaces between words too; bigrams serve them as they serve Chinese. */
const THAI = /^[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u;

/** The Arabic vowel marks; not U+0653 to U+0655, which are parts of letters. */
const HARAKAT =
  /[\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]/gu;
/** The article before two letters or more; in الله it is no article (له is another word). */
const ARTICLE = /^[اٱ]ل(?!له$)(?=..)/u;
const ALEFS = /[أإآٱ]/gu;
const LATIN_MARKS = /(\p{sc=Latin})\p{M}+/gu;
const LATIN_LETTERS: Record<string, string> = {
  ı: 'i',
  ø: 'o',
  đ: 'd',
  ł: 'l',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  ð: 'd',
};
const LATIN_LETTER = /[ıøđłßæœþð]/gu;

/**
 * The tokens of a text for a search index; join them with spaces. `searchQuery` finds what is indexed so.
 *
 * NFKC, lower case, no tatweel. Words are letters, marks and numbers (a Bengali vowel sign stays in its word), cut at 64
 * characters. Runs of Han and kana, of Hangul, and of Thai, Lao, Khmer or Burmese become overlapping bigrams followed
 * by the last character alone, so that every character begins a token; a run of one stays one.
 *
 * A word that is written in several ways is followed by its other forms: without Arabic vowel marks;
 * without hamza on alef and Latin diacritics (é e, ß ss, dotless ı i); without the Arabic article, as the light stemmer
 * does (Larkey, Ballesteros & Connell 2002). The last form is the same for all ways, and a query asks for any form: so
 * ثقة and الثقة, café and cafe find each other, and a text with the very form asked for ranks higher.
 */
export function searchTokens(text: string): string[] {
  return pieces(text).flatMap(({ kind, characters }) => {
    if (kind === 'word') return forms(characters);
    const last = characters.at(-1) as string;
    return characters.length === 1 ? [last] : [...bigrams(characters), last];
  });
}

/**
 * What a person typed as an FTS5 MATCH expression over `searchTokens`, or '' when there is nothing to look for.
 *
 * Every word has to be there (AND) in any of its forms (OR); a run of bigrams as a phrase, a single character of such
 * a script anywhere in a run. There are no operators: quotation marks, *, NEAR, AND and brackets are text, so that no
 * input is a syntax error. Takes the first 32 different words and the first 65 characters of a run.
 */
export function searchQuery(text: string): string {
  const terms = new Set<string>();
  for (const { kind, characters } of pieces(text)) {
    if (terms.size === MAX_TERMS) break;
    if (kind === 'word') {
      const all = forms(characters).map((form) => `"${form}"`);
      terms.add(all.length === 1 ? (all[0] as string) : `(${all.join(' OR ')})`);
    } else if (characters.length === 1) terms.add(`"${characters[0]}"*`);
    else terms.add(`"${bigrams(characters.slice(0, MAX_PHRASE + 1)).join(' ')}"`);
  }
  return [...terms].join(' AND ');
}

function pieces(text: string): Piece[] {
  const clean = text
    .replaceAll('\u200b', ' ')
    .replace(INVISIBLE, '')
    .normalize('NFKC')
    .toLowerCase()
    // Tatweel.
    .replaceAll('\u0640', '')
    .replace(/i\u0307/gu, 'i')
    .replace(/ς/gu, 'σ')
    .normalize('NFKC')
    // No script stacks more marks than this; a token has to stay short.
    .replace(/(\p{M}{6})\p{M}+/gu, '$1');
  const found: Piece[] = [];
  let open: Piece | undefined;
  for (const character of clean.match(CHARACTER) ?? []) {
    const kind = kindOf(character);
    if (kind && open?.kind === kind) open.characters.push(character);
    else if (kind) found.push((open = { kind, characters: [character] }));
    else open = undefined;
  }
  return found;
}

function kindOf(character: string): Kind | undefined {
  if (!/^[\p{L}\p{N}]/u.test(character)) return undefined;
  // All scripts before Thai are written with spaces.
  if (character < '\u0e00') return 'word';
  if (HAN.test(character)) return 'han';
  if (HANGUL.test(character)) return 'hangul';
  return THAI.test(character) ? 'thai' : 'word';
}

function bigrams(characters: readonly string[]): string[] {
  return characters.slice(1).map((character, i) => `${characters[i]}${character}`);
}

/** A word as it is written and its other forms, each once; the last one is common to all ways of writing it. */
function forms(characters: readonly string[]): string[] {
  const word = characters.slice(0, MAX_WORD).join('');
  if (/^[\0-\x7f]*$/u.test(word)) return [word];
  const unmarked = word.replace(HARAKAT, '');
  const all = [word, unmarked, folded(unmarked), folded(unmarked.replace(ARTICLE, ''))];
  return [...new Set(all)];
}

function folded(word: string): string {
  return word
    .normalize('NFD')
    .replace(LATIN_MARKS, '$1')
    .normalize('NFC')
    .replace(LATIN_LETTER, (letter) => LATIN_LETTERS[letter] ?? letter)
    .replace(ALEFS, 'ا');
}
