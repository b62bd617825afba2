import { cultureIds, loadCulture } from '../agents/load.ts';
import type { Culture } from '../agents/types.ts';
import type { LoadedScenario } from './scenario.ts';

/** The cultures that a scenario names, each once. */
export function culturesFor(loaded: LoadedScenario): Culture[] {
  const { cultures } = loaded.value;
  if (cultures === 'all') return cultureIds().map(loadCulture);
  return [...new Set(cultures)].map((id) => {
    if (!cultureIds().includes(id))
      throw loaded.fault(['cultures', cultures.indexOf(id)], unknownCulture(id));
    return loadCulture(id);
  });
}

export function unknownCulture(id: string): string {
  try {
    loadCulture(id);
    return `"${id}" is no culture`;
  } catch (error) {
    return (error as Error).message;
  }
}
