import { once } from 'node:events';
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultModel, localModels } from '../../src/models/local/catalogue.ts';
import { start } from '../helpers/fault-server.ts';
import { temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

const cwd = process.cwd();
let cache: string;
let server: Server | undefined;

beforeEach(() => {
  cache = temporaryFolder();
  vi.stubEnv('CULTUREPARK_CACHE', cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  process.chdir(cwd);
  server?.close();
  server = undefined;
});

/** The default model as far as a look at the cache tells: a file of its size. */
function defaultInCache(): string {
  const file = join(cache, defaultModel.file);
  writeFileSync(file, '');
  truncateSync(file, defaultModel.bytes);
  return file;
}

describe('models list', () => {
  test('names every local model, how to name others, and dated prices', async () => {
    const { code, out } = await terminal('models', 'list');
    expect(code).toBe(0);
    for (const { name, spec, licence } of localModels) {
      expect(out).toContain(name);
      expect(out).toContain(spec === '' ? '--model local\n' : `--model local:${spec}`);
      expect(out).toContain(licence);
    }
    for (const name of ['openai:NAME', 'PROVIDER:NAME', 'local:FILE.gguf', 'scripted'])
      expect(out).toContain(name);
    expect(out).toMatch(/checked \d{4}-\d{2}/);
    expect(out).toContain('gpt-4o-mini');
    expect(out).not.toContain('in the cache)');
  });

  test('says which are in the cache', async () => {
    const file = defaultInCache();
    expect((await terminal('models', 'list')).out).toContain('(in the cache)');
    const { local } = (await terminal('models', 'list', '--json')).json<{
      local: { name: string; model: string; file: string | null }[];
    }>();
    expect(local[0]).toMatchObject({ model: 'local', file });
    expect(local[1]).toMatchObject({ model: `local:${localModels[1]?.spec}`, file: null });
  });

  test("the user's own prices come first", async () => {
    const folder = temporaryFolder();
    writeFileSync(
      join(folder, 'prices.yaml'),
      'checked: 2026-11\nsource: my contract\nprices:\n  - { provider: here, model: mine, input: 3, output: 4 }\n',
    );
    process.chdir(folder);
    const { prices } = (await terminal('models', 'list', '--json')).json<{ prices: { source: string }[] }>();
    expect(prices).toHaveLength(2);
    expect(prices[0]?.source).toBe('my contract');
  });
});

describe('models calibrate', () => {
  const calibrate = (...more: string[]) =>
    terminal('models', 'calibrate', '--db', join(cache, 'test.db'), ...more);

  test('says beforehand what it asks, then prints figures with where the labels come from', async () => {
    const { code, out } = await calibrate('--model', 'scripted', '--limit', '6', '--language', 'en,tr');
    expect(code).toBe(0);
    expect(out).toContain('scripted-1 (scripted): 24 calls, about ');
    expect(out).toContain('costs nothing');
    expect(
      out.match(/no better than chance: .*, n 6, author-written pairs, not checked by native/g),
    ).toHaveLength(4);
    expect(out).toContain('The scripted rehearsal model is no judge');
    expect(out).toMatch(/entail +0 +0 +2\n/);
    expect(out).toContain('24 calls made');
    const again = await calibrate('--model', 'scripted', '--limit', '6', '--language', 'en,tr', '--json');
    const { calls, calibrations } = again.json<{ calls: { made: number }; calibrations: object[] }>();
    expect(calls.made).toBe(0);
    expect(calibrations[0]).toMatchObject({ role: 'verifier', language: 'en', n: 6, scripted: 1 });
  });

  test('with --dry-run neither asks nor needs a key', async () => {
    vi.stubEnv('OPENAI_API_KEY', '');
    vi.stubEnv('OPENAI_BASE_URL', '');
    const { code, out } = await calibrate('--model', 'openai:gpt-4o-mini', '--dry-run', '--role', 'verifier');
    expect(code).toBe(0);
    expect(out).toMatch(/204 calls, .* about \$0\.0\d/);
    expect(out).toContain('Nothing was asked, paid or stored.');
    expect(existsSync(join(cache, 'test.db'))).toBe(false);
  });

  test('with a cap in dollars is refused where the price is unknown, before anything is asked', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'sk-test-0123456789abcdef');
    const server = await start();
    const { code, err } = await calibrate(
      ...['--model', 'openai:tiny-1', '--base-url', server.baseUrl, '--max-cost', '1'],
    );
    expect([code, err]).toEqual([1, expect.stringContaining("--max-cost can't hold: the price of tiny-1")]);
    expect(server.counts.requests).toBe(0);
    await server.stop();
  });

  test.each([
    [['--language', 'xx'], 'no labelled pairs in the language "xx"'],
    [['--language', '../en'], 'no labelled pairs in the language'],
    [['--role', 'verifyer'], 'did you mean "verifier"?'],
    [['--limit', '0'], 'expected a whole number of 1 or more'],
    [['--from-reviews', '--role', 'reader'], "People's marks say nothing of the reader"],
  ])('%s is refused', async (flags, message) => {
    const { code, err } = await calibrate('--model', 'scripted', ...flags);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
  });

  test('pairs of one’s own come first, and a fault in them is named by its place', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'db', 'calibration'), { recursive: true });
    const pair = (stance: number) =>
      `language: en\nprovenance: mine\npairs:\n  - { id: a, topic: Q27, stance: ${stance}, opinion: So it is., verdict: entail, kind: clear, read: 1 }\n`;
    process.chdir(folder);
    const file = join('db', 'calibration', 'en.yaml');
    writeFileSync(file, pair(1));
    expect((await calibrate('--model', 'scripted')).out).toContain('n 1, mine');
    writeFileSync(file, pair(9));
    expect((await calibrate('--model', 'scripted')).err).toMatch(
      /en\.yaml:4:\d+: pairs\.0\.stance: 9 is no answer to Q27/,
    );
  });
});

