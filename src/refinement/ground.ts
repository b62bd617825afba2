/** Where a quote stands in a turn: UTF-16 offsets of the turn's own text, and how closely (1: in those words). */
export interface Span {
  start: number;
  end: number;
  score: number;
}

/** A text as it is compared; unit i of `text` stands for the units `starts[i]` up to `ends[i]` of the original. */
interface Mapped {
  text: string;
  starts: Int32Array;
  ends: Int32Array;
}

const MIN_SIMILARITY = 0.85;
const MAX_QUOTE = 2_000;
/** Table cells of the alignment: a 2,000-character quote in a 100 kB turn, less than a second. */
const MAX_CELLS = 200_000_000;
const MAX_PLACES = 1_000;
const MAX_SNAP = 16;

const QUOTATION_MARK = /["'“”„‟‘’‚‛«»‹›″′〝〞〟＂＇「」『』《》〈〉`´ʼ]/u;
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;
/** A character and what NFC may join to it: marks, and the vowels and finals of Hangul jamo. */
const COMPOSED = /[^\p{M}\u1160-\u11ff]?[\p{M}\u1160-\u11ff]*/gu;
const WORD = /[\p{L}\p{M}\p{N}]/u;
/** Scripts without spaces between words: any place between two characters is as good as a word's edge. */
const SPACELESS = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u;
const DENSE_ONLY = /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}ー]+$/u;

/**
 * Finds a quote in the turn it was taken from, or null.
 *
 * It is looked for, in this order: literally; after NFC, with white space collapsed, all quotation marks alike and
 * invisible characters dropped; without the ellipses and quotation marks around it; the same two without regard to
 * case. Each of these has score 1 and prefers a place where whole words match. Else the stretch of the turn nearest to
 * the quote counts, if 1 - edits / length of the quote is at least 0.85, with that as its score: semi-global alignment
 * (Sellers 1980) by code points, with the cut-off of Ukkonen (1985); its ends are then moved to the edge of a word, or
 * of a character with its marks in scripts without spaces.
 *
 * A span never splits a surrogate pair. Null also for an empty quote, for one over 2,000 UTF-16 units, and for one
 * under 3 characters, unless it is all Han, kana or Hangul (信任 is a word) and stands there exactly. Turns so long that
 * turn × quote exceeds 200 million characters² are searched for exact places only.
 */
export function ground(turnText: string, quote: string): Span | null {
  if (quote.length > MAX_QUOTE) return null;
  const literal = quote.trim();
  const wanted = mapped(quote).text;
  const bare = stripped(wanted);
  const points = Array.from(bare, (point) => point.codePointAt(0) as number);
  if (points.length === 0 || (points.length < 3 && !DENSE_ONLY.test(bare))) return null;

  const at = place(turnText, literal);
  if (at >= 0) return { start: at, end: at + literal.length, score: 1 };
  const turn = mapped(turnText);
  const folded = fold(turn.text);
  for (const [text, needle] of [
    [turn.text, wanted],
    [turn.text, bare],
    [folded, fold(wanted)],
    [folded, fold(bare)],
  ] as const) {
    const found = place(text, needle);
    if (found >= 0) return span(turn, found, found + needle.length, 1);
  }
  return nearPlace(turn, folded, fold(bare));
}

function span({ starts, ends }: Mapped, from: number, to: number, score: number): Span {
  return { start: starts[from] as number, end: ends[to - 1] as number, score };
}

/** The first place of the needle where whole words match, else the first at all, else -1. */
function place(text: string, needle: string): number {
  if (needle === '') return -1;
  let first = -1;
  let at = text.indexOf(needle);
  for (let tried = 0; at >= 0 && tried < MAX_PLACES; tried++) {
    if (!splitsPair(text, at) && !splitsPair(text, at + needle.length)) {
      if (isEdge(text, at) && isEdge(text, at + needle.length)) return at;
      if (first < 0) first = at;
    }
    at = text.indexOf(needle, at + 1);
  }
  return first;
}

