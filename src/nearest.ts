import { closest, distance } from 'fastest-levenshtein';

/** The valid word closest to a wrong one, if it is close enough to have been meant: less than half of it differs. */
export function nearest(word: string, valid: readonly string[]): string | undefined {
  if (valid.length === 0) return undefined;
  const lower = valid.map((one) => one.toLowerCase());
  const best = valid[lower.indexOf(closest(word.toLowerCase(), lower))] as string;
  const close = Math.min(Math.max(2, Math.floor(best.length / 3)), Math.floor((best.length - 1) / 2));
  return distance(word.toLowerCase(), best.toLowerCase()) <= close ? best : undefined;
}

/** ` Did you mean "x"?` or a list of what is valid. */
export function suggestion(word: string, valid: readonly string[]): string {
  const near = nearest(word, valid);
  return near
    ? `did you mean "${near}"?`
    : `valid: ${valid.slice(0, 60).join(', ')}${valid.length > 60 ? ', …' : ''}`;
}
