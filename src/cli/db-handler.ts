import { existsSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../errors.ts';
import { checkDatabase } from '../store/check.ts';
import { openStore } from '../store/store.ts';
import { bytes } from './bytes.ts';
import { out } from './output.ts';
import { printable } from './text.ts';

/** Copies a database and checks the copy; a copy that is cut short or damaged does not stay. */
export async function backupDatabase({
  db,
  file,
  json,
}: {
  db: string;
  file: string;
  json: boolean;
}): Promise<void> {
  const copy = resolve(file);
  const store = openStore(db, { readonly: true });
  const there = existsSync(copy);
  try {
    await store.backup(copy);
    const { faults } = checkDatabase(copy, 'integrity_check');
    if (faults.length > 0) {
      throw new UserError(`The copy of ${store.path} is not sound and was removed: ${faults.join('; ')}`, {
        mend: 'See `culturepark doctor`: the database itself may be damaged, or the disk full.',
      });
    }
  } catch (error) {
    if (!there) rmSync(copy, { force: true });
    throw error;
  } finally {
    // Reading the copy leaves SQLite's empty side files; nobody else has it open yet.
    if (!there) for (const end of ['-wal', '-shm', '-journal']) rmSync(copy + end, { force: true });
    await store.close();
  }
  const { size } = statSync(copy);
  if (json) out(JSON.stringify({ file: copy, bytes: size, integrity: 'ok' }));
  else out(`${printable(copy)}: ${bytes(size)}, checked (integrity ok). Use it with --db.`);
}

/** Brings a database up to this program's schema. */
export async function upgradeDatabase(db: string): Promise<void> {
  // The first tells that there is one: opening for writing would make it.
  await openStore(db, { readonly: true }).close();
  const store = openStore(db);
  await store.close();
  out(`${printable(store.path)} is up to date.`);
}
