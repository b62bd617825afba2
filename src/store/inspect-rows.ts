import type { Selectable } from 'kysely';
import type { Message } from '../models/port.ts';
import { messagesOf } from './calls.ts';
import { stanceRecords, type StanceRecord } from './inspect-stances.ts';
import { personaLedger, type PersonaLedgerRow } from './readings.ts';
import { respondentOf } from './respondents.ts';
import type { Database } from './schema.ts';
import type { Reader, Store } from './store.ts';

type Table<T extends keyof Database> = Selectable<Database[T]>;

/** A call as it was sent and answered, and what used it. */
export interface CallRecord {
  call: Omit<Table<'calls'>, 'request'>;
  messages: Message[];
  /** Sampling, limit, replicate and schema name: what else was sent. */
  parameters: Record<string, unknown>;
  tries: Table<'tries'>[];
  uses: Table<'call_uses'>[];
}

export async function callRecord(store: Store, id: string): Promise<CallRecord> {
  const { read } = store;
  const { request, ...call } = await read
    .selectFrom('calls')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const { messages: _, ...parameters } = JSON.parse(request) as Record<string, unknown>;
  return {
    call,
    messages: await messagesOf(store, request),
    parameters,
    tries: await read.selectFrom('tries').selectAll().where('call_id', '=', id).orderBy('n').execute(),
    uses: await read
      .selectFrom('call_uses')
      .selectAll()
      .where('call_id', '=', id)
      .orderBy('run_id')
      .orderBy('subject')
      .execute(),
  };
}

/** A cluster with its members, the representative first. */
export interface ClusterRecord {
  id: string;
  stage_run_id: string;
  run_id: string;
  current: boolean;
  /** Other cultures in which the same is said of the topic, on the same side. */
  also_in: string[];
  members: (Omit<Table<'cluster_members'>, 'cluster_id'> &
    Pick<Table<'opinions'>, 'text' | 'dialogue_id' | 'status'>)[];
}

export async function clusterRecord(read: Reader, id: string): Promise<ClusterRecord> {
  const cluster = await read
    .selectFrom('clusters as k')
    .innerJoin('stage_runs as s', 's.id', 'k.stage_run_id')
    .select(['k.id', 'k.stage_run_id', 'k.also_in', 's.run_id', 's.current'])
    .where('k.id', '=', id)
    .executeTakeFirstOrThrow();
  const members = await read
    .selectFrom('cluster_members as m')
    .innerJoin('opinions as o', 'o.id', 'm.opinion_id')
    .select([
      'm.opinion_id',
      'm.method',
      'm.similarity',
      'm.representative',
      'o.text',
      'o.dialogue_id',
      'o.status',
    ])
    .where('m.cluster_id', '=', id)
    .orderBy('m.representative', 'desc')
    .orderBy('m.similarity', 'desc')
    .orderBy('o.key')
    .execute();
  const alsoIn = JSON.parse(cluster.also_in) as string[];
  return { ...cluster, current: cluster.current === 1, also_in: alsoIn, members };
}

/** A persona with its answers and the dialogues that it sat in. */
export interface PersonaRecord {
  persona: Table<'personas'>;
  /** The respondent that it stands for, in runs that draw respondents. */
  respondent: Awaited<ReturnType<typeof respondentOf>>;
  stances: StanceRecord[];
  dialogues: { id: string; role: string; status: string; topic_id: string }[];
  /** Opinions of the refinements that stand, by status. */
  opinions: Record<string, number>;
  /** Which answer it held at which moment. */
  ledger: PersonaLedgerRow[];
}

export async function personaRecord(read: Reader, id: string): Promise<PersonaRecord> {
  const opinions = await read
    .selectFrom('participants as q')
    .innerJoin('opinions as o', 'o.dialogue_id', 'q.dialogue_id')
    .innerJoin('stage_runs as s', 's.id', 'o.stage_run_id')
    .select((e) => ['o.status', e.fn.countAll<number>().as('n')])
    .where('q.persona_id', '=', id)
    .where('o.persona_id', '=', id)
    .where('s.current', '=', 1)
    .groupBy('o.status')
    .execute();
  return {
    persona: await read.selectFrom('personas').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
    respondent: await respondentOf(read, id),
    stances: await stanceRecords(read, [id]),
    dialogues: await read
      .selectFrom('participants as q')
      .innerJoin('dialogues as d', 'd.id', 'q.dialogue_id')
      .select(['d.id', 'q.role', 'd.status', 'd.topic_id'])
      .where('q.persona_id', '=', id)
      .orderBy('d.key')
      .execute(),
    opinions: Object.fromEntries(opinions.map(({ status, n }) => [status, n])),
    ledger: await personaLedger(read, id),
  };
}

export async function sampleRow(read: Reader, id: string): Promise<Table<'samples'>> {
  return read.selectFrom('samples').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** The calls of a dialogue's own turns that brought nothing usable, in time order. */
export async function unusableCalls(
  read: Reader,
  runId: string,
  dialogue: { id: string; turns: number },
): Promise<{ id: string; subject: string; status: string; error: string | null }[]> {
  const subjects = Array.from({ length: dialogue.turns + 1 }, (_, idx) => `${dialogue.id}/${idx}`);
  return read
    .selectFrom('call_uses as u')
    .innerJoin('calls as c', 'c.id', 'u.call_id')
    .select((e) => [
      'c.id',
      'u.subject',
      'c.status',
      e
        .selectFrom('tries as t')
        .select('t.error')
        .whereRef('t.call_id', '=', 'c.id')
        .where('t.error', 'is not', null)
        .orderBy('t.n', 'desc')
        .limit(1)
        .as('error'),
    ])
    .where('u.run_id', '=', runId)
    .where('u.subject', 'in', subjects)
    .where('c.status', 'in', ['truncated', 'refused', 'empty', 'malformed', 'failed'])
    .orderBy('c.created_at')
    .limit(50)
    .execute();
}
