import type { Selectable } from 'kysely';
import { UserError } from '../errors.ts';
import type { Database } from './schema.ts';
import type { Reader, Store, Trx } from './store.ts';

export type RunRow = Selectable<Database['runs']>;

const DAY = 86_400_000;

/**
 * When a run was made, after the newest one: a clock that was set back by hours must not hide it behind an older one. One
 * that was wrong by more than a day is left behind, so that it does not date all later runs.
 */
async function afterNewest(trx: Trx, at: number): Promise<number> {
  const { newest } = await trx
    .selectFrom('runs')
    .select((e) => e.fn.max<number | null>('created_at').as('newest'))
    .executeTakeFirstOrThrow();
  return newest !== null && newest >= at && newest - at < DAY ? newest + 1 : at;
}

/** Stores a new run with its prompts; returns its row as it is stored. */
export async function saveRun(
  store: Store,
  made: RunRow,
  prompts: readonly { hash: string; name: string; version: number; text: string }[],
): Promise<RunRow> {
  return store.write(async (trx) => {
    const row = { ...made, created_at: await afterNewest(trx, made.created_at) };
    await trx.insertInto('runs').values(row).execute();
    for (const prompt of prompts) {
      await trx
        .insertInto('prompts')
        .values(prompt)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await trx.insertInto('run_prompts').values({ run_id: row.id, prompt_hash: prompt.hash }).execute();
    }
    return row;
  });
}

export async function updateRun(
  store: Store,
  id: string,
  change: Partial<Omit<RunRow, 'id'>>,
): Promise<void> {
  await store.write((trx) =>
    trx
      .updateTable('runs')
      .set({ ...change, updated_at: Date.now() })
      .where('id', '=', id)
      .execute(),
  );
}

/** The newest run with a fingerprint. */
export async function findRun(store: Store, fingerprint: string): Promise<RunRow | undefined> {
  return store.read
    .selectFrom('runs')
    .selectAll()
    .where('fingerprint', '=', fingerprint)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .executeTakeFirst();
}

/** A run by its id, the newest when no id is given; a UserError when there is none. */
export async function getRun(store: Store, id?: string): Promise<RunRow> {
  let query = store.read.selectFrom('runs').selectAll();
  if (id !== undefined) query = query.where('id', '=', id);
  const row = await query.orderBy('created_at', 'desc').orderBy('id').executeTakeFirst();
  if (!row)
    throw new UserError(
      id === undefined ? `${store.path} holds no run.` : `There is no run "${id}" in ${store.path}.`,
      { mend: 'See `culturepark runs`.' },
    );
  return row;
}

export async function listRuns(store: Store): Promise<RunRow[]> {
  return store.read.selectFrom('runs').selectAll().orderBy('created_at', 'desc').orderBy('id').execute();
}

/** The prompt texts that a run uses, by file name. */
export async function promptsOf(store: Store, runId: string): Promise<Map<string, string>> {
  const rows = await store.read
    .selectFrom('run_prompts')
    .innerJoin('prompts', 'prompts.hash', 'run_prompts.prompt_hash')
    .select(['prompts.name', 'prompts.text'])
    .where('run_id', '=', runId)
    .execute();
  return new Map(rows.map(({ name, text }) => [name, text]));
}

/** Name, version and hash of the prompt texts that a run uses. */
export async function promptRefs(
  store: Store,
  runId: string,
): Promise<{ name: string; version: number; hash: string }[]> {
  return store.read
    .selectFrom('run_prompts')
    .innerJoin('prompts', 'prompts.hash', 'run_prompts.prompt_hash')
    .select(['prompts.name', 'prompts.version', 'prompts.hash'])
    .where('run_id', '=', runId)
    .orderBy('prompts.name')
    .execute();
}

/** The figures of a run that can be counted quickly: no opinion is looked at. */
export interface RunCounts {
  dialogues: { planned: number; finished: number; failed: number; flagged: number };
  calls: { made: number; reused: number; failed: number };
  tokens: { input: number; cached_input: number; output: number };
  cost_usd: number | null;
}

