import { RunStopped } from '../errors.ts';
import { createBudget } from '../models/budget.ts';
import { createCaller, type Caller } from '../models/caller.ts';
import { costOf, priceOf } from '../models/prices.ts';
import { defaultRetry } from '../models/retry.ts';
import type { Route } from '../models/route.ts';
import type { StageName } from '../refinement/types.ts';
import { ledgerOf, saveCalls } from '../store/calls.ts';
import { planFailedAgain, saveOmissions } from '../store/dialogues.ts';
import { holdRun } from '../store/hold.ts';
import { dialogueCounts, runFigures, updateRun, type RunRow } from '../store/runs.ts';
import { indexRun } from '../store/search.ts';
import { takenBy, triesIn } from '../store/spending.ts';
import type { Store } from '../store/store.ts';
import { lastRound } from '../store/yields.ts';
import type { ModelFor } from './estimate.ts';
import { exportRuns } from './export-runs.ts';
import { outlookOf } from './outlook.ts';
import { peopleNotices } from './people.ts';
import { planControls } from './controls.ts';
import { omissionsOf, planDialogues } from './plan.ts';
import type { Prepared } from './prepare.ts';
import { read } from './read.ts';
import { refine, type RefineInput } from './refine.ts';
import { mostDialogues, planRound, quotaShort, quotasIn, roundInPlanning, savePlan } from './rounds.ts';
import { identityOf, judgesIn, routeFor, type OpenedModels } from './routes.ts';
import type { RunResult, RunSetting } from './run-types.ts';
import { isStop, simulate } from './simulate.ts';

/** Holds the run, goes through its phases, and notes how it ended. */
export async function execute(
  given: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
  continued: boolean,
): Promise<RunResult> {
  const { store, watch } = given;
  const started = performance.now();
  const release = await holdRun(store, run.id);
  let done = false;
  try {
    await updateRun(store, run.id, { status: 'running', stop_reason: null });
    const setting = await introduced(given, prepared, opened, run, continued);
    const caller = await callerFor(setting, prepared, opened, run);
    const end = await phases(setting, prepared, opened, run, caller);
    done = end.status === 'finished';
    const result: RunResult = {
      ...(await runFigures(store, run.id)),
      run_id: run.id,
      ...end,
      seconds: Math.round((performance.now() - started) / 100) / 10,
      left_alone: false,
    };
    await updateRun(store, run.id, {
      status: end.status,
      stop_reason: end.stop_reason,
      holder: null,
      result: JSON.stringify(result),
      ...(done ? { phase: 'done', finished_at: Math.max(Date.now(), run.created_at) } : {}),
    });
    watch.ended?.(result);
    return result;
  } catch (error) {
    watch.failed?.(error);
    // The error is what counts; a full disk may keep us from noting it.
    await updateRun(store, run.id, { status: 'failed', holder: null }).catch(() => undefined);
    throw error;
  } finally {
    release(done);
  }
}

/** Says what begins; from now on every call is counted for the outlook that was given along. */
async function introduced(
  setting: RunSetting,
  prepared: Prepared,
  { models, fellBack, routes }: OpenedModels,
  run: RunRow,
  continued: boolean,
): Promise<RunSetting> {
  const { store, watch, retryFailed } = setting;
  if (!watch.started) return setting;
  const modelFor: ModelFor = (role, speaker) => routeFor(routes, role, speaker)?.model;
  const outlook = await outlookOf(store, run, prepared, modelFor, { heldAgain: retryFailed });
  watch.started({ id: run.id, continued, prepared, models, fellBack, routes, outlook });
  return { ...setting, watch: outlook.tally.watching(watch) };
}

type End = Pick<RunResult, 'status' | 'stop_reason' | 'message' | 'mend' | 'exports'>;

async function phases(
  setting: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
  caller: Caller,
): Promise<End> {
  const { store, watch } = setting;
  const props = {
    ...prepared.props,
    seed: run.seed,
    scenario: {
      ...prepared.props.scenario,
      concurrency: setting.concurrency ?? prepared.props.scenario.concurrency,
    },
  };
  try {
    if (run.phase === 'plan') {
      for (const notice of peopleNotices(prepared.plan)) watch.say(notice);
      await plan(store, prepared, run);
    }
    if (setting.retryFailed) {
      const again = await planFailedAgain(store, run.id);
      watch.say(
        again === 0
          ? 'No dialogue of this run was flagged or failed.'
          : `${again} flagged or failed dialogues are held again.`,
      );
    }
    const short = await inRounds(setting, { ...prepared, props }, opened, run, caller);
    watch.phase?.('export', 0);
    const exported = await exportRuns({
      store,
      runs: [run],
      out: setting.out,
      includeScripted: setting.includeScripted,
    });
    for (const { culture, reason } of exported.empty)
      watch.say(`${culture} has no training rows: ${reason}.`);
    if (short) return { ...stoppedBy(short), exports: [exported.folder, ...exported.files] };
    return {
      status: 'finished',
      stop_reason: null,
      message: null,
      mend: null,
      exports: [exported.folder, ...exported.files],
    };
  } catch (error) {
    const stop = isStop(error)
      ? error
      : setting.abort?.aborted
        ? new RunStopped('interrupted', 'The run was stopped at once.', {
            mend: 'The same command continues it.',
          })
        : undefined;
    if (!stop) throw error;
    return stoppedBy(stop);
  }
}

