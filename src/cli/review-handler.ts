import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../errors.ts';
import { review } from '../pipeline/review.ts';
import type { Mark } from '../refinement/types.ts';
import { openStore } from '../store/store.ts';
import { resolveId } from './inspect-ids.ts';
import { out } from './output.ts';

/** Keeps what a person says of an opinion. Returns the exit code. */
export async function reviewFromFlags(flags: {
  mark: Mark;
  opinion: string;
  db: string;
  text: string | undefined;
  note: string | undefined;
  reviewer: string | undefined;
  json: boolean;
}): Promise<number> {
  // Opening for writing would make a new one.
  if (!existsSync(resolve(flags.db)))
    throw new UserError(`There is no database ${resolve(flags.db)}.`, {
      mend: 'Name it with --db, or start a run first.',
    });
  const store = openStore(flags.db);
  try {
    const id = await resolveId(store, 'opinion', flags.opinion);
    const reviewer = flags.reviewer ?? process.env['CULTUREPARK_REVIEWER'] ?? 'person';
    const { runId, status, reason } = await review(store, id, { ...flags, reviewer });
    if (flags.json) out(JSON.stringify({ opinion: id, run_id: runId, mark: flags.mark, status, reason }));
    else
      out(
        flags.mark === 'clear'
          ? `What was said of ${id} is taken back; decide it anew: culturepark refine ${runId}`
          : `${id} is ${status}: ${reason}. Its near-duplicates and the quotas take it into account after: culturepark refine ${runId}`,
      );
    return 0;
  } finally {
    await store.close();
  }
}
