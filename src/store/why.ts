import type { Selectable } from 'kysely';
import { calibrationOf, promptIn, type CalibrationRow } from './calibrations.ts';
import type { Database } from './schema.ts';
import { reviewsOf, type Review } from './reviews.ts';
import type { Reader } from './store.ts';

type Table<T extends keyof Database> = Selectable<Database[T]>;

/** A verdict with the stage that it was given in and who gave it; `current` is false where a later refinement replaced it. */
export interface VerdictRecord extends Table<'verdicts'> {
  stage: string;
  provider: string;
  scripted: boolean;
  current: boolean;
  /** What its judge is worth in the language of the dialogue; undefined for one that was never calibrated so. */
  calibration: CalibrationRow | undefined;
}

/** Where an opinion stands among its near-duplicates. */
interface Membership {
  cluster_id: string;
  method: string;
  similarity: number;
  representative: boolean;
  /** The opinion that stands for the cluster, and how many members there are. */
  represented_by: string;
  size: number;
}

/** An opinion with all that was found about it. */
export interface OpinionRecord extends Omit<Table<'opinions'>, 'flags'> {
  /** By the extractor; null where it was not asked. */
  flags: string[] | null;
  /** Whether its turn shows understanding of another culture, as the extractor saw it. */
  understands: boolean;
  /** What people said of its words, the newest first. */
  reviews: Review[];
  /** False where a later refinement took the place of the one that made it. */
  current: boolean;
  verdicts: VerdictRecord[];
  cluster: Membership | null;
  rewrites: { id: string; text: string; status: string; reason: string | null }[];
  samples: Table<'samples'>[];
  /** True where the scripted model spoke, extracted or judged. */
  scripted: boolean;
}

/** The opinions of a dialogue that stand, in (turn, key) order; or those with some ids, whether they stand or not. */
export async function opinionRecords(
  read: Reader,
  which: { dialogueId: string } | { ids: readonly string[] },
): Promise<OpinionRecord[]> {
  const query = read
    .selectFrom('opinions as o')
    .innerJoin('stage_runs as s', 's.id', 'o.stage_run_id')
    .innerJoin('turns as t', (join) =>
      join.onRef('t.dialogue_id', '=', 'o.dialogue_id').onRef('t.idx', '=', 'o.turn_idx'),
    )
    .innerJoin('calls as spoken', 'spoken.id', 't.call_id')
    .innerJoin('calls as made', 'made.id', 'o.call_id')
    .selectAll('o')
    .select(['s.current', 'spoken.scripted as spoken_scripted', 'made.scripted as made_scripted'])
    .select((e) =>
      e
        .selectFrom('turn_marks as m')
        .innerJoin('stage_runs as x', 'x.id', 'm.stage_run_id')
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .whereRef('m.dialogue_id', '=', 'o.dialogue_id')
        .whereRef('m.turn_idx', '=', 'o.turn_idx')
        .where('m.mark', '=', 'understands')
        .where('x.current', '=', 1)
        .as('understands'),
    );
  const rows = await (
    'dialogueId' in which
      ? query.where('o.dialogue_id', '=', which.dialogueId).where('s.current', '=', 1)
      : query.where('o.id', 'in', which.ids)
  )
    .orderBy('o.turn_idx')
    .orderBy('o.key')
    .execute();
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const verdicts = await verdictRecords(read, ids);
  const memberships = await membershipsOf(read, ids);
  const rewrites = await read
    .selectFrom('opinions as o')
    .innerJoin('stage_runs as s', 's.id', 'o.stage_run_id')
    .select(['o.id', 'o.text', 'o.status', 'o.reason', 'o.rewrite_of'])
    .where('o.rewrite_of', 'in', ids)
    .where('s.current', '=', 1)
    .execute();
  const samples = await read
    .selectFrom('samples')
    .selectAll()
    .where('opinion_id', 'in', ids)
    .orderBy('id')
    .execute();
  const reviews = new Map<string, Review[]>();
  for (const id of ids) reviews.set(id, await reviewsOf(read, id));
  return rows.map(({ current, spoken_scripted, made_scripted, flags, understands, ...row }) => {
    const own = verdicts.filter(({ opinion_id }) => opinion_id === row.id);
    return {
      ...row,
      flags: flags === null ? null : (JSON.parse(flags) as string[]),
      understands: (understands ?? 0) > 0,
      reviews: reviews.get(row.id) ?? [],
      current: current === 1,
      verdicts: own,
      cluster: memberships.get(row.id) ?? null,
      rewrites: rewrites
        .filter(({ rewrite_of }) => rewrite_of === row.id)
        .map(({ id, text, status, reason }) => ({ id, text, status, reason })),
      samples: samples.filter(({ opinion_id }) => opinion_id === row.id),
      scripted: spoken_scripted + made_scripted > 0 || own.some(({ scripted }) => scripted),
    };
  });
}

/** The verdicts on some opinions: those that stand first, then by stage in time. */
async function verdictRecords(read: Reader, opinionIds: readonly string[]): Promise<VerdictRecord[]> {
  const rows = await read
    .selectFrom('verdicts as v')
    .innerJoin('stage_runs as s', 's.id', 'v.stage_run_id')
    .innerJoin('calls as c', 'c.id', 'v.call_id')
    .innerJoin('opinions as o', 'o.id', 'v.opinion_id')
    .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
    .selectAll('v')
    .select(['s.stage', 's.current', 's.settings', 'c.provider', 'c.scripted', 'd.language'])
    .where('v.opinion_id', 'in', opinionIds)
    .orderBy('s.current', 'desc')
    .orderBy('s.created_at')
    .orderBy('v.model')
    .orderBy('v.call_id')
    .execute();
  const known = new Map<string, Promise<CalibrationRow | undefined>>();
  return Promise.all(
    rows.map(async ({ settings, language, ...row }) => {
      const { provider, model } = row;
      const judge = { role: 'verifier', provider, model, prompt: promptIn(settings), language } as const;
      const key = JSON.stringify(judge);
      if (!known.has(key)) known.set(key, calibrationOf(read, judge));
      const calibration = await known.get(key);
      return { ...row, scripted: row.scripted === 1, current: row.current === 1, calibration };
    }),
  );
}

/** By opinion, its place in the clusters that stand. */
async function membershipsOf(read: Reader, opinionIds: readonly string[]): Promise<Map<string, Membership>> {
  const rows = await read
    .selectFrom('cluster_members as m')
    .innerJoin('clusters as k', 'k.id', 'm.cluster_id')
    .innerJoin('stage_runs as s', 's.id', 'k.stage_run_id')
    .select((e) => [
      'm.cluster_id',
      'm.opinion_id',
      'm.method',
      'm.similarity',
      'm.representative',
      e
        .selectFrom('cluster_members as r')
        .select('r.opinion_id')
        .whereRef('r.cluster_id', '=', 'm.cluster_id')
        .where('r.representative', '=', 1)
        .limit(1)
        .as('represented_by'),
      e
        .selectFrom('cluster_members as r')
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .whereRef('r.cluster_id', '=', 'm.cluster_id')
        .as('size'),
    ])
    .where('m.opinion_id', 'in', opinionIds)
    .where('s.current', '=', 1)
    .execute();
  return new Map(
    rows.map(({ opinion_id, represented_by, size, ...row }) => [
      opinion_id,
      {
        ...row,
        representative: row.representative === 1,
        represented_by: represented_by ?? opinion_id,
        size: size ?? 1,
      },
    ]),
  );
}
