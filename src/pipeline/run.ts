import { RunStopped, UserError, type StopReason } from '../errors.ts';
import { newRunId } from '../ids.ts';
import { createBudget } from '../models/budget.ts';
import { createCaller, type CallEvent, type Caller } from '../models/caller.ts';
import type { ChatModel } from '../models/port.ts';
import { openModel, type ModelContext } from '../models/resolve.ts';
import { defaultRetry } from '../models/retry.ts';
import { chatRoles, type ChatRole, type Dialogue, type Turn } from '../dialogue/types.ts';
import type { StageName } from '../refinement/types.ts';
import { ledgerOf } from '../store/calls.ts';
import { planFailedAgain, saveOmissions, savePlanned, type PlannedDialogue } from '../store/dialogues.ts';
import { holdRun } from '../store/hold.ts';
import {
  findRun,
  getRun,
  promptsOf,
  runFigures,
  saveRun,
  spentIn,
  updateRun,
  type RunFigures,
  type RunRow,
} from '../store/runs.ts';
import { indexRun } from '../store/search.ts';
import type { Store } from '../store/store.ts';
import { saveTopics } from '../store/survey.ts';
import type { RunConfig, RunModels } from './config.ts';
import { exportRuns } from './export-runs.ts';
import { omissionsOf, planDialogues } from './plan.ts';
import {
  fingerprintOf,
  modelSpecs,
  openModels,
  prepare,
  prepareFrom,
  type OpenedModels,
  type Prepared,
} from './prepare.ts';
import { refine } from './refine.ts';
import { storedScenario } from './scenario.ts';
import { isStop, simulate } from './simulate.ts';

/** What the person who watches is told; every part may be left out. */
export interface RunWatch {
  say(line: string): void;
  fetching?(done: number, total: number | null): void;
  /** Before anything is stored: may throw to say that the run should not be. */
  approve?(run: { prepared: Prepared; byRole: ReadonlyMap<ChatRole, ChatModel> }): void;
  started?(run: {
    id: string;
    continued: boolean;
    prepared: Prepared;
    models: RunModels;
    fellBack: boolean;
    byRole: ReadonlyMap<ChatRole, ChatModel>;
  }): void;
  phase?(phase: string, total: number): void;
  call?(event: CallEvent): void;
  turn?(dialogue: Dialogue, turn: Turn): void;
  dialogueEnded?(dialogue: Dialogue, status: string): void;
  stage?(stage: StageName, done: number): void;
}

/** Where the limits and folders of a run come from, beside its scenario. */
export interface RunSetting {
  store: Store;
  out: string;
  concurrency?: number | undefined;
  maxCalls?: number | undefined;
  maxCost?: number | undefined;
  retryFailed?: boolean | undefined;
  includeScripted?: boolean | undefined;
  model: Pick<ModelContext, 'baseUrl' | 'apiKey'>;
  /** Aborts: no new calls, those in flight finish. */
  stop?: AbortSignal | undefined;
  /** Aborts: everything ends now. */
  abort?: AbortSignal | undefined;
  watch: RunWatch;
}

export interface NewRun {
  scenario: string;
  set?: readonly string[] | undefined;
  seed?: number | undefined;
  /** `--model`: for every chat role. */
  modelFlag?: string | undefined;
  /** CULTUREPARK_MODEL. */
  modelEnvironment?: string | undefined;
  /** Starts another run even where one with the same settings is there. */
  fresh?: boolean | undefined;
}

/** What a run came to; the object that `--json` prints. */
export interface RunResult extends RunFigures {
  run_id: string;
  status: 'finished' | 'stopped' | 'failed';
  stop_reason: StopReason | null;
  /** Why it stopped, and how to go on; null when it finished. */
  message: string | null;
  mend: string | null;
  exports: string[];
  /** True where the run had finished before and was left alone. */
  left_alone: boolean;
  seconds: number;
}

/** Starts a scenario's run, or continues the unfinished one with the same fingerprint; a finished one is left alone. */
export async function runScenario(setting: RunSetting, asked: NewRun): Promise<RunResult> {
  const set = [...(asked.set ?? []), ...(asked.seed === undefined ? [] : [`seed=${asked.seed}`])];
  const prepared = prepare(asked.scenario, set);
  const { scenario } = prepared.props;
  const { specs, named } = modelSpecs(
    scenario,
    { flag: asked.modelFlag, environment: asked.modelEnvironment, set },
    setting.model,
  );
  const opened = await openModels(specs, named, contextOf(setting));
  try {
    const fingerprint = fingerprintOf(prepared, opened.models);
    const known = asked.fresh ? undefined : await findRun(setting.store, fingerprint);
    if (known && known.status === 'finished' && !setting.retryFailed)
      return await leftAlone(setting.store, known);
    setting.watch.approve?.({ prepared, byRole: opened.byRole });
    const run =
      known ?? (await newRun(setting.store, prepared, opened, fingerprint, seedOf(asked, scenario.seed)));
    // A continued run keeps the prompts that it began with; equal by the fingerprint.
    return await execute(setting, prepared, opened, run, known !== undefined);
  } finally {
    await closeModels(opened);
  }
}

