import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChatRole } from '../dialogue/types.ts';
import { costOf, priceOf } from '../models/prices.ts';
import type { Route } from '../models/route.ts';
import { unaskingCaller } from '../models/unasked.ts';
import type { StageName } from '../refinement/types.ts';
import { ledgerOf } from '../store/calls.ts';
import { countChanges, firstChanges, noteEnds, noteWaiting, type ChangedEnd } from '../store/ends.ts';
import { dialogueKeys } from '../store/dialogues.ts';
import type { RunRow } from '../store/runs.ts';
import { openStore, type Store } from '../store/store.ts';
import { refineWith } from './execute.ts';
import { cellOf, nothing, plus, type CellKey, type Load, type Part, type Range } from './load.ts';
import type { Prepared } from './prepare.ts';
import { profileOf, type Kind } from './profile.ts';
import { judgesIn, routeFor, type OpenedModels } from './routes.ts';
import type { RunSetting } from './run-types.ts';

/** Calls that a stage would make of one role's model. */
interface DiffCalls {
  stage: string;
  role: string;
  /** Dialogues that it would ask about for certain, and those that it may have to, by what others reply. */
  calls: Range;
  /** US dollars; null where the price is unknown. */
  cost_usd: Range | null;
}

/** What a refinement would change, before it does. */
export interface RefineDiff {
  run_id: string;
  /** How many opinions would come from which end to which. */
  changes: { before: string; after: string; opinions: number }[];
  /** The first of them, by key. */
  opinions: ChangedEnd[];
  calls: DiffCalls[];
  /** Dialogues whose opinions hang on replies that are not there yet; nothing is said of these. */
  waiting: number;
  /** All calls together; the readings of the stance ledger apart. */
  refinement: Total;
  readings: Total;
}

interface Total {
  calls: Range;
  cost_usd: Range | null;
}

/** Opinions that are named one by one. */
const SHOWN = 200;

/** What follows from a stage's replies, and so can't be known before them. */
const after: Partial<Record<string, readonly StageName[]>> = {
  extract: ['verify', 'rewrite', 'verify_rewrite', 'read_opinions'],
  verify: ['rewrite', 'verify_rewrite', 'read_opinions'],
  rewrite: ['verify_rewrite', 'read_opinions'],
};

/** Gives some work a copy of a database, which does not stay. */
export async function withCopy<T>(store: Store, work: (copy: Store) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'culturepark-diff-'));
  try {
    const file = join(folder, 'copy.db');
    await store.backup(file);
    const copy = openStore(file);
    try {
      return await work(copy);
    } finally {
      await copy.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Refines a run with a caller that asks nobody, and compares.
 * @param setting its store is a copy that nobody keeps
 */
export async function diffRefinement(
  setting: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
  from?: StageName,
): Promise<RefineDiff> {
  const { store: copy } = setting;
  await noteEnds(copy, run.id);
  /** By stage and role, the dialogues that it would ask about. */
  const unasked = new Map<CellKey, Set<string>>();
  const caller = unaskingCaller({
    runId: run.id,
    ledger: ledgerOf(copy),
    routeFor: (role) => routeFor(opened.routes, role) as Route,
    unasked: ({ stage, role, subject }) => {
      const key = cellOf(stage, role);
      unasked.set(key, (unasked.get(key) ?? new Set()).add(subject));
    },
  });
  await refineWith({ ...setting, watch: { say: setting.watch.say } }, prepared, opened, run, caller, from);
  // Nothing is decided by a reading, nor by a gate that only notes.
  const drops = prepared.props.scenario.refinement.gate === 'drop';
  const deciding = ['extract', 'verify', 'rewrite', 'verify_rewrite', ...(drops ? ['gate'] : [])];
  const waiting = new Set(
    [...unasked].flatMap(([key, ids]) => (deciding.includes(stageIn(key)) ? [...ids] : [])),
  );
  const ids = [...waiting];
  for (let at = 0; at < ids.length; at += 1000) await noteWaiting(copy, ids.slice(at, at + 1000));
  const calls = await callsOf(copy, prepared, opened, run, unasked);
  const isReading = ({ role }: DiffCalls): boolean => role === 'reader';
  return {
    run_id: run.id,
    changes: await countChanges(copy.read, run.id),
    opinions: await firstChanges(copy.read, run.id, SHOWN),
    calls,
    waiting: waiting.size,
    refinement: totalOf(calls.filter((row) => !isReading(row))),
    readings: totalOf(calls.filter(isReading)),
  };
}

const stageIn = (key: CellKey): string => key.split(' ')[0] as string;

/** Calls and price by stage and role: what each kind of dialogue is expected to need, as in an estimate. */
async function callsOf(
  copy: Store,
  prepared: Prepared,
  { routes }: OpenedModels,
  run: RunRow,
  unasked: ReadonlyMap<CellKey, ReadonlySet<string>>,
): Promise<DiffCalls[]> {
  if (unasked.size === 0) return [];
  const profile = profileOf(prepared, run.seed);
  const keys = await dialogueKeys(copy.read, run.id);
  const kindOf = (id: string): Kind | undefined =>
    profile.kindOfKey(keys.get(id) ?? '') ?? [...profile.kinds.values()][0];
  const judges: readonly string[] = judgesIn((role) => routes.get(role)?.model);
  const sums = new Map<CellKey, { part: Part; calls: Range }>();
  const add = (key: CellKey, id: string, sure: boolean): void => {
    const sum = sums.get(key) ?? { part: nothing(), calls: { low: 0, high: 0 } };
    sums.set(key, sum);
    const part = kindOf(id)?.stages.get(key);
    // A stage that may not have to ask costs nothing at the low end.
    if (part) plus(sum.part, sure ? part : { low: nothing().low, high: part.high });
    if (sure) sum.calls.low += 1;
    sum.calls.high += 1;
  };
  for (const [key, ids] of unasked) {
    const stage = stageIn(key);
    for (const id of ids) {
      add(key, id, true);
      for (const next of after[stage] ?? [])
        for (const cell of kindOf(id)?.stages.keys() ?? []) {
          const [name, role] = cell.split(' ') as [string, string];
          const judged = !role.endsWith('verifier') || judges.includes(role);
          if (name === next && judged && !unasked.get(cell)?.has(id)) add(cell, id, false);
        }
    }
  }
  return [...sums].map(([key, { part, calls }]) => {
    const [stage, role] = key.split(' ') as [string, ChatRole];
    const price = priceOf((routeFor(routes, role) as Route).model);
    const usd = ({ base, heard, said }: Load): number | null =>
      costOf(price, { input: base + heard, cachedInput: 0, output: said });
    const [low, high] = [usd(part.low), usd(part.high)];
    return { stage, role, calls, cost_usd: low === null || high === null ? null : { low, high } };
  });
}

function totalOf(rows: readonly DiffCalls[]): Total {
  const total: Total = { calls: { low: 0, high: 0 }, cost_usd: { low: 0, high: 0 } };
  for (const { calls, cost_usd: usd } of rows) {
    total.calls = { low: total.calls.low + calls.low, high: total.calls.high + calls.high };
    total.cost_usd = total.cost_usd &&
      usd && { low: total.cost_usd.low + usd.low, high: total.cost_usd.high + usd.high };
  }
  return total;
}
