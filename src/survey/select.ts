import { suggestion } from '../nearest.ts';
import type { Survey, Topic } from './types.ts';

/**
 * The topics that a scenario names: ids, themes, or `all` (the shipped ones). In the survey's order, each once.
 * @param fault called with the word that is neither id nor theme
 */
export function selectTopics(
  survey: Survey,
  words: readonly string[],
  fault: (word: string, message: string) => Error,
): Topic[] {
  const all = [...survey.topics.values()];
  const themes = new Set(all.map((topic) => topic.theme));
  const chosen = new Set<string>();
  for (const word of words) {
    const ids =
      word === 'all'
        ? all.map(({ id }) => id)
        : all.filter(({ id, theme }) => id === word || theme === word).map(({ id }) => id);
    if (ids.length === 0)
      throw fault(
        word,
        `there is no topic or theme "${word}"; ${suggestion(word, [...survey.topics.keys(), ...themes, 'all'])}`,
      );
    ids.forEach((id) => chosen.add(id));
  }
  return all.filter(({ id }) => chosen.has(id));
}
