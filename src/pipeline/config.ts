import type { Culture } from '../agents/types.ts';
import type { StoredRoute } from './routes.ts';
import type { Scenario } from './scenario.ts';

/** What is kept of a culture with a run: enough to export and explain it without its file. */
export interface CultureSnapshot {
  id: string;
  name: Culture['name'];
  language: string;
  weights_source: string;
  countries: { code: string; region: string; weight: number }[];
}

/** `runs.config`: the scenario as it ran, with what its words stood for. */
export interface RunConfig {
  scenario_name: string;
  /** Folder that the scenario's topic files lie in. */
  folder: string;
  scenario: Scenario;
  cultures: CultureSnapshot[];
  topics: string[];
  languages: string[];
}

/** `runs.models`: by role, `second_verifier`, `second_delegate` and `delegates.CULTURE`, what its calls go to. No key is in it. */
export type RunModels = Record<string, StoredRoute>;

export function snapshot(culture: Culture): CultureSnapshot {
  return {
    id: culture.id,
    name: culture.name,
    language: culture.language,
    weights_source: culture.weightsSource,
    countries: culture.countries.map(({ code, region, weight }) => ({ code, region, weight })),
  };
}
