import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScenario } from '../../src/pipeline/run.ts';
import type { NewRun, RunResult, RunSetting } from '../../src/pipeline/run-types.ts';
import { openStore, type Store } from '../../src/store/store.ts';

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'culturepark-test-'));

/** A scenario file with these lines. */
export function scenarioFile(folder: string, yaml: string, name = 'test'): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, yaml);
  return file;
}

/** Runs a scenario with the scripted model in a folder of its own. */
export async function scriptedRun(
  folder: string,
  scenario: string,
  more: Partial<RunSetting & NewRun> = {},
): Promise<{ store: Store; result: RunResult; said: string[] }> {
  const said: string[] = [];
  const store = more.store ?? openStore(join(folder, 'test.db'));
  const setting: RunSetting = {
    out: join(folder, 'exports'),
    model: { baseUrl: undefined, apiKey: undefined },
    watch: { say: (line) => said.push(line) },
    ...more,
    store,
  };
  const result = await runScenario(setting, { modelFlag: 'scripted', ...more, scenario });
  return { store, result, said };
}
