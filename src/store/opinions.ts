import type { Selectable } from 'kysely';
import type { Opinion, OpinionClass, OpinionFlag, StageName, Verdict } from '../refinement/types.ts';
import type { Polarity } from '../survey/types.ts';
import { shortId } from '../ids.ts';
import { groupBy } from '../group-by.ts';
import { cleanText } from '../clean-text.ts';
import type { Database } from './schema.ts';
import type { Reader, Store, Trx } from './store.ts';

export type StageRun = Selectable<Database['stage_runs']>;
type OpinionRow = Selectable<Database['opinions']>;

/**
 * The stage run with these settings on this input, made when it is new; it becomes the run's current one of its stage,
 * and what stood for the stage and those after it before is current no longer (nothing is deleted).
 */
export async function openStage(
  store: Store,
  stage: {
    runId: string;
    stage: StageName;
    after: readonly StageName[];
    fingerprint: string;
    settings: unknown;
    input: string | null;
  },
): Promise<StageRun> {
  const id = shortId(stage.runId, stage.stage, stage.fingerprint, stage.input ?? '');
  await store.write(async (trx) => {
    await trx
      .insertInto('stage_runs')
      .values({
        id,
        run_id: stage.runId,
        stage: stage.stage,
        fingerprint: stage.fingerprint,
        settings: JSON.stringify(stage.settings),
        input: stage.input,
        status: 'running',
        current: 1,
        created_at: Date.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const current = await trx
      .selectFrom('stage_runs')
      .select('current')
      .where('id', '=', id)
      .executeTakeFirst();
    const others = await trx
      .selectFrom('stage_runs')
      .select('id')
      .where('run_id', '=', stage.runId)
      .where('stage', '=', stage.stage)
      .where('current', '=', 1)
      .where('id', '<>', id)
      .execute();
    if (current?.current === 1 && others.length === 0) return;
    await trx
      .updateTable('stage_runs')
      .set({ current: 0 })
      .where('run_id', '=', stage.runId)
      .where('stage', 'in', [stage.stage, ...stage.after])
      .execute();
    await trx.updateTable('stage_runs').set({ current: 1 }).where('id', '=', id).execute();
  });
  return store.read.selectFrom('stage_runs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** Takes up the stages of a run again, for the dialogues of a further round. */
export async function reopenStages(trx: Trx, runId: string): Promise<void> {
  await trx
    .updateTable('stage_runs')
    .set({ status: 'running' })
    .where('run_id', '=', runId)
    .where('current', '=', 1)
    .execute();
}

/** The stage run that stands for a stage; undefined where it has not begun. */
export async function currentStage(
  read: Reader,
  runId: string,
  stage: StageName,
): Promise<StageRun | undefined> {
  return read
    .selectFrom('stage_runs')
    .selectAll()
    .where('run_id', '=', runId)
    .where('stage', '=', stage)
    .where('current', '=', 1)
    .executeTakeFirst();
}

export async function finishStage(store: Store, id: string): Promise<void> {
  await store.write((trx) =>
    trx.updateTable('stage_runs').set({ status: 'finished' }).where('id', '=', id).execute(),
  );
}

/** Marks a stage as done with a dialogue; `note` says what came of it when nothing did. */
export async function markDialogue(
  trx: Trx,
  stageRunId: string,
  dialogueId: string,
  note: string | null,
): Promise<void> {
  await trx
    .insertInto('stage_dialogues')
    .values({ stage_run_id: stageRunId, dialogue_id: dialogueId, note })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function isMarked(read: Reader, stageRunId: string, dialogueId: string): Promise<boolean> {
  const row = await read
    .selectFrom('stage_dialogues')
    .select('note')
    .where('stage_run_id', '=', stageRunId)
    .where('dialogue_id', '=', dialogueId)
    .executeTakeFirst();
  return row !== undefined;
}

export async function saveOpinions(trx: Trx, opinions: readonly Opinion[]): Promise<void> {
  for (const opinion of opinions) {
    await trx
      .insertInto('opinions')
      .values({
        id: opinion.id,
        key: opinion.key,
        dialogue_id: opinion.dialogueId,
        turn_idx: opinion.turnIdx,
        persona_id: opinion.personaId,
        stage_run_id: opinion.stageRunId,
        text: cleanText(opinion.text),
        quote: opinion.quote === null ? null : cleanText(opinion.quote),
        quote_start: opinion.quoteStart,
        quote_end: opinion.quoteEnd,
        class: opinion.class,
        subtype: opinion.subtype,
        polarity: opinion.polarity,
        rewrite_of: opinion.rewriteOf,
        call_id: opinion.callId,
        status: 'candidate',
        reason: null,
        alignment: opinion.alignment,
        extends_topic: opinion.extendsTopic === null ? null : Number(opinion.extendsTopic),
        flags: opinion.flags === null ? null : JSON.stringify(opinion.flags),
        edited: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

export async function saveVerdicts(trx: Trx, verdicts: readonly Verdict[]): Promise<void> {
  for (const verdict of verdicts) {
    await trx
      .insertInto('verdicts')
      .values({
        opinion_id: verdict.opinionId,
        stage_run_id: verdict.stageRunId,
        verdict: verdict.verdict,
        model: verdict.model,
        call_id: verdict.callId,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** The opinions that a stage run made of one dialogue, in (turn, key) order. */
export async function opinionsOf(read: Reader, stageRunId: string, dialogueId: string): Promise<Opinion[]> {
  const rows = await read
    .selectFrom('opinions')
    .selectAll()
    .where('dialogue_id', '=', dialogueId)
    .where('stage_run_id', '=', stageRunId)
    .orderBy('turn_idx')
    .orderBy('key')
    .execute();
  return rows.map(toOpinion);
}

function toOpinion(row: OpinionRow): Opinion {
  return {
    id: row.id,
    key: row.key,
    dialogueId: row.dialogue_id,
    turnIdx: row.turn_idx,
    personaId: row.persona_id,
    text: row.text,
    quote: row.quote,
    quoteStart: row.quote_start,
    quoteEnd: row.quote_end,
    alignment: row.alignment,
    class: row.class as OpinionClass | null,
    subtype: row.subtype,
    extendsTopic: row.extends_topic === null ? null : row.extends_topic === 1,
    flags: row.flags === null ? null : (JSON.parse(row.flags) as OpinionFlag[]),
    polarity: row.polarity as Polarity,
    rewriteOf: row.rewrite_of,
    callId: row.call_id,
    stageRunId: row.stage_run_id,
  };
}

export async function verdictsOf(
  read: Reader,
  stageRunId: string,
  opinionIds: readonly string[],
): Promise<Map<string, Verdict['verdict'][]>> {
  if (opinionIds.length === 0) return new Map();
  const rows = await read
    .selectFrom('verdicts')
    .select(['opinion_id', 'verdict'])
    .where('stage_run_id', '=', stageRunId)
    .where('opinion_id', 'in', opinionIds)
    .execute();
  return new Map(
    [...groupBy(rows, (row) => row.opinion_id)].map(([id, own]) => [
      id,
      own.map(({ verdict }) => verdict as Verdict['verdict']),
    ]),
  );
}

/** What the deciding stages need to know of an opinion: itself, where it stands, what was found about it. */
export interface CandidateRow extends Opinion {
  culture: string;
  country: string;
  topicId: string;
  language: string;
  dialogueKey: string;
  /** That said the turn. */
  model: string;
  stanceCode: number | null;
  /** One a judge: at most two. */
  verdicts: Verdict['verdict'][];
}

/** All opinions of the extract and rewrite stages with their verdicts, in key order, a page at a time. */
export async function* candidates(
  read: Reader,
  stages: { made: readonly string[]; judged: readonly string[] },
): AsyncGenerator<CandidateRow[]> {
  const pageOf = (stage: string, after: string) =>
    read
      .selectFrom('opinions as o')
      .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
      .innerJoin('personas as p', 'p.id', 'o.persona_id')
      .innerJoin('turns as t', (join) =>
        join.onRef('t.dialogue_id', '=', 'o.dialogue_id').onRef('t.idx', '=', 'o.turn_idx'),
      )
      .innerJoin('calls as c', 'c.id', 't.call_id')
      .leftJoin('stances as s', (join) =>
        join.onRef('s.persona_id', '=', 'o.persona_id').onRef('s.topic_id', '=', 'd.topic_id'),
      )
      .selectAll('o')
      .select((e) => {
        const verdicts = e
          .selectFrom('verdicts as v')
          .whereRef('v.opinion_id', '=', 'o.id')
          .where('v.stage_run_id', 'in', stages.judged);
        return [
          verdicts.select((v) => v.fn.min('v.verdict').as('verdict')).as('lowest'),
          verdicts.select((v) => v.fn.max('v.verdict').as('verdict')).as('highest'),
          verdicts.select((v) => v.fn.countAll<number>().as('n')).as('judged'),
        ];
      })
      .select([
        'p.culture',
        'p.country',
        'd.topic_id',
        'd.language',
        'd.key as dialogue_key',
        's.code as stance_code',
        'c.model',
      ])
      .where('o.stage_run_id', '=', stage)
      .where('o.key', '>', after)
      .orderBy('o.key')
      .limit(2000)
      .execute();
  let after = '';
  for (;;) {
    // A query a stage: all at once, each page would sort the whole rest of the run.
    const found: Awaited<ReturnType<typeof pageOf>> = [];
    for (const stage of stages.made) found.push(...(await pageOf(stage, after)));
    const rows = found.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, 2000);
    yield rows.map((row) => ({
      ...toOpinion(row as unknown as OpinionRow),
      culture: row.culture,
      country: row.country,
      topicId: row.topic_id,
      language: row.language,
      dialogueKey: row.dialogue_key,
      model: row.model,
      stanceCode: row.stance_code,
      verdicts: [row.lowest, row.highest].slice(0, row.judged ?? 0) as CandidateRow['verdicts'],
    }));
    const last = rows.at(-1);
    if (!last || rows.length < 2000) return;
    after = last.key;
  }
}

export async function saveSelections(
  trx: Trx,
  stageRunId: string,
  rows: readonly { opinionId: string; selected: boolean; reason: string | null }[],
): Promise<void> {
  for (const { opinionId, selected, reason } of rows) {
    await trx
      .insertInto('selections')
      .values({ stage_run_id: stageRunId, opinion_id: opinionId, selected: selected ? 1 : 0, reason })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Writes what `decide` found into the opinions' cache. */
export async function saveDecisions(
  trx: Trx,
  rows: readonly { opinionId: string; status: string; reason: string | null; edited: string | null }[],
): Promise<void> {
  for (const { opinionId, status, reason, edited } of rows) {
    await trx.updateTable('opinions').set({ status, reason, edited }).where('id', '=', opinionId).execute();
  }
}

/** Stores the turns of a dialogue that show understanding of another culture. */
export async function saveUnderstanding(
  trx: Trx,
  stageRunId: string,
  dialogueId: string,
  turns: readonly number[],
): Promise<void> {
  for (const idx of turns)
    await trx
      .insertInto('turn_marks')
      .values({ stage_run_id: stageRunId, dialogue_id: dialogueId, turn_idx: idx, mark: 'understands' })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}
