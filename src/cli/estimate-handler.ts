import { existsSync } from 'node:fs';
import type { Priced } from '../models/prices.ts';
import { cleanBaseUrl } from '../models/resolve.ts';
import type { RunModels } from '../pipeline/config.ts';
import { forecast, type Estimate, type ModelFor, type Other } from '../pipeline/estimate.ts';
import type { ModelEntry } from '../pipeline/model-entries.ts';
import { knownRuns, learnFrom } from '../pipeline/outlook.ts';
import { importedFor } from '../pipeline/people.ts';
import { prepareFrom } from '../pipeline/prepare.ts';
import { profileOf, type Profile } from '../pipeline/profile.ts';
import { samplingOf } from '../pipeline/routes.ts';
import { loadScenario } from '../pipeline/scenario.ts';
import { createTally, type Tally } from '../pipeline/tally.ts';
import type { RunRow } from '../store/runs.ts';
import { spendingOf } from '../store/spending.ts';
import { openStore, type Store } from '../store/store.ts';
import { pricedModels } from './dry-run.ts';
import { modelEnvironment } from './environment.ts';
import { amountText, dollarRange, estimateLine, spentText } from './money.ts';
import { out } from './output.ts';

export interface EstimateFlags {
  scenario: string;
  model: string | undefined;
  baseUrl: string | undefined;
  set: string[];
  db: string;
  batch: boolean;
  json: boolean;
}

/** What is known of a scenario before it is run, or run on. */
interface Known {
  modelFor: ModelFor;
  /** Whether a fallback is named. */
  fallback: boolean;
  /** The run of the same scenario and models, finished or not. */
  run: RunRow | undefined;
  profile: Profile;
  tally: Tally;
  other: Other | undefined;
}

/** Says what a scenario asks for; what the database knows of it, or of its models, is used and named. */
export async function estimateFromFlags(flags: EstimateFlags): Promise<void> {
  const store = existsSync(flags.db) ? openStore(flags.db, { readonly: true }) : undefined;
  try {
    const known = await knownOf(flags, store);
    const { run, profile, tally, modelFor, fallback, other } = known;
    const figures = forecast(profile, tally, modelFor, { other });
    const batch = flags.batch ? forecast(profile, tally, modelFor, { other, asking: 'batch' }) : undefined;
    if (flags.json)
      out(
        JSON.stringify({
          ...figures,
          ...(run ? { run_id: run.id, run_status: run.status } : {}),
          ...(fallback ? { fallbacks_counted: false } : {}),
          ...(batch ? { batch_cost_usd: batch.to_go.cost_usd } : {}),
        }),
      );
    else for (const line of lines(figures, run, batch, fallback)) out(line);
  } finally {
    await store?.close();
  }
}

function lines(
  figures: Estimate,
  run: RunRow | undefined,
  batch: Estimate | undefined,
  fallback: boolean,
): string[] {
  const unfinished = run && run.status !== 'finished';
  return [
    ...(run && !unfinished
      ? [`Run ${run.id} of this scenario is finished: \`run\` asks nothing more. With --new:`]
      : []),
    ...(unfinished
      ? [
          `Run ${run.id} of this scenario is not finished: ${spentText(figures)} spent.`,
          `To go: ${amountText(figures.to_go)}`,
          `In all: ${estimateLine(figures, fallback)}`,
        ]
      : [estimateLine(figures, fallback)]),
    `Basis: ${figures.reason}`,
    ...(batch
      ? [
          `In the provider's batch mode${unfinished ? ', what is to go' : ''}: ${dollarRange(batch.to_go.cost_usd)} (\`run\` can't ask in batches yet)`,
        ]
      : []),
  ];
}

async function knownOf(flags: EstimateFlags, store: Store | undefined): Promise<Known> {
  const { set } = flags;
  const loaded = loadScenario(flags.scenario, set);
  const imported = store ? await importedFor(store.read, loaded) : null;
  const prepared = prepareFrom(loaded, new Map(), imported);
  const environment = modelEnvironment(flags.baseUrl);
  const {
    entries,
    models: priced,
    modelFor,
    fallback,
  } = await pricedModels(prepared, flags, set, environment);
  const isAsked = (models: RunModels): boolean =>
    Object.keys(models).length === entries.size &&
    [...entries].every(([name, entry]) =>
      isSame(models[name], entry, priced.get(name) as Priced, environment.baseUrl),
    );
  const { same: run, like } = store ? await knownRuns(store, prepared, isAsked) : {};
  const goesOn = run && run.status !== 'finished';
  const profile = profileOf(prepared, goesOn ? run.seed : (prepared.props.scenario.seed ?? 1));
  const stored = store && goesOn ? await spendingOf(store.read, run.id) : undefined;
  const from = goesOn ? like : (run ?? like);
  return {
    modelFor,
    fallback,
    run,
    profile,
    tally: createTally(profile, stored ? { stored } : {}),
    other: store && from ? await learnFrom(store, from) : undefined,
  };
}

/** Whether a stored run's model is what a name stands for now. */
function isSame(
  stored: RunModels[string] | undefined,
  { spec, sampling, fallback, ...entry }: ModelEntry,
  { provider, model }: Priced,
  overall: string | undefined,
): boolean {
  const { baseUrl = overall } = entry;
  if (!stored || stored.fallback?.spec !== fallback?.spec) return false;
  if (samplingOf(stored).join() !== samplingOf(sampling ? { sampling } : {}).join()) return false;
  if (spec === 'scripted') return stored.scripted;
  if (spec === 'local') return stored.spec.startsWith('local:');
  // Without a name it is the one that the server offers.
  if (/^openai:?$/.test(spec) && baseUrl) return stored.baseUrl === cleanBaseUrl(baseUrl);
  if (spec.startsWith('local:')) return stored.spec === spec;
  return stored.provider === provider && stored.model === model;
}
