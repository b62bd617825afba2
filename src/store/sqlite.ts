import BetterSqlite3 from 'better-sqlite3';

export type Sqlite = BetterSqlite3.Database;

const registry = globalThis as { culturepark_sqlite?: unknown[] };

/**
 * Handles and statements, for the life of the process. Node 24.19 and later abort when an object of better-sqlite3 12 is
 * collected while no JavaScript runs (WiseLibs/better-sqlite3#1515), and its successor needs Node 22. They are few: one a
 * kind of statement and connection.
 */
const kept: unknown[] = (registry.culturepark_sqlite ??= []);

/** Opens a SQLite file; every statement that the handle prepares is kept. */
export function openSqlite(file: string, options: BetterSqlite3.Options = {}): Sqlite {
  const db = new BetterSqlite3(file, options);
  const prepare = db.prepare.bind(db);
  db.prepare = ((text: string) => {
    const statement = prepare(text);
    kept.push(statement);
    return statement;
  }) as typeof db.prepare;
  // Its own would prepare a statement that nobody keeps.
  db.pragma = (text, { simple } = {}) => {
    const statement = db.prepare(`PRAGMA ${text}`);
    if (!statement.reader) return statement.run();
    return simple ? statement.pluck().get() : statement.all();
  };
  kept.push(db);
  return db;
}