const stoppedBy = ({ reason, message, mend }: RunStopped): End => ({
  status: 'stopped',
  stop_reason: reason,
  message,
  mend: mend ?? null,
  exports: [],
});

/** Holds and refines the planned dialogues, then further rounds until each quota is full; what stays short when it is not. */
async function inRounds(
  setting: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
  caller: Caller,
): Promise<RunStopped | undefined> {
  const { store, watch } = setting;
  const input = { ...prepared.plan, runId: run.id, seed: run.seed };
  const quotas = quotasIn(input);
  let round = roundInPlanning(run);
  if (quotas && round !== undefined) await planRound(store, run, input, quotas, round);
  for (;;) {
    const { planned: all, finished, flagged, failed } = await dialogueCounts(store.read, run.id);
    watch.phase?.('dialogues', all, finished + flagged + failed);
    await simulate(store, caller, prepared.props, run.id, {
      started: (dialogue) => watch.dialogueStarted?.(dialogue),
      turn: (dialogue, turn) => watch.turn?.(dialogue, turn),
      ended: (dialogue, status, reason) => watch.dialogueEnded?.(dialogue, status, reason),
    });
    await indexRun(store, run.id);
    await refineWith(setting, prepared, opened, run, caller);
    if (!quotas) return undefined;
    round = (await lastRound(store, run.id)) + 1;
    const { short, yields, planned } = await planRound(store, run, input, quotas, round);
    if (short.length === 0) return undefined;
    if (planned === 0) return quotaShort(short, yields, mostDialogues(input));
    watch.say(
      `Round ${round + 1}: ${planned} further dialogues for ${short.length} answers that are short of their quota.`,
    );
  }
}

/** Refines all dialogues of a run and makes what came of it findable. */
export async function refineWith(
  { store, watch }: RunSetting,
  { props, plan: planned }: Prepared,
  { routes, embedder }: OpenedModels,
  run: RunRow,
  caller: Caller,
  from?: StageName,
): Promise<void> {
  watch.phase?.('refinement', 0);
  const input: RefineInput = {
    store,
    caller,
    props: { ...props, seed: run.seed },
    runId: run.id,
    identityOf: (role) => identityOf(routeFor(routes, role) as Route),
    judges: judgesIn((role) => routes.get(role)?.model),
    embedder,
    round: await lastRound(store, run.id),
    quotas: quotasIn({ ...planned, scenario: props.scenario, seed: run.seed }),
    from,
    watch: (stage, n, dialogueId) => watch.stage?.(stage, n, dialogueId),
    stageDone: (stage) => watch.stageDone?.(stage),
  };
  await refine(input);
  const { turns, opinions } = props.scenario.readings;
  if (turns || opinions) {
    watch.phase?.('readings', 0);
    await read(input);
  }
  await indexRun(store, run.id);
}

/** Plans all dialogues, a page a transaction; what is planned already is left alone. */
async function plan(store: Store, prepared: Prepared, run: RunRow): Promise<void> {
  const input = { ...prepared.plan, runId: run.id, seed: run.seed };
  await saveOmissions(store, run.id, omissionsOf(input));
  await savePlan(store, planDialogues(input));
  await savePlan(store, planControls(input));
  await updateRun(store, run.id, { phase: 'dialogues' });
}

/** US dollars that a run's budget has lost already. Calls whose price was unknown then are counted at the price of now. */
async function spentBefore(store: Store, runId: string): Promise<number> {
  const taken = await takenBy(store, runId);
  return taken.reduce(
    (sum, { usd, ...row }) => sum + usd + (costOf(priceOf({ ...row, free: false }), row) ?? 0),
    0,
  );
}

/** A caller with the run's limits, and with what the run has spent already. */
export async function callerFor(
  setting: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
): Promise<Caller> {
  const { scenario } = prepared.props;
  const maxCalls = setting.maxCalls ?? scenario.max_calls ?? null;
  const maxCostUsd = setting.maxCost ?? scenario.max_cost ?? null;
  // Summed up only where a cap needs it: a long run has many calls to look through.
  const caller = createCaller({
    runId: run.id,
    ledger: ledgerOf(setting.store),
    routeFor: (role, speaker) =>
      role === 'embedder' && opened.embedder
        ? opened.embedder.route
        : (routeFor(opened.routes, role, speaker) as Route),
    keep: (calls, uses) => setting.store.write((trx) => saveCalls(trx, run.id, calls, uses)),
    limits: {
      concurrency: setting.concurrency ?? scenario.concurrency,
      requestsPerMinute: scenario.requests_per_minute,
      tokensPerMinute: scenario.tokens_per_minute,
    },
    retry: defaultRetry,
    budget: createBudget({
      maxCalls,
      maxCostUsd,
      calls: maxCalls === null ? 0 : await triesIn(setting.store, run.id),
      spentUsd: maxCostUsd === null ? 0 : await spentBefore(setting.store, run.id),
    }),
    signal: setting.abort ?? new AbortController().signal,
    say: setting.watch.say,
    blocked: () => setting.store.blocked,
    watch: (event) => setting.watch.call?.(event),
  });
  const interrupted = (): void =>
    caller.stop(
      new RunStopped('interrupted', 'The run was stopped; the calls in flight were finished and stored.', {
        mend: 'The same command continues it.',
      }),
    );
  if (setting.stop?.aborted) interrupted();
  setting.stop?.addEventListener('abort', interrupted, { once: true });
  return caller;
}
