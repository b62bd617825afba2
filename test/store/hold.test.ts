import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { holdRun } from '../../src/store/hold.ts';
import { getRun, updateRun } from '../../src/store/runs.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { bareRun } from '../helpers/calls.ts';
import { isBuilt, script } from '../helpers/process.ts';
import { temporaryFolder } from '../helpers/run.ts';

let store: Store;
let file: string;
beforeEach(async () => {
  file = join(temporaryFolder(), 'test.db');
  store = openStore(file);
  await bareRun(store, 'run1');
  await bareRun(store, 'run2');
});
afterEach(() => store.close());

const refusal = async (): Promise<UserError> => {
  const error = await holdRun(store, 'run1').then(
    (release) => release(false),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};

test('who holds a run is noted, and let go it can be held again', async () => {
  const release = await holdRun(store, 'run1');
  expect(JSON.parse((await getRun(store, 'run1')).holder ?? '')).toEqual({
    pid: process.pid,
    host: hostname(),
    since: expect.any(Number),
  });
  release(false);
  (await holdRun(store, 'run1'))(true);
  expect(existsSync(`${file}.run1.lock`)).toBe(false);
});

test('two runs of one database are held side by side', async () => {
  const one = await holdRun(store, 'run1');
  const two = await holdRun(store, 'run2');
  one(true);
  two(true);
});

test('a second hold is refused with the process, its host and since when', async () => {
  const release = await holdRun(store, 'run1');
  const { message, mend } = await refusal();
  expect(message).toMatch(
    new RegExp(
      `^The run run1 is under way already: process ${process.pid} on ${hostname()}, since 20\\d\\d-.*Z\\.$`,
    ),
  );
  expect(mend).toContain('culturepark runs --watch');
  release(true);
});

test('one whose holder is not noted is refused too', async () => {
  const release = await holdRun(store, 'run1');
  await updateRun(store, 'run1', { holder: null });
  expect((await refusal()).message).toBe('The run run1 is under way already: another process.');
  release(true);
});

test.skipIf(!isBuilt)(
  `another process is named, and kill -9 frees what it held${isBuilt ? '' : ' (skipped: not built)'}`,
  async () => {
    const other = script(`
      import { openStore } from './dist/store/store.js';
      import { holdRun } from './dist/store/hold.js';
      const store = openStore(${JSON.stringify(file)});
      await holdRun(store, 'run1');
      console.log('held');
      setInterval(() => undefined, 1000);
    `);
    await other.says('held');
    expect((await refusal()).message).toContain(`process ${other.child.pid} on ${hostname()}`);
    other.child.kill('SIGKILL');
    await other.ended;
    const release = await holdRun(store, 'run1');
    expect(JSON.parse((await getRun(store, 'run1')).holder ?? '').pid).toBe(process.pid);
    release(true);
  },
);