function seedOf(asked: NewRun, scenarioSeed: number | undefined): number {
  return scenarioSeed ?? (asked.fresh ? Math.floor(Math.random() * 2 ** 31) : 1);
}

/** Continues a run with the models and prompts that it began with; the newest when no id is given. */
export async function resumeRun(setting: RunSetting, id: string | undefined): Promise<RunResult> {
  const run = await getRun(setting.store, id);
  if (run.status === 'finished' && !setting.retryFailed) return leftAlone(setting.store, run);
  const prepared = await storedRun(setting.store, run, []);
  const opened = await storedModels(setting, run);
  try {
    setting.watch.approve?.({ prepared, byRole: opened.byRole });
    return await execute(setting, prepared, opened, run, true);
  } finally {
    await closeModels(opened);
  }
}

/** Refines a run again with other settings; calls and stages that are unchanged are not paid again. */
export async function refineRun(
  setting: RunSetting,
  id: string | undefined,
  set: readonly string[],
): Promise<RunFigures & { run_id: string }> {
  const { store, watch } = setting;
  const run = await getRun(store, id);
  if (run.status !== 'finished')
    throw new UserError(`The run ${run.id} is not finished (${run.status}).`, {
      mend: `Finish it first: culturepark resume ${run.id}`,
    });
  const prepared = await storedRun(store, run, set);
  const opened = await storedModels(setting, run);
  const release = await holdRun(store, run.id);
  try {
    const caller = await callerFor(setting, prepared, opened, run);
    await refineWith(setting, prepared, opened, run, caller);
    watch.phase?.('done', 0);
    return { ...(await runFigures(store, run.id)), run_id: run.id };
  } finally {
    release(true);
    await updateRun(store, run.id, { holder: null });
    await closeModels(opened);
  }
}

async function storedRun(store: Store, run: RunRow, set: readonly string[]): Promise<Prepared> {
  const config = JSON.parse(run.config) as RunConfig;
  return prepareFrom(storedScenario(config, set), await promptsOf(store, run.id));
}

async function storedModels(setting: RunSetting, run: RunRow): Promise<OpenedModels> {
  const models = JSON.parse(run.models) as RunModels;
  const byRole = new Map<ChatRole, ChatModel>();
  const bySpec = new Map<string, ChatModel>();
  const context = contextOf(setting);
  for (const role of chatRoles) {
    const { spec, baseUrl } = models[role] as RunModels[string];
    const key = `${spec} ${baseUrl}`;
    if (!bySpec.has(key))
      bySpec.set(key, (await openModel(spec, { ...context, baseUrl: baseUrl ?? context.baseUrl })).chat);
    byRole.set(role, bySpec.get(key) as ChatModel);
  }
  return { byRole, models, fellBack: false };
}

const contextOf = (setting: RunSetting): ModelContext => ({
  ...setting.model,
  say: setting.watch.say,
  allowFetch: true,
  ...(setting.watch.fetching ? { progress: setting.watch.fetching } : {}),
});

async function closeModels({ byRole }: OpenedModels): Promise<void> {
  for (const model of new Set(byRole.values())) await model.dispose?.();
}

async function newRun(
  store: Store,
  prepared: Prepared,
  opened: OpenedModels,
  fingerprint: string,
  seed: number,
): Promise<RunRow> {
  const now = Date.now();
  const row: RunRow = {
    id: newRunId(),
    scenario: prepared.loaded.name,
    fingerprint,
    status: 'running',
    stop_reason: null,
    phase: 'plan',
    seed,
    config: JSON.stringify(prepared.config),
    models: JSON.stringify(opened.models),
    scripted: Object.values(opened.models).some(({ scripted }) => scripted) ? 1 : 0,
    holder: null,
    created_at: now,
    updated_at: now,
    finished_at: null,
    result: null,
  };
  await saveTopics(store, prepared.props.survey, prepared.plan.topics, [...prepared.props.texts.values()]);
  await saveRun(store, row, prepared.props.promptFiles);
  return row;
}

