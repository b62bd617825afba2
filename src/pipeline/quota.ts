import { sampleStart, systematicSample } from '../agents/sampling.ts';
import { groupBy } from '../group-by.ts';
import { shuffled } from '../ids.ts';
import { answerShares } from '../survey/mixture.ts';
import type { Topic } from '../survey/types.ts';
import { askedIn, type Peopled, type PlanInput } from './plan.ts';

/** One answer to one topic in one country of a culture; no code where a topic claims no stance. */
export interface Answer {
  culture: string;
  topicId: string;
  country: string;
  code: number | null;
}

/** How many samples of an answer there shall be. */
export interface Quota extends Answer {
  n: number;
}

/** What came of an answer so far: delegates who gave it, their accepted opinions, and those with the ones that a full quota left out. */
export interface AnswerYield extends Answer {
  assigned: number;
  accepted: number;
  sound: number;
}

export const answerKey = ({ culture, topicId, country, code }: Answer): string =>
  `${culture} ${topicId} ${country} ${code ?? ''}`;

/**
 * The quotas of a run: `perCulture` samples a culture, shared out evenly over its topics, and on each topic over the
 * answers as the survey has them, both by systematic sampling with a seeded start: each cell's and answer's quota is the
 * floor or the ceiling of its share, and its expectation the share exactly. Answers with a quota of 0 are left out.
 */
export function quotasOf(
  {
    seed,
    survey,
    cultures,
    topics,
  }: Pick<PlanInput, 'seed' | 'survey' | 'topics'> & {
    cultures: readonly Peopled[];
  },
  perCulture: number,
): Quota[] {
  return cultures.flatMap((culture) => {
    const asked = topics.filter((topic) => askedIn(survey, culture, topic));
    if (asked.length === 0) return [];
    // In an order that no topic is favoured by.
    const order = shuffled(asked, seed, culture.id, 'quota');
    const drawn = systematicSample(
      order.map(() => 1),
      perCulture,
      sampleStart(seed, culture.id, 'quota'),
    );
    const places = groupBy(drawn, (at) => order[at] as Topic);
    return asked.flatMap((topic) =>
      answersOf({ seed, survey }, culture, topic, places.get(topic)?.length ?? 0).map((answer) => ({
        culture: culture.id,
        topicId: topic.id,
        ...answer,
      })),
    );
  });
}

function answersOf(
  { seed, survey }: Pick<PlanInput, 'seed' | 'survey'>,
  culture: Peopled,
  topic: Topic,
  n: number,
): { country: string; code: number | null; n: number }[] {
  const parts = answerShares(survey, culture.countries, topic);
  const drawn = systematicSample(
    parts.map(({ share }) => share),
    n,
    sampleStart(seed, culture.id, topic.id, 'quota'),
  );
  return [...groupBy(drawn, (at) => at)].map(([at, times]) => {
    const { country, code } = parts[at] as (typeof parts)[number];
    return { country, code, n: times.length };
  });
}

/** The answers that are short of their quota, and by how many samples. */
export function shortOf(quotas: readonly Quota[], yields: readonly AnswerYield[]): Quota[] {
  const accepted = new Map(yields.map((row) => [answerKey(row), row.accepted]));
  return quotas
    .map((quota) => ({ ...quota, n: quota.n - (accepted.get(answerKey(quota)) ?? 0) }))
    .filter(({ n }) => n > 0);
}

/** The least sound opinions a delegate that a round is planned with: an answer that never got through is not asked for without end. */
const LEAST_YIELD = 0.25;

/**
 * Delegates to hold further dialogues with: for each answer that is short so many as its missing samples take at the yield
 * (sound opinions a delegate) that its culture had so far, but no more than `room` dialogues, shared out over all
 * answers in turn.
 */
export function wantedFor(short: readonly Quota[], yields: readonly AnswerYield[], room: number): Answer[] {
  const ofCulture = groupBy(yields, ({ culture }) => culture);
  const total = (rows: readonly AnswerYield[], of: 'assigned' | 'sound'): number =>
    rows.reduce((sum, row) => sum + row[of], 0);
  const lists = short.map(({ n, ...answer }) => {
    const rows = ofCulture.get(answer.culture) ?? [];
    const got = Math.max(LEAST_YIELD, total(rows, 'sound') / Math.max(1, total(rows, 'assigned')));
    return Array.from({ length: Math.ceil(n / got) }, () => answer);
  });
  const wanted: Answer[] = [];
  for (let at = 0; wanted.length < room && lists.some((list) => at < list.length); at += 1)
    wanted.push(...lists.flatMap((list) => list[at] ?? []));
  return wanted.slice(0, room);
}
