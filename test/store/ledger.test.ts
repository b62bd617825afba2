import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Call, CallStatus } from '../../src/models/ledger.ts';
import type { Message } from '../../src/models/port.ts';
import { ledgerOf, messagesOf, saveCalls } from '../../src/store/calls.ts';
import { runFigures } from '../../src/store/runs.ts';
import { takenBy } from '../../src/store/spending.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { bareRun, storedCalls, storedTries } from '../helpers/calls.ts';
import { temporaryFolder } from '../helpers/run.ts';

let store: Store;
let made: number;
beforeEach(async () => {
  store = openStore(join(temporaryFolder(), 'test.db'));
  made = 0;
  await bareRun(store, 'run1');
  await bareRun(store, 'run2');
});
afterEach(() => store.close());

const hello: Message[] = [
  { role: 'system', text: 'You are somebody.' },
  { role: 'user', text: 'Hello?' },
];

function callOf(more: Partial<Call> & { maxTokens?: number; output?: number } = {}): Call {
  const { maxTokens = 100, output = 20, ...rest } = more;
  made += 1;
  const usage = { input: 10, cachedInput: 4, output };
  return {
    id: `call${made}`,
    key: 'k1',
    provider: 'p',
    model: 'm',
    scripted: false,
    status: 'ok',
    messages: hello,
    parameters: { temperature: 0, max_tokens: maxTokens, replicate: [0] },
    reply: `reply ${made}`,
    usage,
    costUsd: 0.5,
    ms: 7,
    createdAt: made,
    tries: [
      {
        n: 1,
        status: 'ok',
        usage,
        costUsd: more.costUsd === undefined ? 0.5 : more.costUsd,
        ms: 7,
        error: null,
      },
    ],
    ...rest,
  };
}

const use = (callId: string, more: { reused?: boolean; subject?: string } = {}) => ({
  ...{ callId, stage: 'dialogue', role: 'delegate', subject: 'd/0', reused: false },
  ...more,
});
const save = (call: Call, runId = 'run1'): Promise<void> =>
  store.write((trx) => saveCalls(trx, runId, [call], [use(call.id)]));
const find = (maxTokens = 100, runId = 'run1', key = 'k1') => ledgerOf(store).find(key, maxTokens, runId);

describe('finding', () => {
  test('nothing', async () => expect(await find()).toEqual({ known: 0 }));

  test('a good reply, for every run and every limit that it fits', async () => {
    await save(callOf({ output: 20 }));
    const stored = { callId: 'call1', status: 'ok', reply: 'reply 1', outputTokens: 20 };
    for (const [limit, runId] of [
      [20, 'run1'],
      [100, 'run2'],
      [5000, 'nobody'],
    ] as const)
      expect(await find(limit, runId)).toEqual({ stored, known: 1 });
    expect(await find(19)).toEqual({ known: 1 });
    expect(await find(100, 'run1', 'k2')).toEqual({ known: 0 });
  });

  test.each<CallStatus>(['truncated', 'refused', 'empty', 'malformed'])(
    'a reply that is %s: for the run that paid it, not for others',
    async (status) => {
      await save(callOf({ status }));
      expect((await find()).stored).toMatchObject({ callId: 'call1', status });
      expect(await find(100, 'run2')).toEqual({ known: 1 });
    },
  );

  test('a call that failed is asked again', async () => {
    await save(callOf({ status: 'failed', reply: null }));
    expect(await find()).toEqual({ known: 1 });
  });

  test.each(['goes on', 'goes back'])(
    'a good reply before an unusable one, and of those the one to the highest limit, also where the clock %s',
    async (clock) => {
      const at = (n: number): { createdAt: number } => ({ createdAt: clock === 'goes on' ? n : -n });
      await save(callOf({ status: 'empty', maxTokens: 50, ...at(1) }));
      await save(callOf({ status: 'refused', maxTokens: 100, ...at(2) }));
      await save(callOf({ status: 'malformed', maxTokens: 70, ...at(3) }));
      expect((await find()).stored).toMatchObject({ callId: 'call2', status: 'refused' });
      await save(callOf(at(4)));
      await save(callOf({ status: 'empty', ...at(5) }));
      expect(await find()).toMatchObject({ stored: { callId: 'call4' }, known: 5 });
      // The good reply that was stored last is the good one, whatever the times say.
      await save(callOf({ output: 10, ...at(6) }));
      expect(await find()).toMatchObject({ stored: { callId: 'call6' }, known: 6 });
    },
  );

  test('a reply that was cut off: for its limit and lower ones, however few tokens were counted', async () => {
    await save(callOf({ status: 'truncated', maxTokens: 100, output: 97 }));
    expect((await find(100)).stored?.status).toBe('truncated');
    expect((await find(50)).stored?.status).toBe('truncated');
    expect((await find(101)).stored).toBeUndefined();
  });
});

test('whether a run has had a reply: of its own calls and reused ones, not of those of others', async () => {
  const used = (runId: string, maxTokens = 100, key = 'k1') => ledgerOf(store).hasUsed(key, maxTokens, runId);
  await save(callOf({ key: 'k2', status: 'refused' }));
  await save(callOf({ key: 'k3', status: 'truncated' }));
  await save(callOf({ key: 'k4', status: 'failed', reply: null, output: 0 }));
  await save(callOf({ output: 20 }));
  expect([await used('run1'), await used('run1', 19)]).toEqual([true, false]);
  const others = await Promise.all(['k2', 'k3', 'k4', 'k5'].map((key) => used('run1', 100, key)));
  expect(others).toEqual([true, false, false, false]);
  expect(await used('run2')).toBe(false);
  await store.write((trx) => saveCalls(trx, 'run2', [], [use('call4', { reused: true })]));
  expect(await used('run2')).toBe(true);
});