async function leftAlone(store: Store, run: RunRow): Promise<RunResult> {
  const stored = JSON.parse(run.result ?? '{}') as Partial<RunResult>;
  return {
    ...(await runFigures(store, run.id)),
    run_id: run.id,
    status: 'finished',
    stop_reason: null,
    message: null,
    mend: null,
    exports: stored.exports ?? [],
    seconds: 0,
    left_alone: true,
  };
}

async function execute(
  setting: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
  continued: boolean,
): Promise<RunResult> {
  const { store, watch } = setting;
  const started = performance.now();
  const release = await holdRun(store, run.id);
  let done = false;
  try {
    await updateRun(store, run.id, { status: 'running', stop_reason: null });
    watch.started?.({
      id: run.id,
      continued,
      prepared,
      models: opened.models,
      fellBack: opened.fellBack,
      byRole: opened.byRole,
    });
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
      ...(done ? { phase: 'done', finished_at: Date.now() } : {}),
    });
    return result;
  } catch (error) {
    // The error is what counts; a full disk may keep us from noting it.
    await updateRun(store, run.id, { status: 'failed', holder: null }).catch(() => undefined);
    throw error;
  } finally {
    release(done);
  }
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
    if (run.phase === 'plan') await plan(store, prepared, run);
    if (setting.retryFailed) {
      const again = await planFailedAgain(store, run.id);
      watch.say(
        again === 0
          ? 'No dialogue of this run was flagged or failed.'
          : `${again} flagged or failed dialogues are held again.`,
      );
    }
    watch.phase?.('dialogues', (await runFigures(store, run.id)).dialogues.planned);
    await simulate(store, caller, props, run.id, {
      turn: (dialogue, turn) => watch.turn?.(dialogue, turn),
      ended: (dialogue, status) => watch.dialogueEnded?.(dialogue, status),
    });
    await indexRun(store, run.id);
    await refineWith(setting, { ...prepared, props }, opened, run, caller);
    watch.phase?.('export', 0);
    const exported = await exportRuns({
      store,
      runs: [run],
      out: setting.out,
      includeScripted: setting.includeScripted,
    });
    for (const { culture, reason } of exported.empty)
      watch.say(`${culture} has no training rows: ${reason}.`);
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
    return {
      status: 'stopped',
      stop_reason: stop.reason,
      message: stop.message,
      mend: stop.mend ?? null,
      exports: [],
    };
  }
}

async function refineWith(
  { store, watch }: RunSetting,
  { props }: Prepared,
  { byRole }: OpenedModels,
  run: RunRow,
  caller: Caller,
): Promise<void> {
  watch.phase?.('refinement', 0);
  const modelFor = (role: string): ChatModel => byRole.get(role as ChatRole) as ChatModel;
  await refine({
    store,
    caller,
    props: { ...props, seed: run.seed },
    runId: run.id,
    modelFor,
    watch: (stage, n) => watch.stage?.(stage, n),
  });
  await indexRun(store, run.id);
}

/** Plans all dialogues, a page a transaction; what is planned already is left alone. */
async function plan(store: Store, prepared: Prepared, run: RunRow): Promise<void> {
  const input = { ...prepared.plan, runId: run.id, seed: run.seed };
  await saveOmissions(store, run.id, omissionsOf(input));
  let page: PlannedDialogue[] = [];
  const flush = async (): Promise<void> => {
    const rows = page;
    page = [];
    await store.write((trx) => savePlanned(trx, rows));
  };
  for (const planned of planDialogues(input)) {
    page.push(planned);
    if (page.length === 100) await flush();
  }
  await flush();
  await updateRun(store, run.id, { phase: 'dialogues' });
}

async function callerFor(
  setting: RunSetting,
  prepared: Prepared,
  opened: OpenedModels,
  run: RunRow,
): Promise<Caller> {
  const { scenario } = prepared.props;
  const figures = await runFigures(setting.store, run.id);
  const caller = createCaller({
    runId: run.id,
    ledger: ledgerOf(setting.store),
    modelFor: (role) => opened.byRole.get(role as ChatRole) as ChatModel,
    limits: {
      concurrency: setting.concurrency ?? scenario.concurrency,
      requestsPerMinute: scenario.requests_per_minute,
      tokensPerMinute: scenario.tokens_per_minute,
    },
    retry: defaultRetry,
    budget: createBudget({
      maxCalls: setting.maxCalls ?? scenario.max_calls ?? null,
      maxCostUsd: setting.maxCost ?? scenario.max_cost ?? null,
      calls: figures.calls.made + figures.calls.retried,
      spentUsd: await spentIn(setting.store, run.id),
    }),
    signal: setting.abort ?? new AbortController().signal,
    say: setting.watch.say,
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
