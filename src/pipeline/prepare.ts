import { resolve } from 'node:path';
import { cultureIds, loadCulture, loadMainContact } from '../agents/load.ts';
import type { Culture } from '../agents/types.ts';
import { contentHash } from '../ids.ts';
import { UserError } from '../errors.ts';
import { loadSurvey } from '../survey/load.ts';
import { cellKey } from '../ids.ts';
import { selectTopics } from '../survey/select.ts';
import { loadTexts, statementIn, type SurveyTexts } from '../survey/texts.ts';
import { addTopicFile } from '../survey/topic-file.ts';
import { withImported } from '../survey/with-imported.ts';
import type { Imported } from '../store/surveys.ts';
import type { Survey, Topic } from '../survey/types.ts';
import { snapshot, type RunConfig, type RunModels } from './config.ts';
import { culturesFor, unknownCulture } from './cultures.ts';
import { samplingOf } from './routes.ts';
import { checkWeights } from './imported-topics.ts';
import { checkPeople } from './people.ts';
import { askedIn, countDialogues, omissionsOf, PANEL_CULTURES, type PlanInput } from './plan.ts';
import { armsOf, byWeights, loadScenario, type LoadedScenario, type Scenario } from './scenario.ts';
import { loadPrompts, type Props } from './stage.ts';

/** A scenario with all that its words stand for, before anything is paid. */
export interface Prepared {
  loaded: LoadedScenario;
  config: RunConfig;
  props: Props;
  plan: Omit<PlanInput, 'runId' | 'seed'>;
}

/** Loads what a scenario names and checks that it can be held. Imported surveys are not looked at; see `prepareFrom`. */
export function prepare(scenario: string, set: readonly string[] = []): Prepared {
  const loaded = loadScenario(scenario, set);
  return prepareFrom(loaded, new Map());
}

/**
 * As `prepare`, from a scenario that is at hand.
 * @param storedPrompts the texts that a resumed run keeps
 * @param imported what `importedFor` gives for the scenario
 */
export function prepareFrom(
  loaded: LoadedScenario,
  storedPrompts: ReadonlyMap<string, string>,
  imported: Imported | null = null,
): Prepared {
  const { value: scenario } = loaded;
  const cultures = culturesFor(loaded);
  const { culture, instead } = loadMainContact();
  const [mainContact, mainContactInstead] = [loadCulture(culture), loadCulture(instead)];
  const { survey, statements } = surveyFor(loaded, imported, [...cultures, mainContact, mainContactInstead]);
  const topics = selectTopics(
    survey,
    scenario.topics === 'all' ? ['all'] : scenario.topics,
    (word, message) =>
      loaded.fault(['topics', Array.isArray(scenario.topics) ? scenario.topics.indexOf(word) : 0], message),
    imported?.names,
  );
  const plan = {
    scenario,
    survey,
    cultures,
    topics,
    mainContact,
    mainContactInstead,
    ...(scenario.personas === 'respondents' && imported?.people ? { people: imported.people } : {}),
  };
  if (scenario.personas === 'respondents') checkPeople(loaded, plan);
  checkPlan(loaded, plan);
  if (byWeights(scenario)) checkWeights(loaded, plan);
  const languages = [
    ...new Set(['en', ...(scenario.language === 'own' ? cultures.map(({ language }) => language) : [])]),
  ];
  const texts = new Map(
    languages.map((language) => [language, withStatements(loadTexts(language, survey), statements)]),
  );
  if (scenario.language === 'own') checkWords(plan, texts);
  const props: Props = {
    scenario,
    seed: 0,
    survey,
    topics,
    cultures: new Map([...cultures, plan.mainContact, plan.mainContactInstead].map((one) => [one.id, one])),
    texts,
    ...loadPrompts(languages, scenario.prompts, storedPrompts, {
      educated: scenario.personas === 'respondents',
      gated: scenario.refinement.gate !== 'off',
    }),
  };
  const config: RunConfig = {
    scenario_name: loaded.name,
    folder: loaded.folder,
    scenario,
    cultures: cultures.map(snapshot),
    topics: topics.map(({ id }) => id),
    languages,
  };
  return { loaded, config, props, plan };
}

function surveyFor(
  { value, folder }: LoadedScenario,
  imported: Imported | null,
  cultures: readonly Culture[],
): {
  survey: Survey;
  statements: Map<string, ReadonlyMap<string, string>>;
} {
  const countries = new Set(cultures.flatMap((one) => one.countries.map(({ code }) => code)));
  let survey = loadSurvey();
  if (imported) survey = withImported(survey, imported.survey, { weights: byWeights(value), countries });
  const statements = new Map(imported?.statements);
  for (const file of value.topic_files) {
    const added = addTopicFile(survey, resolve(folder, file));
    survey = added.survey;
    for (const [id, words] of added.statements) statements.set(id, words);
  }
  return { survey, statements };
}

function withStatements(
  texts: SurveyTexts,
  own: ReadonlyMap<string, ReadonlyMap<string, string>>,
): SurveyTexts {
  const added = [...own].flatMap(([id, words]) =>
    words.has(texts.language) ? [[id, words.get(texts.language) as string] as const] : [],
  );
  return { ...texts, statements: new Map([...texts.statements, ...added]) };
}

