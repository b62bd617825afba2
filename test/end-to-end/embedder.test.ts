import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { uniform } from '../../src/ids.ts';
import { refineRun, resumeRun, runScenario } from '../../src/pipeline/run.ts';
import type { RunSetting } from '../../src/pipeline/run-types.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';

/** What the server does wrong from a request on, counted from 1. */
type Wrong = 'nan' | 'dimension' | 'zeros' | 'short' | '429';

let server: Server;
let store: Store;
let folder: string;
/** Texts of each request that came, and whether it was answered well. */
let requests: string[][];
/** Models and keys that were asked for. */
let asked: Set<string>;
let wrong: { from: number; what: Wrong } | undefined;
const key = 'CULTUREPARK_TEST_EMBEDDER_KEY';

/** Real HTTP: vectors that depend on the text alone; texts that begin with the same five letters are close. */
function vectorOf(text: string): number[] {
  const base = Array.from({ length: 16 }, (_, d) => uniform(text.slice(0, 5), d) - 0.5);
  return base.map((number, d) => number * 3 + 0.2 * (uniform(text, d) - 0.5));
}

beforeEach(async () => {
  process.env[key] = 'key-of-the-embedder';
  requests = [];
  asked = new Set();
  wrong = undefined;
  folder = temporaryFolder();
  store = openStore(join(folder, 'test.db'));
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      if (request.method === 'GET') return response.end('{"data":[]}');
      const { input, model } = JSON.parse(body) as { input: string[]; model: string };
      asked.add(`${model}, ${request.headers.authorization}`);
      requests.push(input);
      const what = wrong && requests.length >= wrong.from ? wrong.what : undefined;
      if (what === '429') {
        wrong = undefined;
        response.statusCode = 429;
        response.setHeader('retry-after-ms', '5');
        return response.end('{"error":{"message":"slow down"}}');
      }
      const data = input.map((text, index) => {
        const vector: (number | null)[] = vectorOf(text);
        if (what === 'nan' && index === 1) vector[3] = null;
        if (what === 'zeros' && index === 1) vector.fill(0);
        if (what === 'dimension') vector.push(0.5);
        return { index, embedding: vector };
      });
      if (what === 'short') data.pop();
      return response.end(
        JSON.stringify({ data: data.reverse(), usage: { prompt_tokens: 10 * input.length } }),
      );
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  await store.close();
  server.closeAllConnections();
  server.close();
  delete process.env[key];
});

const setting = (): RunSetting => ({
  store,
  out: join(folder, 'exports'),
  concurrency: 1,
  model: { baseUrl: undefined, apiKey: undefined },
  watch: { say: () => undefined },
});

const scenario = (more = ''): string => {
  const { port } = server.address() as AddressInfo;
  return scenarioFile(
    folder,
    `cultures: [german, korean, turkish, arabic]\ntopics: [Q27, Q29, Q31, Q36, Q159]\ndialogues_per_cell: 4\nprotocol: free-chat\nturns: 6\nexport: { include_scripted: true }\n` +
      `embedder: { model: openai:vectors-1, base_url: 'http://127.0.0.1:${port}/v1', api_key_env: ${key} }\n${more}`,
  );
};

const run = (more?: string) => runScenario(setting(), { scenario: scenario(more), modelFlag: 'scripted' });

const vectors = () =>
  store.read.selectFrom('embeddings').select(['model', 'dim', 'vector', 'call_id']).execute();
const embedderCalls = () =>
  store.read
    .selectFrom('call_uses as u')
    .innerJoin('calls as c', 'c.id', 'u.call_id')
    .select(['c.id', 'c.status', 'c.input_tokens', 'c.cost_usd', 'u.stage'])
    .where('u.role', '=', 'embedder')
    .execute();
const memberMethods = async () =>
  (await store.read.selectFrom('cluster_members').select('method').distinct().execute()).map(
    ({ method }) => method,
  );

