import { sql } from 'kysely';
import type { Reader, Store } from './store.ts';

/** An opinion whose end is another one after a refinement; null where there was no such opinion, or is none any more. */
export interface ChangedEnd {
  id: string;
  dialogueId: string;
  text: string;
  before: { status: string; reason: string | null } | null;
  after: { status: string; reason: string | null } | null;
}

const endsOf = (runId: string) => sql`
  SELECT o.id, o.dialogue_id, o.turn_idx, o.text, o.key, o.status, o.reason, o.edited
  FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id WHERE r.run_id = ${runId} AND r.current = 1`;

/** Notes how the opinions of a run stand, in a table that only a copy of the database may have. */
export async function noteEnds(copy: Store, runId: string): Promise<void> {
  await copy.write(async (trx) => {
    await sql`CREATE TABLE ends_before AS ${endsOf(runId)}`.execute(trx);
    await sql`CREATE INDEX ends_before_words ON ends_before (dialogue_id, turn_idx, text)`.execute(trx);
    await sql`CREATE TABLE dialogues_waiting (id TEXT PRIMARY KEY)`.execute(trx);
  });
}

/** Notes dialogues whose opinions hang on replies that nobody has yet; at most a thousand at once. */
export async function noteWaiting(copy: Store, ids: readonly string[]): Promise<void> {
  await copy.write(async (trx) => {
    for (const id of ids)
      await sql`INSERT INTO dialogues_waiting (id) VALUES (${id}) ON CONFLICT DO NOTHING`.execute(trx);
  });
}

/** The ends that differ from those noted, counted by what they were and are, the most frequent first. */
export async function countChanges(
  read: Reader,
  runId: string,
): Promise<{ before: string; after: string; opinions: number }[]> {
  const { rows } = await sql<{ before: string; after: string; opinions: number }>`
    SELECT before, after, count(*) AS opinions FROM (${changed(runId)}) c
    GROUP BY before, after ORDER BY opinions DESC, before, after`.execute(read);
  return rows;
}

/** The first of them in the order of their keys. */
export async function firstChanges(read: Reader, runId: string, limit: number): Promise<ChangedEnd[]> {
  const { rows } = await sql<Record<'id' | 'dialogue_id' | 'text', string> & Record<string, string | null>>`
    SELECT * FROM (${changed(runId)}) c ORDER BY key, id LIMIT ${limit}`.execute(read);
  const end = (status: string | null | undefined, reason: string | null | undefined) =>
    status ? { status, reason: reason ?? null } : null;
  return rows.map((row) => ({
    id: row.id,
    dialogueId: row.dialogue_id,
    text: row.text,
    before: end(row['status_before'], row['reason_before']),
    after: end(row['status_after'], row['reason_after']),
  }));
}

/** An end in words: its status, and why. */
const worded = (alias: string, absent: string) => sql`
  CASE WHEN ${sql.ref(`${alias}.status`)} IS NULL THEN ${sql.lit(absent)}
    ELSE ${sql.ref(`${alias}.status`)} || coalesce(' (' || ${sql.ref(`${alias}.reason`)} || ')', '') END`;

const changed = (runId: string) => sql`
  SELECT coalesce(n.id, b.id) AS id, w.dialogue_id, w.text, coalesce(n.key, b.key) AS key,
    ${worded('b', 'not there')} AS before, ${worded('n', 'no more there')} AS after,
    b.status AS status_before, b.reason AS reason_before, n.status AS status_after, n.reason AS reason_after
  FROM (
    SELECT dialogue_id, turn_idx, text FROM ends_before UNION SELECT dialogue_id, turn_idx, text FROM (${endsOf(runId)}) x
  ) w
  LEFT JOIN ends_before b ON b.dialogue_id = w.dialogue_id AND b.turn_idx = w.turn_idx AND b.text = w.text
  LEFT JOIN (${endsOf(runId)}) n ON n.dialogue_id = w.dialogue_id AND n.turn_idx = w.turn_idx AND n.text = w.text
  WHERE w.dialogue_id NOT IN (SELECT id FROM dialogues_waiting)
    AND (coalesce(b.status, '') <> coalesce(n.status, '') OR coalesce(b.reason, '') <> coalesce(n.reason, '')
      OR coalesce(b.edited, '') <> coalesce(n.edited, ''))`;
