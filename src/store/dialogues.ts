import type { Selectable } from 'kysely';
import type { AgeBand, Education, Gender, Persona } from '../agents/types.ts';
import type { Reading, SpeakerRole, Turn, TurnKind } from '../dialogue/types.ts';
import { cleanText } from '../clean-text.ts';
import { saveReadings } from './readings.ts';
import type { Database } from './schema.ts';
import { inserter } from './statements.ts';
import type { Reader, Store, Trx } from './store.ts';

export type DialogueRow = Selectable<Database['dialogues']>;

/** A dialogue as planned: its row, and who sits where. */
export interface PlannedDialogue {
  row: Omit<DialogueRow, 'status' | 'end_reason' | 'attempt'>;
  seats: readonly { role: SpeakerRole; persona: Persona | null }[];
}

/** Stores a page of planned dialogues with their personas; those that are there already are left alone. */
export async function savePlanned(trx: Trx, page: readonly PlannedDialogue[]): Promise<void> {
  for (const { row, seats } of page) {
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('dialogues')
      .values({ ...row, attempt: 0, status: 'planned', end_reason: null })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n) continue;
    for (const [seat, { role, persona }] of seats.entries()) {
      if (persona) await savePersona(trx, row.run_id, persona);
      await trx
        .insertInto('participants')
        .values({ dialogue_id: row.id, seat, persona_id: persona?.id ?? null, role })
        .execute();
    }
  }
}

async function savePersona(trx: Trx, runId: string, persona: Persona): Promise<void> {
  await trx
    .insertInto('personas')
    .values({
      id: persona.id,
      key: persona.key,
      run_id: runId,
      culture: persona.culture,
      country: persona.country,
      name: persona.name,
      age_band: persona.ageBand,
      gender: persona.gender,
      education: persona.education ?? null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  if (persona.respondent)
    await trx
      .insertInto('persona_respondents')
      .values({
        persona_id: persona.id,
        survey_id: persona.respondent.surveyId,
        country: persona.country,
        number: persona.respondent.number,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  for (const [topicId, code] of persona.stances) {
    await trx
      .insertInto('stances')
      .values({ persona_id: persona.id, topic_id: topicId, code })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

export async function saveOmissions(
  store: Store,
  runId: string,
  omissions: readonly { culture: string; topicId: string; reason: string }[],
): Promise<void> {
  await store.write(async (trx) => {
    for (const { culture, topicId, reason } of omissions) {
      await trx
        .insertInto('omissions')
        .values({ run_id: runId, culture, topic_id: topicId, reason })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  });
}

const PAGE = 500;

/** The dialogues of a run in key order, a page at a time, or its controls; `statuses` narrows them. */
export async function* dialogueRows(
  read: Reader,
  runId: string,
  statuses: readonly DialogueRow['status'][] = ['planned', 'finished', 'flagged', 'failed'],
  controls = false,
): AsyncGenerator<DialogueRow> {
  let after = '';
  for (;;) {
    // A query a status: all at once, each page would sort the whole rest of the run.
    const found: DialogueRow[] = [];
    for (const status of statuses) {
      const rows = await read
        .selectFrom('dialogues')
        .selectAll()
        .where('run_id', '=', runId)
        .where('status', '=', status)
        .where('protocol', controls ? '=' : '<>', 'control')
        .where('key', '>', after)
        .orderBy('key')
        .limit(PAGE)
        .execute();
      found.push(...rows);
    }
    const page = found.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, PAGE);
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last.key;
  }
}

/** The keys of a run's dialogues by their ids. */
export async function dialogueKeys(read: Reader, runId: string): Promise<Map<string, string>> {
  const rows = await read.selectFrom('dialogues').select(['id', 'key']).where('run_id', '=', runId).execute();
  return new Map(rows.map(({ id, key }) => [id, key]));
}

/** Who sits at a dialogue, in seat order, with their stances on its topic. */
export async function seatsOf(
  read: Reader,
  dialogue: Pick<DialogueRow, 'id' | 'topic_id'>,
): Promise<{ seat: number; role: SpeakerRole; persona: Persona | null }[]> {
  const rows = await read
    .selectFrom('participants as q')
    .leftJoin('personas as p', 'p.id', 'q.persona_id')
    .leftJoin('stances as s', (join) =>
      join.onRef('s.persona_id', '=', 'q.persona_id').on('s.topic_id', '=', dialogue.topic_id),
    )
    .select([
      'q.seat',
      'q.role',
      'p.id',
      'p.key',
      'p.culture',
      'p.country',
      'p.name',
      'p.age_band',
      'p.gender',
      'p.education',
      's.code',
    ])
    .where('q.dialogue_id', '=', dialogue.id)
    .orderBy('q.seat')
    .execute();
  return rows.map((row) => ({
    seat: row.seat,
    role: row.role as SpeakerRole,
    persona:
      row.id === null
        ? null
        : {
            id: row.id,
            key: row.key as string,
            culture: row.culture as string,
            country: row.country as string,
            name: row.name as string,
            ageBand: row.age_band as AgeBand,
            gender: row.gender as Gender,
            ...(row.education === null ? {} : { education: row.education as Education }),
            stances: new Map(row.code === null ? [] : [[dialogue.topic_id, row.code]]),
          },
  }));
}

/** A dialogue's turns, in order. */
export async function turnsOf(read: Reader, dialogueId: string): Promise<Turn[]> {
  const rows = await read
    .selectFrom('turns')
    .selectAll()
    .where('dialogue_id', '=', dialogueId)
    .orderBy('idx')
    .execute();
  return rows.map((row) => ({
    dialogueId,
    idx: row.idx,
    seat: row.seat,
    personaId: row.persona_id,
    kind: row.kind as TurnKind,
    text: row.text,
    callId: row.call_id,
    flags: JSON.parse(row.flags) as string[],
  }));
}

const insertTurn = inserter('turns', 'nothing');

/** Appends a turn. False when that place is taken: another worker owns the dialogue. */
export async function appendTurn(trx: Trx, turn: Turn, reading: Reading | undefined): Promise<boolean> {
  const mine = await insertTurn(trx, {
    dialogue_id: turn.dialogueId,
    idx: turn.idx,
    seat: turn.seat,
    persona_id: turn.personaId,
    kind: turn.kind,
    text: cleanText(turn.text),
    call_id: turn.callId,
    flags: JSON.stringify(turn.flags),
  });
  if (mine && reading) await saveReadings(trx, null, [reading]);
  return mine;
}

export async function endDialogue(
  trx: Trx,
  id: string,
  status: DialogueRow['status'],
  reason: string,
): Promise<void> {
  await trx.updateTable('dialogues').set({ status, end_reason: reason }).where('id', '=', id).execute();
}

/** How often dialogues of a run were held again, all together. */
export async function attemptsIn(read: Reader, runId: string): Promise<number> {
  const { attempts } = await read
    .selectFrom('dialogues')
    .select((e) => e.fn.sum<number | null>('attempt').as('attempts'))
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  return attempts ?? 0;
}

/** Plans flagged and failed dialogues of a run again, as a further attempt: their last turns are asked anew. Returns how many. */
export async function planFailedAgain(store: Store, runId: string): Promise<number> {
  const { numUpdatedRows } = await store.write((trx) =>
    trx
      .updateTable('dialogues')
      .set((e) => ({ status: 'planned' as const, end_reason: null, attempt: e('attempt', '+', 1) }))
      .where('run_id', '=', runId)
      .where('status', 'in', ['flagged', 'failed'])
      .executeTakeFirstOrThrow(),
  );
  return Number(numUpdatedRows);
}
