import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { saveCalls } from '../../src/store/calls.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { block, terminal, type Ended } from '../helpers/terminal.ts';

let store: Store;
let run: string;
let why: (...argv: string[]) => Promise<Ended>;

beforeAll(async () => {
  const folder = temporaryFolder();
  // Large enough that every end of an opinion comes about.
  const scenario = scenarioFile(
    folder,
    `cultures: [german, portuguese, chinese]
topics: [Q27, Q229]
dialogues_per_cell: 12
turns: 8
refinement: { per_culture: 30 }
`,
  );
  const made = await scriptedRun(folder, scenario, { includeScripted: true });
  store = made.store;
  run = made.result.run_id;
  why = (...argv) => terminal('why', ...argv, '--db', join(folder, 'test.db'));
}, 60_000);

afterAll(() => store.close());

const opinionThat = async (reason: string) => {
  const row = await store.read
    .selectFrom('opinions')
    .selectAll()
    .where('reason', '=', reason)
    .orderBy('key')
    .executeTakeFirst();
  if (!row) throw new Error(`no opinion is ${reason}`);
  return row;
};

test('a sample goes back to opinion, verdict, turn, call, persona and survey cell', async () => {
  const sample = await store.read
    .selectFrom('samples as s')
    .innerJoin('opinions as o', 'o.id', 's.opinion_id')
    .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
    .select(['s.id', 's.opinion_id', 'o.dialogue_id', 'o.turn_idx', 'o.persona_id'])
    .where('s.culture', '=', 'portuguese')
    .where('d.topic_id', '=', 'Q229')
    .executeTakeFirstOrThrow();
  const turn = `${sample.dialogue_id}/${sample.turn_idx}`;
  const { code, out } = await why(sample.id);
  expect(code).toBe(0);
  expect(out).toMatch(/^✓ accepted\n {2}its quote stands in the turn, and the judge found it to follow/);
  expect(out).toContain('SCRIPTED REHEARSAL');
  expect(block(out, `Sample ${sample.id}`)).toMatch(/status +unverified: its judge is not calibrated/);
  expect(block(out, `← Opinion ${sample.opinion_id}`)).toMatch(
    /prompt +refinement.yaml version 2 \([a-z2-7]{8}\)/,
  );
  expect(block(out, '+ Verdict')).toMatch(
    /entail, judged by scripted-1 \(the scripted rehearsal model\), not calibrated/,
  );
  expect(block(out, '+ Cluster')).toMatch(/no other opinion is like it|represents/);
  expect(block(out, `← Turn ${turn}`)).toMatch(/by +\p{L}+, delegate/u);
  expect(block(out, '← Model call')).toMatch(/prompt +dialogue.en.yaml version 1/);
  expect(block(out, `← Persona ${sample.persona_id}`)).toMatch(/stance +".+" \(\d of 1 to 4\)/);
  expect(block(out, '← Survey cell Q229 in Brazil')).toMatch(
    /\d+% of the respondents there gave this answer \([\d,]+ of 1,384 respondents/,
  );
  expect(block(out, '← Survey cell Q229 in Brazil')).toMatch(/! 21% \(378\) gave no valid answer/);
});

test('the chain as JSON', async () => {
  const { id, opinion_id } = await store.read.selectFrom('samples').selectAll().executeTakeFirstOrThrow();
  const chain = (await why(id, '--json')).json<Record<string, any>>();
  expect(chain).toMatchObject({
    kind: 'sample',
    id,
    sample: { id },
    opinion: { id: opinion_id, scripted: true },
  });
  expect(chain['speaker'].stance).toMatchObject({
    code: expect.any(Number),
    n: expect.any(Number),
    valid_n: expect.any(Number),
  });
  expect(chain['opinion'].verdicts[0]).toMatchObject({
    verdict: 'entail',
    model: 'scripted-1',
    current: true,
  });
  expect(chain['prompts'].map(({ name }: { name: string }) => name)).toContain('refinement.yaml');
  expect(chain['call'].model).toBe('scripted-1');
  expect(chain['dialogue']).not.toHaveProperty('config');
});

test('a duplicate names the opinion that represents it, and how alike they are', async () => {
  const { id } = await opinionThat('duplicate');
  const { out } = await why(id);
  const other = /duplicate: ([a-z2-7]{16}) says the same and represents both/.exec(out)?.[1] as string;
  const cluster = block(out, '+ Cluster').replace(/\s+/g, ' ');
  expect(cluster).toContain(`${other} represents ${id}`);
  expect(cluster).toMatch(
    /\((alike by character 5-grams|equal but for case and punctuation), similarity [01]\.\d\d\)$/,
  );
  expect(block((await why(other)).out, '+ Cluster')).toMatch(/represents (one|\d+) near-duplicates?/);
});

test('an ungrounded, an irrelevant and a surplus opinion say why they were dropped', async () => {
  const ungrounded = (await why((await opinionThat('ungrounded')).id)).out;
  expect(ungrounded).toMatch(/^✗ dropped\n {2}ungrounded: its quote does not stand in the turn/);
  expect(block(ungrounded, '+ Verdict')).toContain('none: an ungrounded opinion is not judged');
  const irrelevant = (await why((await opinionThat('irrelevant')).id)).out;
  expect(irrelevant).toContain('irrelevant: it says nothing about the statement');
  expect(block(irrelevant, '+ Verdict')).toContain('irrelevant, judged by');
  const surplus = (await why((await opinionThat('quota is full')).id)).out;
  expect(surplus).toContain('quota is full: its culture, or its answer, had as many samples');
});

test('a contradiction and its rewrite name each other', async () => {
  const rewrite = await opinionThat('rewritten');
  const original = (await why(rewrite.rewrite_of as string)).out;
  expect(original).toContain('contradict: it goes against the answer that its speaker was given');
  expect(original).toMatch(new RegExp(`rewritten as +${rewrite.id} \\(dropped\\)`));
  const rewritten = (await why(rewrite.id)).out;
  expect(rewritten).toMatch(new RegExp(`rewritten: it is a rewrite of ${rewrite.rewrite_of}`));
});

test('an opinion without a verdict, and one that no stage has decided on yet', async () => {
  const { id, status, reason } = await opinionThat('irrelevant');
  const set = (change: { status: string; reason: string | null }) =>
    store.write((trx) => trx.updateTable('opinions').set(change).where('id', '=', id).execute());
  await set({ status: 'dropped', reason: 'no verdict' });
  expect((await why(id)).out).toContain('no verdict: the judge passed it over');
  await set({ status: 'candidate', reason: null });
  expect((await why(id)).out).toMatch(/· undecided\n {2}not decided yet/);
  await set({ status, reason });
});

test('an opinion of a refinement that was replaced says so', async () => {
  const { id, stage_run_id } = await opinionThat('irrelevant');
  const set = (current: number) =>
    store.write((trx) =>
      trx.updateTable('stage_runs').set({ current }).where('id', '=', stage_run_id).execute(),
    );
  await set(0);
  expect((await why(id)).out).toContain(
    'A later refinement has replaced the one that this opinion belongs to',
  );
  await set(1);
});

test('a turn says what was taken from it, or why nothing was', async () => {
  const { dialogue_id, turn_idx, id } = await opinionThat('duplicate');
  const { out } = await why(`${dialogue_id}/${turn_idx}`);
  expect(block(out, 'Opinions taken from it')).toContain(`✗ dropped  ${id}`);
  expect(out).toContain('← Survey cell');
  expect((await why(`${dialogue_id}/0`)).out).toContain(
    'none: only delegates are harvested, and this is the main contact',
  );
});

test('a dialogue says why it ended, and which replies could not be used', async () => {
  const { id } = await store.read
    .selectFrom('dialogues')
    .select('id')
    .orderBy('key')
    .executeTakeFirstOrThrow();
  expect((await why(id)).out).toMatch(/ended +finished: all turns spoken/);
  const error = 'HTTP 500: the server fell over';
  await store.write(async (trx) => {
    const usage = { input: 10, cachedInput: 0, output: 0 };
    const call = {
      id: 'failedcallxxxxxx',
      key: 'some-key',
      provider: 'openai',
      model: 'gpt',
      scripted: false,
      status: 'failed' as const,
      messages: [{ role: 'user' as const, text: 'hello' }],
      parameters: {},
      reply: null,
      usage,
      costUsd: 0,
      ms: 5,
      createdAt: 1,
      tries: [{ n: 1, status: 'server', usage: null, costUsd: 0, ms: 5, error }],
    };
    const use = { callId: call.id, stage: 'dialogue', role: 'delegate', subject: `${id}/7`, reused: false };
    await saveCalls(trx, run, [call], [use]);
    await trx
      .updateTable('dialogues')
      .set({ status: 'flagged', end_reason: 'turn 7: the reply was failed', attempt: 1 })
      .where('id', '=', id)
      .execute();
  });
  const { out } = await why(id);
  expect(out).toMatch(/ended +flagged: turn 7: the reply was failed \(attempt 2\)/);
  expect(block(out, 'Replies that could not be used')).toContain(
    `turn 7: failed (call failedcallxxxxxx): ${error}`,
  );
  expect(out).toContain(`culturepark resume ${run} --retry-failed`);
  expect((await terminal('inspect', 'call', 'failedcall', '--db', store.path)).out).toContain(error);
});

test('an id of another kind, and one that is nowhere', async () => {
  const other = await why(run);
  expect(other.code).toBe(1);
  expect(other.err).toContain(`culturepark inspect run ${run}`);
  const nowhere = await why('zzzzzzzz');
  expect(nowhere.code).toBe(1);
  expect(nowhere.err).toContain('culturepark search WORDS');
});
