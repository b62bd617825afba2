import type { OpinionFlag } from '../refinement/types.ts';
import type { Store } from './store.ts';

/** An accepted opinion with what its sample needs to know. */
export interface AcceptedRow {
  opinionId: string;
  key: string;
  /** As it is exported: a person's edit in the place of its words. */
  text: string;
  edited: boolean;
  /** Why it was accepted. */
  reason: string | null;
  flags: OpinionFlag[] | null;
  rewriteOf: string | null;
  dialogueId: string;
  language: string;
  topicId: string;
  culture: string;
  country: string;
  stanceCode: number | null;
  scale: string | null;
  personaName: string;
  /** True where the scripted model spoke, extracted or judged. */
  scripted: number;
}

/** The accepted opinions of a run in key order, a page at a time. */
export async function* acceptedOpinions(store: Store, runId: string): AsyncGenerator<AcceptedRow> {
  let after = '';
  for (;;) {
    const page = await store.read
      .selectFrom('opinions as o')
      .innerJoin('stage_runs as r', 'r.id', 'o.stage_run_id')
      .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
      .innerJoin('turns as t', (join) =>
        join.onRef('t.dialogue_id', '=', 'o.dialogue_id').onRef('t.idx', '=', 'o.turn_idx'),
      )
      .innerJoin('calls as spoken', 'spoken.id', 't.call_id')
      .innerJoin('calls as made', 'made.id', 'o.call_id')
      .innerJoin('personas as p', 'p.id', 'o.persona_id')
      .leftJoin('stances as s', (join) =>
        join.onRef('s.persona_id', '=', 'o.persona_id').onRef('s.topic_id', '=', 'd.topic_id'),
      )
      .leftJoin('cells as c', (join) =>
        join
          .onRef('c.topic_id', '=', 'd.topic_id')
          .onRef('c.country', '=', 'p.country')
          .onRef('c.code', '=', 's.code'),
      )
      .select((e) => [
        'o.id as opinionId',
        'o.key',
        'o.text',
        'o.edited',
        'o.reason',
        'o.flags',
        'o.rewrite_of as rewriteOf',
        'd.id as dialogueId',
        'd.language',
        'd.topic_id as topicId',
        'p.culture',
        'p.country',
        'p.name as personaName',
        's.code as stanceCode',
        'c.scale',
        e
          .case()
          .when(
            e.or([
              e('spoken.scripted', '=', 1),
              e('made.scripted', '=', 1),
              e.exists(
                e
                  .selectFrom('verdicts as v')
                  .innerJoin('stage_runs as vr', 'vr.id', 'v.stage_run_id')
                  .innerJoin('calls as judged', 'judged.id', 'v.call_id')
                  .select('v.verdict')
                  .whereRef('v.opinion_id', '=', 'o.id')
                  .where('vr.current', '=', 1)
                  .where('judged.scripted', '=', 1),
              ),
            ]),
          )
          .then(1)
          .else(0)
          .end()
          .as('scripted'),
      ])
      .where('d.run_id', '=', runId)
      .where('o.status', '=', 'accepted')
      .where('r.current', '=', 1)
      .where('o.key', '>', after)
      .orderBy('o.key')
      .limit(2000)
      .execute();
    yield* page.map(({ text, edited, flags, ...row }) => ({
      ...row,
      text: edited ?? text,
      edited: edited !== null,
      flags: flags === null ? null : (JSON.parse(flags) as OpinionFlag[]),
    }));
    const last = page.at(-1);
    if (!last || page.length < 2000) return;
    after = last.key;
  }
}

export interface SampleRow {
  id: string;
  run_id: string;
  opinion_id: string;
  kind: string;
  culture: string;
  language: string;
  split: string;
  status: string;
  tokens: number | null;
}

/** Stores exported samples; one that stood there already takes the new split and status. */
export async function saveSamples(store: Store, rows: readonly SampleRow[]): Promise<void> {
  await store.write(async (trx) => {
    for (const row of rows) {
      await trx
        .insertInto('samples')
        .values(row)
        .onConflict((conflict) =>
          conflict.column('id').doUpdateSet({
            split: row.split,
            status: row.status,
            language: row.language,
            tokens: row.tokens,
          }),
        )
        .execute();
    }
  });
}

/** Before an export: the samples of the run are withdrawn until the export takes them up again. */
export async function withdrawSamples(store: Store, runId: string): Promise<void> {
  await store.write((trx) =>
    trx.updateTable('samples').set({ status: 'withdrawn' }).where('run_id', '=', runId).execute(),
  );
}

/** How a run's opinions of each culture ended, with the reason. */
export async function funnel(
  store: Store,
  runId: string,
): Promise<{ culture: string; status: string; reason: string | null; opinions: number }[]> {
  return store.read
    .selectFrom('opinions as o')
    .innerJoin('stage_runs as r', 'r.id', 'o.stage_run_id')
    .innerJoin('personas as p', 'p.id', 'o.persona_id')
    .select((e) => ['p.culture', 'o.status', 'o.reason', e.fn.countAll<number>().as('opinions')])
    .where('r.run_id', '=', runId)
    .where('r.current', '=', 1)
    .groupBy(['p.culture', 'o.status', 'o.reason'])
    .orderBy('p.culture')
    .orderBy('opinions', 'desc')
    .execute();
}

export async function omissionsIn(
  store: Store,
  runId: string,
): Promise<{ culture: string; topic_id: string; reason: string }[]> {
  return store.read
    .selectFrom('omissions')
    .select(['culture', 'topic_id', 'reason'])
    .where('run_id', '=', runId)
    .orderBy('culture')
    .orderBy('topic_id')
    .execute();
}
