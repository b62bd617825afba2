import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunResult } from '../../src/pipeline/run-types.ts';
import { openStore } from '../../src/store/store.ts';
import { start, type FaultServer } from '../helpers/fault-server.ts';
import { freePort, gatewayTo, type Gateway } from '../helpers/gateway.ts';
import { bin, node, type Spawned } from '../helpers/process.ts';
import { saidIn } from '../helpers/rows.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';

const IN_FLIGHT = 16;
let port: number;
let server: FaultServer;
let gateway: Gateway;
let folder: string;
/** What a run came to that nobody disturbed. */
let calm: { said: unknown; calls: number };

beforeEach(async () => {
  server = await start({ latencyMs: 300 });
  gateway = await gatewayTo(server.baseUrl, port);
});
afterEach(async () => {
  await gateway.kill();
  await server.stop();
});

const dbOf = (where: string): string => join(where, 'db', 'culturepark.db');

/** The real command in a folder of its own, with replies that may take so many seconds. */
function startRun(seconds: number): Spawned {
  folder = temporaryFolder();
  const scenario = scenarioFile(
    folder,
    `cultures: [turkish, german, korean]\ntopics: [Q27, Q31, Q159]\ndialogues_per_cell: 3\nturns: 6\nprotocol: free-chat\nconcurrency: ${IN_FLIGHT}\nseed: 5\nreply_timeout: ${seconds}\n`,
  );
  return node([bin, 'run', scenario, '--model', 'openai:mock', '--json'], {
    cwd: folder,
    env: { OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` },
  });
}

const untilPaid = async (n: number): Promise<void> => {
  while (server.counts.paid < n) await sleep(5);
};

async function finished(run: Spawned): Promise<RunResult> {
  expect(await run.ended, run.written.err).toBe(0);
  return JSON.parse(run.written.out.trimEnd().split('\n').at(-1) as string) as RunResult;
}

/** How the tries of all calls ended, with how often. */
async function tries(): Promise<Record<string, number>> {
  const store = openStore(dbOf(folder), { readonly: true });
  const rows = await store.read
    .selectFrom('tries')
    .select((e) => ['status', e.fn.countAll<number>().as('n')])
    .groupBy('status')
    .execute();
  await store.close();
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

beforeAll(async () => {
  port = await freePort();
  server = await start();
  gateway = await gatewayTo(server.baseUrl, port);
  const { calls } = await finished(startRun(300));
  calm = { said: await saidIn(dbOf(folder)), calls: calls.made };
  await gateway.kill();
  await server.stop();
}, 60_000);

test.each([1.2, 300])(
  'stopped for 4 s, with replies that may take %d s: what came meanwhile is not lost, and nothing counts as late',
  async (seconds) => {
    const run = startRun(seconds);
    await untilPaid(40);
    run.child.kill('SIGSTOP');
    await sleep(4000);
    run.child.kill('SIGCONT');
    const { calls } = await finished(run);
    expect(await tries()).toEqual({ ok: calm.calls });
    expect(calls).toMatchObject({ made: calm.calls, retried: 0, failed: 0 });
    expect(server.counts.paid).toBe(calm.calls);
    expect(await saidIn(dbOf(folder))).toEqual(calm.said);
    expect(run.written.err).not.toContain('does not answer');
  },
  60_000,
);

test('stopped, with all connections gone when it wakes: those calls are asked again, and the provider is not taken for dead', async () => {
  const run = startRun(300);
  await untilPaid(40);
  run.child.kill('SIGSTOP');
  await gateway.kill();
  await sleep(1000);
  await gateway.restart();
  const paid = server.counts.paid;
  run.child.kill('SIGCONT');
  const { calls } = await finished(run);
  const { ok, network, ...others } = await tries();
  expect([ok, others]).toEqual([calm.calls, {}]);
  expect(network).toBeLessThanOrEqual(IN_FLIGHT);
  expect(calls).toMatchObject({ made: calm.calls, retried: network, failed: 0 });
  // What was answered into the void is paid again, and no more.
  expect(server.counts.paid - calm.calls).toBeLessThanOrEqual(IN_FLIGHT);
  expect(server.counts.paid - paid).toBeGreaterThan(0);
  expect(await saidIn(dbOf(folder))).toEqual(calm.said);
  expect(run.written.err).not.toContain('does not answer');
}, 60_000);

test('a provider that hangs: it is told, one try at a time, and all goes on when it wakes', async () => {
  const run = startRun(1.2);
  await untilPaid(40);
  gateway.freeze();
  await run.says('does not answer');
  await sleep(5000);
  gateway.thaw();
  await untilPaid(160);
  server.counts.maxInFlight = 0;
  const { calls } = await finished(run);
  const { ok, timeout, ...others } = await tries();
  expect([ok, others]).toEqual([calm.calls, {}]);
  expect(calls).toMatchObject({ made: calm.calls, retried: timeout, failed: 0 });
  // All that were under way, and then a try now and then.
  expect(timeout).toBeLessThanOrEqual(2 * IN_FLIGHT);
  expect(run.written.err).toContain('answers again');
  expect(await saidIn(dbOf(folder))).toEqual(calm.said);
  // It came back to as many calls at once as before.
  expect(server.counts.maxInFlight).toBe(IN_FLIGHT);
}, 60_000);

test('nobody at the address for a while, all connections cut: it waits, one try at a time, and goes on by itself', async () => {
  const run = startRun(300);
  await untilPaid(40);
  await gateway.kill();
  await run.says('does not answer');
  await sleep(4000);
  expect(run.child.exitCode).toBeNull();
  await gateway.restart();
  const { calls } = await finished(run);
  const { ok, network, ...others } = await tries();
  expect([ok, others]).toEqual([calm.calls, {}]);
  // A wave or two before it was plain, and then a try now and then.
  expect(network).toBeLessThanOrEqual(4 * IN_FLIGHT);
  expect(calls).toMatchObject({ made: calm.calls, retried: network, failed: 0 });
  expect(server.counts.paid - calm.calls).toBeLessThanOrEqual(IN_FLIGHT);
  expect(run.written.err).toMatch(
    /ECONNREFUSED.*Its calls wait[\s\S]*answers again after \d+ s; the run goes on/,
  );
  expect(await saidIn(dbOf(folder))).toEqual(calm.said);
}, 60_000);
