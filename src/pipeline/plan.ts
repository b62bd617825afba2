import { samplePersonas, type PersonaPlan } from '../agents/personas.ts';
import { samplePeople, type People } from '../agents/respondents.ts';
import type { Culture, Persona } from '../agents/types.ts';
import { shortId, shuffled } from '../ids.ts';
import { mixture } from '../survey/mixture.ts';
import type { Survey, Topic } from '../survey/types.ts';
import type { PlannedDialogue } from '../store/dialogues.ts';
import type { Answer } from './quota.ts';
import { armsOf, type Arm, type Scenario } from './scenario.ts';

export interface PlanInput {
  runId: string;
  seed: number;
  scenario: Scenario;
  survey: Survey;
  cultures: readonly Culture[];
  topics: readonly Topic[];
  mainContact: Culture;
  /** The main contact's culture for delegates of its own. */
  mainContactInstead: Culture;
  /** The respondents that delegates stand for; left out where their stances are drawn topic by topic. */
  people?: People | undefined;
  /** A further round, for answers that are short of their quota; else the first round, for all cells alike. */
  further?: { round: number; wanted: readonly Answer[] };
}

/** A cell that no dialogue is about, and why. */
export interface Omission {
  culture: string;
  topicId: string;
  reason: string;
}

/** Cultures that a panel needs. */
export const PANEL_CULTURES = 3;

/** The cells that have no answers (no stance is invented for them), and those left without company for a panel. */
export function omissionsOf({
  scenario,
  survey,
  cultures,
  topics,
}: Pick<PlanInput, 'scenario' | 'survey' | 'cultures' | 'topics'>): Omission[] {
  const panelsOnly = armsOf(scenario).every(({ protocol }) => protocol === 'panel');
  const company = new Map(
    topics.map((topic) => [topic, cultures.filter((culture) => askedIn(survey, culture, topic)).length]),
  );
  return cultures.flatMap((culture) =>
    topics.flatMap((topic) => {
      const countries = culture.countries.map(({ code }) => code).join(', ');
      const asked = company.get(topic) as number;
      const reason = !askedIn(survey, culture, topic)
        ? `nobody was asked ${topic.id} in ${countries}`
        : panelsOnly && asked < PANEL_CULTURES
          ? `a panel needs ${PANEL_CULTURES} cultures, and ${topic.id} was asked in ${asked} of these`
          : null;
      return reason === null ? [] : [{ culture: culture.id, topicId: topic.id, reason }];
    }),
  );
}

/** What an answer's share of a culture goes by. */
export interface Peopled {
  id: string;
  countries: readonly { code: string; weight: number }[];
}

/** Whether anybody of the culture was asked, or no stance is claimed. */
export function askedIn(survey: Survey, culture: Peopled, topic: Topic): boolean {
  return topic.scale === null || mixture(survey, culture.countries, topic.id) !== null;
}

/** All dialogues of a round, arm by arm and topic by topic; the same input gives the same dialogues. */
export function* planDialogues(input: PlanInput): Generator<PlannedDialogue> {
  for (const arm of armsOf(input.scenario)) {
    for (const topic of input.topics) {
      const asked = input.cultures.filter((culture) => askedIn(input.survey, culture, topic));
      const cultures = asked.filter((culture) => countFor(input, arm, topic, culture) > 0);
      if (arm.protocol === 'panel') yield* panels(input, arm, topic, asked);
      else if (arm.protocol === 'direct') yield* alone(input, arm, topic, cultures);
      else if (arm.pairing === 'in-cultural') yield* withinCultures(input, arm, topic, cultures);
      else yield* acrossCultures(input, arm, topic, cultures);
    }
  }
}

/** Number of dialogues that planDialogues yields. */
export function countDialogues(input: PlanInput): number {
  let n = 0;
  // Whoever they are: nobody has to be drawn for it.
  for (const _ of planDialogues({ ...input, people: undefined })) n += 1;
  return n;
}

