import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { UserError } from '../errors.ts';
import { openSqlite } from './sqlite.ts';
import type { Store } from './store.ts';

/** Who holds a run, for the message. */
interface Holder {
  pid: number;
  host: string;
  since: number;
}

/**
 * Holds a run for this process, by an exclusive transaction on a tiny lock database beside the file: the system frees
 * it when the process dies, however it dies. Throws a UserError that names a living holder.
 * @returns lets go; `done` also removes the lock file
 */
export async function holdRun(store: Store, runId: string): Promise<(done: boolean) => void> {
  const file = `${store.path}.${runId}.lock`;
  const lock = openSqlite(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    if ((cause as { code?: string }).code !== 'SQLITE_BUSY') throw cause;
    const row = await store.read
      .selectFrom('runs')
      .select('holder')
      .where('id', '=', runId)
      .executeTakeFirst();
    const holder = row?.holder ? (JSON.parse(row.holder) as Holder) : undefined;
    const who = holder
      ? `process ${holder.pid} on ${holder.host}, since ${new Date(holder.since).toISOString()}`
      : 'another process';
    throw new UserError(`The run ${runId} is under way already: ${who}.`, {
      mend: 'Watch it with `culturepark runs --watch`, or stop that process (Ctrl-C there) and try again.',
      cause,
    });
  }
  const holder: Holder = { pid: process.pid, host: hostname(), since: Date.now() };
  await store.write((trx) =>
    trx
      .updateTable('runs')
      .set({ holder: JSON.stringify(holder) })
      .where('id', '=', runId)
      .execute(),
  );
  return (done) => {
    lock.close();
    if (done) rmSync(file, { force: true });
  };
}
