import { sql } from 'kysely';
import type { LedgerRow, Reading } from '../dialogue/types.ts';
import { groupBy } from '../group-by.ts';
import { cellKey } from '../ids.ts';
import { inserter } from './statements.ts';
import type { Reader, Trx } from './store.ts';

const insertReading = inserter('readings', 'nothing');
const insertOpinionReading = inserter('opinion_readings', 'nothing');

/** Stores rows of the stance ledger; `stageRunId` is the reading of all turns that made them, null for a dialogue's own. */
export async function saveReadings(
  trx: Trx,
  stageRunId: string | null,
  readings: readonly Reading[],
): Promise<void> {
  for (const reading of readings) {
    await insertReading(trx, {
      dialogue_id: reading.dialogueId,
      persona_id: reading.personaId,
      idx: reading.idx,
      moment: reading.moment,
      stage_run_id: stageRunId,
      code: reading.code,
      p: reading.p ?? null,
      call_id: reading.callId,
    });
  }
}

/** The answer that an opinion's text expresses, as a stage read it; null: it takes no position. */
export interface OpinionReading {
  opinionId: string;
  code: number | null;
  p: number | null;
  callId: string;
}

export async function saveOpinionReadings(
  trx: Trx,
  stageRunId: string,
  readings: readonly OpinionReading[],
): Promise<void> {
  for (const { opinionId, code, p, callId } of readings) {
    await insertOpinionReading(trx, {
      opinion_id: opinionId,
      stage_run_id: stageRunId,
      code,
      p,
      call_id: callId,
    });
  }
}

/** Dialogues whose rows are read at once. */
const PAGE = 200;

/**
 * The stance ledger of a run, the rows of one dialogue at a time in key order, controls among them: of each persona the
 * assigned answer, then what was given in private and read from its turns, by the readings that stand.
 */
export async function* stanceLedger(read: Reader, runId: string): AsyncGenerator<LedgerRow[]> {
  const placeOf = await placesIn(read, runId);
  let after = '';
  for (;;) {
    const { rows: page } = await sql<{ id: string; key: string }>`
      SELECT id, key FROM dialogues WHERE run_id = ${runId} AND key > ${after} ORDER BY key LIMIT ${PAGE}`.execute(
      read,
    );
    if (page.length === 0) return;
    const { rows } = await sql<ViewRow>`
      SELECT l.*, d.key AS dialogue_key, d.language, p.key AS persona_key
      FROM v_ledger l JOIN dialogues d ON d.id = l.dialogue_id JOIN personas p ON p.id = l.persona_id
      WHERE l.dialogue_id IN (${sql.join(page.map(({ id }) => id))})
      ORDER BY d.key, p.key, coalesce(l.idx, -1), l.moment`.execute(read);
    const byDialogue = groupBy(rows, ({ dialogue_id }) => dialogue_id);
    for (const { id } of page) {
      const own = byDialogue.get(id);
      if (own) yield own.map((row) => toLedgerRow(row, placeOf));
    }
    after = (page.at(-1) as { key: string }).key;
  }
}

/** A row of `v_ledger` with the keys of its dialogue and persona. */
interface ViewRow {
  dialogue_id: string;
  dialogue_key: string;
  language: string;
  arm: string;
  protocol: string;
  topic_id: string;
  persona_id: string;
  persona_key: string;
  culture: string;
  country: string;
  role: string;
  moment: string;
  idx: number | null;
  code: number | null;
  agreement: number | null;
  scripted: number;
}

/** By topic and country the codes that people were offered, from the one most against the statement. */
type Places = ReadonlyMap<string, readonly number[]>;

async function placesIn(read: Reader, runId: string): Promise<Places> {
  const { rows } = await sql<{ topic_id: string; country: string; code: number }>`
    SELECT c.topic_id, c.country, c.code FROM cells c JOIN scales s ON s.scale = c.scale AND s.code = c.code
    WHERE c.topic_id IN (SELECT topic_id FROM dialogues WHERE run_id = ${runId})
    ORDER BY c.topic_id, c.country, s.agreement`.execute(read);
  const cells = groupBy(rows, ({ topic_id, country }) => cellKey(topic_id, country));
  return new Map([...cells].map(([key, own]) => [key, own.map(({ code }) => code)]));
}

function toLedgerRow(row: ViewRow, places: Places): LedgerRow {
  const offered = places.get(cellKey(row.topic_id, row.country)) ?? [];
  return {
    dialogueKey: row.dialogue_key,
    dialogueId: row.dialogue_id,
    arm: row.arm,
    protocol: row.protocol,
    topicId: row.topic_id,
    language: row.language,
    personaKey: row.persona_key,
    personaId: row.persona_id,
    culture: row.culture,
    country: row.country,
    role: row.role as LedgerRow['role'],
    moment: row.moment as LedgerRow['moment'],
    idx: row.idx,
    code: row.code,
    agreement: row.agreement,
    // Answers without an order, which an imported question may have, have no places.
    place: row.code === null || row.agreement === null ? null : offered.indexOf(row.code),
    places: offered.length,
    scripted: row.scripted === 1,
  };
}

/** A row of the stance ledger of one persona; `idx` is null for the assigned answer, a code null where no position is taken. */
export interface PersonaLedgerRow {
  dialogue_id: string;
  protocol: string;
  topic_id: string;
  moment: LedgerRow['moment'];
  idx: number | null;
  code: number | null;
  agreement: number | null;
  p: number | null;
  call_id: string | null;
  scripted: boolean;
}

/** What a persona was assigned, gave in private and was read to say, dialogue by dialogue in the order of the turns. */
export async function personaLedger(read: Reader, personaId: string): Promise<PersonaLedgerRow[]> {
  const { rows } = await sql<Omit<PersonaLedgerRow, 'scripted'> & { scripted: number }>`
    SELECT l.dialogue_id, l.protocol, l.topic_id, l.moment, l.idx, l.code, l.agreement, l.p, l.call_id, l.scripted
    FROM v_ledger l JOIN dialogues d ON d.id = l.dialogue_id
    WHERE l.persona_id = ${personaId} ORDER BY d.turn_count DESC, d.key, coalesce(l.idx, -1), l.moment`.execute(
    read,
  );
  return rows.map((row) => ({ ...row, scripted: row.scripted === 1 }));
}
