import { UserError } from '../errors.ts';
import { searchTexts, type Found } from '../store/search.ts';
import { searchQuery } from '../store/search-tokens.ts';
import { openStore } from '../store/store.ts';
import { foldLine } from './inspect-fold.ts';
import { printPage } from './inspect-text.ts';
import { err } from './output.ts';
import { table } from './table.ts';
import { oneLine } from './text.ts';

/** Columns that kind, id and run take, and the least that is left for the text. */
const BESIDE_TEXT = 46;
const LEAST_TEXT = 50;

/** Prints the turns and opinions that hold all of some words, best first. Returns the exit code. */
export async function search({
  words,
  limit,
  db,
  json,
}: {
  words: string;
  limit: number;
  db: string;
  json: boolean;
}): Promise<number> {
  if (searchQuery(words) === '')
    throw new UserError(`"${oneLine(words, 60)}" holds no word to look for.`, {
      mend: 'Give letters or numbers.',
    });
  const store = openStore(db, { readonly: true });
  try {
    const found = await searchTexts(store, words, limit);
    const [best] = found;
    if (json || best) {
      const next = best ? [`inspect ${best.kind} ${best.subject}`, `why ${best.subject}`] : [];
      printPage({ text: foundTable(found, words, limit), next, json: found }, { db, json });
    } else {
      err(
        `No turn or opinion in ${store.path} holds all of: ${oneLine(words, 200)}\n(A run's texts can be found once its dialogues have ended.)`,
      );
    }
  } finally {
    await store.close();
  }
  return 0;
}

function foundTable(found: readonly Found[], words: string, limit: number): string {
  const width = Math.max(LEAST_TEXT, (process.stdout.columns ?? 120) - BESIDE_TEXT);
  const rows = found.map(({ kind, subject, run_id, text }) => [
    kind,
    subject,
    run_id,
    excerpt(text, words, width),
  ]);
  const more = found.length === limit ? `\n\nThe first ${limit}; more with --limit.` : '';
  return `${table(['kind', 'id', 'run', 'text'], rows)}${more}`;
}

/** A line of a text around the first of the words; its beginning where they stand in another form. */
function excerpt(text: string, words: string, width: number): string {
  const line = oneLine(text, Number.POSITIVE_INFINITY);
  const lower = line.toLowerCase();
  const places = words
    .toLowerCase()
    .split(/\s+/)
    .map((word) => lower.indexOf(word))
    .filter((at) => at >= 0);
  const first = places.length > 0 ? Math.min(...places) : 0;
  // Begins a little before the word, at a space: text before it would not fit.
  const start = first < width / 2 ? 0 : line.lastIndexOf(' ', first - Math.floor(width / 3)) + 1 || first;
  const [shown = '', cut] = foldLine(line.slice(start), width - 2);
  return `${start > 0 ? '…' : ''}${shown}${cut === undefined ? '' : '…'}`;
}
