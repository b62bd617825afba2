import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ChatModel } from '../../src/models/port.ts';
import type { costOf as CostOf, priceOf as PriceOf } from '../../src/models/prices.ts';
import { scriptedModel } from '../../src/models/scripted.ts';
import { temporaryFolder } from '../helpers/run.ts';

const cwd = process.cwd();
let folder: string;
beforeEach(() => {
  // The table is read once a process: each test begins a new one, in a folder of its own.
  vi.resetModules();
  folder = temporaryFolder();
  process.chdir(folder);
});
afterEach(() => process.chdir(cwd));

const openAi = 'https://api.openai.com';
const model = (name: string, provider = openAi): ChatModel => ({
  ...scriptedModel(),
  free: false,
  scripted: false,
  provider,
  model: name,
});
const load = (): Promise<{ priceOf: typeof PriceOf; costOf: typeof CostOf }> =>
  import('../../src/models/prices.ts');

/** The user's own prices.yaml. */
const own = (...prices: string[]): void =>
  writeFileSync(
    join(folder, 'prices.yaml'),
    `checked: 2026-11\nsource: my contract\nprices:\n${prices.map((line) => `  - { ${line} }\n`).join('')}`,
  );

describe('the price of a model', () => {
  test('shipped, by provider and name', async () => {
    const { priceOf } = await load();
    expect(priceOf(model('gpt-4o-mini'))).toEqual({ input: 0.15, cachedInput: 0.075, output: 0.6 });
  });

  test('unknown ones are null, never a guess', async () => {
    const { priceOf } = await load();
    expect(priceOf(model('gpt-4o-mini-2'))).toBeNull();
    expect(priceOf(model('gpt-4o-mini', 'http://127.0.0.1:8000'))).toBeNull();
  });

  test('free where tokens cost nothing', async () => {
    const { priceOf } = await load();
    expect(priceOf(scriptedModel())).toEqual({ input: 0, cachedInput: 0, output: 0 });
  });

  test("the user's own come first, and what they leave out is the shipped table's", async () => {
    own(
      `provider: '${openAi}', model: gpt-4o-mini, input: 1, output: 2`,
      "provider: 'http://127.0.0.1:8000', model: 'llama-*', input: 0.5, cached_input: 0.1, output: 0.5",
    );
    const { priceOf } = await load();
    expect(priceOf(model('gpt-4o-mini'))).toEqual({ input: 1, cachedInput: 1, output: 2 });
    expect(priceOf(model('gpt-4o'))?.input).toBe(2.5);
    expect(priceOf(model('llama-3-8b', 'http://127.0.0.1:8000'))?.cachedInput).toBe(0.1);
    expect(priceOf(model('my-llama-3', 'http://127.0.0.1:8000'))).toBeNull();
  });

  test('a faulty file says where', async () => {
    own('provider: here, model: mine, input: cheap, output: 1');
    const { priceOf } = await load();
    expect(() => priceOf(model('gpt-4o-mini'))).toThrow(/prices\.yaml:4:\d+: prices\.0\.input/);
  });
});

test('cost: cached input at its own price', async () => {
  const { costOf } = await load();
  const price = { input: 2, cachedInput: 0.5, output: 8 };
  expect(costOf(price, { input: 1_000_000, cachedInput: 400_000, output: 100_000 })).toBeCloseTo(
    1.2 + 0.2 + 0.8,
    12,
  );
  expect(costOf(null, { input: 1, cachedInput: 0, output: 1 })).toBeNull();
});
