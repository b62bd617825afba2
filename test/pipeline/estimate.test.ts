import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { uniform } from '../../src/ids.ts';
import type { Priced } from '../../src/models/prices.ts';
import { estimate, forecast, type Estimate } from '../../src/pipeline/estimate.ts';
import type { Range } from '../../src/pipeline/load.ts';
import { learnFrom, outlookOf, type Outlook } from '../../src/pipeline/outlook.ts';
import { prepare } from '../../src/pipeline/prepare.ts';
import { profileOf } from '../../src/pipeline/profile.ts';
import type { RunResult } from '../../src/pipeline/run-types.ts';
import { createTally } from '../../src/pipeline/tally.ts';
import { getRun } from '../../src/store/runs.ts';
import type { Store } from '../../src/store/store.ts';
import { key } from '../helpers/calls.ts';
import { start, type ChatBody, type Fault, type FaultServer } from '../helpers/fault-server.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';

const cwd = process.cwd();
const folder = temporaryFolder();
let server: FaultServer;
let priced: () => Priced;

beforeAll(async () => {
  server = await start();
  const { origin } = new URL(server.baseUrl);
  priced = () => ({ free: false, provider: origin, model: 'tiny-1' });
  writeFileSync(
    join(folder, 'prices.yaml'),
    `checked: 2026-11\nsource: test\nprices:\n  - { provider: '${origin}', model: tiny-1, input: 10, cached_input: 1, output: 40, batch_factor: 0.5 }\n`,
  );
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(cwd);
  await server.stop();
});
beforeEach(() => {
  for (const option of Object.keys(server.options))
    delete server.options[option as keyof FaultServer['options']];
  server.counts.billed = { input: 0, cached: 0, output: 0 };
});

const topics = 'cultures: [german, korean, turkish]\ntopics: [Q27, Q31, Q159, Q28]\n';
const protocols = [
  'protocol: self-guidance\nturns: 10',
  'protocol: self-guidance\npairing: in-cultural\nturns: 6',
  'protocol: free-chat\nturns: 8\nrefinement: { quotes: choose }',
  'protocol: debate\nturns: 8',
  'protocol: debate\nturns: 8\nreadings: { ask_again: true }',
  'protocol: panel\nturns: 13',
  'protocol: direct\nturns: 4',
  'arms: [{ name: a, protocol: direct, turns: 4 }, { name: b, protocol: debate, turns: 6 }]',
];
const faults: Partial<Record<Fault, number>> = {
  ...{
    '429-ms': 0.03,
    malformed: 0.02,
    'wrong-object': 0.02,
    'role-break': 0.02,
    truncated: 0.02,
    empty: 0.02,
  },
};

/** Runs it, and looks at the estimate at its beginning and after every so many calls. */
async function watched(
  yaml: string,
  every = 10,
): Promise<{ result: RunResult; store: Store; seen: Estimate[]; file: string }> {
  const file = scenarioFile(temporaryFolder(), yaml);
  const seen: Estimate[] = [];
  let outlook: Outlook | undefined;
  let calls = 0;
  const { result, store } = await scriptedRun(temporaryFolder(), file, {
    modelFlag: 'openai:tiny-1',
    model: { baseUrl: server.baseUrl, apiKey: key },
    watch: {
      say: () => undefined,
      started: (run) => {
        ({ outlook } = run);
        if (outlook) seen.push(outlook.estimate());
      },
      call: ({ kind }) => {
        if (kind === 'done' && ++calls % every === 0 && outlook) seen.push(outlook.estimate());
      },
    },
  });
  return { result, store, seen, file };
}

const within = ({ low, high }: Range, truth: number): boolean => low <= truth && truth <= high;
const width = ({ cost_usd }: Estimate): number => (cost_usd as Range).high - (cost_usd as Range).low;

/** The estimates that the true calls, tokens or price lie outside of. */
function wrong(seen: readonly Estimate[], { calls, tokens, cost_usd }: RunResult): string[] {
  return seen.flatMap((one, at) => {
    const off = [
      within(one.calls, calls.made) ? '' : `calls ${one.calls.low} to ${one.calls.high}, not ${calls.made}`,
      within(one.tokens.input, tokens.input) ? '' : 'input tokens',
      within(one.tokens.output, tokens.output) ? '' : 'output tokens',
      within(one.cost_usd as Range, cost_usd as number)
        ? ''
        : `$${one.cost_usd?.low} to ${one.cost_usd?.high}, not ${cost_usd}`,
    ].filter(Boolean);
    return off.length > 0 ? [`${at} of ${seen.length}: ${off.join('; ')}`] : [];
  });
}

