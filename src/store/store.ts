import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import type BetterSqlite3 from 'better-sqlite3';
import { CompiledQuery, Kysely, SqliteDialect } from 'kysely';
import { UserError } from '../errors.ts';
import { codeOf, explained, isBusy, willPass } from './faults.ts';
import { checkVersion, migrate } from './migrate.ts';
import { placeOf } from './place.ts';
import type { Database } from './schema.ts';
import { openSqlite, type Sqlite } from './sqlite.ts';

/** A connection that reads. */
export type Reader = Kysely<Database>;
/** An open transaction: a writer function gets nothing else, and awaits nothing else. */
export type Trx = Kysely<Database> & { readonly __transaction?: never };

/** A database with one writer and a read-only connection beside it. */
export interface Store {
  /** Absolute path of the file. */
  readonly path: string;
  readonly read: Reader;
  /** Writes in a short transaction (BEGIN IMMEDIATE), which writes that wait share; all or nothing of the work is stored. */
  write<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
  /** While writes wait for room on the disk or for another program: resolves when they do no longer. */
  readonly blocked: Promise<void> | undefined;
  /** A consistent copy of the whole database into a new file. */
  backup(target: string): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** The file must exist, and nothing is written. */
  readonly?: boolean;
  /** The file must exist; it is written. */
  existing?: boolean;
  /** Milliseconds that a write waits for another process; default a minute. */
  busyMs?: number;
  /** Writes that find no room, or the file locked, wait and try again until this aborts, instead of failing; `say` tells of it. */
  patience?: Patience;
}

interface Patience {
  say(line: string): void;
  signal: AbortSignal;
}

/** Opens a database, makes or migrates it; every fault of the file is a UserError that says how to mend it. */
export function openStore(path: string, options: StoreOptions = {}): Store {
  const file = resolve(path);
  const opened: Sqlite[] = [];
  const open = (readonly: boolean): Sqlite => {
    const db = openSqlite(file, { readonly, timeout: 250 });
    opened.push(db);
    return db;
  };
  try {
    if ((options.readonly || options.existing) && !existsSync(file))
      throw new UserError(`There is no database ${file}.`, {
        mend: 'Name it with --db, or start a run first.',
      });
    if (!options.readonly) mkdirSync(dirname(file), { recursive: true });
    if (existsSync(file) && statSync(file).isDirectory())
      throw new UserError(`${file} is a folder, no database.`, { mend: 'Name a file with --db.' });
    const writer = options.readonly ? null : open(false);
    if (writer) {
      // First of all: another program's database is left as it is.
      checkVersion(writer, file);
      setUp(writer);
      migrate(writer, file);
    }
    const reader = open(true);
    tune(reader);
    if (checkVersion(reader, file) === 0)
      throw new UserError(`${file} is an empty database.`, {
        mend: 'Start a run first, or name another file with --db.',
      });
    return storeOf(file, writer, reader, options);
  } catch (error) {
    for (const db of opened) db.close();
    throw explained(error, file);
  }
}

function setUp(writer: Sqlite): void {
  writer.pragma('journal_mode = WAL');
  writer.pragma('synchronous = NORMAL');
  // Checkpoints of 16 MB cost fewer syncs.
  writer.pragma('wal_autocheckpoint = 4000');
  writer.pragma('journal_size_limit = 67108864');
  tune(writer);
}

function tune(db: Sqlite): void {
  db.pragma('foreign_keys = ON');
  db.pragma('cache_size = -16384');
}

/** Keys of rows that a connection has committed, and those that the open transaction adds to them. */
interface Known {
  stored: Set<string>;
  adding: string[];
}

const knownIn = new WeakMap<Trx, Known>();
/** Keys that a connection keeps in mind, about 10 MB. */
const KEYS = 100_000;

/** True where the row of this key is known to be committed: it need not be inserted again. What it is asked for counts as known from the commit on. */
export function isStored(trx: Trx, key: string): boolean {
  const known = knownIn.get(trx);
  if (known?.stored.has(key)) return true;
  known?.adding.push(key);
  return false;
}

function remember({ stored, adding }: Known): void {
  if (stored.size > KEYS) stored.clear();
  for (const key of adding) stored.add(key);
}

/** Writes that may share a transaction: each is a few rows, so that a transaction stays below a thousand. */
const TOGETHER = 32;

const BEGIN = CompiledQuery.raw('BEGIN IMMEDIATE');
const COMMIT = CompiledQuery.raw('COMMIT');
const ROLLBACK = CompiledQuery.raw('ROLLBACK');

