import { groupBy } from '../group-by.ts';
import { cellKey, pick, shortId, shuffled } from '../ids.ts';
import { balancedSample } from '../survey/balanced.ts';
import { answerShares } from '../survey/mixture.ts';
import type { Survey, Topic } from '../survey/types.ts';
import type { PersonaPlan } from './personas.ts';
import { sampleStart, systematicSample } from './sampling.ts';
import {
  ageBands,
  genders,
  type AgeBand,
  type Culture,
  type Education,
  type Gender,
  type Persona,
} from './types.ts';

/** One respondent of an imported survey, as far as personas need it. */
export interface Person {
  surveyId: string;
  /** Its place in the file; nothing that leaves the database may tell it. */
  number: number;
  country: string;
  weight: number;
  ageBand: AgeBand | null;
  gender: Gender | null;
  education: Education | null;
  /** Answer codes by topic id; a missing answer is not there. */
  answers: ReadonlyMap<string, number>;
}

/** The respondents that personas can stand for. */
export interface People {
  /** Mixed into each draw and key; the database's own. */
  secret: string;
  byCountry: ReadonlyMap<string, readonly Person[]>;
  /** Topics that they were asked. */
  items: ReadonlySet<string>;
}

export interface PeoplePlan extends PersonaPlan {
  people: People;
  /** All topics of the run: those that a person may speak on. */
  topics: readonly Topic[];
}

/**
 * The fewest people of a country that speak on several topics. Fewer could be put together again from the rows of an
 * export by their country alone: there each topic has people of its own.
 */
export const LEAST_TOGETHER = 10;

/** The countries of a culture that get people who speak on several topics, where n speak on each. */
export function countriesTogether(
  { countries }: Pick<Culture, 'countries'>,
  n: number,
): Culture['countries'] {
  const total = countries.reduce((sum, { weight }) => sum + weight, 0);
  return countries.filter(({ weight }) => (n * weight) / total >= LEAST_TOGETHER);
}

/** The people who can be drawn: who weighs nothing stands for nobody. */
export const drawable = ({ byCountry }: People, country: string): readonly Person[] =>
  (byCountry.get(country) ?? []).filter(({ weight }) => weight > 0);

const answersOn = ({ answers }: Person, { id, scale }: Topic): boolean => scale === null || answers.has(id);
const codeOn = ({ answers }: Person, { id, scale }: Topic): number | null =>
  scale === null ? null : (answers.get(id) ?? null);

type Part = string | number;

interface Seated {
  person: Person;
  /** What the persona's key is made of. */
  who: readonly Part[];
}

/**
 * n personas for one topic, each a respondent who answered it. First come the people of the group, the same on every topic
 * (`together`); those of them without an answer have no seat here, and each seat that is left goes to somebody else who
 * answered, drawn by weight so that the answers come out as the survey has them. In an order that is the topic's own.
 */
export function samplePeople(survey: Survey, plan: PeoplePlan): Persona[] {
  const { people, seed, culture, topic, group } = plan;
  const parts = [people.secret, seed, culture.id, group] as const;
  const seated = plan.answers
    ? fill(plan, plan.answers, [], [...parts, topic.id, 'asked for'])
    : seatedOn(survey, plan, parts);
  const order = shuffled(seated, ...parts, topic.id, 'seats');
  return paired(
    order.map((one) => personaOf(plan, one)),
    plan.gender,
  );
}

/** The people of the group who answered the topic, and others for the seats that are left. */
function seatedOn(survey: Survey, plan: PeoplePlan, parts: readonly Part[]): Seated[] {
  const { people, culture, topic, n } = plan;
  const first = together(survey, plan, parts).filter(({ person }) => answersOn(person, topic));
  if (first.length >= n) return first;
  const shares = answerShares(survey, culture.countries, topic).filter(
    (answer) => whoAnswered(people, topic, answer).length > 0,
  );
  const missing = shares.map(({ country, code, share }) => {
    const got = first.filter(({ person }) => person.country === country && codeOn(person, topic) === code);
    return Math.max(0, n * share - got.length);
  });
  const drawn = systematicSample(missing, n - first.length, sampleStart(...parts, topic.id));
  const answers = drawn.map((at) => shares[at] as (typeof shares)[number]);
  return [...first, ...fill(plan, answers, first, [...parts, topic.id, 'instead'])];
}

/** The people of each group: the same for all topics, and for whoever plans again. */
const drawnTogether = new WeakMap<People, Map<string, Seated[]>>();

function together(survey: Survey, plan: PeoplePlan, parts: readonly Part[]): Seated[] {
  const known = drawnTogether.get(plan.people) ?? new Map<string, Seated[]>();
  drawnTogether.set(plan.people, known);
  const key = JSON.stringify([...parts, plan.n, plan.topics.map(({ id }) => id)]);
  const drawn = known.get(key) ?? drawTogether(survey, plan, parts);
  known.set(key, drawn);
  return drawn;
}