describe.each(protocols)('%s', (protocol) => {
  test('what it comes to lies in the estimate, before the first call and all through the run', async () => {
    server.options.rates = faults;
    const { result, store, seen, file } = await watched(`${topics}${protocol}\nconcurrency: 6`);
    expect(result.status).toBe('finished');
    expect(seen.length).toBeGreaterThan(5);
    expect(seen[0]).toMatchObject({ basis: 'plan', spent: { calls: 0, cost_usd: 0 } });
    expect(estimate(prepare(file), priced, 1)).toEqual(seen[0]);
    expect(wrong(seen, result)).toEqual([]);
    // It narrows: at the end to what is left of it.
    const [first, middle, last] = [seen[0], seen[Math.floor(seen.length / 2)], seen.at(-1)] as [
      Estimate,
      Estimate,
      Estimate,
    ];
    expect(width(middle)).toBeLessThan(width(first));
    expect(width(last)).toBeLessThan(width(middle) / 3);
    expect(middle).toMatchObject({
      basis: 'run',
      reason: expect.stringMatching(/^measured on \d+ calls of this run/),
    });
    await store.close();
  }, 30_000);
});

describe('a run of 48 dialogues whose replies are unlike what was expected', () => {
  const long = ({ messages }: ChatBody): string => {
    const seed = JSON.stringify(messages);
    const sentences = Math.max(1, Math.round(uniform(seed) * 7));
    return Array.from(
      { length: sentences },
      (_, at) =>
        `Here stands ${Math.floor(uniform(seed, at) * 1e6)}, a sentence that says something plain about all of it.`,
    ).join(' ');
  };
  const short = ({ messages }: ChatBody): string =>
    `I have said ${Math.floor(uniform(JSON.stringify(messages)) * 1e6)} times what I think of it.`;
  test.each([
    ['long and of many lengths', long],
    ['short', short],
  ])(
    '%s',
    async (_, text) => {
      Object.assign(server.options, { rates: faults, text });
      const { result, store, seen } = await watched(
        `${topics}dialogues_per_cell: 4\nturns: 6\nconcurrency: 8`,
        25,
      );
      const measured = seen.filter(({ basis }) => basis === 'run');
      expect(measured.length).toBeGreaterThan(15);
      // The plan may be off: it does not know how long replies are. What is measured is not.
      expect(wrong(measured, result)).toEqual([]);
      // When the dialogues are over a third of the calls of each one is left.
      const after = seen.find(({ to_go: { calls } }) => calls.high < 48 * 4 + 30) as Estimate;
      expect(width(after)).toBeLessThan(width(seen[0] as Estimate) / 2);
      await store.close();
    },
    60_000,
  );
});

test('the rows tell the same as the run that goes on, whether it was stopped or is seen from another process', async () => {
  const file = scenarioFile(temporaryFolder(), `${topics}turns: 6\nconcurrency: 4`);
  const stop = new AbortController();
  let live: Outlook | undefined;
  let calls = 0;
  const model = { modelFlag: 'openai:tiny-1', model: { baseUrl: server.baseUrl, apiKey: key } };
  const { result, store } = await scriptedRun(temporaryFolder(), file, {
    ...model,
    stop: stop.signal,
    watch: {
      say: () => undefined,
      started: ({ outlook }) => void (live = outlook),
      call: ({ kind }) => void (kind === 'done' && (calls += 1) === 40 && stop.abort()),
    },
  });
  expect(result.status).toBe('stopped');
  const prepared = prepare(file);
  const stored = (await outlookOf(store, await getRun(store), prepared, priced)).estimate();
  expect(stored.spent.tokens).toEqual(live?.estimate().spent.tokens);
  for (const end of ['low', 'high'] as const)
    expect(stored.cost_usd?.[end]).toBeCloseTo(live?.estimate().cost_usd?.[end] as number, 6);
  expect(stored.spent).toEqual({
    calls: result.calls.made,
    tokens: result.tokens,
    cost_usd: expect.closeTo(result.cost_usd as number, 9),
  });
  // It goes on from there.
  let begun: Estimate | undefined;
  const last = await scriptedRun(temporaryFolder(), file, {
    ...model,
    store,
    watch: { say: () => undefined, started: ({ outlook }) => void (begun = outlook?.estimate()) },
  });
  expect(begun).toEqual(stored);
  expect(wrong([stored], last.result)).toEqual([]);
  const done = (await outlookOf(store, await getRun(store), prepared, priced)).estimate();
  expect(done.to_go).toMatchObject({ calls: { low: 0, high: 0 }, cost_usd: { low: 0, high: 0 } });
  expect(done.cost_usd?.high).toBeCloseTo(last.result.cost_usd as number, 9);
  await store.close();
}, 30_000);

