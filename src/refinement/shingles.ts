/** The shingle sets of n texts: text i has `hashes[starts[i]]` up to `hashes[ends[i]]`, ascending and distinct. */
export interface Shingles {
  hashes: Uint32Array;
  starts: Uint32Array;
  ends: Uint32Array;
}

/** Jaccard similarity of two shingle sets, or -1 as soon as it can't reach the threshold. */
export function jaccard({ hashes, starts, ends }: Shingles, a: number, b: number, threshold: number): number {
  let i = starts[a] as number;
  let j = starts[b] as number;
  const endA = ends[a] as number;
  const endB = ends[b] as number;
  const total = endA - i + endB - j;
  // |A ∩ B| ≥ t (|A| + |B|) / (1 + t); the small term keeps rounding from losing a pair right at the threshold.
  const needed = (threshold * total) / (1 + threshold) - 1e-6;
  let shared = 0;
  while (i < endA && j < endB) {
    if (shared + Math.min(endA - i, endB - j) < needed) return -1;
    const x = hashes[i] as number;
    const y = hashes[j] as number;
    if (x === y) {
      shared++;
      i++;
      j++;
    } else if (x < y) i++;
    else j++;
  }
  return shared / (total - shared);
}

/** The shingle sets of the texts, in their order. */
export function shingleAll(texts: readonly string[]): Shingles {
  const starts = new Uint32Array(texts.length);
  const ends = new Uint32Array(texts.length);
  const hashes = new Uint32Array(texts.reduce((units, { length }) => units + length, 0));
  const points = new Uint32Array(longestOf(texts));
  let end = 0;
  texts.forEach((text, i) => {
    starts[i] = end;
    end += shingle(text, points, hashes, end);
    ends[i] = end;
  });
  return { hashes, starts, ends };
}

/** UTF-16 units of the longest text. */
export const longestOf = (texts: readonly string[]): number =>
  texts.reduce((most, { length }) => Math.max(most, length), 0);

/**
 * Writes the ascending distinct shingle hashes of a text at `at` and gives their number: 0 for an empty text, at most its
 * UTF-16 units. `points` is room for its code points.
 *
 * The shingle at a character is the 5 characters from there on, or 3 where the first is Han, kana or Hangul (one such
 * character carries about two letters); a text too short for any is one shingle. So the set is a property of the text
 * alone, whatever it is compared with. A shingle is kept as a 32-bit hash: two of a pair's shingles fall together about
 * once in 100,000 pairs of 150 characters and move the similarity by less than 0.01.
 */
export function shingle(text: string, points: Uint32Array, hashes: Uint32Array, at: number): number {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i) as number;
    if (point > 0xffff) i++;
    points[length++] = point;
  }
  if (length === 0) return 0;
  let end = at;
  for (let i = 0; i < length; i++) {
    const size = isDense(points[i] as number) ? 3 : 5;
    if (i + size <= length) hashes[end++] = hashRange(points, i, i + size);
  }
  if (end === at) hashes[end++] = hashRange(points, 0, length);
  const own = hashes.subarray(at, end).sort();
  let distinct = 1;
  for (let i = 1; i < own.length; i++) {
    if (own[i] !== own[i - 1]) own[distinct++] = own[i] as number;
  }
  return distinct;
}

/** Han, kana, bopomofo or Hangul. */
function isDense(point: number): boolean {
  if (point < 0x1100) return false;
  return (
    (point >= 0x2e80 && point <= 0x9fff) ||
    (point >= 0xac00 && point <= 0xd7ff) ||
    (point >= 0xf900 && point <= 0xfaff) ||
    (point >= 0x20000 && point <= 0x3ffff) ||
    point <= 0x11ff
  );
}

function hashRange(points: Uint32Array, from: number, to: number): number {
  let hash = 0x9e3779b9 ^ (to - from);
  for (let i = from; i < to; i++) {
    hash = Math.imul(hash ^ (points[i] as number), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
