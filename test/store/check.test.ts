import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite.ts';
import { expect, test } from 'vitest';
import { checkDatabase, sqliteVersion } from '../../src/store/check.ts';
import { openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../helpers/run.ts';

const file = (): string => join(temporaryFolder(), 'test.db');

test('a sound database', async () => {
  const path = file();
  await openStore(path).close();
  const { version, newest, faults } = checkDatabase(path, 'integrity_check');
  expect(faults).toEqual([]);
  expect(version).toBe(newest);
});

test.each<[string, (path: string) => void, RegExp]>([
  ['none', () => {}, /unable to open|does not exist/],
  ['no database', (path) => writeFileSync(path, 'words, '.repeat(1000)), /not a database/],
  [
    "another program's",
    (path) => void openSqlite(path).exec('CREATE TABLE other (x)').close(),
    /another program/,
  ],
])('%s is a fault, not an error', (_, make, message) => {
  const path = file();
  make(path);
  expect(checkDatabase(path, 'quick_check')).toMatchObject({
    version: null,
    faults: [expect.stringMatching(message)],
  });
});

test('an empty file has version 0', () => {
  const path = file();
  writeFileSync(path, '');
  expect(checkDatabase(path, 'quick_check')).toMatchObject({ version: 0, faults: [] });
});

test('the version of SQLite', () => expect(sqliteVersion()).toMatch(/^3\.\d+\.\d+$/));
