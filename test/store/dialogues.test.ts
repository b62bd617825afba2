import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Persona } from '../../src/agents/types.ts';
import type { Reading, Turn } from '../../src/dialogue/types.ts';
import { saveCalls } from '../../src/store/calls.ts';
import {
  appendTurn,
  attemptsIn,
  dialogueRows,
  endDialogue,
  planFailedAgain,
  savePlanned,
  seatsOf,
  turnsOf,
  type DialogueRow,
  type PlannedDialogue,
} from '../../src/store/dialogues.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { bareRun } from '../helpers/calls.ts';
import { temporaryFolder } from '../helpers/run.ts';

let store: Store;
beforeEach(async () => {
  store = openStore(join(temporaryFolder(), 'test.db'));
  await bareRun(store, 'run1');
  await store.write(async (trx) => {
    await trx
      .insertInto('topics')
      .values({ id: 'T1', survey: 'test', theme: 'test', statement: 'x', scale: null })
      .execute();
    const usage = { input: 1, cachedInput: 0, output: 1 };
    const call = {
      ...{ id: 'call1', key: 'k', provider: 'p', model: 'm', scripted: true, status: 'ok' as const },
      ...{
        messages: [{ role: 'user' as const, text: 'x' }],
        parameters: { max_tokens: 1 },
        reply: 'y',
        usage,
      },
      ...{ costUsd: 0, ms: 1, createdAt: 1 },
      tries: [{ n: 1, status: 'ok', usage, costUsd: 0, ms: 1, error: null }],
    };
    await saveCalls(trx, 'run1', [call], []);
  });
});
afterEach(() => store.close());

const persona = (id: string): Persona => ({
  ...{ id, key: `key of ${id}`, culture: 'german', country: 'DEU', name: 'Anna', ageBand: '30-44' },
  ...{ gender: 'female', stances: new Map([['T1', 2]]) },
});
const planned = (id: string): PlannedDialogue => ({
  row: {
    ...{ id, key: `key ${id}`, run_id: 'run1', topic_id: 'T1', arm: 'main', protocol: 'free-chat' },
    ...{ pairing: 'cross-cultural', language: 'en', turn_count: 4, ordinal: 0, round: 0 },
  },
  seats: [
    { role: 'moderator', persona: null },
    { role: 'delegate', persona: persona(`persona of ${id}`) },
  ],
});
const turn = (dialogueId: string, idx: number, text = `turn ${idx}`): Turn => ({
  ...{ dialogueId, idx, seat: 1, personaId: `persona of ${dialogueId}`, kind: 'public', text },
  ...{ callId: 'call1', flags: [] },
});
const plan = (...ids: string[]): Promise<void> => store.write((trx) => savePlanned(trx, ids.map(planned)));
const append = (one: Turn, reading?: Reading): Promise<boolean> =>
  store.write((trx) => appendTurn(trx, one, reading));
const rows = async (...statuses: DialogueRow['status'][]): Promise<DialogueRow[]> => {
  const found: DialogueRow[] = [];
  for await (const row of dialogueRows(store.read, 'run1', statuses.length > 0 ? statuses : undefined))
    found.push(row);
  return found;
};

describe('turns', () => {
  beforeEach(() => plan('d1'));

  test('a place is taken once: who comes second is told, and changes nothing', async () => {
    expect(await append(turn('d1', 0))).toBe(true);
    expect(await append(turn('d1', 0, 'of another worker'))).toBe(false);
    expect((await turnsOf(store.read, 'd1')).map(({ text }) => text)).toEqual(['turn 0']);
  });

  test('of many that want a place at once one has it', async () => {
    const got = await Promise.all(
      Array.from({ length: 20 }, (_, at) => append(turn('d1', 0, `worker ${at}`))),
    );
    expect(got.filter(Boolean)).toHaveLength(1);
    expect(got[0]).toBe(true);
  });

  test('a reading comes with its turn or not at all', async () => {
    const reading: Reading = {
      ...{ dialogueId: 'd1', personaId: 'persona of d1', idx: 0, moment: 'private-before', code: 2 },
      callId: 'call1',
    };
    await append(turn('d1', 0), reading);
    await append(turn('d1', 0), { ...reading, code: 3 });
    expect(await store.read.selectFrom('readings').select(['idx', 'moment', 'code']).execute()).toEqual([
      { idx: 0, moment: 'private-before', code: 2 },
    ]);
  });

  test('come back as they were, in order', async () => {
    const flagged: Turn = { ...turn('d1', 1), flags: ['copy'] };
    await append(flagged);
    await append(turn('d1', 0));
    expect(await turnsOf(store.read, 'd1')).toEqual([turn('d1', 0), flagged]);
  });

  test('of a call that is not stored are refused', async () => {
    await expect(append({ ...turn('d1', 0), callId: 'none' })).rejects.toThrow('FOREIGN KEY');
  });
});

describe('planning', () => {
  test('twice is once, also where the dialogue has begun', async () => {
    await plan('d1', 'd2');
    await append(turn('d1', 0));
    await store.write((trx) => endDialogue(trx, 'd2', 'finished', 'all turns spoken'));
    await plan('d1', 'd2', 'd3');
    expect((await rows()).map(({ id, status }) => [id, status])).toEqual([
      ['d1', 'planned'],
      ['d2', 'finished'],
      ['d3', 'planned'],
    ]);
    expect(await seatsOf(store.read, { id: 'd1', topic_id: 'T1' })).toEqual([
      { seat: 0, role: 'moderator', persona: null },
      { seat: 1, role: 'delegate', persona: persona('persona of d1') },
    ]);
  });

  test('rows come in key order, over pages, by status, and once each though they change meanwhile', async () => {
    const ids = Array.from({ length: 1203 }, (_, at) => `d${String((at * 7919) % 1203).padStart(4, '0')}`);
    await plan(...ids);
    const seen: string[] = [];
    for await (const row of dialogueRows(store.read, 'run1', ['planned'])) {
      seen.push(row.id);
      await store.write((trx) => endDialogue(trx, row.id, 'finished', 'all turns spoken'));
    }
    expect(seen).toEqual([...ids].sort());
    expect(await rows('planned')).toEqual([]);
    expect(await rows('finished', 'flagged')).toHaveLength(1203);
  });

  test('flagged and failed ones are planned again as a further attempt, the others left alone', async () => {
    await plan('d1', 'd2', 'd3', 'd4');
    await store.write(async (trx) => {
      await endDialogue(trx, 'd1', 'flagged', 'turn 1: the reply was refused');
      await endDialogue(trx, 'd2', 'failed', 'no reply');
      await endDialogue(trx, 'd3', 'finished', 'all turns spoken');
    });
    expect(await attemptsIn(store.read, 'run1')).toBe(0);
    expect(await planFailedAgain(store, 'run1')).toBe(2);
    expect(
      (await rows()).map(({ status, end_reason: reason, attempt }) => [status, reason, attempt]),
    ).toEqual([
      ['planned', null, 1],
      ['planned', null, 1],
      ['finished', 'all turns spoken', 0],
      ['planned', null, 0],
    ]);
    expect(await attemptsIn(store.read, 'run1')).toBe(2);
    expect(await attemptsIn(store.read, 'nobody')).toBe(0);
  });
});
