import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { packageRoot } from '../paths.ts';
import type { Sqlite } from './sqlite.ts';

/** "CPrk", stored in the file's header: tells our databases from others. */
const APPLICATION_ID = 0x4350726b;

const folder = join(packageRoot, 'db', 'migrations', 'sqlite');

/** The numbered migrations, in order. */
export function migrations(): { version: number; file: string }[] {
  return readdirSync(folder)
    .filter((file) => /^\d{3}-.*\.sql$/.test(file))
    .sort()
    .map((file) => ({ version: Number(file.slice(0, 3)), file: join(folder, file) }));
}

/** Refuses a file that is another program's or a newer one's; returns its version (0: empty). */
export function checkVersion(db: Sqlite, path: string): number {
  const version = db.pragma('user_version', { simple: true }) as number;
  const owner = db.pragma('application_id', { simple: true }) as number;
  const tables = db.prepare('SELECT count(*) FROM sqlite_master').pluck().get() as number;
  if (owner !== APPLICATION_ID && (tables > 0 || version > 0)) {
    throw new UserError(`${path} is a database of another program.`, {
      mend: 'Name another file with --db.',
    });
  }
  const newest = migrations().at(-1)?.version ?? 0;
  if (version > newest) {
    throw new UserError(
      `${path} was written by a newer culturepark (schema ${version}, this one knows ${newest}).`,
      { mend: 'Update culturepark, or name another file with --db.' },
    );
  }
  return version;
}

/** Brings a database to the newest schema, with a copy beside it before each step that changes an existing one. */
export function migrate(db: Sqlite, path: string): void {
  const isNew = checkVersion(db, path) === 0;
  for (const { version, file } of migrations()) {
    if (checkVersion(db, path) >= version) continue;
    if (!isNew)
      db.prepare('VACUUM INTO ?').run(`${path}.before-${String(version).padStart(3, '0')}-${Date.now()}`);
    db.transaction(() => {
      // Another process may have been quicker.
      if (checkVersion(db, path) >= version) return;
      db.exec(readFileSync(file, 'utf8'));
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${version}`);
    }).immediate();
  }
}
