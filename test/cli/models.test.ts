import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultModel, localModels } from '../../src/models/local/catalogue.ts';
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
