import { sql, type RawBuilder } from 'kysely';
import type { EXTENDS as Extends } from '../refinement/decide.ts';
import type { Store } from './store.ts';

/** The reason of opinions that are of no answer. */
export const EXTENDS: typeof Extends = 'grounded; extends the topic';

/** Opinions of the delegates that meet a condition, in the stages that stand. */
const counted = (condition: RawBuilder<unknown>): RawBuilder<number> => sql<number>`coalesce(sum((
  SELECT count(*) FROM opinions o JOIN stage_runs r ON r.id = o.stage_run_id AND r.current = 1
  WHERE o.dialogue_id = d.id AND o.persona_id = p.id AND ${condition}
)), 0)`;

/**
 * What came of each answer in a run: its delegates in dialogues that ended well or flagged, and their opinions that were
 * accepted, or only had no place in a quota that was full; by culture, topic, country and answer code, in that order.
 */
export async function yieldsIn(
  store: Store,
  runId: string,
): Promise<
  {
    culture: string;
    topicId: string;
    country: string;
    code: number | null;
    assigned: number;
    accepted: number;
    sound: number;
  }[]
> {
  return store.read
    .selectFrom('dialogues as d')
    .innerJoin('participants as q', 'q.dialogue_id', 'd.id')
    .innerJoin('personas as p', 'p.id', 'q.persona_id')
    .leftJoin('stances as s', (join) =>
      join.onRef('s.persona_id', '=', 'p.id').onRef('s.topic_id', '=', 'd.topic_id'),
    )
    .select((e) => [
      'p.culture',
      'd.topic_id as topicId',
      'p.country',
      's.code',
      e.fn.countAll<number>().as('assigned'),
      counted(sql`o.status = 'accepted' AND o.reason <> ${EXTENDS}`).as('accepted'),
      counted(sql`(o.status = 'accepted' AND o.reason <> ${EXTENDS} OR o.reason = 'quota is full')`).as(
        'sound',
      ),
    ])
    .where('d.run_id', '=', runId)
    .where('q.role', '=', 'delegate')
    .where('d.protocol', '<>', 'control')
    .where('d.status', 'in', ['finished', 'flagged'])
    .groupBy(['p.culture', 'd.topic_id', 'p.country', 's.code'])
    .orderBy('p.culture')
    .orderBy('d.topic_id')
    .orderBy('p.country')
    .orderBy('s.code')
    .execute();
}

/** How many dialogues were planned in the rounds before this one. */
export async function plannedIn(store: Store, runId: string, before: number): Promise<number> {
  const { planned } = await store.read
    .selectFrom('dialogues')
    .select((e) => e.fn.countAll<number>().as('planned'))
    .where('run_id', '=', runId)
    .where('protocol', '<>', 'control')
    .where('round', '<', before)
    .executeTakeFirstOrThrow();
  return planned;
}

/** The last round that dialogues of a run were planned in. */
export async function lastRound(store: Store, runId: string): Promise<number> {
  const { round } = await store.read
    .selectFrom('dialogues')
    .select((e) => e.fn.max<number | null>('round').as('round'))
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  return round ?? 0;
}
