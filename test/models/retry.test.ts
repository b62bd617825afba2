import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ModelFault, type FaultKind } from '../../src/models/port.ts';
import { backoffMs, defaultRetry, isFinal, isPassing, isPushback, pause } from '../../src/models/retry.ts';
import { calling, modelAt } from '../helpers/calls.ts';
import { start, type Fault, type FaultServer, type FaultServerOptions } from '../helpers/fault-server.ts';

test('which faults pass, push back, and stop the run', () => {
  const kinds: FaultKind[] = [
    ...(['rate-limit', 'overloaded', 'timeout', 'network', 'server'] as const),
    ...(['auth', 'not-found', 'exhausted', 'bad-request', 'aborted'] as const),
  ];
  const those = (is: (fault: ModelFault) => boolean) => kinds.filter((kind) => is(new ModelFault(kind, '')));
  expect(those(isPassing)).toEqual(['rate-limit', 'overloaded', 'timeout', 'network', 'server']);
  expect(those(isPushback)).toEqual(['rate-limit', 'overloaded', 'timeout']);
  expect(those(isFinal)).toEqual(['auth', 'not-found', 'exhausted']);
});

describe('backoff', () => {
  test('doubles up to the highest, with jitter in its upper half', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, luck) => {
        const most = Math.min(defaultRetry.maxMs, defaultRetry.baseMs * 2 ** (n - 1));
        const wait = backoffMs(defaultRetry, n, undefined, () => luck);
        expect(wait).toBeGreaterThanOrEqual(most / 2);
        expect(wait).toBeLessThanOrEqual(most);
      }),
    );
  });

  test('is what the provider asks for and up to a tenth more', () => {
    expect(backoffMs(defaultRetry, 1, 5000, () => 0)).toBe(5000);
    expect(backoffMs(defaultRetry, 6, 5000, () => 1)).toBe(5500);
  });
});

describe('pause', () => {
  test('an abort throws its own reason, before and meanwhile', async () => {
    const abort = new AbortController();
    const waiting = pause(60_000, abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(pause(1, abort.signal)).rejects.toThrow('enough');
  });

  test('longer than a timer holds is long, not nothing', async () => {
    const abort = new AbortController();
    let over = false;
    const waiting = pause(2 ** 40, abort.signal).then(() => (over = true));
    await pause(20, new AbortController().signal);
    expect(over).toBe(false);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('over HTTP', () => {
  let server: FaultServer;
  beforeEach(async () => {
    server = await start();
  });
  afterEach(() => server.stop());
  const gaps = (): number[] =>
    server.counts.times.slice(1).map((time, at) => time - server.counts.times[at]!);

  test('a 429 without Retry-After is tried again', async () => {
    server.options.choose = ({ n }) => (n <= 3 ? '429' : undefined);
    const { ask } = await calling({ model: await modelAt(server.baseUrl) });
    expect((await ask('Why?')).status).toBe('ok');
    expect(server.counts).toMatchObject({ requests: 4, paid: 1, faults: { '429': 3 } });
  });

  test.each<[string, Fault, FaultServerOptions]>([
    ['Retry-After', '429-after', { retryAfter: '0.3' }],
    ['retry-after-ms', '429-ms', { retryAfterMs: 300 }],
  ])('%s is honoured', async (_, fault, options) => {
    Object.assign(server.options, options);
    server.options.choose = ({ n }) => (n === 1 ? fault : undefined);
    const { ask } = await calling({ model: await modelAt(server.baseUrl) });
    expect((await ask('Why?')).status).toBe('ok');
    expect(gaps()[0]).toBeGreaterThanOrEqual(295);
    expect(gaps()[0]).toBeLessThan(1500);
  });

  test('while one waits to try again the others have its place', async () => {
    server.options.retryAfterMs = 300;
    server.options.choose = ({ n }) => (n === 1 ? '429-ms' : undefined);
    const { ask } = await calling({ model: await modelAt(server.baseUrl), limits: { concurrency: 1 } });
    const order: string[] = [];
    await Promise.all(['first', 'second', 'third'].map((text) => ask(text).then(() => order.push(text))));
    expect(order).toEqual(['second', 'third', 'first']);
  });

  test('a request that hangs is given up and tried again', async () => {
    server.options.choose = ({ n }) => (n === 1 ? 'hang' : undefined);
    const model = await modelAt(server.baseUrl, { connect: 100, firstByte: 100, total: 2000 });
    const { ask } = await calling({ model });
    expect((await ask('Why?')).status).toBe('ok');
    expect(server.counts.requests).toBe(2);
  });
});