/** The answers that an arm's delegates of a culture shall give on a topic; undefined where the survey decides. */
function wantedOf(input: PlanInput, arm: Arm, topic: Topic, culture: Culture): readonly Answer[] | undefined {
  if (!input.further) return undefined;
  const arms = armsOf(input.scenario);
  const at = arms.findIndex(({ name }) => name === arm.name);
  return input.further.wanted
    .filter((answer) => answer.culture === culture.id && answer.topicId === topic.id)
    .filter((_, k) => k % arms.length === at);
}

/** Delegates of a culture that speak on a topic in an arm. */
function countFor(input: PlanInput, arm: Arm, topic: Topic, culture: Culture): number {
  const seats = perDialogue(arm);
  const wanted = wantedOf(input, arm, topic, culture);
  return wanted ? Math.ceil(wanted.length / seats) * seats : delegatesIn(input.scenario, arm);
}

/** Delegates of one culture in a dialogue. */
const perDialogue = ({ protocol, pairing }: Arm): number =>
  protocol !== 'panel' && protocol !== 'direct' && pairing === 'in-cultural' ? 2 : 1;

/** Delegates of a culture that speak on each topic in an arm's first round. */
export const delegatesIn = (
  { dialogues_per_cell: n }: Pick<Scenario, 'dialogues_per_cell'>,
  arm: Arm,
): number => n * perDialogue(arm);

/** A culture's delegates on a topic: those that a quota asks for, or as the survey has them. */
function delegatesOf(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  culture: Culture,
  language: string,
  gender?: (k: number) => 'female' | 'male',
): Persona[] {
  const n = countFor(input, arm, topic, culture);
  const wanted = wantedOf(input, arm, topic, culture);
  return draw(input, arm, topic, culture, 'delegate', n, language, {
    ...(gender ? { gender } : {}),
    // An odd one out talks to somebody of the same answer.
    ...(wanted
      ? { answers: Array.from({ length: n }, (_, k) => wanted[k] ?? (wanted.at(-1) as Answer)) }
      : {}),
  });
}

type Seat = PlannedDialogue['seats'][number];
const delegate = (persona: Persona): Seat => ({ role: 'delegate', persona });

function* acrossCultures(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  cultures: readonly Culture[],
): Generator<PlannedDialogue> {
  const openers = mainContacts(input, arm, topic, cultures);
  for (const culture of cultures) {
    const delegates = delegatesOf(input, arm, topic, culture, languageOf(input, culture));
    for (const [ordinal, persona] of delegates.entries()) {
      const opener = openers(culture);
      yield dialogue(input, arm, topic, culture.id, languageOf(input, culture), ordinal, [
        { role: 'main_contact', persona: opener },
        delegate(persona),
      ]);
    }
  }
}

/** Main contacts for all dialogues on a topic, drawn together so that their answers too are spread as the survey's. */
function mainContacts(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  cultures: readonly Culture[],
): (delegates: Culture) => Persona {
  const hosts = new Map<string, Persona[]>();
  const hostOf = (culture: Culture): Culture =>
    culture.id === input.mainContact.id ? input.mainContactInstead : input.mainContact;
  for (const host of new Set(cultures.map(hostOf))) {
    const guests = cultures.filter((culture) => hostOf(culture) === host);
    const n = guests.reduce((sum, guest) => sum + countFor(input, arm, topic, guest), 0);
    hosts.set(host.id, draw(input, arm, topic, host, 'main_contact', n, 'en'));
  }
  // Where the main contact's own country was not asked it has no stance.
  return (culture) => hosts.get(hostOf(culture).id)?.shift() as Persona;
}

function* withinCultures(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  cultures: readonly Culture[],
): Generator<PlannedDialogue> {
  for (const culture of cultures) {
    const language = languageOf(input, culture);
    // A woman and a man, who opens in turn.
    const gender = (k: number) =>
      ((k + Math.floor(k / 2)) % 2 === 0 ? 'female' : 'male') as 'female' | 'male';
    const people = delegatesOf(input, arm, topic, culture, language, gender);
    for (let ordinal = 0; ordinal < people.length / 2; ordinal += 1) {
      const pair = people.slice(2 * ordinal, 2 * ordinal + 2).map(delegate);
      yield dialogue(input, arm, topic, culture.id, language, ordinal, pair);
    }
  }
}

