import { checkVersion, migrations } from './migrate.ts';
import { openSqlite, type Sqlite } from './sqlite.ts';

/** What a database file says of itself. */
export interface DatabaseCheck {
  /** Its schema; 0 for an empty file, null where it could not be read. */
  version: number | null;
  /** The schema that this program knows. */
  newest: number;
  /** Why it can't be used or trusted; empty for a sound one. */
  faults: string[];
}

/**
 * Reads a database's schema version and lets SQLite check the file: `quick_check` leaves out that indexes and tables
 * agree, `integrity_check` reads everything. Nothing is thrown and nothing is written: faults are what is asked for.
 */
export function checkDatabase(path: string, depth: 'quick_check' | 'integrity_check'): DatabaseCheck {
  const newest = migrations().at(-1)?.version ?? 0;
  let version: number | null = null;
  let db: Sqlite | undefined;
  try {
    db = openSqlite(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    version = checkVersion(db, path);
    const lines = db.prepare(`PRAGMA ${depth}(5)`).pluck().all() as string[];
    return { version, newest, faults: lines.filter((line) => line !== 'ok') };
  } catch (error) {
    return { version, newest, faults: [(error as Error).message] };
  } finally {
    db?.close();
  }
}

/** The version of the SQLite that better-sqlite3 brings; throws where its binary does not fit this Node. */
export function sqliteVersion(): string {
  const db = openSqlite(':memory:');
  try {
    return db.prepare('SELECT sqlite_version()').pluck().get() as string;
  } finally {
    db.close();
  }
}
