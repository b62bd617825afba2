import { cellKey } from '../ids.ts';
import { loadSurvey } from '../survey/load.ts';
import type { PlanInput } from './plan.ts';
import { armsOf, type LoadedScenario, type Scenario } from './scenario.ts';

/** The words of a scenario that may name topics of imported surveys; a theme of the shipped survey means its topics. */
export function topicWords({ topics }: Pick<Scenario, 'topics'>): string[] {
  const shipped = new Set([...loadSurvey().topics.values()].map(({ theme }) => theme));
  return topics === 'all' ? [] : topics.filter((word) => !shipped.has(word));
}

/** Plain and weighted answers are never mixed: each cell that was asked has weighted counts, or is published as shares. */
export function checkWeights(
  loaded: LoadedScenario,
  { scenario, survey, cultures, topics, mainContact, mainContactInstead }: Omit<PlanInput, 'runId' | 'seed'>,
): void {
  // Who draws respondents without asking for weights may have those of the delegates' countries alone.
  const hosted =
    scenario.weights &&
    armsOf(scenario).some(
      ({ protocol, pairing }) =>
        protocol !== 'panel' && protocol !== 'direct' && pairing === 'cross-cultural',
    );
  const own = cultures.some(({ id }) => id === mainContact.id);
  const seated = [...cultures, ...(hosted ? [mainContact, ...(own ? [mainContactInstead] : [])] : [])];
  const countries = new Set(seated.flatMap((one) => one.countries.map(({ code }) => code)));
  const without = topics.flatMap(({ id }) =>
    [...countries].flatMap((country) => {
      const cell = survey.cells.get(cellKey(id, country));
      return cell && cell.validN > 0 && !cell.weighted && !cell.shares ? [`${id} in ${country}`] : [];
    }),
  );
  if (without.length === 0) return;
  throw loaded.fault(
    ['weights'],
    `there are no weighted counts of ${without.slice(0, 5).join(', ')}${without.length > 5 ? ` and ${without.length - 5} more` : ''}`,
    'Import them first (`culturepark survey import FILE`, docs/surveys.md), or leave `weights` out.',
  );
}