/** Statement and labels of every topic in each language that it is talked about in, before anything is paid. */
function checkWords(
  { survey, cultures, topics, mainContact, mainContactInstead }: Prepared['plan'],
  texts: ReadonlyMap<string, SurveyTexts>,
): void {
  for (const culture of cultures) {
    const words = texts.get(culture.language) as SurveyTexts;
    for (const topic of topics.filter((one) => askedIn(survey, culture, one))) {
      statementIn(words, topic);
      const countries = [culture, mainContact, mainContactInstead].flatMap((one) => one.countries);
      for (const { code } of countries) {
        const scale = survey.cells.get(cellKey(topic.id, code))?.scale;
        if (!scale || words.labels.has(scale.id)) continue;
        throw new UserError(`The answers of the topic ${topic.id} have no labels in "${culture.language}".`, {
          mend: 'Name a shipped scale in its topic file (`scale: agree4`), or use `language: english`.',
        });
      }
    }
  }
}

function checkPlan(loaded: LoadedScenario, plan: Prepared['plan']): void {
  const { scenario, cultures, topics } = plan;
  scenario.arms?.forEach(({ name }, at, arms) => {
    if (arms.findIndex((arm) => arm.name === name) < at)
      throw loaded.fault(
        ['arms', at, 'name'],
        `another arm is named "${name}"`,
        'Give each arm a name of its own.',
      );
  });
  if (scenario.samples && scenario.refinement.per_culture !== undefined)
    throw loaded.fault(
      ['refinement', 'per_culture'],
      'samples.per_culture says already how many samples a culture has',
      'Take one of the two out.',
    );
  for (const id of Object.keys(scenario.models.delegates ?? {}))
    if (!cultureIds().includes(id)) throw loaded.fault(['models', 'delegates', id], unknownCulture(id));
  const pairs = armsOf(scenario).some(
    ({ pairing, protocol }) => pairing === 'in-cultural' && protocol !== 'panel' && protocol !== 'direct',
  );
  if (scenario.models.second_delegate !== undefined && !pairs)
    throw loaded.fault(
      ['models', 'second_delegate'],
      'no dialogue of this scenario has two delegates of one culture',
      'Use `pairing: in-cultural`, or name a model for main_contact or by culture under delegates.',
    );
  const panel = armsOf(scenario).some(({ protocol }) => protocol === 'panel');
  if (panel && cultures.length < PANEL_CULTURES)
    throw loaded.fault(
      ['cultures'],
      'a panel needs at least three cultures',
      'Name more cultures, or choose another protocol.',
    );
  if (panel && scenario.language === 'own')
    throw loaded.fault(
      ['language'],
      'a panel of several cultures speaks English',
      'Use `language: english`.',
    );
  if (countDialogues({ ...plan, runId: '', seed: 0 }) > 0) return;
  const reasons = omissionsOf(plan)
    .slice(0, 5)
    .map(({ reason }) => reason);
  throw loaded.fault(
    ['topics'],
    `no dialogue can be held about ${topics.map(({ id }) => id).join(', ')}: ${reasons.join('; ')}`,
    'See `culturepark survey coverage` for the cells that have answers.',
  );
}

/** Settings that change nothing in the rows. */
const without: readonly (keyof Scenario)[] = [
  'concurrency',
  'requests_per_minute',
  'tokens_per_minute',
  'reply_timeout',
  'max_calls',
  'max_cost',
  'description',
  'models',
  'export',
  'seed',
];

/** Without the keys that are younger than stored runs, where they stand at their defaults: those runs go on. */
const withoutDefaults = <T extends object>(values: T, defaults: Partial<T>): Partial<T> =>
  Object.fromEntries(
    Object.entries(values).filter(
      ([key, value]) =>
        !(key in defaults && JSON.stringify(defaults[key as keyof T]) === JSON.stringify(value)),
    ),
  ) as Partial<T>;

/**
 * What makes two runs the same: scenario, topics, cultures, prompts and models; not budget, concurrency, folders,
 * credentials or logging. A seed counts where somebody gave it.
 */
export function fingerprintOf({ config, props, plan }: Prepared, models: RunModels): string {
  const scenario: Record<string, unknown> = Object.fromEntries(
    Object.entries(config.scenario).filter(([key]) => !without.includes(key as keyof Scenario)),
  );
  // Younger than the others: runs from before it go on.
  if (scenario['personas'] === 'answers') delete scenario['personas'];
  const refinement: Partial<Scenario['refinement']> = withoutDefaults(config.scenario.refinement, {
    keep_extends: false,
    gate: 'off',
  });
  if (refinement.distinctive === 0) delete refinement.distinctive;
  if (Object.keys(refinement.max_share ?? {}).length === 0) delete refinement.max_share;
  if (scenario['embedder'] === 'none') {
    delete scenario['embedder'];
    delete refinement.embedding_threshold;
    delete refinement.embedding_languages;
  }
  scenario['refinement'] = refinement;
  scenario['max_tokens'] = withoutDefaults(config.scenario.max_tokens, { gate: 500 });
  // A cap on dialogues may be raised in the middle of a run.
  if (config.scenario.samples) scenario['samples'] = { ...config.scenario.samples, max_dialogues: undefined };
  const topics = plan.topics.map((topic: Topic) => [
    topic,
    [...props.survey.cells.values()]
      .filter((cell) => cell.topicId === topic.id)
      .map(({ country, counts, weighted }) => [country, counts, ...(weighted ? [weighted] : [])]),
  ]);
  const spoken = Object.entries(models).map(([role, { fallback, ...own }]) => [
    role,
    own.provider,
    own.model,
    ...(own.sampling || fallback ? [samplingOf(own)] : []),
    ...(fallback ? [fallback.provider, fallback.model, samplingOf(fallback)] : []),
  ]);
  return contentHash(
    'run 1',
    JSON.stringify([
      scenario,
      withoutDefaults(config.scenario.export, { exclude_flags: [] }),
      config.scenario.seed ?? null,
      config.cultures,
      topics,
      spoken.sort(),
      props.promptFiles.map(({ hash }) => hash),
    ]),
  );
}
