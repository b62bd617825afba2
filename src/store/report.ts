import { sql } from 'kysely';
import type {
  ClassRow,
  EndRow,
  JudgeRow,
  Largest,
  ReadRow,
  SeatRow,
  TextRow,
} from '../evaluation/report-rows.ts';
import { promptIn } from './calibrations.ts';
import type { Reader } from './store.ts';
import { EXTENDS } from './yields.ts';

/** The delegates of a run's dialogues by culture, topic, country and assigned answer. */
export async function seatRows(read: Reader, runId: string): Promise<SeatRow[]> {
  const { rows } = await sql<SeatRow>`
    SELECT p.culture, d.topic_id AS topic, p.country, st.code, count(*) AS seats
    FROM dialogues d JOIN participants q ON q.dialogue_id = d.id AND q.role = 'delegate'
    JOIN personas p ON p.id = q.persona_id
    LEFT JOIN stances st ON st.persona_id = p.id AND st.topic_id = d.topic_id
    WHERE d.run_id = ${runId} AND d.protocol <> 'control'
    GROUP BY p.culture, d.topic_id, p.country, st.code`.execute(read);
  return rows;
}

/** How the opinions that stand ended, by culture, topic, country and their persona's answer. */
export async function endRows(read: Reader, runId: string): Promise<EndRow[]> {
  const { rows } = await sql<Omit<EndRow, 'rewritten'> & { rewritten: number }>`
    SELECT p.culture, d.topic_id AS topic, p.country, CASE WHEN o.reason = ${EXTENDS} THEN NULL ELSE st.code END AS code, o.status, o.reason,
      CASE WHEN o.rewrite_of IS NULL THEN 0 ELSE 1 END AS rewritten, count(*) AS opinions
    FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id
    JOIN dialogues d ON d.id = o.dialogue_id JOIN personas p ON p.id = o.persona_id
    LEFT JOIN stances st ON st.persona_id = p.id AND st.topic_id = d.topic_id
    WHERE r.run_id = ${runId} AND r.current = 1
    GROUP BY p.culture, d.topic_id, p.country, 4, o.status, o.reason, 7`.execute(read);
  return rows.map((row) => ({ ...row, rewritten: row.rewritten === 1 }));
}

/** Dialogues whose accepted opinions are counted at once. */
const PAGE = 1000;

/** What was read from the accepted opinions, some dialogues at a time in key order: the rows of one are never parted. */
export async function* readPages(read: Reader, runId: string): AsyncGenerator<ReadRow[]> {
  const stages = await read
    .selectFrom('stage_runs')
    .select('id')
    .where('run_id', '=', runId)
    .where('stage', '=', 'read_opinions')
    .where('current', '=', 1)
    .execute();
  const stage = stages[0]?.id ?? '';
  let after = '';
  for (;;) {
    const page = await read
      .selectFrom('dialogues')
      .select(['id', 'key'])
      .where('run_id', '=', runId)
      .where('key', '>', after)
      .orderBy('key')
      .limit(PAGE)
      .execute();
    if (page.length === 0) return;
    const { rows } = await sql<Omit<ReadRow, 'read'> & { read: number }>`
      SELECT d.key AS dialogue, p.culture, d.topic_id AS topic, p.country, e.code,
        CASE WHEN e.opinion_id IS NULL THEN 0 ELSE 1 END AS read, count(*) AS rows
      FROM dialogues d JOIN opinions o ON o.dialogue_id = d.id
      JOIN stage_runs s ON s.id = o.stage_run_id AND s.current = 1
      JOIN personas p ON p.id = o.persona_id
      LEFT JOIN opinion_readings e ON e.opinion_id = o.id AND e.stage_run_id = ${stage}
      WHERE d.id IN (${sql.join(page.map(({ id }) => id))}) AND o.status = 'accepted'
      GROUP BY d.key, p.culture, d.topic_id, p.country, e.code, 6
      ORDER BY d.key, p.culture, p.country, e.code`.execute(read);
    yield rows.map((row) => ({ ...row, read: row.read === 1 }));
    after = (page.at(-1) as { key: string }).key;
  }
}

/** The accepted opinions by culture and class. */
export async function classRows(read: Reader, runId: string): Promise<ClassRow[]> {
  const { rows } = await sql<ClassRow>`
    SELECT p.culture, o.class, count(*) AS opinions
    FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id JOIN personas p ON p.id = o.persona_id
    WHERE r.run_id = ${runId} AND r.current = 1 AND o.status = 'accepted'
    GROUP BY p.culture, o.class ORDER BY p.culture, opinions DESC`.execute(read);
  return rows;
}