/** People who speak on every topic that they answered: a balanced sample by weight over age, gender, education and all answers. */
function drawTogether(
  survey: Survey,
  { people, culture, topics, n }: PeoplePlan,
  parts: readonly Part[],
): Seated[] {
  const total = culture.countries.reduce((sum, { weight }) => sum + weight, 0);
  const pool = countriesTogether(culture, n).flatMap(({ code, weight }) => {
    const own = drawable(people, code).filter((person) => topics.some((topic) => answersOn(person, topic)));
    const all = own.reduce((sum, person) => sum + person.weight, 0);
    return own.map((person) => ({ person, expected: ((n * weight) / total) * (person.weight / all) }));
  });
  const numbers = new Map<string, number>();
  const numberOf = (trait: string): number => {
    if (!numbers.has(trait)) numbers.set(trait, numbers.size);
    return numbers.get(trait) as number;
  };
  const times = balancedSample(
    pool.map(({ expected }) => expected),
    pool.map(({ person }) => traitsOf(survey, topics, person).map(numberOf)),
    ...parts,
  );
  return pool
    .flatMap(({ person }, at) => Array.from({ length: times[at] as number }, () => person))
    .map((person, k) => ({ person, who: [...parts, 'together', k] }));
}

function traitsOf(survey: Survey, topics: readonly Topic[], person: Person): string[] {
  const { country, ageBand, gender, education, answers } = person;
  return [
    `country ${country}`,
    ...[ageBand, gender, education].flatMap((trait) => (trait === null ? [] : [`is ${trait}`])),
    ...topics.flatMap(({ id, scale }) => {
      if (scale === null || !answers.has(id)) return [];
      // Countries that were shown other answers are balanced apart.
      return [`${id} ${survey.cells.get(cellKey(id, country))?.scale.id} ${answers.get(id)}`];
    }),
  ];
}

type Answer = { country: string; code: number | null };

const answered = new WeakMap<People, Map<string, Map<number | null, Person[]>>>();

/** Who can be drawn for an answer; looked up once a country and topic. */
function whoAnswered(people: People, topic: Topic, { country, code }: Answer): readonly Person[] {
  const known = answered.get(people) ?? new Map<string, Map<number | null, Person[]>>();
  answered.set(people, known);
  const key = cellKey(topic.id, country);
  const found =
    known.get(key) ??
    groupBy(
      drawable(people, country).filter((person) => answersOn(person, topic)),
      (person) => codeOn(person, topic),
    );
  known.set(key, found);
  return found.get(code) ?? [];
}

/** Somebody for each answer, by weight among those who gave it; as far as there are others, nobody who is seated already. */
function fill(
  { people, topic }: PeoplePlan,
  answers: readonly Answer[],
  seated: readonly Seated[],
  parts: readonly Part[],
): Seated[] {
  const taken = new Set(seated.map(({ person }) => person));
  const lists = new Map<string, { places: number[]; answer: Answer }>();
  answers.forEach((answer, k) => {
    const key = JSON.stringify([answer.country, answer.code]);
    const list = lists.get(key) ?? { places: [], answer };
    list.places.push(k);
    lists.set(key, list);
  });
  const found: Seated[] = [];
  for (const [key, { places, answer }] of lists) {
    const all = whoAnswered(people, topic, answer);
    const others = all.filter((person) => !taken.has(person));
    const from = shuffled(others.length > 0 ? others : all, ...parts, key);
    if (from.length === 0)
      throw new RangeError(`nobody in ${answer.country} answered ${topic.id} with ${answer.code}`);
    const drawn = systematicSample(
      from.map(({ weight }) => weight),
      places.length,
      sampleStart(...parts, key),
    );
    places.forEach((k, at) => {
      found[k] = { person: from[drawn[at] as number] as Person, who: [...parts, k] };
    });
  }
  return found;
}

/** A respondent as a persona: its name is invented, and so is an age band or a gender that the survey has not. */
function personaOf({ culture, runId, topic, language }: PeoplePlan, { person, who }: Seated): Persona {
  const key = shortId('persona', ...who);
  const ageBand = person.ageBand ?? pick(ageBands, key, 'age');
  const gender = person.gender ?? pick(genders, key, 'gender');
  const country = culture.countries.find(
    ({ code }) => code === person.country,
  ) as Culture['countries'][number];
  const names = language === culture.language ? country.namesOwn : country.names;
  const code = codeOn(person, topic);
  return {
    id: shortId(runId, key),
    key,
    culture: culture.id,
    country: person.country,
    name: pick(names[gender][ageBand], key, 'name'),
    ageBand,
    gender,
    ...(person.education === null ? {} : { education: person.education }),
    stances: new Map(code === null ? [] : [[topic.id, code]]),
    respondent: { surveyId: person.surveyId, number: person.number },
  };
}

/** Personas in an order of genders, as far as there are so many of each. */
function paired(personas: Persona[], gender: PersonaPlan['gender']): Persona[] {
  if (!gender) return personas;
  const left = new Map(genders.map((one) => [one, personas.filter((persona) => persona.gender === one)]));
  return personas.map((_, k) => {
    const wanted = left.get(gender(k)) as Persona[];
    const others = left.get(gender(k) === 'female' ? 'male' : 'female') as Persona[];
    return (wanted.shift() ?? others.shift()) as Persona;
  });
}