function* alone(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  cultures: readonly Culture[],
): Generator<PlannedDialogue> {
  for (const culture of cultures) {
    const language = languageOf(input, culture);
    const people = delegatesOf(input, arm, topic, culture, language);
    for (const [ordinal, persona] of people.entries())
      yield dialogue(input, arm, topic, culture.id, language, ordinal, [delegate(persona)]);
  }
}

/** Every culture takes part `dialogues_per_cell` times; who meets whom changes from one time to the next. */
function* panels(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  cultures: readonly Culture[],
): Generator<PlannedDialogue> {
  const { panel_size: size } = input.scenario;
  if (cultures.length < PANEL_CULTURES) return;
  const n = Math.max(...cultures.map((culture) => countFor(input, arm, topic, culture)));
  const people = new Map(
    cultures.map((culture) => {
      const seated = delegatesOf(input, arm, topic, culture, 'en');
      // In a further round those without a quota keep the others company, as the survey has them.
      const company = draw(input, arm, topic, culture, 'company', n - seated.length, 'en');
      return [culture.id, [...seated, ...company]];
    }),
  );
  for (let time = 0; time < n; time += 1) {
    const order = shuffled(cultures, input.seed, arm.name, topic.id, ...panelOf(input), time);
    const tables = Math.max(1, Math.floor(order.length / size));
    for (let table = 0; table < tables; table += 1) {
      const seated = order.filter((_, at) => at % tables === table);
      const seats: Seat[] = [
        { role: 'moderator', persona: null },
        ...seated.map((culture) => delegate(people.get(culture.id)?.[time] as Persona)),
      ];
      const names = seated.map(({ id }) => id).sort();
      yield dialogue(input, arm, topic, names.join('+'), 'en', time, seats);
    }
  }
}

/** Tells the seating of one round's panels from another's. */
const panelOf = ({ further }: PlanInput): (string | number)[] =>
  further ? ['panel', 'round', further.round] : ['panel'];

function languageOf({ scenario }: PlanInput, culture: Culture): string {
  return scenario.language === 'own' ? culture.language : 'en';
}

function draw(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  culture: Culture,
  role: string,
  n: number,
  language: string,
  fixed: Pick<PersonaPlan, 'gender' | 'answers'> = {},
): Persona[] {
  const plan = {
    runId: input.runId,
    seed: input.seed,
    culture,
    topic,
    group: `${arm.name} ${role} ${input.further?.round ?? 0}`,
    n,
    language,
    ...fixed,
  };
  // A main contact carries the conversation, and no row is made of what it says.
  if (input.people && role !== 'main_contact')
    return samplePeople(input.survey, { ...plan, people: input.people, topics: input.topics });
  return (
    samplePersonas(input.survey, plan) ??
    (samplePersonas(input.survey, { ...plan, topic: { ...topic, scale: null } }) as Persona[])
  );
}

function dialogue(
  input: PlanInput,
  arm: Arm,
  topic: Topic,
  cultures: string,
  language: string,
  ordinal: number,
  seats: readonly Seat[],
): PlannedDialogue {
  const key = shortId(
    'dialogue',
    // Of a respondent's dialogue no key, and so no id or order of rows, can be worked out without the database.
    input.people ? shortId(input.people.secret, input.seed) : input.seed,
    arm.name,
    arm.protocol,
    arm.pairing,
    topic.id,
    cultures,
    language,
    input.further?.round ?? 0,
    ordinal,
  );
  return {
    row: {
      id: shortId(input.runId, key),
      key,
      run_id: input.runId,
      topic_id: topic.id,
      arm: arm.name,
      protocol: arm.protocol,
      pairing: arm.pairing,
      language,
      turn_count: arm.turns,
      ordinal,
      round: input.further?.round ?? 0,
    },
    seats,
  };
}
