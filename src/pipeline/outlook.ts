import { listRuns, type RunRow } from '../store/runs.ts';
import { spendingOf } from '../store/spending.ts';
import type { Store } from '../store/store.ts';
import type { RunConfig, RunModels } from './config.ts';
import { forecast, type Estimate, type ModelFor, type Other } from './estimate.ts';
import { learn } from './forecast.ts';
import { fingerprintOf, type Prepared } from './prepare.ts';
import { profileOf, type Profile } from './profile.ts';
import { routeFor } from './routes.ts';
import { storedRun } from './stored-run.ts';
import { createTally, type Tally, type TallyStart } from './tally.ts';

/** What a run has spent and what it will come to, at any moment of it. */
export interface Outlook {
  readonly tally: Tally;
  estimate(): Estimate;
}

/**
 * The outlook of a run, from its rows; `tally.watching` keeps it up to date while the run goes on.
 * @param profile when it is at hand: planning a large run again takes seconds
 */
export async function outlookOf(
  store: Store,
  run: Pick<RunRow, 'id' | 'seed'>,
  prepared: Prepared,
  modelFor: ModelFor,
  {
    heldAgain,
    inFlight,
    profile = profileOf(prepared, run.seed),
  }: Pick<TallyStart, 'heldAgain' | 'inFlight'> & { profile?: Profile } = {},
): Promise<Outlook> {
  const tally = createTally(profile, { stored: await spendingOf(store.read, run.id), heldAgain, inFlight });
  return { tally, estimate: () => forecast(profile, tally, modelFor) };
}

/** The models of a stored run, as far as their price goes. */
export function pricedModelsOf(run: Pick<RunRow, 'models'>): ModelFor {
  const models = new Map(Object.entries(JSON.parse(run.models) as RunModels));
  return (role, speaker) => {
    const route = routeFor(models, role, speaker);
    if (!route) return undefined;
    const { provider, model, scripted, spec } = route;
    return { provider, model, free: scripted || spec.startsWith('local') };
  };
}

/** The runs of a database that tell what a scenario will ask for. */
export interface KnownRuns {
  /** The newest run of the same scenario, with the same models. */
  same: RunRow | undefined;
  /** The newest finished one of another scenario in the same languages, with the same models. */
  like: RunRow | undefined;
}

/** @param isAsked whether a run's models are those that are asked for */
export async function knownRuns(
  store: Store,
  prepared: Prepared,
  isAsked: (models: RunModels) => boolean,
): Promise<KnownRuns> {
  const fingerprints = new Map<string, string>();
  let [same, like]: (RunRow | undefined)[] = [];
  for (const run of await listRuns(store)) {
    const models = JSON.parse(run.models) as RunModels;
    if (!isAsked(models)) continue;
    if (!fingerprints.has(run.models)) fingerprints.set(run.models, fingerprintOf(prepared, models));
    const { languages = [] } = JSON.parse(run.config) as Partial<RunConfig>;
    if (run.fingerprint === fingerprints.get(run.models)) same ??= run;
    else if (run.status === 'finished' && languages.join() === prepared.config.languages.join()) like ??= run;
  }
  return { same, like };
}

/** What the calls of a run that has ended taught. */
export async function learnFrom(store: Store, run: RunRow): Promise<Other> {
  const profile = profileOf(await storedRun(store, run), run.seed);
  return {
    runId: run.id,
    learnt: learn(createTally(profile, { stored: await spendingOf(store.read, run.id) })),
  };
}
