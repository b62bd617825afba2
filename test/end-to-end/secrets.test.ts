import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { rememberSecrets } from '../../src/models/secrets.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { start, type FaultServer } from '../helpers/fault-server.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';
import { terminal, type Ended } from '../helpers/terminal.ts';

let server: FaultServer;
let folder: string;
let reader: Store;
beforeEach(async () => {
  server = await start();
  folder = temporaryFolder();
  // A reader keeps the write-ahead log from being folded into the file: both are looked through.
  await openStore(join(folder, 'test.db')).close();
  reader = openStore(join(folder, 'test.db'), { readonly: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  rememberSecrets();
  await reader.close();
  await server.stop();
});

const filesIn = (path: string): string[] =>
  readdirSync(path).flatMap((name) => {
    const inner = join(path, name);
    return statSync(inner).isDirectory() ? filesIn(inner) : [inner];
  });

/** Where a text stands: files of the folder, standard output and error. */
const placesOf = (text: string, { out, err }: Ended): string[] => [
  ...filesIn(folder).filter((file) => readFileSync(file).includes(text)),
  ...(out.includes(text) ? ['stdout'] : []),
  ...(err.includes(text) ? ['stderr'] : []),
];

const run = (...more: string[]): Promise<Ended> =>
  terminal(
    ...[
      'run',
      scenarioFile(folder, 'cultures: [german, turkish]\ntopics: [Q27, Q31]\nprotocol: debate\nturns: 2\n'),
    ],
    ...['--db', join(folder, 'test.db'), '--out', join(folder, 'exports'), ...more],
  );

describe.each([
  ['of a known shape', 'sk-proj-0123456789abcdefGHIJ'],
  ['of no shape', 'correct horse battery staple'.replaceAll(' ', '.')],
])('a key %s', (_, key) => {
  beforeEach(() => {
    vi.stubEnv('OPENAI_API_KEY', key);
    vi.stubEnv('OPENAI_BASE_URL', server.baseUrl);
  });

  test('that the server puts into its replies and errors is in no file and on no screen', async () => {
    server.options.rates = { echo: 0.5, '429-ms': 0.2 };
    const ended = await run('--verbose', '--include-scripted');
    expect(ended.code).toBe(0);
    expect([...server.counts.authorizations]).toEqual([`Bearer ${key}`]);
    expect(server.counts.faults.echo).toBeGreaterThan(3);
    expect(filesIn(folder).some((file) => file.endsWith('-wal'))).toBe(true);
    // Among them the run's log.
    expect(placesOf('[secret]', ended)).toContainEqual(expect.stringMatching(/logs[\\/]\w+\.jsonl$/));
    expect(placesOf(key, ended)).toEqual([]);
  });

  test('that is wrong is not in the message that says so', async () => {
    server.options.choose = () => '401';
    for (const more of [[], ['--verbose'], ['--json']]) {
      const ended = await run(...more);
      expect(ended.code).toBe(1);
      expect(ended.err + ended.out).toContain('Incorrect API key provided');
      expect(placesOf('Incorrect API key provided', ended)).toContainEqual(expect.stringMatching(/\.jsonl$/));
      expect(placesOf(key, ended)).toEqual([]);
    }
  });
});

test('a password in the base URL is in no file and on no screen', async () => {
  vi.stubEnv('OPENAI_BASE_URL', server.baseUrl.replace('http://', 'http://me:hunter2-and-more@'));
  const ended = await run('--model', 'openai', '--verbose');
  expect(ended.code).toBe(1);
  expect(ended.err).toMatch(/has a user name or password in it.*\n.*OPENAI_API_KEY/);
  expect(placesOf('hunter2', ended)).toEqual([]);
});

test('nor is one of --base-url', async () => {
  const ended = await run(
    '--model',
    'openai',
    '--base-url',
    'http://me:hunter2-and-more@127.0.0.1:9/v1',
    '--verbose',
  );
  expect(ended.code).toBe(1);
  expect(ended.err).toContain('The base URL of 127.0.0.1:9 has a user name or password in it');
  expect(placesOf('hunter2', ended)).toEqual([]);
});