test('another scenario with the same models is estimated by what a run taught, and says so', async () => {
  const { store, result } = await watched(`${topics}turns: 6\nconcurrency: 4`);
  const other = await learnFrom(store, await getRun(store));
  const file = scenarioFile(
    temporaryFolder(),
    'cultures: [spanish, german]\ntopics: [Q33, Q34, Q39]\nturns: 8',
  );
  const next = await watched(readFileSync(file, 'utf8'));
  const profile = profileOf(prepare(file), 1);
  const taught = forecast(profile, createTally(profile), priced, { other });
  expect(taught).toMatchObject({
    basis: 'other run',
    reason: expect.stringContaining(`run ${result.run_id} with the same models`),
  });
  expect(wrong([taught], next.result)).toEqual([]);
  expect(width(taught)).toBeLessThan(width(estimate(prepare(file), priced, 1)) / 2);
  await store.close();
  await next.store.close();
}, 30_000);

describe('prices', () => {
  const file = (): string => scenarioFile(temporaryFolder(), `${topics}turns: 14`);

  test('one that is unknown makes the whole unknown, and leaves calls and tokens', () => {
    const unknown = estimate(prepare(file()), () => ({ ...priced(), model: 'tiny-2' }), 1);
    expect(unknown).toMatchObject({ cost_usd: null, to_go: { cost_usd: null }, prices_checked: null });
    expect(unknown.calls.low).toBeGreaterThan(0);
  });

  test('in batch mode half of it, without what a cache takes off', () => {
    const profile = profileOf(prepare(file()), 1);
    const of = (asking: 'now' | 'batch'): Range =>
      forecast(profile, createTally(profile), priced, { asking }).cost_usd as Range;
    expect(of('batch').high).toBeCloseTo(of('now').high / 2, 9);
    expect(of('batch').low).toBeGreaterThanOrEqual(of('now').low / 2);
  });

  test('with a provider that caches: paid for as told, and in the range all through', async () => {
    server.options.cacheFrom = 300;
    const { result, store, seen } = await watched(`${topics}turns: 14\nconcurrency: 6`);
    expect(result.tokens.cached_input).toBeGreaterThan(result.tokens.input / 4);
    const { input, cached, output } = server.counts.billed;
    expect(result.tokens).toEqual({ input, cached_input: cached, output });
    expect(result.cost_usd).toBeCloseTo(((input - cached) * 10 + cached * 1 + output * 40) / 1e6, 9);
    expect(wrong(seen, result)).toEqual([]);
    await store.close();
  }, 30_000);
});

test('replies that were there already cost nothing, and the range knows that there may be more of them', async () => {
  const file = scenarioFile(temporaryFolder(), `${topics}turns: 4\nconcurrency: 4\nseed: 3`);
  const model = { modelFlag: 'openai:tiny-1', model: { baseUrl: server.baseUrl, apiKey: key } };
  const first = await scriptedRun(temporaryFolder(), file, model);
  const seen: Estimate[] = [];
  let outlook: Outlook | undefined;
  let reused = 0;
  const again = await scriptedRun(temporaryFolder(), file, {
    ...model,
    store: first.store,
    fresh: true,
    watch: {
      say: () => undefined,
      started: (run) => void ({ outlook } = run),
      call: ({ kind }) => {
        if (kind === 'reused' && ++reused % 10 === 0 && outlook) seen.push(outlook.estimate());
      },
    },
  });
  expect(again.result).toMatchObject({ calls: { made: 0 }, cost_usd: 0 });
  expect(seen.length).toBeGreaterThan(4);
  expect(wrong(seen, again.result)).toEqual([]);
  await first.store.close();
}, 30_000);
