import { promptsOf, type RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { RunConfig } from './config.ts';
import { importedFor } from './people.ts';
import { prepareFrom, type Prepared } from './prepare.ts';
import { storedScenario } from './scenario.ts';

/** A run's scenario and prompts as they were when it began, with changes from the command line. */
export async function storedRun(store: Store, run: RunRow, set: readonly string[] = []): Promise<Prepared> {
  const config = JSON.parse(run.config) as RunConfig;
  const loaded = storedScenario(config, set);
  const imported = await importedFor(store.read, loaded, config.topics);
  return prepareFrom(loaded, await promptsOf(store, run.id), imported);
}
