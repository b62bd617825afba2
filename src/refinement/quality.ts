import type { Opinion } from './types.ts';

/** What the quality of an opinion is judged by. */
export interface Judged extends Pick<Opinion, 'text' | 'quote' | 'rewriteOf' | 'class' | 'subtype'> {
  /** Share of its judges who say that it entails the stance, 0 to 1; 0 where nobody judged it. */
  confidence: number;
}

/**
 * Which of several near-duplicates is kept, the highest: by grounding (a quote that is the whole opinion tells most surely
 * what was said, a rewrite least), then by the judges' confidence, then by information: whether it is known what sort of
 * claim it is, and how little it repeats itself. Length tells nothing.
 */
export function qualityOf({ text, quote, rewriteOf, class: sort, subtype, confidence }: Judged): number {
  const grounding = rewriteOf !== null ? 0 : quote === text ? 2 : 1;
  const sorted = (sort === null ? 0 : 0.5) + (subtype === null ? 0 : 0.5);
  return grounding * 100 + confidence * 10 + sorted + variety(text) / 100;
}

/** When a triple was last seen, by its hash: by the number of the text. */
const seen = new Uint32Array(2 ** 16);
let texts = 0;

/** 1, or less for a text that says more than a quarter of its character triples again. */
function variety(text: string): number {
  const triples = text.length - 2;
  if (triples < 1) return 1;
  texts = (texts + 1) >>> 0;
  let distinct = 0;
  for (let i = 0; i < triples; i++) {
    const triple = (text.charCodeAt(i) * 31 + text.charCodeAt(i + 1)) * 31 + text.charCodeAt(i + 2);
    const at = Math.imul(triple, 0x9e3779b1) >>> 16;
    if (seen[at] !== texts) distinct++;
    seen[at] = texts;
  }
  return distinct >= 0.75 * triples ? 1 : distinct / triples;
}
