import { sql } from 'kysely';
import type { LedgerRow, Reading } from '../dialogue/types.ts';
import { groupBy } from '../group-by.ts';
import { cellKey } from '../ids.ts';
import { dialoguePages } from './dialogue-pages.ts';
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
const PAGE = 500;

/**
 * The stance ledger of a run, the rows of one dialogue at a time in key order, controls among them: of each persona the
 * assigned answer, then what was given in private and read from its turns, by the readings that stand. The rows are those
 * of `v_ledger`, put together here: a large run has them in a tenth of the time.
 */
export async function* stanceLedger(read: Reader, runId: string): AsyncGenerator<LedgerRow[]> {
  const offered = await answersIn(read, runId);
  const stages = await read
    .selectFrom('stage_runs')
    .select('id')
    .where('run_id', '=', runId)
    .where('current', '=', 1)
    .execute();
  const stands = sql.join(['', ...stages.map(({ id }) => id)]);
  for await (const ids of dialoguePages(read, runId, PAGE)) {
    const { rows: seats } = await sql<SeatRow>`
      SELECT d.id AS "dialogueId", d.key AS "dialogueKey", d.arm, d.protocol, d.topic_id AS "topicId", d.language, q.role,
        p.id AS "personaId", p.key AS "personaKey", p.culture, p.country, st.code
      FROM dialogues d JOIN participants q ON q.dialogue_id = d.id JOIN personas p ON p.id = q.persona_id
      LEFT JOIN stances st ON st.persona_id = p.id AND st.topic_id = d.topic_id
      WHERE d.id IN (${sql.join(ids)}) ORDER BY d.key, p.key`.execute(read);
    const { rows } = await sql<ReadingRow>`
      SELECT r.dialogue_id, r.persona_id, r.moment, r.idx, r.code,
        CASE WHEN coalesce(r.stage_run_id, '') IN (${stands}) THEN 1 ELSE 0 END AS stands
      FROM readings r WHERE r.dialogue_id IN (${sql.join(ids)})
      ORDER BY r.dialogue_id, r.persona_id, r.idx, r.moment`.execute(read);
    const readings = groupBy(
      rows.filter((row) => row.stands === 1),
      ({ dialogue_id, persona_id }) => `${dialogue_id} ${persona_id}`,
    );
    for (const own of groupBy(seats, ({ dialogueId }) => dialogueId).values()) {
      const ledger = own.flatMap((seat) => {
        const answers = offered.get(cellKey(seat.topicId, seat.country)) ?? [];
        const given = readings.get(`${seat.dialogueId} ${seat.personaId}`) ?? [];
        return [
          ...(seat.code === null ? [] : [toLedgerRow(seat, 'assigned', null, seat.code, answers)]),
          ...given.map(({ moment, idx, code }) => toLedgerRow(seat, moment, idx, code, answers)),
        ];
      });
      if (ledger.length > 0) yield ledger;
    }
  }
}

/** A persona in a dialogue, with the answer that it was assigned. */
interface SeatRow extends Pick<
  LedgerRow,
  | 'dialogueId'
  | 'dialogueKey'
  | 'arm'
  | 'protocol'
  | 'topicId'
  | 'language'
  | 'role'
  | 'personaId'
  | 'personaKey'
  | 'culture'
  | 'country'
> {
  code: number | null;
}

interface ReadingRow {
  dialogue_id: string;
  persona_id: string;
  /** 1 where its stage stands. */
  stands: number;
  moment: LedgerRow['moment'];
  idx: number;
  code: number | null;
}

/** The answers that people were offered, from the one most against the statement. */
type Offered = readonly { code: number; agreement: number | null }[];

/** By topic and country what people were offered. */
async function answersIn(read: Reader, runId: string): Promise<ReadonlyMap<string, Offered>> {
  const { rows } = await sql<{ topic_id: string; country: string; code: number; agreement: number | null }>`
    SELECT c.topic_id, c.country, c.code, s.agreement
    FROM cells c JOIN scales s ON s.scale = c.scale AND s.code = c.code
    WHERE c.topic_id IN (SELECT topic_id FROM dialogues WHERE run_id = ${runId})
    ORDER BY c.topic_id, c.country, s.agreement`.execute(read);
  return groupBy(rows, ({ topic_id, country }) => cellKey(topic_id, country));
}

function toLedgerRow(
  seat: SeatRow,
  moment: LedgerRow['moment'],
  idx: number | null,
  code: number | null,
  offered: Offered,
): LedgerRow {
  const place = offered.findIndex((answer) => answer.code === code);
  const agreement = offered[place]?.agreement ?? null;
  return {
    // Field by field: a spread of half a million rows takes seconds.
    dialogueKey: seat.dialogueKey,
    dialogueId: seat.dialogueId,
    arm: seat.arm,
    protocol: seat.protocol,
    topicId: seat.topicId,
    language: seat.language,
    personaKey: seat.personaKey,
    personaId: seat.personaId,
    culture: seat.culture,
    country: seat.country,
    role: seat.role,
    moment,
    idx,
    code,
    agreement,
    // Answers without an order, which an imported question may have, have no places.
    place: code === null || agreement === null ? null : place,
    places: offered.length,
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
