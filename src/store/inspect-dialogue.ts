import { gateOf, type GateRow } from './gates.ts';
import type { Selectable } from 'kysely';
import { stanceRecords, type StanceRecord } from './inspect-stances.ts';
import type { Database } from './schema.ts';
import type { Reader } from './store.ts';
import { opinionRecords, type OpinionRecord } from './why.ts';

/** A seat of a dialogue with its persona and that one's answer on the topic. */
export interface SeatRecord {
  seat: number;
  role: string;
  persona: Selectable<Database['personas']> | null;
  stance: StanceRecord | null;
}

export async function seatRecords(
  read: Reader,
  dialogue: { id: string; topic_id: string },
): Promise<SeatRecord[]> {
  const seats = await read
    .selectFrom('participants')
    .selectAll()
    .where('dialogue_id', '=', dialogue.id)
    .orderBy('seat')
    .execute();
  const ids = seats.flatMap(({ persona_id }) => persona_id ?? []);
  const personas =
    ids.length === 0 ? [] : await read.selectFrom('personas').selectAll().where('id', 'in', ids).execute();
  const stances = await stanceRecords(read, ids, dialogue.topic_id);
  return seats.map(({ seat, role, persona_id }) => ({
    seat,
    role,
    persona: personas.find(({ id }) => id === persona_id) ?? null,
    stance: stances.find((stance) => stance.persona_id === persona_id) ?? null,
  }));
}

/** A turn with the call that made it, its answer (a private one), and the answer that the reader found in it (a public one). */
export interface TurnRecord extends Omit<Selectable<Database['turns']>, 'flags'> {
  flags: string[];
  provider: string;
  model: string;
  scripted: boolean;
  moment: string | null;
  code: number | null;
  /** By the reading that stands; a code of null: it takes no position. */
  read: { code: number | null; p: number | null; call_id: string } | null;
}

/** The turns of a dialogue in order, or one of them. */
export async function turnRecords(read: Reader, dialogueId: string, idx?: number): Promise<TurnRecord[]> {
  let query = read
    .selectFrom('turns as t')
    .innerJoin('calls as c', 'c.id', 't.call_id')
    .leftJoin('readings as r', (join) =>
      join
        .onRef('r.dialogue_id', '=', 't.dialogue_id')
        .onRef('r.persona_id', '=', 't.persona_id')
        .onRef('r.idx', '=', 't.idx')
        .on('r.moment', 'not in', ['turn', 'check']),
    )
    .leftJoin(
      (e) =>
        e
          .selectFrom('readings as all')
          .innerJoin('stage_runs as s', 's.id', 'all.stage_run_id')
          .select(['all.dialogue_id', 'all.idx', 'all.code', 'all.p', 'all.call_id'])
          .where('all.dialogue_id', '=', dialogueId)
          .where('s.current', '=', 1)
          .as('x'),
      (join) => join.onRef('x.idx', '=', 't.idx'),
    )
    .selectAll('t')
    .select(['c.provider', 'c.model', 'c.scripted', 'r.moment', 'r.code'])
    .select(['x.code as read_code', 'x.p as read_p', 'x.call_id as read_call'])
    .where('t.dialogue_id', '=', dialogueId);
  if (idx !== undefined) query = query.where('t.idx', '=', idx);
  const rows = await query.orderBy('t.idx').execute();
  return rows.map(({ read_code, read_p, read_call, ...row }) => ({
    ...row,
    flags: JSON.parse(row.flags) as string[],
    scripted: row.scripted === 1,
    read: read_call === null ? null : { code: read_code, p: read_p, call_id: read_call },
  }));
}

/** A dialogue's own row with its topic and run. */
export type DialogueHead = Selectable<Database['dialogues']> & {
  theme: string;
  statement: string;
  /** The statement in the dialogue's language, where it is not English. */
  statement_said: string | null;
  scenario: string;
  /** `runs.config` as stored. */
  config: string;
};

export async function dialogueHead(read: Reader, id: string): Promise<DialogueHead> {
  return read
    .selectFrom('dialogues as d')
    .innerJoin('topics as t', 't.id', 'd.topic_id')
    .innerJoin('runs as r', 'r.id', 'd.run_id')
    .leftJoin('topic_texts as x', (join) =>
      join.onRef('x.topic_id', '=', 'd.topic_id').onRef('x.language', '=', 'd.language'),
    )
    .selectAll('d')
    .select(['t.theme', 't.statement', 'x.text as statement_said', 'r.scenario', 'r.config'])
    .where('d.id', '=', id)
    .executeTakeFirstOrThrow();
}

/** What kept a stage of the refinement from making anything of a dialogue; that there was nothing to do is no news. */
export async function stageNotes(
  read: Reader,
  dialogueId: string,
): Promise<{ stage: string; note: string }[]> {
  const rows = await read
    .selectFrom('stage_dialogues as n')
    .innerJoin('stage_runs as s', 's.id', 'n.stage_run_id')
    .select(['s.stage', 'n.note'])
    .where('n.dialogue_id', '=', dialogueId)
    .where('s.current', '=', 1)
    .where('n.note', '<>', 'nothing to do')
    .orderBy('s.created_at')
    .execute();
  return rows as { stage: string; note: string }[];
}

/** Everything that a page about a dialogue shows; opinions are those of the refinement that stands. */
export interface DialogueRecord {
  dialogue: DialogueHead;
  seats: SeatRecord[];
  turns: TurnRecord[];
  opinions: OpinionRecord[];
  notes: { stage: string; note: string }[];
  /** What the dialogue gate found; null where it has not judged. */
  gate: GateRow | null;
}

export async function dialogueRecord(read: Reader, id: string): Promise<DialogueRecord> {
  const dialogue = await dialogueHead(read, id);
  return {
    dialogue,
    seats: await seatRecords(read, dialogue),
    turns: await turnRecords(read, id),
    opinions: await opinionRecords(read, { dialogueId: id }),
    notes: await stageNotes(read, id),
    gate: (await gateOf(read, id)) ?? null,
  };
}