function splitsPair(text: string, at: number): boolean {
  return isHigh(text.charCodeAt(at - 1)) && isLow(text.charCodeAt(at));
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Whether a span may begin or end here without cutting a word or taking a mark from its letter. */
function isEdge(text: string, at: number): boolean {
  if (at <= 0 || at >= text.length) return true;
  if (splitsPair(text, at)) return false;
  const after = String.fromCodePoint(text.codePointAt(at) as number);
  if (/\p{M}/u.test(after)) return false;
  const before = text.slice(splitsPair(text, at - 1) ? at - 2 : at - 1, at);
  return !(WORD.test(before) && WORD.test(after)) || SPACELESS.test(before) || SPACELESS.test(after);
}

/** NFC, one space for any white space (none at the ends), ' for any quotation mark, nothing invisible. */
function mapped(original: string): Mapped {
  const whole = original.normalize('NFC') === original;
  const units: string[] = [];
  // NFC makes a text longer at most three times (Unicode Standard Annex 15).
  const room = original.length * (whole ? 1 : 3);
  const starts = new Int32Array(room);
  const ends = new Int32Array(room);
  let length = 0;
  let spaced = true;
  const add = (point: string, start: number, end: number) => {
    if (INVISIBLE.test(point)) return;
    const space = /\s/u.test(point);
    if (space && spaced) return;
    spaced = space;
    const unit = space ? ' ' : QUOTATION_MARK.test(point) ? "'" : point;
    units.push(unit);
    for (let i = 0; i < unit.length; i++, length++) {
      starts[length] = start;
      ends[length] = end;
    }
  };
  let at = 0;
  for (const part of whole ? [original] : (original.match(COMPOSED) ?? [])) {
    const composed = whole ? part : part.normalize('NFC');
    let offset = at;
    for (const point of composed) {
      if (composed === part) add(point, offset, offset + point.length);
      else add(point, at, at + part.length);
      offset += point.length;
    }
    at += part.length;
  }
  const text = units.join('');
  return { text: text.endsWith(' ') ? text.slice(0, -1) : text, starts, ends };
}

/** Without the ellipses and quotation marks around a quote; the text is already mapped. */
function stripped(text: string): string {
  let rest = text;
  for (let before = ''; before !== rest;) {
    before = rest;
    rest = rest
      .replace(/^(?:'|…|\.{2,}|[[(](?:…|\.{3})[\])]) ?/u, '')
      .replace(/ ?(?:'|…|(?<!\.)\.{2,}|[[(](?:…|\.{3})[\])])$/u, '');
  }
  return rest;
}

/** Lower case that keeps every offset: the dotted İ, the only capital that gets longer, becomes i. */
function fold(text: string): string {
  const lower = text.replace(/İ/gu, 'i').toLowerCase().replace(/ς/gu, 'σ');
  return lower.length === text.length ? lower : text;
}

function nearPlace(turn: Mapped, folded: string, needle: string): Span | null {
  const quote = Int32Array.from(needle, (point) => point.codePointAt(0) as number);
  const limit = Math.floor((1 - MIN_SIMILARITY) * quote.length + 1e-9);
  if (limit === 0 || folded.length * quote.length > MAX_CELLS) return null;
  const text = new Int32Array(folded.length);
  const offsets = new Int32Array(folded.length + 1);
  let count = 0;
  for (let at = 0; at < folded.length; count++) {
    const point = folded.codePointAt(at) as number;
    text[count] = point;
    offsets[count] = at;
    at += point > 0xffff ? 2 : 1;
  }
  offsets[count] = folded.length;
  const found = align(text.subarray(0, count), quote, limit);
  if (!found) return null;
  let from = offsets[found.from] as number;
  let to = offsets[found.to] as number;
  if (folded[from] === ' ') from++;
  if (folded[to - 1] === ' ') to--;
  const start = snap(folded, from, -1);
  const end = snap(folded, to, 1);
  if (start < end) [from, to] = [start, end];
  return span(turn, from, to, 1 - found.edits / quote.length);
}

/**
 * Moves a span's end to an edge: outwards, to keep every word of the quote, but inwards when no more than one character
 * of a word was met by chance; not at all when there is no edge close by.
 */
function snap(text: string, at: number, outwards: 1 | -1): number {
  const outer = edgeFrom(text, at, outwards);
  const inner = edgeFrom(text, at, -outwards as 1 | -1);
  if (outer === null) return inner ?? at;
  const farOut = Math.abs(outer - at) > 1;
  if (inner === null || !(farOut && Math.abs(inner - at) <= 1)) return outer;
  // The gap before a word that is left out goes with it.
  if (outwards > 0) return text[inner - 1] === ' ' ? inner - 1 : inner;
  return text[inner] === ' ' ? inner + 1 : inner;
}

function edgeFrom(text: string, at: number, step: 1 | -1): number | null {
  for (let distance = 0, edge = at; distance <= MAX_SNAP; distance++, edge += step) {
    if (edge < 0 || edge > text.length) return null;
    if (isEdge(text, edge)) return edge;
  }
  return null;
}

/** The stretch of the text with the fewest edits to the quote, at most `limit`; indexes of code points. */
function align(
  text: Int32Array,
  quote: Int32Array,
  limit: number,
): { from: number; to: number; edits: number } | null {
  const rows = quote.length;
  // Row i: the fewest edits from the quote's first i characters to a stretch ending here, and where that begins.
  const edits = Int32Array.from({ length: rows + 1 }, (_, i) => i);
  const begins = new Int32Array(rows + 1);
  let best: { from: number; to: number; edits: number } | null = null;
  // No row beyond `last` is within the limit, so that only one more can be at the next character (Ukkonen).
  let last = limit;
  for (let column = 1; column <= text.length; column++) {
    const point = text[column - 1];
    let diagonal = 0;
    let diagonalBegin = column - 1;
    begins[0] = column;
    const top = Math.min(last + 1, rows);
    for (let row = 1; row <= top; row++) {
      const left = row > last ? limit + 1 : (edits[row] as number);
      const leftBegin = begins[row] as number;
      let value = diagonal;
      let begin = diagonalBegin;
      if (quote[row - 1] !== point) {
        const above = edits[row - 1] as number;
        if (above < value) {
          value = above;
          begin = begins[row - 1] as number;
        }
        if (left < value) {
          value = left;
          begin = leftBegin;
        }
        value++;
      }
      edits[row] = value;
      begins[row] = begin;
      diagonal = left;
      diagonalBegin = leftBegin;
    }
    last = top;
    while ((edits[last] as number) > limit) last--;
    if (last < rows) continue;
    const found = { from: begins[rows] as number, to: column, edits: edits[rows] as number };
    if (!best || found.edits < best.edits || (found.edits === best.edits && isCloser(found, best, rows)))
      best = found;
  }
  return best;
}

/** Of two stretches from one place the one as long as the quote: it holds a changed last letter, not the gap before it. */
function isCloser(a: { from: number; to: number }, b: { from: number; to: number }, length: number): boolean {
  return a.from === b.from && Math.abs(a.to - a.from - length) < Math.abs(b.to - b.from - length);
}