test('each text is paid for once, with its call on record; links by vectors are rows; another threshold costs nothing', async () => {
  const result = await run();
  expect(result.status).toBe('finished');
  const texts = requests.flat();
  expect([...asked]).toEqual(['vectors-1, Bearer key-of-the-embedder']);
  expect(requests.length).toBeGreaterThan(1);
  expect(new Set(texts).size).toBe(texts.length);
  const stored = await vectors();
  expect(stored).toHaveLength(texts.length);
  for (const { model, dim, vector } of stored) {
    expect({ model: model.endsWith(' vectors-1'), dim }).toEqual({ model: true, dim: 16 });
    const numbers = Array.from({ length: 16 }, (_, at) => Buffer.from(vector).readFloatLE(at * 4));
    expect(Math.hypot(...numbers)).toBeCloseTo(1, 5);
  }
  const calls = await embedderCalls();
  expect(calls.map(({ status, stage }) => `${status} ${stage}`)).toEqual(calls.map(() => 'ok deduplicate'));
  expect(calls.reduce((sum, one) => sum + one.input_tokens, 0)).toBe(10 * texts.length);
  expect(new Set(stored.map(({ call_id }) => call_id))).toEqual(new Set(calls.map(({ id }) => id)));
  expect(await memberMethods()).toContain('embedding');

  const before = requests.length;
  const apart = await refineRun(setting(), result.run_id, ['refinement.embedding_threshold=1']);
  expect(apart.opinions.duplicate).toBeLessThan(result.opinions.duplicate);
  const again = await refineRun(setting(), result.run_id, ['refinement.embedding_threshold=0.8']);
  expect(again.opinions).toEqual(result.opinions);
  await runScenario(setting(), { scenario: scenario(), modelFlag: 'scripted', fresh: true, seed: 1 });
  expect(requests).toHaveLength(before);
  const without = await refineRun(setting(), result.run_id, ['embedder=none']);
  expect(without.opinions.duplicate).toBeLessThanOrEqual(apart.opinions.duplicate);
});

test('a provider that pushes back is asked again, within the budget of calls', async () => {
  wrong = { from: 1, what: '429' };
  const { status } = await run();
  expect(status).toBe('finished');
  expect(requests[0]).toEqual(requests[1]);
});

test('a budget stops the run before the next request; it goes on where it was', async () => {
  const first = await run('max_calls: 1000000');
  const all = requests.length;
  const calls = first.calls.made - all;
  await store.close();
  store = openStore(join(folder, 'other.db'));
  requests = [];
  const stopped = await runScenario(
    { ...setting(), maxCalls: calls + 1 },
    { scenario: scenario('max_calls: 1000000'), modelFlag: 'scripted' },
  );
  expect(stopped).toMatchObject({ status: 'stopped', stop_reason: 'budget' });
  expect((await vectors()).length).toBe(requests.flat().length);
  const resumed = await resumeRun(setting(), stopped.run_id);
  expect(resumed).toMatchObject({ status: 'finished', opinions: first.opinions });
  expect(new Set(requests.flat()).size).toBe(requests.flat().length);
});

describe('an embedder that gives', () => {
  test.each([
    ['nan', /NaN/],
    ['dimension', /a vector of 17 numbers, and those before have 16/],
    ['zeros', /zeros/],
    ['short', /vectors for \d+ texts/],
  ] as const)(
    '%s in the middle: named, nothing of it stored, and not used when it is mended',
    async (what, says) => {
      wrong = { from: 2, what };
      const failure = await run().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect((failure as UserError).message).toMatch(/vectors-1 \(http:\/\/127\.0\.0\.1:\d+\)/);
      expect((failure as UserError).message).toMatch(says);
      const stored = await vectors();
      expect(stored).toHaveLength(requests[0]?.length as number);
      expect(new Set(stored.map(({ dim }) => dim))).toEqual(new Set([16]));
      const faulty = (await embedderCalls()).filter(({ status }) => status !== 'ok');
      // What was no vector is on record with its tokens, and never used.
      expect(faulty).toHaveLength(1);
      expect(faulty.every(({ input_tokens }) => input_tokens > 0)).toBe(true);
      expect(await store.read.selectFrom('cluster_members').select('method').execute()).toEqual([]);

      wrong = undefined;
      const resumed = await resumeRun(setting(), undefined);
      expect(resumed.status).toBe('finished');
      expect(new Set((await vectors()).map(({ dim }) => dim))).toEqual(new Set([16]));
      expect(await memberMethods()).toContain('embedding');
    },
  );
});

test('a name that is none, a file that is not there and a key that is not set are named before anything is paid', async () => {
  const tried = (embedder: string) =>
    runScenario(setting(), { scenario: scenario(), modelFlag: 'scripted', set: [`embedder=${embedder}`] });
  await expect(tried('word2vec')).rejects.toThrow(/"word2vec" is not the name of an embedder/);
  await expect(tried('local:nowhere.gguf')).rejects.toThrow(/no model file .*nowhere\.gguf/);
  await expect(tried('openai:text-embedding-3-small')).rejects.toThrow(/needs a key/);
  delete process.env[key];
  await expect(run()).rejects.toThrow(new RegExp(`embedder: its key is to be in ${key}`));
  expect(await store.read.selectFrom('runs').select('id').execute()).toEqual([]);
});