/** The model, persona and dialogue that most accepted opinions come from; none where nothing was accepted. */
export async function largest(read: Reader, runId: string): Promise<Omit<Largest, 'all'>[]> {
  // Each by the narrowest rows that tell it: a large run has these in seconds.
  const { rows: models } = await sql<{ name: string; opinions: number }>`
    SELECT c.model AS name, sum(t.opinions) AS opinions FROM (
      SELECT u.call_id, count(*) AS opinions
      FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id
      JOIN turns u ON u.dialogue_id = o.dialogue_id AND u.idx = o.turn_idx
      WHERE r.run_id = ${runId} AND r.current = 1 AND o.status = 'accepted' GROUP BY u.call_id
    ) t JOIN calls c ON c.id = t.call_id GROUP BY c.provider, c.model ORDER BY 2 DESC, c.model LIMIT 1`.execute(
    read,
  );
  const { rows: personas } = await sql<{ name: string; opinions: number }>`
    SELECT p.name || ' (' || p.culture || ', ' || p.id || ')' AS name, t.opinions FROM (
      SELECT o.persona_id, count(*) AS opinions FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id
      WHERE r.run_id = ${runId} AND r.current = 1 AND o.status = 'accepted'
      GROUP BY o.persona_id ORDER BY 2 DESC, 1 LIMIT 1
    ) t JOIN personas p ON p.id = t.persona_id`.execute(read);
  const { rows: dialogues } = await sql<{ name: string; opinions: number }>`
    SELECT o.dialogue_id AS name, count(*) AS opinions FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id
    WHERE r.run_id = ${runId} AND r.current = 1 AND o.status = 'accepted'
    GROUP BY o.dialogue_id ORDER BY 2 DESC, 1 LIMIT 1`.execute(read);
  const named = (of: Largest['of'], rows: typeof models): Omit<Largest, 'all'>[] =>
    rows.map((row) => ({ of, ...row }));
  return [...named('model', models), ...named('persona', personas), ...named('dialogue', dialogues)];
}

/** At most `each` accepted opinions a culture, topic and language, and as many turns of those they talked with, in key order. */
export async function textRows(read: Reader, runId: string, each: number): Promise<TextRow[]> {
  const { rows: opinions } = await sql<TextRow>`
    SELECT 'opinion' AS kind, culture, topic, language, text FROM (
      SELECT p.culture, d.topic_id AS topic, d.language, o.text, o.key,
        row_number() OVER (PARTITION BY p.culture, d.topic_id, d.language ORDER BY o.key) AS nth
      FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id
      JOIN dialogues d ON d.id = o.dialogue_id JOIN personas p ON p.id = o.persona_id
      WHERE r.run_id = ${runId} AND r.current = 1 AND o.status = 'accepted'
    ) a WHERE nth <= ${each} ORDER BY culture, topic, language, key`.execute(read);
  const { rows: turns } = await sql<TextRow>`
    SELECT 'main contact' AS kind, culture, topic, language, text FROM (
      SELECT p.culture, d.topic_id AS topic, d.language, t.text, d.key, t.idx,
        row_number() OVER (PARTITION BY p.culture, d.topic_id, d.language ORDER BY d.key, t.idx) AS nth
      FROM dialogues d JOIN participants m ON m.dialogue_id = d.id AND m.role = 'main_contact'
      JOIN participants q ON q.dialogue_id = d.id AND q.role = 'delegate' JOIN personas p ON p.id = q.persona_id
      JOIN turns t ON t.dialogue_id = d.id AND t.seat = m.seat AND t.kind = 'public'
      WHERE d.run_id = ${runId} AND d.protocol <> 'control'
    ) a WHERE nth <= ${each} ORDER BY culture, topic, language, key, idx`.execute(read);
  return [...opinions, ...turns];
}

/** The stages that judge or read, those that stand, with the models that they asked. */
export async function judgeRows(read: Reader, runId: string): Promise<JudgeRow[]> {
  const rows = await read
    .selectFrom('stage_runs as s')
    .select((e) => [
      's.stage',
      's.settings',
      's.status',
      e
        .selectFrom('stage_dialogues as m')
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .whereRef('m.stage_run_id', '=', 's.id')
        .where('m.note', 'is not', null)
        .where('m.note', '<>', 'nothing to do')
        .as('notes'),
    ])
    .where('s.run_id', '=', runId)
    .where('s.current', '=', 1)
    .where('s.stage', 'in', ['verify', 'read_opinions', 'read_turns'])
    .orderBy('s.stage')
    .execute();
  return rows.map(({ stage, settings, status, notes }) => ({
    stage,
    model: String((JSON.parse(settings) as { model?: unknown }).model ?? 'unknown'),
    prompt: promptIn(settings),
    finished: status === 'finished',
    notes: notes ?? 0,
  }));
}
