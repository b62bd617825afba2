import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RunStopped } from '../../src/errors.ts';
import { createBudget, type BudgetSetting } from '../../src/models/budget.ts';
import { calling, modelAt, priced } from '../helpers/calls.ts';
import { start } from '../helpers/fault-server.ts';

const budgetOf = (setting: Partial<BudgetSetting>) =>
  createBudget({ maxCalls: null, maxCostUsd: null, calls: 0, spentUsd: 0, ...setting });

describe('calls', () => {
  test('stops before call N + 1, counting those of before', async () => {
    const budget = budgetOf({ maxCalls: 5, calls: 3 });
    await budget.reserve(null);
    await budget.reserve(null);
    await expect(budget.reserve(null)).rejects.toMatchObject({
      reason: 'budget',
      message: expect.stringContaining('5 of 5 calls'),
      mend: expect.stringContaining('--max-calls'),
    });
    expect(budget.calls).toBe(5);
  });
});

describe('cost', () => {
  test('is counted as what the call came to, and as the highest where nobody knows', async () => {
    const budget = budgetOf({ maxCostUsd: 1 });
    (await budget.reserve(0.4)).settle(0.1);
    (await budget.reserve(0.4)).settle(null);
    expect(budget.spentUsd).toBeCloseTo(0.5, 12);
  });

  test('of an unknown price is not held', async () => {
    const budget = budgetOf({ maxCostUsd: 0.001 });
    (await budget.reserve(null)).settle(null);
    expect(budget.spentUsd).toBe(0);
  });

  test('spent before counts', async () => {
    await expect(budgetOf({ maxCostUsd: 1, spentUsd: 0.7 }).reserve(0.4)).rejects.toMatchObject({
      reason: 'budget',
      mend: expect.stringContaining('--max-cost'),
    });
  });

  test('who finds no room waits while a call under way may free some', async () => {
    const budget = budgetOf({ maxCostUsd: 1 });
    const first = await budget.reserve(0.8);
    let second = false;
    const waiting = budget.reserve(0.8).then((reservation) => {
      second = true;
      return reservation;
    });
    await sleep(5);
    expect(second).toBe(false);
    first.settle(0.1);
    (await waiting).settle(0.1);
    expect(budget.spentUsd).toBeCloseTo(0.2, 12);
  });

  test('and stops when it frees too little', async () => {
    const budget = budgetOf({ maxCostUsd: 1 });
    const first = await budget.reserve(0.8);
    const waiting = budget.reserve(0.8);
    first.settle(0.5);
    await expect(waiting).rejects.toBeInstanceOf(RunStopped);
    // What still fits is let through.
    (await budget.reserve(0.5)).settle(0.5);
    expect(budget.spentUsd).toBe(1);
  });

  test('never passes the cap, whatever calls cost and however they overlap', async () => {
    const call = fc.record({
      highest: fc.integer({ min: 1, max: 100 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      unknown: fc.boolean(),
      steps: fc.integer({ min: 0, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 60 }),
        async (calls, cap, maxCalls) => {
          const budget = budgetOf({ maxCostUsd: cap / 1000, maxCalls });
          let open = 0;
          const ended = await Promise.allSettled(
            calls.map(async ({ highest, share, unknown, steps }) => {
              const most = highest / 1000;
              const reservation = await budget.reserve(most);
              open += most;
              // What is spent and what may still be spent stay below the cap at every moment.
              expect(budget.spentUsd + open).toBeLessThanOrEqual(cap / 1000 + 1e-9);
              for (let at = 0; at < steps; at += 1) await Promise.resolve();
              open -= most;
              reservation.settle(unknown ? null : most * share);
            }),
          );
          expect(budget.spentUsd).toBeLessThanOrEqual(cap / 1000 + 1e-9);
          expect(budget.calls).toBeLessThanOrEqual(maxCalls);
          for (const one of ended)
            if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(RunStopped);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('over HTTP: a run stops below its cap, having spent most of it', async () => {
  const server = await start({ latencyMs: 2, rates: { '429-ms': 0.1, malformed: 0.1, 'no-usage': 0.1 } });
  const cap = 0.002;
  const { ask, budget, store } = await calling({
    model: priced(await modelAt(server.baseUrl)),
    budget: { maxCostUsd: cap },
  });
  const ended = await Promise.allSettled(Array.from({ length: 60 }, (_, at) => ask(`Why ${at}?`)));
  expect(ended.some(({ status }) => status === 'rejected')).toBe(true);
  expect(budget.spentUsd).toBeLessThanOrEqual(cap);
  expect(budget.spentUsd).toBeGreaterThan(cap / 2);
  const { n } = await store.read
    .selectFrom('calls')
    .select((e) => e.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  expect(n).toBe(server.counts.paid);
  await server.stop();
});
