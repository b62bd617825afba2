import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runs } from '../../src/cli/runs-handler.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { block, terminal } from '../helpers/terminal.ts';

let store: Store;
let db: string;
let run: string;

beforeAll(async () => {
  const folder = temporaryFolder();
  db = join(folder, 'test.db');
  const scenario = scenarioFile(folder, 'cultures: [german]\ntopics: [Q27, Q29]\nturns: 2\n', 'listed');
  const made = await scriptedRun(folder, scenario);
  store = made.store;
  run = made.result.run_id;
});

afterAll(() => store.close());

/** Lets the run look as if a process held it, or as it was. */
const hold = (pid: number | null, host = hostname()) =>
  store.write((trx) =>
    trx
      .updateTable('runs')
      .set(
        pid === null
          ? { status: 'finished', phase: 'done', holder: null }
          : { status: 'running', phase: 'dialogues', holder: JSON.stringify({ pid, host, since: 1 }) },
      )
      .where('id', '=', run)
      .execute(),
  );

/** What a watch wrote, whose interval no person would wait for. */
async function captured(work: () => Promise<number>): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((out += String(text)))),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((err += String(text)))),
  ];
  try {
    const code = await work();
    return { code, out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test('a table of runs: progress, calls, tokens, money, and the scripted mark', async () => {
  const { code, out } = await terminal('runs', '--db', db);
  expect(code).toBe(0);
  expect(out.split('\n')[1]).toMatch(
    new RegExp(`^${run} +listed +finished +done +2/2 +\\d+ +[\\d,]+ +\\$0 +20\\d\\d-.* SCRIPTED$`),
  );
});

test('as JSON, with the money by stage and role', async () => {
  const [line, ...rest] = (await terminal('runs', '--db', db, '--json', '--costs')).json<
    Record<string, any>[]
  >();
  expect(rest).toEqual([]);
  expect(line).toMatchObject({
    id: run,
    status: 'finished',
    under_way: false,
    scripted: true,
    cost_usd: 0,
    dialogues: { planned: 2, finished: 2, flagged: 0, failed: 0 },
  });
  const paid = line?.['costs'].reduce((sum: number, row: { paid_calls: number }) => sum + row.paid_calls, 0);
  expect(paid).toBe(line?.['calls'].made);
  expect(block((await terminal('runs', '--db', db, '--costs')).out, `Money of ${run}`)).toMatch(
    /extract +extractor +scripted-1/,
  );
});

test('an unknown price is said to be unknown, flagged dialogues are counted', async () => {
  const { call_id } = await store.read.selectFrom('turns').select('call_id').executeTakeFirstOrThrow();
  await store.write(async (trx) => {
    await trx.updateTable('calls').set({ cost_usd: null }).where('id', '=', call_id).execute();
    await trx
      .updateTable('dialogues')
      .set({ status: 'flagged' })
      .where('ordinal', '=', 0)
      .where('topic_id', '=', 'Q27')
      .execute();
  });
  expect((await terminal('runs', '--db', db)).out).toMatch(/1\/2 \(\+1 flagged\) .* unknown /);
  await store.write(async (trx) => {
    await trx.updateTable('calls').set({ cost_usd: 0 }).where('id', '=', call_id).execute();
    await trx.updateTable('dialogues').set({ status: 'finished' }).execute();
  });
});

test('who holds a run; one whose process is gone was interrupted', async () => {
  await hold(process.pid);
  expect((await terminal('runs', '--db', db)).out).toMatch(
    new RegExp(`running +dialogues .*held by process ${process.pid} on ${hostname()}`),
  );
  await hold(7, 'another-machine');
  expect((await terminal('runs', '--db', db)).out).toContain('held by process 7 on another-machine');
  // Beyond the highest process id of Linux.
  await hold(2 ** 30);
  expect((await terminal('runs', '--db', db)).out).toMatch(
    new RegExp(`interrupted +dialogues .*continue: culturepark resume ${run}`),
  );
  await hold(null);
});

test('--watch without a terminal prints a line for each change, until no run is under way', async () => {
  await hold(process.pid);
  const flags = { watch: true, costs: false, db, json: false };
  const { code, out, err } = await captured(async () => {
    const watching = runs(flags, 10);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await hold(null);
    return watching;
  });
  expect(code).toBe(0);
  expect(out.trimEnd().split('\n')).toEqual([
    expect.stringMatching(
      new RegExp(`^${run} listed: running, phase dialogues, dialogues 2/2, .* cost \\$0$`),
    ),
    expect.stringMatching(new RegExp(`^${run} listed: finished, phase done, dialogues 2/2, `)),
  ]);
  expect(err).toContain('No run is under way.');
});

test('--watch --json waits, then prints the array once', async () => {
  await hold(process.pid);
  const { out } = await captured(async () => {
    const watching = runs({ watch: true, costs: false, db, json: true }, 10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await hold(null);
    return watching;
  });
  expect(out.trimEnd().split('\n')).toHaveLength(1);
  expect(JSON.parse(out)).toMatchObject([{ id: run, status: 'finished' }]);
});

test('--watch with nothing under way shows the runs and ends; Ctrl-C ends it with 130', async () => {
  const { code, out } = await terminal('runs', '--watch', '--db', db);
  expect([code, out.split('\n')[1]?.slice(0, 12)]).toEqual([0, run]);
  await hold(process.pid);
  const ended = await captured(async () => {
    const watching = runs({ watch: true, costs: false, db, json: false }, 60_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.emit('SIGINT');
    return watching;
  });
  expect(ended.code).toBe(130);
  await hold(null);
});

test('no database, and a database without runs', async () => {
  const folder = temporaryFolder();
  const none = await terminal('runs', '--db', join(folder, 'none.db'));
  expect(none.code).toBe(1);
  expect(none.err).toMatch(/There is no database .*\nName it with --db, or start a run first/);
  await openStore(join(folder, 'empty.db')).close();
  const empty = await terminal('runs', '--db', join(folder, 'empty.db'));
  expect([empty.code, empty.out]).toEqual([
    0,
    'There are no runs yet: start one with `culturepark run quickstart`.\n',
  ]);
  expect((await terminal('runs', '--json', '--db', join(folder, 'empty.db'))).json<unknown[]>()).toEqual([]);
});
