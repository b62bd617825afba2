import { sql } from 'kysely';
import type { JudgeRow, OpinionRow, SeatRow, TextRow } from '../evaluation/report-rows.ts';
import { promptIn } from './calibrations.ts';
import { dialoguePages } from './dialogue-pages.ts';
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

/** Dialogues whose opinions are read at once. */
const PAGE = 500;

/** The opinions that stand, some dialogues at a time in key order: those of one dialogue are never parted. One that extends the topic stands for no answer. */
export async function* opinionPages(read: Reader, runId: string): AsyncGenerator<OpinionRow[]> {
  const reading = await read
    .selectFrom('stage_runs')
    .select('id')
    .where('run_id', '=', runId)
    .where('stage', '=', 'read_opinions')
    .where('current', '=', 1)
    .executeTakeFirst();
  for await (const ids of dialoguePages(read, runId, PAGE)) {
    const { rows } = await sql<OpinionRow>`
      SELECT d.key AS dialogue, d.id AS "dialogueId", d.topic_id AS topic, p.id AS persona, p.culture, p.country,
        CASE WHEN o.reason = ${EXTENDS} THEN NULL ELSE st.code END AS code, o.status, o.reason, o.class, CASE WHEN o.rewrite_of IS NULL THEN 0 ELSE 1 END AS rewritten,
        CASE WHEN e.opinion_id IS NULL THEN 0 ELSE 1 END AS read, e.code AS "readCode", c.model, c.provider
      FROM dialogues d JOIN opinions o ON o.dialogue_id = d.id
      JOIN stage_runs s ON s.id = o.stage_run_id AND s.current = 1 JOIN personas p ON p.id = o.persona_id
      JOIN turns u ON u.dialogue_id = d.id AND u.idx = o.turn_idx JOIN calls c ON c.id = u.call_id
      LEFT JOIN stances st ON st.persona_id = p.id AND st.topic_id = d.topic_id
      LEFT JOIN opinion_readings e ON e.opinion_id = o.id AND e.stage_run_id = ${reading?.id ?? ''}
        AND coalesce(o.reason, '') <> ${EXTENDS}
      WHERE d.id IN (${sql.join(ids)})
      ORDER BY d.key, p.culture, p.country, e.code`.execute(read);
    yield rows;
  }
}

/** A persona in a few words. */
export async function personaInWords(read: Reader, id: string): Promise<string> {
  const persona = await read
    .selectFrom('personas')
    .select(['name', 'culture'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return `${persona.name} (${persona.culture}, ${id})`;
}

/** At most `each` accepted opinions a culture, topic and language, and as many turns of those they talked with, in key order. */
export async function textRows(read: Reader, runId: string, each: number): Promise<TextRow[]> {
  // The choice is made without the texts, which are the most of the rows.
  const { rows: opinions } = await sql<TextRow>`
    SELECT 'opinion' AS kind, a.culture, a.topic, a.language, o.text FROM (
      SELECT o.id, p.culture, d.topic_id AS topic, d.language,
        row_number() OVER (PARTITION BY p.culture, d.topic_id, d.language ORDER BY o.key) AS nth
      FROM stage_runs r JOIN opinions o ON o.stage_run_id = r.id
      JOIN dialogues d ON d.id = o.dialogue_id JOIN personas p ON p.id = o.persona_id
      WHERE r.run_id = ${runId} AND r.current = 1 AND o.status = 'accepted'
    ) a JOIN opinions o ON o.id = a.id WHERE a.nth <= ${each} ORDER BY a.culture, a.topic, a.language, o.key`.execute(
    read,
  );
  const { rows: turns } = await sql<TextRow>`
    SELECT 'main contact' AS kind, a.culture, a.topic, a.language, t.text FROM (
      SELECT d.id, d.key, t.idx, p.culture, d.topic_id AS topic, d.language,
        row_number() OVER (PARTITION BY p.culture, d.topic_id, d.language ORDER BY d.key, t.idx) AS nth
      FROM dialogues d JOIN participants m ON m.dialogue_id = d.id AND m.role = 'main_contact'
      JOIN participants q ON q.dialogue_id = d.id AND q.role = 'delegate' JOIN personas p ON p.id = q.persona_id
      JOIN turns t ON t.dialogue_id = d.id AND t.seat = m.seat AND t.kind = 'public'
      WHERE d.run_id = ${runId} AND d.protocol <> 'control'
    ) a JOIN turns t ON t.dialogue_id = a.id AND t.idx = a.idx
    WHERE a.nth <= ${each} ORDER BY a.culture, a.topic, a.language, a.key, a.idx`.execute(read);
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
