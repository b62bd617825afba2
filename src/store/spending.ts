import { sql } from 'kysely';
import type { Reader, Store } from './store.ts';

/** What the calls that a run paid for came to, by stage and role. */
export interface SpendingRow {
  stage: string;
  role: string;
  made: number;
  input: number;
  cachedInput: number;
  output: number;
  /** Sum of the squares of the calls' output tokens: tells how much they differ. */
  outputSquares: number;
  /** US dollars, as far as they are known. */
  costUsd: number;
  /** Calls whose price nobody knows. */
  unpriced: number;
}

/** What a run has spent, and how far it has come. */
export interface StoredSpending {
  cells: SpendingRow[];
  /** Replies that were there already, and tries after the first. */
  reused: number;
  retried: number;
  /** Dialogues with the number of their turns, and in `like` protocol, length, language and number of seats. */
  dialogues: { key: string; status: string; turns: number; like: string }[];
  /** Dialogues that the current stages of the refinement are done with. */
  stages: { stage: string; done: number }[];
}

/** What a run has spent so far, by stage and role, and where its dialogues and stages stand. */
export async function spendingOf(read: Reader, runId: string): Promise<StoredSpending> {
  const { rows: cells } = await sql<SpendingRow>`
    SELECT u.stage, u.role, count(*) AS made, sum(c.input_tokens) AS input,
      sum(c.cached_input_tokens) AS "cachedInput", sum(c.output_tokens) AS output,
      sum(c.output_tokens * c.output_tokens) AS "outputSquares", coalesce(sum(c.cost_usd), 0) AS "costUsd",
      sum(CASE WHEN c.cost_usd IS NULL THEN 1 ELSE 0 END) AS unpriced
    FROM call_uses u JOIN calls c ON c.id = u.call_id
    WHERE u.run_id = ${runId} AND u.reused = 0 GROUP BY u.stage, u.role ORDER BY u.stage, u.role`.execute(
    read,
  );
  const { rows: dialogues } = await sql<StoredSpending['dialogues'][number]>`
    SELECT d.key, d.status, (SELECT count(*) FROM turns t WHERE t.dialogue_id = d.id) AS turns,
      d.protocol || ' ' || d.turn_count || ' ' || d.language || ' ' ||
        (SELECT count(*) FROM participants p WHERE p.dialogue_id = d.id) AS "like"
    FROM dialogues d WHERE d.run_id = ${runId}`.execute(read);
  const { rows: stages } = await sql<{ stage: string; done: number }>`
    SELECT r.stage, count(*) AS done FROM stage_dialogues s JOIN stage_runs r ON r.id = s.stage_run_id
    WHERE r.run_id = ${runId} AND r.current = 1 GROUP BY r.stage`.execute(read);
  const { rows: counted } = await sql<{ reused: number; retried: number }>`
    SELECT (SELECT count(*) FROM call_uses WHERE run_id = ${runId} AND reused = 1) AS reused,
      (SELECT count(*) FROM tries t JOIN call_uses u ON u.call_id = t.call_id
    WHERE u.run_id = ${runId} AND u.reused = 0 AND t.n > 1) AS retried`.execute(read);
  return { cells, dialogues, stages, ...(counted[0] as (typeof counted)[number]) };
}

/** Requests that a run has sent for its calls, each try counted. */
export async function triesIn(store: Store, runId: string): Promise<number> {
  const { tries } = await store.read
    .selectFrom('call_uses')
    .innerJoin('tries', 'tries.call_id', 'call_uses.call_id')
    .select((e) => e.fn.countAll<number>().as('tries'))
    .where('run_id', '=', runId)
    .where('reused', '=', 0)
    .executeTakeFirstOrThrow();
  return tries;
}

/** What the tries of a model took from a run's budget. */
interface TakenRow {
  provider: string;
  model: string;
  /** US dollars that are known, or that were held where nobody knew. */
  usd: number;
  /** Tokens of tries whose price was unknown then. */
  input: number;
  cachedInput: number;
  output: number;
}

/** What a run's tries took from its budget, by model. */
export async function takenBy(store: Store, runId: string): Promise<TakenRow[]> {
  const { rows } = await sql<TakenRow>`
    SELECT c.provider, c.model, coalesce(sum(coalesce(t.cost_usd, 0) + coalesce(t.held_usd, 0)), 0) AS usd,
      coalesce(sum(CASE WHEN t.cost_usd IS NULL AND t.held_usd IS NULL THEN t.input_tokens END), 0) AS input,
      coalesce(sum(CASE WHEN t.cost_usd IS NULL AND t.held_usd IS NULL THEN t.cached_input_tokens END), 0) AS "cachedInput",
      coalesce(sum(CASE WHEN t.cost_usd IS NULL AND t.held_usd IS NULL THEN t.output_tokens END), 0) AS output
    FROM call_uses u JOIN calls c ON c.id = u.call_id JOIN tries t ON t.call_id = c.id
    WHERE u.run_id = ${runId} AND u.reused = 0 GROUP BY c.provider, c.model`.execute(store.read);
  return rows;
}
