import { sql } from 'kysely';
import type { RunRow } from './runs.ts';
import type { Reader } from './store.ts';

const tables = {
  run: 'runs',
  dialogue: 'dialogues',
  opinion: 'opinions',
  cluster: 'clusters',
  sample: 'samples',
  call: 'calls',
  persona: 'personas',
} as const;

/** What has an id of its own; a turn goes by its dialogue's. */
export type IdKind = keyof typeof tables;
export const idKinds = Object.keys(tables) as IdKind[];

/** Ids of a kind that begin with a text, in order. */
export async function idsBeginning(read: Reader, kind: IdKind, text: string, limit = 11): Promise<string[]> {
  // "~" stands after every character of an id, so this is a range of the primary key.
  const rows = await read
    .selectFrom(tables[kind] as 'runs')
    .select('id')
    .where('id', '>=', text)
    .where('id', '<', `${text}~`)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** The numbers of the turns that a dialogue has, in order. */
export async function turnIndexes(read: Reader, dialogueId: string): Promise<number[]> {
  const rows = await read
    .selectFrom('turns')
    .select('idx')
    .where('dialogue_id', '=', dialogueId)
    .orderBy('idx')
    .execute();
  return rows.map(({ idx }) => idx);
}

/** What a stage and role of a run paid; `cost_usd` is null where a price is unknown. */
export interface CostRow {
  stage: string;
  role: string;
  provider: string;
  model: string;
  paid_calls: number;
  reused_calls: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number | null;
}

export async function costsOf(read: Reader, runId: string): Promise<CostRow[]> {
  const { rows } = await sql<CostRow>`
    SELECT stage, role, provider, model, paid_calls, reused_calls, input_tokens, output_tokens, cost_usd
    FROM v_costs WHERE run_id = ${runId} ORDER BY stage, role, provider, model`.execute(read);
  return rows;
}

/** The figures of a run that can be counted quickly: no opinion is looked at. */
export interface RunCounts {
  dialogues: { planned: number; finished: number; failed: number; flagged: number };
  calls: { made: number; reused: number; failed: number };
  tokens: { input: number; cached_input: number; output: number };
  cost_usd: number | null;
}

export async function runCounts(read: Reader, runId: string): Promise<RunCounts> {
  const dialogues = await read
    .selectFrom('dialogues')
    .select((e) => [
      e.fn.countAll<number>().as('planned'),
      e.fn.count<number>(e.case().when('status', '=', 'finished').then(1).end()).as('finished'),
      e.fn.count<number>(e.case().when('status', '=', 'failed').then(1).end()).as('failed'),
      e.fn.count<number>(e.case().when('status', '=', 'flagged').then(1).end()).as('flagged'),
    ])
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  const uses = await read
    .selectFrom('call_uses')
    .innerJoin('calls', 'calls.id', 'call_uses.call_id')
    .select((e) => [
      'reused',
      e.fn.countAll<number>().as('n'),
      e.fn.count<number>('cost_usd').as('priced'),
      e.fn.sum<number>('cost_usd').as('cost'),
      e.fn.sum<number>('input_tokens').as('input'),
      e.fn.sum<number>('cached_input_tokens').as('cached_input'),
      e.fn.sum<number>('output_tokens').as('output'),
      e.fn.count<number>(e.case().when('calls.status', '=', 'failed').then(1).end()).as('failed'),
    ])
    .where('run_id', '=', runId)
    .groupBy('reused')
    .execute();
  const paid = uses.find(({ reused }) => reused === 0);
  return {
    dialogues,
    calls: {
      made: paid?.n ?? 0,
      reused: uses.find(({ reused }) => reused === 1)?.n ?? 0,
      failed: paid?.failed ?? 0,
    },
    tokens: {
      input: paid?.input ?? 0,
      cached_input: paid?.cached_input ?? 0,
      output: paid?.output ?? 0,
    },
    cost_usd: !paid ? 0 : paid.priced < paid.n ? null : (paid.cost ?? 0),
  };
}

/** The first dialogues of a run in key order, with the cultures of their delegates. */
export interface DialogueLine {
  id: string;
  status: string;
  topic_id: string;
  protocol: string;
  language: string;
  cultures: string;
}

export async function firstDialogues(read: Reader, runId: string, limit: number): Promise<DialogueLine[]> {
  const { rows } = await sql<DialogueLine>`
    SELECT d.id, d.status, d.topic_id, d.protocol, d.language, coalesce(
      (SELECT group_concat(DISTINCT p.culture) FROM participants q JOIN personas p ON p.id = q.persona_id
        WHERE q.dialogue_id = d.id AND q.role = 'delegate'), '') AS cultures
    FROM dialogues d WHERE d.run_id = ${runId} ORDER BY d.key LIMIT ${limit}`.execute(read);
  return rows;
}

/** The process that holds a run, or held it last when it died without letting go. */
export interface RunHolder {
  pid: number;
  host: string;
  since: number;
}

export const holderOf = (run: Pick<RunRow, 'holder'>): RunHolder | null =>
  run.holder === null ? null : (JSON.parse(run.holder) as RunHolder);
