import { countriesTogether, drawable, LEAST_TOGETHER } from '../agents/respondents.ts';
import type { Culture } from '../agents/types.ts';
import { peopleOf } from '../store/respondents.ts';
import type { Reader } from '../store/store.ts';
import { importedSurvey, type Imported } from '../store/surveys.ts';
import type { Topic } from '../survey/types.ts';
import { culturesFor } from './cultures.ts';
import { topicWords } from './imported-topics.ts';
import { askedIn, delegatesIn, type PlanInput } from './plan.ts';
import { armsOf, type LoadedScenario } from './scenario.ts';

/**
 * What a scenario takes from the database: imported topics and figures, and where its personas stand for respondents
 * those of its cultures' countries.
 * @param words that may name imported topics
 * @returns null where nothing was imported
 */
export async function importedFor(
  read: Reader,
  loaded: LoadedScenario,
  words: readonly string[] = topicWords(loaded.value),
): Promise<Imported | null> {
  const imported = await importedSurvey(read, words);
  if (!imported || loaded.value.personas !== 'respondents') return imported;
  const countries = culturesFor(loaded).flatMap((culture) => codesOf(culture));
  return { ...imported, people: await peopleOf(read, new Set(countries)) };
}

type Plan = Omit<PlanInput, 'runId' | 'seed'>;

const codesOf = ({ countries }: Culture): string[] => countries.map(({ code }) => code);

const listed = (words: readonly string[]): string =>
  `${words.slice(0, 5).join(', ')}${words.length > 5 ? ` and ${words.length - 5} more` : ''}`;

/** Refuses, before anything is drawn, a scenario whose personas can't stand for respondents; each fault says why. */
export function checkPeople(loaded: LoadedScenario, plan: Plan): void {
  const { people, cultures, topics, survey, scenario } = plan;
  const instead = 'or leave `personas` out: then stances are drawn topic by topic.';
  if (!people || people.items.size === 0)
    throw loaded.fault(
      ['personas'],
      'there are no respondents of a survey in this database',
      `Import the file with the answers of single people (\`culturepark survey import FILE\`, docs/surveys.md), ${instead}`,
    );
  const onlyShares = topics.filter(({ id, scale }) => scale !== null && !people.items.has(id));
  if (onlyShares.length > 0)
    throw loaded.fault(
      ['topics'],
      `there are figures of ${listed(onlyShares.map(({ id }) => id))} and no answers of single respondents`,
      `Leave ${onlyShares.length === 1 ? 'this topic' : 'these topics'} to a scenario of its own, ${instead}`,
    );
  const without = cultures.flatMap((culture) =>
    codesOf(culture).flatMap((code) =>
      drawable(people, code).length === 0 ? [`${code} (${culture.id})`] : [],
    ),
  );
  if (without.length > 0)
    throw loaded.fault(
      ['cultures'],
      `there are no respondents of ${listed(without)} in this database`,
      `There are those of ${[...people.byCountry.keys()].sort().join(', ') || 'other countries'}. Import the file that has these countries, leave the cultures out, ${instead}`,
    );
  const silent = cultures.flatMap((culture) =>
    topics.flatMap((topic) =>
      askedIn(survey, culture, topic) && !anybodyAnswered(plan, culture, topic)
        ? [`${topic.id} (${culture.id})`]
        : [],
    ),
  );
  if (silent.length > 0)
    throw loaded.fault(
      ['topics'],
      `none of the imported respondents answered ${listed(silent)}`,
      `Leave the topic or the culture out, ${instead}`,
    );
  const few = cultures.filter((culture) => countriesTogether(culture, leastDelegates(plan)).length === 0);
  if (few.length === 0) return;
  const shares = few.map(({ countries }) => {
    const weights = countries.map(({ weight }) => weight);
    return Math.max(...weights) / weights.reduce((sum, weight) => sum + weight, 0);
  });
  const least = Math.ceil(LEAST_TOGETHER / Math.min(...shares));
  const pairs = leastDelegates(plan) / scenario.dialogues_per_cell;
  throw loaded.fault(
    ['dialogues_per_cell'],
    `fewer than ${LEAST_TOGETHER} people of a country would speak on each topic (${listed(few.map(({ id }) => id))}), and rows of so few can be put together again to what one respondent answered`,
    `Use dialogues_per_cell: ${Math.ceil(least / pairs)} or more, ${instead}`,
  );
}

function anybodyAnswered({ people }: Plan, culture: Culture, { id, scale }: Topic): boolean {
  return codesOf(culture).some(
    (code) => people && drawable(people, code).some(({ answers }) => scale === null || answers.has(id)),
  );
}

/** Delegates a culture and topic, in the arm that has the fewest. */
const leastDelegates = ({ scenario }: Plan): number =>
  Math.min(...armsOf(scenario).map((arm) => delegatesIn(scenario, arm)));

/** What is to be known of how respondents are drawn: a sentence each. */
export function peopleNotices({ people, cultures, scenario }: Plan): string[] {
  if (!people) return [];
  const n = leastDelegates({ scenario } as Plan);
  const most = Math.max(...armsOf(scenario).map((arm) => delegatesIn(scenario, arm)));
  return cultures.flatMap((culture) => {
    const codes = codesOf(culture);
    const all = codes.reduce((sum, code) => sum + drawable(people, code).length, 0);
    const together = new Set(countriesTogether(culture, n).map(({ code }) => code));
    const apart = codes.filter((code) => !together.has(code));
    return [
      ...(all < most
        ? [
            `${culture.id} has ${all} respondents for ${most} personas a topic: some are drawn more than once.`,
          ]
        : []),
      ...(apart.length > 0
        ? [
            `${culture.id}: fewer than ${LEAST_TOGETHER} people of ${apart.join(', ')} speak on each topic, so each topic has people of its own there.`,
          ]
        : []),
    ];
  });
}