describe('storing', () => {
  test('a shorter good reply takes the place of a longer one, which stays on record', async () => {
    await save(callOf({ output: 90 }));
    await save(callOf({ output: 30, maxTokens: 50 }));
    expect((await storedCalls(store)).map(({ id, status }) => [id, status])).toEqual([
      ['call1', 'superseded'],
      ['call2', 'ok'],
    ]);
    expect((await find(50)).stored?.callId).toBe('call2');
    expect((await find(500)).stored?.callId).toBe('call2');
  });

  test('each message once, whoever sends it', async () => {
    await save(callOf());
    await save(callOf({ key: 'k2' }));
    await save(
      callOf({ key: 'k3', messages: [...hello, { role: 'assistant', text: 'Hi.' }, hello[1] as Message] }),
    );
    expect(await store.read.selectFrom('messages').select('text').orderBy('text').execute()).toEqual([
      { text: 'Hello?' },
      { text: 'Hi.' },
      { text: 'You are somebody.' },
    ]);
    const [, , third] = await storedCalls(store);
    expect(await messagesOf(store, third?.request ?? '')).toEqual([
      ...hello,
      { role: 'assistant', text: 'Hi.' },
      hello[1],
    ]);
  });

  test('the same words of another role are another message', async () => {
    await save(
      callOf({
        messages: [
          { role: 'system', text: 'x' },
          { role: 'user', text: 'x' },
        ],
      }),
    );
    const [call] = await storedCalls(store);
    expect((await messagesOf(store, call?.request ?? '')).map(({ role }) => role)).toEqual([
      'system',
      'user',
    ]);
  });

  test('texts that no database holds are made ones that it does', async () => {
    await save(callOf({ messages: [{ role: 'user', text: 'a\u0000b \ud800 c' }], reply: 'x\u0000\udc00y' }));
    const [call] = await storedCalls(store);
    expect(call?.reply).toBe('x\ufffd\ufffdy');
    expect(await messagesOf(store, call?.request ?? '')).toEqual([
      { role: 'user', text: 'a\ufffdb \ufffd c' },
    ]);
  });

  test('its tries, and what they cost', async () => {
    await save(
      callOf({
        tries: [
          { n: 1, status: 'rate-limit', usage: null, costUsd: 0, ms: 3, error: 'HTTP 429' },
          {
            n: 2,
            status: 'ok',
            usage: { input: 10, cachedInput: 4, output: 20 },
            costUsd: null,
            ms: 4,
            error: null,
          },
        ],
      }),
    );
    expect(await storedTries(store)).toMatchObject([
      { n: 1, status: 'rate-limit', input_tokens: null, cost_usd: 0, error: 'HTTP 429' },
      { n: 2, status: 'ok', input_tokens: 10, cached_input_tokens: 4, output_tokens: 20, cost_usd: null },
    ]);
  });

  test('the use of a call by a subject once', async () => {
    const call = callOf();
    await save(call);
    await store.write((trx) => saveCalls(trx, 'run1', [], [use('call1', { reused: true })]));
    await store.write((trx) => saveCalls(trx, 'run1', [], [use('call1', { reused: true, subject: 'd/1' })]));
    await store.write((trx) => saveCalls(trx, 'run2', [], [use('call1', { reused: true })]));
    const uses = await store.read.selectFrom('call_uses').select(['run_id', 'subject', 'reused']).execute();
    expect(uses).toEqual([
      { run_id: 'run1', subject: 'd/0', reused: 0 },
      { run_id: 'run1', subject: 'd/1', reused: 1 },
      { run_id: 'run2', subject: 'd/0', reused: 1 },
    ]);
  });
});

describe('what a run has paid', () => {
  test('its own calls, not those that it found', async () => {
    await save(callOf());
    await save(callOf({ key: 'k2', status: 'empty' }));
    await store.write((trx) => saveCalls(trx, 'run2', [], [use('call1', { reused: true })]));
    expect(await takenBy(store, 'run1')).toMatchObject([{ usd: 1, input: 0, output: 0 }]);
    expect(await runFigures(store, 'run1')).toMatchObject({
      calls: { made: 2, reused: 0, retried: 0, failed: 0 },
      tokens: { input: 20, cached_input: 8, output: 40 },
      cost_usd: 1,
    });
    expect(await takenBy(store, 'run2')).toEqual([]);
    expect(await runFigures(store, 'run2')).toMatchObject({ calls: { made: 0, reused: 1 }, cost_usd: 0 });
  });

  test('one unknown price makes the sum unknown, but what is known is still counted for the budget', async () => {
    await save(callOf());
    await save(callOf({ key: 'k2', costUsd: null }));
    expect((await runFigures(store, 'run1')).cost_usd).toBeNull();
    // Its tokens are told, so that a price that is known by now can be put on them.
    expect(await takenBy(store, 'run1')).toEqual([
      { provider: 'p', model: 'm', usd: 0.5, input: 10, cachedInput: 4, output: 20 },
    ]);
  });

  test('what the budget held for tries whose price nobody knows counts for it, not as their cost', async () => {
    const tries = [
      { n: 1, status: 'timeout', usage: null, costUsd: 0, heldUsd: 0.25, ms: 7, error: 'no reply' },
      { n: 2, status: 'ok', usage: null, costUsd: null, heldUsd: 0.125, ms: 7, error: null },
    ];
    await save(callOf({ costUsd: null, tries }));
    expect(await takenBy(store, 'run1')).toMatchObject([{ usd: 0.375, input: 0, output: 0 }]);
    expect((await runFigures(store, 'run1')).cost_usd).toBeNull();
  });
});
