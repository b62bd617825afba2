import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadSurvey } from '../../src/survey/load.ts';
import { openStore } from '../../src/store/store.ts';
import { start } from '../helpers/fault-server.ts';
import { bin, isBuilt, node } from '../helpers/process.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';
import { terminal, type Ended } from '../helpers/terminal.ts';

let folder: string;
let db: string;
beforeEach(() => {
  folder = temporaryFolder();
  db = join(folder, 'db', 'test.db');
  for (const name of ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'CULTUREPARK_MODEL']) vi.stubEnv(name, '');
});
afterEach(() => vi.unstubAllEnvs());

const run = (scenario: string, ...more: string[]): Promise<Ended> =>
  terminal('run', scenario, '--db', db, '--out', join(folder, 'exports'), ...more);
const scripted = (scenario: string, ...more: string[]): Promise<Ended> =>
  run(scenario, '--model', 'scripted', ...more);
const good = (): string =>
  scenarioFile(folder, 'cultures: [german]\ntopics: [Q27]\nturns: 2\nprotocol: free-chat\n');

/** One clear message, code 1, no stack, no run begun, no files exported. */
async function expectMessage(ended: Ended, message: RegExp): Promise<void> {
  expect(ended.err).toMatch(message);
  expect(ended.code).toBe(1);
  expect(ended.err.match(/^Error: /gm)).toHaveLength(1);
  expect(ended.err).not.toMatch(/^\s+at /m);
  expect(ended.err).not.toContain('fault of culturepark');
  expect(ended.out).not.toMatch(/^\s+at /m);
  expect(existsSync(join(folder, 'exports'))).toBe(false);
  if (!existsSync(db)) return;
  const store = openStore(db, { readonly: true });
  expect(await store.read.selectFrom('runs').select('id').execute()).toEqual([]);
  await store.close();
}

describe('a scenario', () => {
  test.each<[string, RegExp]>([
    ['quikstart', /There is no scenario "quikstart": did you mean "quickstart"\?/],
    ['./nowhere/mine.yaml', /There is no file .*nowhere\/mine\.yaml\./],
  ])('%s that is not there', async (name, message) => expectMessage(await scripted(name), message));

  test.each<[string, string, RegExp]>([
    [
      'unknown culture',
      'cultures: [germn]\ntopics: [Q27]\n',
      /test\.yaml:1:12: cultures\.0: .*did you mean "german"\?/,
    ],
    ['unknown topic', 'cultures: [german]\ntopics: [Q27, Q9999]\n', /test\.yaml:2:15: topics\.1: .*"Q9999"/],
    [
      'unknown key',
      'cultures: [german]\ntopics: [Q27]\nturn: 4\n',
      /test\.yaml:3:\d+: turn: unknown key; did you mean "turns"\?/,
    ],
    ['wrong value', 'cultures: [german]\ntopics: [Q27]\nturns: many\n', /test\.yaml:3:8: turns: /],
    ['no YAML', 'cultures: [german\ntopics: [Q27]\n', /test\.yaml:\d+:\d+: this is not YAML/],
    ['an empty file', '', /test\.yaml:1:1: /],
    [
      'a panel of two',
      'cultures: [german, korean]\ntopics: [Q27]\nprotocol: panel\n',
      /at least three cultures/,
    ],
  ])('with %s', async (_, yaml, message) =>
    expectMessage(await scripted(scenarioFile(folder, yaml)), message),
  );

  test('about a topic that nobody was asked', async () => {
    const survey = loadSurvey();
    const topic = [...survey.topics.keys()].find((id) => !survey.cells.get(`${id} CHN`)?.validN) as string;
    const scenario = scenarioFile(folder, `cultures: [chinese]\ntopics: [${topic}]\n`);
    await expectMessage(
      await scripted(scenario),
      new RegExp(`no dialogue can be held about ${topic}: nobody was asked ${topic} in CHN`),
    );
  });
});

describe('a flag', () => {
  test.each<[string[], RegExp]>([
    [['--seed', 'abc'], /--seed abc: expected a whole number/],
    [['--concurrency', '0'], /--concurrency 0: expected a whole number of 1 or more/],
    [['--max-calls', '1.5'], /--max-calls 1\.5: expected a whole number/],
    [['--max-cost', '-1'], /--max-cost/],
    [['--seed', '1', '--seed', '2'], /--seed was given 2 times/],
    [['--sed', '1'], /sed/],
    [['--set', 'turns'], /--set turns is not path=value/],
    [['--set', 'turn=3'], /turn: unknown key; did you mean "turns"\?/],
    [['--set', '__proto__.x=3'], /is no path/],
  ])('%j', async (flags, message) => expectMessage(await scripted(good(), ...flags), message));

  test('--max-cost where the price is unknown', async () => {
    const server = await start();
    const ended = await run(
      good(),
      '--model',
      'openai:tiny-1',
      '--base-url',
      server.baseUrl,
      '--max-cost',
      '1',
    );
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/Error: --max-cost can't hold: the price of tiny-1 at http:\/\/127/);
    expect(server.counts.requests).toBe(0);
    await server.stop();
  });
});