interface Job {
  work: (trx: Trx) => Promise<unknown>;
  result: unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Kysely over a handle that prepares each statement once. */
function kyselyOn(handle: Sqlite): Kysely<Database> {
  const prepared = new Map<string, BetterSqlite3.Statement>();
  const prepare = (text: string): BetterSqlite3.Statement => {
    let statement = prepared.get(text);
    if (!statement) {
      statement = handle.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  return new Kysely<Database>({
    dialect: new SqliteDialect({ database: { prepare, close: () => void handle.close() } as never }),
  });
}

function storeOf(
  path: string,
  writer: Sqlite | null,
  reader: Sqlite,
  { busyMs = 60_000, patience }: StoreOptions,
): Store {
  const place = placeOf(path);
  const read = kyselyOn(reader);
  const write = writer && kyselyOn(writer);
  const queue: Job[] = [];
  const stored = new Set<string>();
  let running: Promise<void> | undefined;

  const transaction = async (jobs: readonly Job[]): Promise<void> => {
    if (!write || !writer) throw new UserError(`${path} is open for reading only.`);
    await write.connection().execute(async (connection) => {
      const known: Known = { stored, adding: [] };
      knownIn.set(connection, known);
      try {
        await begin(connection, busyMs);
        for (const job of jobs) job.result = await job.work(connection);
        await connection.executeQuery(COMMIT);
        remember(known);
        // Stored all the same, in a file without a name: `close` gives it one.
        const misplaced = place.look();
        if (misplaced) throw misplaced;
      } catch (error) {
        // A full disk may have rolled back already.
        if (writer.inTransaction) await connection.executeQuery(ROLLBACK);
        throw explained(error, path);
      }
    });
  };

  let blocked: Promise<void> | undefined;

  /** As `transaction`, with patience: what can't be stored now is kept, and tried until it can. */
  const patiently = async (jobs: readonly Job[]): Promise<void> => {
    let free: (() => void) | undefined;
    try {
      for (let wait = 500; ; wait = Math.min(wait * 2, 5000)) {
        try {
          await transaction(jobs);
          if (free) patience?.say(`${path} can be written to again; the run goes on.`);
          return;
        } catch (error) {
          if (!patience || patience.signal.aborted || !willPass(error)) throw error;
          if (!free) {
            const { message } = error as UserError;
            patience.say(
              `${message} The run waits and tries again by itself: it asks nothing new, and keeps the replies that come. Ctrl-C twice gives them up.`,
            );
            blocked = new Promise((resolve_) => (free = resolve_));
          }
          await sleep(wait, undefined, { signal: patience.signal }).catch(() => undefined);
        }
      }
    } finally {
      blocked = undefined;
      free?.();
    }
  };

  /** What waits is committed together; where one fails, each is tried by itself, so that it fails alone. */
  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      // Replies that came at the same moment join one transaction, and what they free is sent before it: a commit may take long.
      await immediate();
      const jobs = queue.splice(0, TOGETHER);
      const failure =
        jobs.length > 1
          ? await patiently(jobs).then(
              () => undefined,
              (error: unknown) => ({ error }),
            )
          : { error: undefined };
      for (const job of jobs) {
        if (!failure) job.resolve(job.result);
        // Each would wait as long as all of them did, or is stored.
        else if (isBusy(failure.error) || (failure.error && failure.error === place.look()))
          job.reject(failure.error);
        else await patiently([job]).then(() => job.resolve(job.result), job.reject);
      }
    }
    // At once after the queue was seen empty: what comes later starts anew.
    running = undefined;
  };

  const copyTo = (copy: string): void => {
    try {
      mkdirSync(dirname(copy), { recursive: true });
      reader.prepare('VACUUM INTO ?').run(copy);
    } catch (error) {
      rmSync(copy, { force: true });
      throw explained(error, /CORRUPT|NOTADB/.test(codeOf(error)) ? path : copy);
    }
  };

  return {
    path,
    read,
    get blocked() {
      return blocked;
    },
    write<T>(work: (trx: Trx) => Promise<T>): Promise<T> {
      return new Promise<T>((resolve_, reject) => {
        queue.push({ work, result: undefined, resolve: resolve_ as (value: unknown) => void, reject });
        running ??= drain();
      });
    },
    async backup(target) {
      const copy = resolve(target);
      if (existsSync(copy)) throw new UserError(`${copy} exists already.`, { mend: 'Name a new file.' });
      copyTo(copy);
    },
    async close() {
      await running;
      const rescue = place.look(true) && `${path}.rescued-${Date.now()}`;
      if (rescue) copyTo(rescue);
      // Kysely closes only what it has queried. The writer is last: it alone can put the log into the file.
      await read.destroy();
      reader.close();
      await write?.destroy();
      writer?.close();
      if (!rescue) return;
      if (existsSync(path)) patience?.say(`What was stored is in ${rescue}.`);
      else {
        renameSync(rescue, path);
        patience?.say(`What was stored is put back at ${path}.`);
      }
    },
  };
}

/** Begins a transaction; while another process writes it waits without holding up the event loop. */
async function begin(connection: Kysely<Database>, busyMs: number): Promise<void> {
  const until = performance.now() + busyMs;
  for (let wait = 5; ; wait = Math.min(wait * 2, 500)) {
    try {
      await connection.executeQuery(BEGIN);
      return;
    } catch (error) {
      if (!codeOf(error).startsWith('SQLITE_BUSY') || performance.now() > until) throw error;
      await sleep(wait * (0.5 + Math.random()));
    }
  }
}
