import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite.ts';
import { expect, test } from 'vitest';
import { openStore, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

/** A database with so many topics. */
async function databaseWith(topics: number): Promise<{ folder: string; db: string; store: Store }> {
  const folder = temporaryFolder();
  const db = join(folder, 'culture.db');
  const store = openStore(db);
  await store.write(async (trx) => {
    for (let at = 0; at < topics; at += 1) {
      await trx
        .insertInto('topics')
        .values({ id: `T${at}`, survey: 'test', theme: 'test', statement: 'x'.repeat(200), scale: null })
        .execute();
    }
  });
  return { folder, db, store };
}

test('the copy holds everything, also what is only in the log yet, and stands alone', async () => {
  const { folder, db, store } = await databaseWith(300);
  const file = join(folder, 'copies', 'monday.db');
  // The store is still open: its rows are in the write-ahead log.
  const { code, out } = await terminal('db', 'backup', file, '--db', db);
  expect(code).toBe(0);
  expect(out).toContain('integrity ok');
  await store.close();
  expect(readdirSync(join(folder, 'copies'))).toEqual(['monday.db']);
  const copy = openStore(file, { readonly: true });
  expect(await copy.read.selectFrom('topics').select('id').execute()).toHaveLength(300);
  await copy.close();
});

test('--json tells the file and its size', async () => {
  const { folder, db, store } = await databaseWith(1);
  await store.close();
  const file = join(folder, 'copy.db');
  expect((await terminal('db', 'backup', file, '--db', db, '--json')).json()).toEqual({
    file,
    bytes: statSync(file).size,
    integrity: 'ok',
  });
});

test('a file that exists is left as it is', async () => {
  const { folder, db, store } = await databaseWith(1);
  await store.close();
  const file = join(folder, 'precious.db');
  writeFileSync(file, 'precious');
  const { code, err } = await terminal('db', 'backup', file, '--db', db);
  expect(code).toBe(1);
  expect(err).toContain('exists already');
  expect(readFileSync(file, 'utf8')).toBe('precious');
});

test('a copy of a damaged database does not stay', async () => {
  const { folder, db, store } = await databaseWith(2000);
  await store.close();
  const writer = openSqlite(db);
  writer.pragma('wal_checkpoint(TRUNCATE)');
  writer.close();
  const handle = openSync(db, 'r+');
  // Pages beyond the schema's: the file still opens.
  const half = Math.floor(statSync(db).size / 4096 / 2) * 4096;
  writeSync(handle, Buffer.alloc(4096 * 20, 0xab), 0, 4096 * 20, half);
  closeSync(handle);
  const file = join(folder, 'copy.db');
  const { code, err } = await terminal('db', 'backup', file, '--db', db);
  expect(code).toBe(1);
  expect(err).toContain(`${db} is damaged`);
  expect(existsSync(file)).toBe(false);
});

test('a database that is not there is not made', async () => {
  const folder = temporaryFolder();
  const { code, err } = await terminal(
    'db',
    'backup',
    join(folder, 'copy.db'),
    '--db',
    join(folder, 'none.db'),
  );
  expect(code).toBe(1);
  expect(err).toContain('There is no database');
  expect(readdirSync(folder)).toEqual([]);
});

test('each help has examples', async () => {
  for (const argv of [['db'], ['db', 'backup']])
    expect((await terminal(...argv, '--help')).out).toContain('Examples:');
});

test('a database of the first schema is told to be older, and after an upgrade shows its opinions and takes reviews', async () => {
  const folder = temporaryFolder();
  const db = join(folder, 'old.db');
  const old = openSqlite(db);
  old.exec(readFileSync('db/migrations/sqlite/001-initial.sql', 'utf8'));
  old.pragma(`application_id = ${0x4350726b}`);
  old.pragma('user_version = 1');
  old.exec(
    `INSERT INTO topics VALUES ('T1', 'test', 'test', 'Tea is good.', NULL);
     INSERT INTO runs VALUES ('r', 's', 'f', 'finished', NULL, 'done', 1, '{"cultures":[]}', '{}', 0, NULL, 1, 1, 1, NULL);
     INSERT INTO personas VALUES ('p', 'p', 'r', 'turkish', 'TUR', 'Ali', '18-29', 'male');
     INSERT INTO dialogues VALUES ('dddd', 'd', 'r', 'T1', 'main', 'free-chat', 'cross-cultural', 'en', 2, 0, 0, 0, 'finished', 'x');
     INSERT INTO participants VALUES ('dddd', 1, 'p', 'delegate');
     INSERT INTO calls VALUES ('c', 'k', 'x', 'm', 0, 'ok', '{"messages":[],"max_tokens":9}', '{}', 1, 0, 1, NULL, 1, 1);
     INSERT INTO turns VALUES ('dddd', 1, 1, 'p', 'public', 'Tea is good.', 'c', '[]');
     INSERT INTO stage_runs VALUES ('s', 'r', 'extract', 'f', '{}', NULL, 'finished', 1, 1);
     INSERT INTO opinions VALUES ('oooo', 'o', 'dddd', 1, 'p', 's', 'Tea is good.', 'Tea is good.', 0, 12, 'belief', NULL, 'agree', NULL, 'c', 'accepted', 'grounded; no stance claimed');`,
  );
  old.close();
  const read = await terminal('inspect', 'opinion', 'oooo', '--db', db);
  expect(read.code).toBe(1);
  expect(read.err).toContain('culturepark db upgrade');
  expect((await terminal('db', 'upgrade', '--db', db)).out).toContain('is up to date');
  const { code, out } = await terminal('inspect', 'opinion', 'oooo', '--db', db);
  expect(code).toBe(0);
  expect(out).toMatch(/class +belief/);
  expect(out).not.toMatch(/flags|extends/);
  expect((await terminal('review', 'reject', 'oooo', '--db', db, '--note', 'no')).code).toBe(0);
  const why = await terminal('why', 'oooo', '--db', db);
  expect(why.out).toMatch(/✗ dropped\n +rejected by a person: “no”/);
  expect((await terminal('db', 'upgrade', '--db', join(folder, 'none.db'))).code).toBe(1);
});
