import { UserError } from '../errors.ts';
import { newRunId } from '../ids.ts';
import { timeoutsOf } from '../models/openai.ts';
import type { ModelContext } from '../models/resolve.ts';
import { modelsOf } from '../models/route.ts';
import { holdRun } from '../store/hold.ts';
import {
  findRun,
  getRun,
  runFigures,
  saveRun,
  updateRun,
  type RunFigures,
  type RunRow,
} from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { saveTopics } from '../store/survey.ts';
import type { StageName } from '../refinement/types.ts';
import type { RunModels } from './config.ts';
import { embedderFor } from './embed.ts';
import { execute, refineWith, callerFor } from './execute.ts';
import { modelEntries } from './model-entries.ts';
import { importedFor } from './people.ts';
import { fingerprintOf, prepareFrom, type Prepared } from './prepare.ts';
import { diffRefinement, withCopy, type RefineDiff } from './refine-diff.ts';
import { namedRoutes, openRoutes, reopenRoutes, type OpenedModels, type Routes } from './routes.ts';
import type { NewRun, RunResult, RunSetting } from './run-types.ts';
import { changedPath, loadScenario, type Scenario } from './scenario.ts';
import { storedRun } from './stored-run.ts';

/** Throws a UserError for what is wrong with a scenario, as far as it is known without a database and without asking a model. */
export function checkScenario(asked: NewRun, model: RunSetting['model']): void {
  const { set, loaded } = loadedFor(asked);
  const { props } = prepareFrom(loaded, new Map(), null);
  const { modelFlag: flag, modelEnvironment: environment } = asked;
  modelEntries(props.scenario, { flag, environment, set }, model);
}

function loadedFor(asked: NewRun): { set: string[]; loaded: ReturnType<typeof loadScenario> } {
  const set = [...(asked.set ?? []), ...(asked.seed === undefined ? [] : [`seed=${asked.seed}`])];
  return { set, loaded: loadScenario(asked.scenario, set) };
}

/** Starts a scenario's run, or continues the unfinished one with the same fingerprint; a finished one is left alone. */
export async function runScenario(setting: RunSetting, asked: NewRun): Promise<RunResult> {
  const { set, loaded } = loadedFor(asked);
  const imported = await importedFor(setting.store.read, loaded);
  const prepared = prepareFrom(loaded, new Map(), imported);
  const { scenario } = prepared.props;
  const { entries, named } = modelEntries(
    scenario,
    { flag: asked.modelFlag, environment: asked.modelEnvironment, set },
    setting.model,
  );
  const context = contextOf(setting, scenario);
  const opened = await withEmbedder(await openRoutes(entries, named, context), scenario, context);
  try {
    const fingerprint = fingerprintOf(prepared, opened.models);
    const known = asked.fresh ? undefined : await findRun(setting.store, fingerprint);
    if (known && known.status === 'finished' && !setting.retryFailed)
      return await leftAlone(setting.store, known);
    setting.watch.approve?.({ prepared, routes: allRoutes(opened) });
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
  const prepared = await storedRun(setting.store, run);
  const opened = await storedModels(setting, run, prepared);
  try {
    setting.watch.approve?.({ prepared, routes: allRoutes(opened) });
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
  from?: StageName,
): Promise<RunFigures & { run_id: string }> {
  const { store, watch } = setting;
  const { run, prepared } = await refinable(store, id, set);
  const opened = await storedModels(setting, run, prepared);
  const release = await holdRun(store, run.id);
  try {
    watch.approve?.({ prepared, routes: allRoutes(opened) });
    watch.started?.({ ...opened, id: run.id, continued: true, prepared });
    const caller = await callerFor(setting, prepared, opened, run);
    await refineWith(setting, prepared, opened, run, caller, from);
    watch.phase?.('done', 0);
    const result = { ...(await runFigures(store, run.id)), run_id: run.id };
    watch.ended?.(result);
    return result;
  } catch (error) {
    watch.failed?.(error);
    throw error;
  } finally {
    release(true);
    await updateRun(store, run.id, { holder: null });
    await closeModels(opened);
  }
}

/** What `refineRun` would do with a run, tried on a copy of its database; nobody is asked, and nothing is written there. */
export function diffRun(
  setting: RunSetting,
  id: string | undefined,
  set: readonly string[],
  from?: StageName,
): Promise<RefineDiff> {
  return withCopy(setting.store, async (store) => {
    const { run, prepared } = await refinable(store, id, set);
    if (prepared.props.scenario.embedder !== 'none')
      throw new UserError('`refine --diff` asks nobody, so it has no embeddings to compare by.', {
        mend: 'See the difference without them: add --embedder none.',
      });
    const models = JSON.parse(run.models) as RunModels;
    const opened = { routes: namedRoutes(models), models, fellBack: false };
    return diffRefinement({ ...setting, store }, prepared, opened, run, from);
  });
}

/** A finished run with its scenario as it is to be refined. */
async function refinable(
  store: Store,
  id: string | undefined,
  set: readonly string[],
): Promise<{ run: RunRow; prepared: Prepared }> {
  const run = await getRun(store, id);
  if (run.status !== 'finished')
    throw new UserError(`The run ${run.id} is not finished (${run.status}).`, {
      mend: `Finish it first: culturepark resume ${run.id}`,
    });
  if (set.some((change) => changedPath(change)[0] === 'models'))
    throw new UserError(`The run ${run.id} keeps the models that it was begun with.`, {
      mend: `Start another run with the other model (culturepark run ${run.scenario} --set models.…); what is stored is not paid again.`,
    });
  return { run, prepared: await storedRun(store, run, set) };
}

async function storedModels(
  setting: RunSetting,
  run: RunRow,
  { props: { scenario } }: Prepared,
): Promise<OpenedModels> {
  const context = contextOf(setting, scenario);
  const opened = await reopenRoutes(JSON.parse(run.models) as RunModels, context);
  return withEmbedder(opened, scenario, context);
}

/** Who is asked anything, the embedder too. */
const allRoutes = ({ routes, embedder }: OpenedModels): Routes =>
  embedder ? new Map([...routes, ['embedder', embedder.route]]) : routes;

async function withEmbedder(
  opened: OpenedModels,
  scenario: Scenario,
  context: ModelContext,
): Promise<OpenedModels> {
  try {
    return { ...opened, embedder: await embedderFor(scenario, context) };
  } catch (error) {
    await closeModels(opened);
    throw error;
  }
}

const contextOf = (setting: RunSetting, scenario: Scenario): ModelContext => ({
  ...setting.model,
  timeouts: timeoutsOf(scenario.reply_timeout),
  say: setting.watch.say,
  allowFetch: true,
  ...(setting.watch.fetching ? { progress: setting.watch.fetching } : {}),
});

async function closeModels({ routes, embedder }: OpenedModels): Promise<void> {
  await embedder?.model.dispose?.();
  for (const model of modelsOf(routes.values())) await model.dispose?.();
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
    scripted: modelsOf(opened.routes.values()).some(({ scripted }) => scripted) ? 1 : 0,
    holder: null,
    created_at: now,
    updated_at: now,
    finished_at: null,
    result: null,
  };
  await saveTopics(store, prepared.props.survey, prepared.plan.topics, [...prepared.props.texts.values()]);
  return saveRun(store, row, prepared.props.promptFiles);
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
