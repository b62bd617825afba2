/** Characters that a terminal draws two columns wide: Han, kana, Hangul, full-width forms, most emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
/** Marks and joiners that take no column of their own. */
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

const columns = (character: string): number => (WIDE.test(character) ? 2 : NONE.test(character) ? 0 : 1);

/**
 * A line cut to a width in terminal columns: at spaces where there are any, else between two characters. For scripts
 * whose characters are wide, or that are written without spaces.
 */
export function foldLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let open = '';
  let used = 0;
  for (const character of line) {
    const own = columns(character);
    if (used + own > width && open !== '') {
      const at = open.lastIndexOf(' ');
      const cut = at > open.length / 2 ? at + 1 : open.length;
      lines.push(open.slice(0, cut).trimEnd());
      open = open.slice(cut);
      used = [...open].reduce((sum, one) => sum + columns(one), 0);
    }
    open += character;
    used += own;
  }
  return [...lines, open];
}
