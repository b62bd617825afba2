import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal, type Ended } from '../helpers/terminal.ts';

let store: Store;
let search: (...argv: string[]) => Promise<Ended>;

interface Found {
  kind: string;
  subject: string;
  run_id: string;
  text: string;
}

beforeAll(async () => {
  const folder = temporaryFolder();
  const scenario = scenarioFile(
    folder,
    'cultures: [chinese, german]\ntopics: [Q29]\ndialogues_per_cell: 2\nturns: 4\nlanguage: own\n',
  );
  ({ store } = await scriptedRun(folder, scenario));
  search = (...argv) => terminal('search', ...argv, '--db', join(folder, 'test.db'));
});

afterAll(() => store.close());

test('finds turns and opinions that hold all the words, with ids to go on with', async () => {
  const { code, out } = await search('Frauen', 'Männer');
  expect(code).toBe(0);
  const [head, first] = out.split('\n') as [string, string];
  expect(head).toMatch(/^kind +id +run +text$/);
  expect(first).toMatch(/^(turn|opinion) /);
  const next = /culturepark (inspect (?:turn|opinion) \S+ --db \S+)/.exec(out)?.[1] as string;
  expect((await terminal(...next.split(' '))).code).toBe(0);
});

test('as JSON, with a limit', async () => {
  const found = (await search('frauen', '--limit', '3', '--json')).json<Found[]>();
  expect(found).toHaveLength(3);
  for (const { kind, text } of found) {
    expect(['turn', 'opinion']).toContain(kind);
    expect(text.toLowerCase()).toContain('frauen');
  }
});

test('two Chinese characters are a word too', async () => {
  const found = (await search('男人', '--json')).json<Found[]>();
  expect(found.length).toBeGreaterThan(0);
  expect(found.every(({ text }) => text.includes('男人'))).toBe(true);
  expect((await search('男人')).out).toContain('男人');
});

test('nothing found is no error, nothing to look for is one', async () => {
  const none = await search('xyzzyplugh');
  expect([none.code, none.out]).toEqual([0, '']);
  expect(none.err).toContain('holds all of: xyzzyplugh');
  expect((await search('xyzzyplugh', '--json')).json<Found[]>()).toEqual([]);
  const empty = await search('...');
  expect(empty.code).toBe(1);
  expect(empty.err).toContain('holds no word to look for');
  const limit = await search('Frauen', '--limit', 'many');
  expect(limit.code).toBe(1);
  expect(limit.err).toContain('--limit many');
});
