import { sql, type Insertable, type Selectable } from 'kysely';
import type { Database } from './schema.ts';
import type { Reader, Trx } from './store.ts';

export type CalibrationRow = Selectable<Database['calibrations']>;

/** Who judges, with which words, in which language. `prompt` is that of the judging stage's settings. */
export interface Judge {
  role: CalibrationRow['role'];
  provider: string;
  model: string;
  prompt: string;
  language: string;
}

/** The newest calibration of a judge; undefined for one that was never calibrated so. */
export async function calibrationOf(read: Reader, judge: Judge): Promise<CalibrationRow | undefined> {
  return read
    .selectFrom('calibrations')
    .selectAll()
    .where('role', '=', judge.role)
    .where('provider', '=', judge.provider)
    .where('model', '=', judge.model)
    .where('prompt_hash', '=', judge.prompt)
    .where('language', '=', judge.language)
    .orderBy('created_at', 'desc')
    .orderBy('n', 'desc')
    .orderBy('id')
    .executeTakeFirst();
}

/** Stores a calibration; the same one again becomes the newest of its judge. */
export async function saveCalibration(trx: Trx, row: CalibrationRow): Promise<void> {
  const { id: _, ...rest } = row;
  await trx
    .insertInto('calibrations')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(rest))
    .execute();
}

/** What a judge has said of an item: how often it was asked, and its last answer. */
export interface Answered {
  tries: number;
  answer: string | null;
}

/** All that a judge has been asked, by item. */
export async function answersOf(read: Reader, judge: string): Promise<Map<string, Answered>> {
  const rows = await read
    .selectFrom('calibration_answers')
    .select(['item', 'try', 'answer'])
    .where('judge', '=', judge)
    .orderBy('item')
    .orderBy('try')
    .execute();
  return new Map(rows.map((row) => [row.item, { tries: row.try + 1, answer: row.answer }]));
}

export async function saveAnswer(trx: Trx, row: Insertable<Database['calibration_answers']>): Promise<void> {
  await trx
    .insertInto('calibration_answers')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** A verdict on an opinion that a person has marked. */
export interface ReviewedVerdict extends Omit<Judge, 'role'> {
  opinionId: string;
  dialogueId: string;
  verdict: string;
  scripted: number;
  mark: string;
  reviewer: string;
}

/**
 * The verdicts on marked opinions, with each reviewer's last mark, in opinion order; of a judge's several verdicts on an
 * opinion the one that stands comes first.
 */
export async function reviewedVerdicts(read: Reader): Promise<ReviewedVerdict[]> {
  const rows = await read
    .selectFrom('reviews as w')
    .innerJoin('verdicts as v', 'v.opinion_id', 'w.subject')
    .innerJoin('calls as c', 'c.id', 'v.call_id')
    .innerJoin('stage_runs as s', 's.id', 'v.stage_run_id')
    .innerJoin('opinions as o', 'o.id', 'v.opinion_id')
    .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
    .select([
      'v.opinion_id as opinionId',
      'o.dialogue_id as dialogueId',
      'v.verdict',
      'c.provider',
      'c.model',
      'c.scripted',
      's.settings',
      'd.language',
      'w.mark',
      'w.reviewer',
    ])
    .where('w.mark', 'in', ['accept', 'reject'])
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('reviews as later')
            .select('later.at')
            .whereRef('later.subject', '=', 'w.subject')
            .whereRef('later.reviewer', '=', 'w.reviewer')
            .whereRef('later.at', '>', 'w.at'),
        ),
      ),
    )
    .orderBy('o.key')
    .orderBy('o.id')
    .orderBy('s.current', 'desc')
    .orderBy('s.created_at', 'desc')
    .execute();
  return rows.map(({ settings, ...row }) => ({ ...row, prompt: promptIn(settings) }));
}

/** The prompt's hash in the settings of a judging stage. */
export const promptIn = (settings: string): string =>
  (JSON.parse(settings) as { prompt?: string }).prompt ?? '';

/** A verifier whose verdicts let opinions of a culture into the samples. */
export interface VerifierAtWork extends Judge {
  runId: string;
  culture: string;
}

/** Who judged the accepted opinions of a run that claim a stance, by culture and language of the dialogues. */
export async function verifiersAtWork(
  read: Reader,
  runId: string,
  includeScripted: boolean,
): Promise<VerifierAtWork[]> {
  const rows = await read
    .selectFrom('opinions as o')
    .innerJoin('stage_runs as r', 'r.id', 'o.stage_run_id')
    .innerJoin('personas as p', 'p.id', 'o.persona_id')
    .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
    .innerJoin('turns as t', (join) =>
      join.onRef('t.dialogue_id', '=', 'o.dialogue_id').onRef('t.idx', '=', 'o.turn_idx'),
    )
    .innerJoin('calls as spoken', 'spoken.id', 't.call_id')
    .innerJoin('calls as made', 'made.id', 'o.call_id')
    .innerJoin('verdicts as v', 'v.opinion_id', 'o.id')
    .innerJoin('stage_runs as s', 's.id', 'v.stage_run_id')
    .innerJoin('calls as c', 'c.id', 'v.call_id')
    .select(['p.culture', 'd.language', 'c.provider', 'c.model', 's.settings'])
    .distinct()
    .where('r.run_id', '=', runId)
    .where('r.current', '=', 1)
    .where('s.current', '=', 1)
    .where('o.status', '=', 'accepted')
    .$if(!includeScripted, (query) =>
      query.where('c.scripted', '=', 0).where('spoken.scripted', '=', 0).where('made.scripted', '=', 0),
    )
    .execute();
  const found = new Map(
    rows.map(({ settings, ...row }) => {
      const judge = { ...row, prompt: promptIn(settings), role: 'verifier' as const, runId };
      return [JSON.stringify(judge), judge];
    }),
  );
  return [...found.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** A model that judged or read in a stage, in dialogues of a language. */
export interface StageJudge extends Omit<Judge, 'prompt'> {
  stage: string;
}

/** Who judged and read the dialogues of a run, by stage and language. */
export async function judgesAtWork(read: Reader, runId: string): Promise<StageJudge[]> {
  const { rows } = await sql<Omit<StageJudge, 'role'>>`
    SELECT DISTINCT u.stage, c.provider, c.model, d.language
    FROM call_uses u JOIN calls c ON c.id = u.call_id JOIN dialogues d ON d.id = u.subject
    WHERE u.run_id = ${runId} AND u.stage IN ('verify', 'read_opinions', 'read_turns') AND c.status = 'ok'
    ORDER BY u.stage, c.provider, c.model, d.language`.execute(read);
  return rows.map((row) => ({ ...row, role: row.stage === 'verify' ? 'verifier' : 'reader' }));
}

const keyOf = ({ culture, language, provider, model }: VerifierAtWork): string =>
  [culture, language, provider, model].join(' ');