describe('a database', () => {
  test('that is a text file is left as it is', async () => {
    db = join(folder, 'notes.db');
    writeFileSync(db, 'precious words '.repeat(100));
    const ended = await scripted(good());
    expect(ended.code).toBe(1);
    expect(ended.err).toContain(`Error: ${db} is no SQLite database.`);
    expect(ended.err).not.toMatch(/^\s+at /m);
    expect(readFileSync(db, 'utf8')).toBe('precious words '.repeat(100));
    expect(readdirSync(folder).sort()).toEqual(['notes.db', 'test.yaml']);
  });

  test('that is newer is left as it is', async () => {
    await openStore(db).close();
    openSqlite(db).exec('PRAGMA user_version = 99').close();
    const before = readFileSync(db);
    const ended = await scripted(good());
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(
      /Error: .* was written by a newer culturepark \(schema 99, this one knows \d+\)\.\nUpdate/,
    );
    expect(readFileSync(db).equals(before)).toBe(true);
  });

  test('that is a folder', async () => {
    db = folder;
    expect((await scripted(good())).err).toContain(`Error: ${folder} is a folder, no database.`);
  });

  test.each([['resume'], ['export'], ['refine']])('without a run: %s', async (command) => {
    await openStore(db).close();
    const ended = await terminal(command, '--db', db);
    await expectMessage(ended, /holds no run\.\nSee `culturepark runs`/);
  });

  test('without the run that was named', async () => {
    await openStore(db).close();
    await expectMessage(await terminal('resume', 'abc', '--db', db), /There is no run "abc"/);
  });
});

describe('a model', () => {
  test('whose key is wrong: one message, and the run can be continued', async () => {
    const server = await start({ choose: () => '401' });
    vi.stubEnv('OPENAI_API_KEY', 'sk-wrong-0123456789');
    const ended = await run(good(), '--model', 'openai:tiny-1', '--base-url', server.baseUrl);
    expect(ended.code).toBe(1);
    const said = ended.out + ended.err;
    expect(said.match(/Incorrect API key provided/g)).toHaveLength(1);
    expect(said).toContain('Check the key in the environment or in .env (OPENAI_API_KEY)');
    expect(said).not.toMatch(/^\s+at /m);
    expect(server.counts.requests).toBe(1);
    delete server.options.choose;
    expect((await run(good(), '--model', 'openai:tiny-1', '--base-url', server.baseUrl)).code).toBe(0);
    await server.stop();
  });

  test('at an address where nobody is', async () => {
    const ended = await run(good(), '--model', 'openai', '--base-url', 'http://127.0.0.1:9/v1');
    await expectMessage(ended, /http:\/\/127\.0\.0\.1:9\/v1\/models can't be read \(.*ECONNREFUSED/);
  });

  test.each<[string, RegExp]>([
    ['openai:gpt-4o', /needs a key, and OPENAI_API_KEY is not set/],
    ['gpt-4o', /"gpt-4o" is not the name of a model/],
    ['nobody:x', /The model "nobody:x" can't be used/],
  ])('%s', async (spec, message) => expectMessage(await run(good(), '--model', spec), message));

  test('whose base URL is none', async () => {
    const ended = await run(good(), '--model', 'openai:x', '--base-url', 'localhost:1234');
    await expectMessage(ended, /"localhost:1234" is not an http\(s\) base URL/);
  });

  test.each(['plain text, no model. '.repeat(200), ''])('in a file that is no GGUF', async (content) => {
    const file = join(folder, 'model.gguf');
    writeFileSync(file, content);
    await expectMessage(await run(good(), '--model', `local:${file}`), /model\.gguf/);
  });

  test('in a file that is not there', async () => {
    await expectMessage(await run(good(), '--model', `local:${join(folder, 'none.gguf')}`), /none\.gguf/);
  });
});

test('what is wrong with a command leaves no database behind', async () => {
  const bad = scenarioFile(folder, 'cultures: [germn]\ntopics: [Q27]\n', 'bad');
  const role = scenarioFile(
    folder,
    'cultures: [german]\ntopics: [Q27]\nmodels: { judges: scripted }\n',
    'role',
  );
  const people = scenarioFile(folder, 'cultures: [german]\ntopics: [Q27]\npersonas: respondents\n', 'people');
  for (const command of [
    ['run', 'quikstart'],
    ['run', bad],
    ['run', role],
    ['run', people],
    ['run', good(), '--set', 'turnss=4'],
    ['resume'],
    ['resume', 'abc'],
    ['refine', 'abc'],
    ['models', 'calibrate', '--from-reviews'],
    ['export', 'abc'],
  ]) {
    const { code, err } = await terminal(...command, '--db', db);
    expect([command, code]).toEqual([command, 1]);
    expect(err).toMatch(/^Error: /m);
    expect(existsSync(join(folder, 'db')), command.join(' ')).toBe(false);
  }
});

test('an export over a folder that is none of ours leaves it alone', async () => {
  expect((await scripted(good())).code).toBe(0);
  writeFileSync(join(folder, 'exports', 'readme.txt'), 'mine');
  const ended = await terminal('export', '--db', db, '--out', folder, '--name', 'db');
  expect(ended.code).toBe(1);
  expect(ended.err).toContain('is there already and is no export');
  expect(existsSync(db)).toBe(true);
});

test.skipIf(!isBuilt)(
  `the built command ends the same way${isBuilt ? '' : ' (skipped: not built)'}`,
  async () => {
    const { ended, written } = node([bin, 'run', 'quikstart', '--db', db], { cwd: folder });
    expect(await ended).toBe(1);
    expect(written.err).toMatch(/^Error: There is no scenario "quikstart": did you mean "quickstart"\?\n/);
    expect(written.err).not.toMatch(/^\s+at /m);
  },
);
