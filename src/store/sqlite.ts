import BetterSqlite3 from 'better-sqlite3';

export type Sqlite = BetterSqlite3.Database;

/**
 * Handles and statements, for the life of the process. Node 24.19 and later abort when an object of better-sqlite3 12 is
 * collected while no JavaScript runs (WiseLibs/better-sqlite3#1515), and its successor needs Node 22. They are few: one a
 * kind of statement and connection.
 */
const kept: unknown[] = [];

/** Opens a SQLite file; every statement that the handle prepares is kept, and no `pragma()` (which keeps none) is to be used. */
export function openSqlite(file: string, options: BetterSqlite3.Options): Sqlite {
  const db = new BetterSqlite3(file, options);
  const prepare = db.prepare.bind(db);
  db.prepare = ((text: string) => {
    const statement = prepare(text);
    kept.push(statement);
    return statement;
  }) as typeof db.prepare;
  kept.push(db);
  return db;
}

/** The value of a PRAGMA. */
export function pragmaValue(db: Sqlite, name: string): unknown {
  return db.prepare(`PRAGMA ${name}`).pluck().get();
}