/** How a run's dialogues stand; counted in an index, however many calls there are. */
export async function dialogueCounts(read: Reader, runId: string): Promise<RunCounts['dialogues']> {
  return read
    .selectFrom('dialogues')
    .select((e) => [
      e.fn.countAll<number>().as('planned'),
      e.fn.count<number>(e.case().when('status', '=', 'finished').then(1).end()).as('finished'),
      e.fn.count<number>(e.case().when('status', '=', 'failed').then(1).end()).as('failed'),
      e.fn.count<number>(e.case().when('status', '=', 'flagged').then(1).end()).as('flagged'),
    ])
    .where('run_id', '=', runId)
    .where('protocol', '<>', 'control')
    .executeTakeFirstOrThrow();
}

export async function runCounts(read: Reader, runId: string): Promise<RunCounts> {
  const dialogues = await dialogueCounts(read, runId);
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

/** Dialogues, calls, tokens, money and opinions of a run, as `--json` reports them. */
export interface RunFigures {
  dialogues: { planned: number; finished: number; failed: number; flagged: number };
  /** `fallback`: replies that came from a model which stood in for another. */
  calls: { made: number; reused: number; retried: number; failed: number; fallback: number };
  tokens: { input: number; cached_input: number; output: number };
  cost_usd: number | null;
  opinions: Record<
    | 'extracted'
    | 'grounded'
    | 'ungrounded'
    | 'entail'
    | 'contradict'
    | 'irrelevant'
    | 'disagreed'
    | 'rewritten'
    | 'duplicate'
    | 'accepted',
    number
  >;
  /** Debates whose personas also answered with no talk between. */
  controls: { planned: number; finished: number };
  /** Turns and opinions whose answer was read, and those of both that take no position. */
  readings: { turns: number; opinions: number; none: number };
  samples: number;
}

export async function runFigures(store: Store, runId: string): Promise<RunFigures> {
  const { read } = store;
  const counts = await runCounts(read, runId);
  const { retried } = await read
    .selectFrom('tries')
    .innerJoin('call_uses', 'call_uses.call_id', 'tries.call_id')
    .select((e) => e.fn.countAll<number>().as('retried'))
    .where('run_id', '=', runId)
    .where('reused', '=', 0)
    .where('n', '>', 1)
    .executeTakeFirstOrThrow();
  const { samples } = await read
    .selectFrom('samples')
    .select((e) => e.fn.countAll<number>().as('samples'))
    .where('run_id', '=', runId)
    .where('status', '<>', 'withdrawn')
    .executeTakeFirstOrThrow();
  return {
    ...counts,
    calls: { ...counts.calls, retried, fallback: await fallbackReplies(read, runId) },
    opinions: await opinionFigures(store, runId),
    controls: await controlFigures(read, runId),
    readings: await readingFigures(read, runId),
    samples,
  };
}

/** Models that a run names as fallbacks, of `runs.models` as stored. */
const fallbacksIn = (models: string): { provider: string; model: string }[] =>
  Object.values(
    JSON.parse(models) as Record<string, { fallback?: { provider: string; model: string } }>,
  ).flatMap(({ fallback }) => fallback ?? []);

/** Good replies that a run has of its fallbacks; each call of a fallback says in `request` whom it stood in for. */
async function fallbackReplies(read: Reader, runId: string): Promise<number> {
  const run = await read.selectFrom('runs').select('models').where('id', '=', runId).executeTakeFirst();
  const names = run ? [...new Set(fallbacksIn(run.models).map(({ model }) => model))] : [];
  if (names.length === 0) return 0;
  const { n } = await read
    .selectFrom('call_uses')
    .innerJoin('calls', 'calls.id', 'call_uses.call_id')
    .select((e) => e.fn.countAll<number>().as('n'))
    .where('run_id', '=', runId)
    .where('calls.status', 'in', ['ok', 'superseded'])
    .where('calls.model', 'in', names)
    .where('calls.request', 'like', '%"instead_of":%')
    .executeTakeFirstOrThrow();
  return n;
}

async function controlFigures(read: Reader, runId: string): Promise<RunFigures['controls']> {
  return read
    .selectFrom('dialogues')
    .select((e) => [
      e.fn.countAll<number>().as('planned'),
      e.fn.count<number>(e.case().when('status', '=', 'finished').then(1).end()).as('finished'),
    ])
    .where('run_id', '=', runId)
    .where('protocol', '=', 'control')
    .executeTakeFirstOrThrow();
}

async function readingFigures(read: Reader, runId: string): Promise<RunFigures['readings']> {
  const counted = async (table: 'readings' | 'opinion_readings'): Promise<{ n: number; coded: number }> =>
    read
      .selectFrom(table as 'readings')
      .select((e) => [e.fn.countAll<number>().as('n'), e.fn.count<number>('code').as('coded')])
      .where('stage_run_id', 'in', (e) =>
        e.selectFrom('stage_runs').select('id').where('run_id', '=', runId).where('current', '=', 1),
      )
      .executeTakeFirstOrThrow();
  const [turns, opinions] = [await counted('readings'), await counted('opinion_readings')];
  return { turns: turns.n, opinions: opinions.n, none: turns.n - turns.coded + opinions.n - opinions.coded };
}

async function opinionFigures(store: Store, runId: string): Promise<RunFigures['opinions']> {
  const opinions = store.read
    .selectFrom('opinions')
    .innerJoin('stage_runs', 'stage_runs.id', 'opinions.stage_run_id')
    .where('stage_runs.run_id', '=', runId)
    .where('stage_runs.current', '=', 1);
  const counted = await opinions
    .select((e) => [
      e.fn.count<number>(e.case().when('rewrite_of', 'is', null).then(1).end()).as('extracted'),
      e.fn
        .count<number>(
          e
            .case()
            .when(e.and([e('rewrite_of', 'is', null), e('quote', 'is not', null)]))
            .then(1)
            .end(),
        )
        .as('grounded'),
      e.fn.count<number>(e.case().when('rewrite_of', 'is not', null).then(1).end()).as('rewritten'),
      e.fn.count<number>(e.case().when('opinions.status', '=', 'accepted').then(1).end()).as('accepted'),
      e.fn.count<number>(e.case().when('opinions.reason', '=', 'duplicate').then(1).end()).as('duplicate'),
    ])
    .executeTakeFirstOrThrow();
  // By the run's own opinions: no index leads from a stage to its verdicts.
  // Two judges give two verdicts; an opinion on which they disagree is counted apart.
  const voted = store.read
    .selectFrom('dialogues')
    .innerJoin('opinions', 'opinions.dialogue_id', 'dialogues.id')
    .innerJoin('verdicts', 'verdicts.opinion_id', 'opinions.id')
    .innerJoin('stage_runs', 'stage_runs.id', 'verdicts.stage_run_id')
    .select((e) => [e.fn.min('verdict').as('lowest'), e.fn.max('verdict').as('highest')])
    .where('dialogues.run_id', '=', runId)
    .where('stage_runs.current', '=', 1)
    .where('stage_runs.stage', '=', 'verify')
    .groupBy('verdicts.opinion_id');
  const verdicts = await store.read
    .selectFrom(voted.as('v'))
    .select(['lowest', 'highest', (e) => e.fn.countAll<number>().as('n')])
    .groupBy(['lowest', 'highest'])
    .execute();
  const of = (verdict: string): number =>
    verdicts.find(({ lowest, highest }) => lowest === verdict && highest === verdict)?.n ?? 0;
  const judged = verdicts.reduce((sum, { n }) => sum + n, 0);
  return {
    ...counted,
    ungrounded: counted.extracted - counted.grounded,
    entail: of('entail'),
    contradict: of('contradict'),
    irrelevant: of('irrelevant'),
    disagreed: judged - of('entail') - of('contradict') - of('irrelevant'),
  };
}