describe('models fetch', () => {
  test('prints the file of the default, fetching nothing that is there', async () => {
    const file = defaultInCache();
    const { out, code } = await terminal('models', 'fetch');
    expect(code).toBe(0);
    expect(out).toBe(`${file}\nUse it: --model local\n`);
    expect((await terminal('models', 'fetch', 'smollm2-135m-instruct', '--json')).json()).toEqual({
      file,
      model: 'local',
    });
  });

  test('fetches from the hub', async () => {
    vi.stubEnv('HF_ENDPOINT', await hub());
    const { out, err, code } = await terminal('models', 'fetch', 'hf:somebody/tiny-GGUF:Q4_0');
    expect(code).toBe(0);
    expect(err).toContain('Fetching tiny-Q4_0.gguf');
    expect(out).toContain(join(cache, 'somebody', 'tiny-GGUF', 'tiny-Q4_0.gguf'));
    expect(out).toContain('--model local:hf:somebody/tiny-GGUF:Q4_0');
  });

  test('says why a model can not be had', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    const { err, code } = await terminal('models', 'fetch', 'hf:somebody/tiny-GGUF:Q4_0');
    expect(code).toBe(1);
    expect(err).toContain("The model can't be had");
  });

  test('an unknown name is told the nearest', async () => {
    const { err, code } = await terminal('models', 'fetch', 'Qwen2.5-7B-Instuct');
    expect(code).toBe(1);
    expect(err).toContain('did you mean "Qwen2.5-7B-Instruct"?');
  });
});

/** A hub with one repository of one file. */
async function hub(): Promise<string> {
  server = createServer((request, response) => {
    if (request.url?.startsWith('/api/models/'))
      response.end(JSON.stringify({ siblings: [{ rfilename: 'tiny-Q4_0.gguf' }] }));
    else response.end('GGUF and more');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('each help has examples', async () => {
  for (const argv of [['models'], ['models', 'list'], ['models', 'fetch']])
    expect((await terminal(...argv, '--help')).out).toContain('Examples:');
});
