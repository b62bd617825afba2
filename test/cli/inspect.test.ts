import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { foldLine } from '../../src/cli/inspect-fold.ts';
import type { Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { block, terminal, type Ended } from '../helpers/terminal.ts';

let store: Store;
let run: string;
let show: (...argv: string[]) => Promise<Ended>;

/** The first row that a query gives. */
const one = async <T>(rows: Promise<T[]>): Promise<T> => (await rows)[0] as T;

beforeAll(async () => {
  const folder = temporaryFolder();
  const scenario = scenarioFile(
    folder,
    `description: for the tests of inspect
cultures: [chinese, portuguese]
topics: [Q27, Q229]
language: own
arms:
  - { name: talk, protocol: self-guidance, turns: 6 }
  - { name: dispute, protocol: debate, turns: 4 }
`,
    'inspected',
  );
  const made = await scriptedRun(folder, scenario, { includeScripted: true });
  store = made.store;
  run = made.result.run_id;
  show = (...argv) => terminal('inspect', ...argv, '--db', join(folder, 'test.db'));
});

afterAll(() => store.close());

const dialogueOf = (arm: string, language: string) =>
  one(
    store.read
      .selectFrom('dialogues')
      .selectAll()
      .where('arm', '=', arm)
      .where('language', '=', language)
      .execute(),
  );

test('a run: status, models by role, figures, funnel, money, dialogues to go on with', async () => {
  const { code, out } = await show('run', run);
  expect(code).toBe(0);
  expect(block(out, 'Run ')).toMatch(/scenario +inspected: for the tests of inspect/);
  expect(block(out, 'Run ')).toMatch(/status +finished/);
  expect(block(out, 'Run ')).toMatch(
    /models +scripted-1 \(the scripted rehearsal model\): main_contact, delegate/,
  );
  expect(block(out, 'Figures')).toMatch(/dialogues +6 of 6 finished/);
  expect(block(out, 'Opinions by culture')).toMatch(/portuguese +\d+/);
  expect(block(out, 'Money by stage and role')).toMatch(/verify +verifier +scripted-1/);
  expect(block(out, 'The first 6 of 6 dialogues').split('\n')).toHaveLength(8);
  expect(block(out, 'Left out: 1')).toContain('chinese: nobody was asked Q229 in CHN');
  expect(out).toContain('SCRIPTED REHEARSAL');
  const next = /culturepark (inspect dialogue \w+) --db/.exec(out)?.[1];
  expect((await show(...(next as string).split(' ').slice(1))).code).toBe(0);
});

test('a run as JSON', async () => {
  const { json } = await show('run', run, '--json');
  const object = json<Record<string, any>>();
  expect(object).toMatchObject({
    id: run,
    status: 'finished',
    scripted: true,
    figures: { dialogues: { planned: 6 } },
  });
  expect(object['config'].scenario.language).toBe('own');
  expect(object['models'].delegate.model).toBe('scripted-1');
  expect(object['first_dialogues']).toHaveLength(6);
});

test('a dialogue reads as a conversation: participants with their answers, turns, opinions and their ends', async () => {
  const { id } = await dialogueOf('talk', 'pt');
  const { code, out } = await show('dialogue', id);
  expect(code).toBe(0);
  expect(out).toContain('SCRIPTED REHEARSAL: the scripted model spoke in this dialogue');
  expect(block(out, '  topic')).toMatch(/status +finished: all turns spoken/);
  expect(block(out, '  topic')).toMatch(
    /spoken by +scripted-1 \(the scripted rehearsal model\) for main contact and delegate/,
  );
  expect(block(out, 'Who speaks')).toMatch(/delegate, (fe)?male, .+, Brazil, portuguese culture/);
  expect(block(out, 'Who speaks')).toMatch(/answers ".+" \(\d of 1 to 4\)/);
  expect(block(out, 'Who speaks')).toMatch(
    /% of the respondents there gave this answer \([\d,]+ of [\d,]+ respondents, unweighted\)/,
  );
  for (let idx = 0; idx < 6; idx += 1) expect(out).toMatch(new RegExp(`^ {2}${idx} \\p{L}+`, 'mu'));
  expect(out).toMatch(/✓ accepted {2}[a-z2-7]{16} {2}verdict entail/);
  for (const line of out.split('\n')) expect([...line].length).toBeLessThanOrEqual(110);
});

test('a dialogue shows the statement in its language beside the English one', async () => {
  const { id, topic_id } = await dialogueOf('talk', 'zh');
  const { statement } = await one(
    store.read.selectFrom('topics').select('statement').where('id', '=', topic_id).execute(),
  );
  const { out } = await show('dialogue', id);
  const [, said, english] = out.split('\n');
  expect(said).toMatch(/^“\p{Script=Han}/u);
  expect(english).toBe(`“${statement}”`);
});

test('private turns are marked, with the answer that was read from them', async () => {
  const { id } = await dialogueOf('dispute', 'zh');
  const { out } = await show('dialogue', id);
  expect(out.match(/\(private: the others do not hear it\)/g)).toHaveLength(4);
  expect(out).toMatch(/→ answers ".+" \(\d of \d to \d\)/);
});

test('a dropped opinion says why under its turn, and flags stand beside the name', async () => {
  const { id } = await dialogueOf('talk', 'pt');
  const opinion = await one(
    store.read.selectFrom('opinions').selectAll().where('dialogue_id', '=', id).execute(),
  );
  const { status, reason } = opinion;
  await store.write(async (trx) => {
    await trx
      .updateTable('opinions')
      .set({ status: 'dropped', reason: 'ungrounded' })
      .where('id', '=', opinion.id)
      .execute();
    await trx
      .updateTable('turns')
      .set({ flags: '["copy"]' })
      .where('dialogue_id', '=', id)
      .where('idx', '=', 2)
      .execute();
  });
  const { out } = await show('dialogue', id);
  expect(out).toMatch(
    new RegExp(`✗ dropped {2}${opinion.id}.*\n +ungrounded: its quote does not stand in the turn`),
  );
  expect(out).toMatch(/^ {2}2 \p{L}+ {2}\[copy\]$/mu);
  await store.write(async (trx) => {
    await trx.updateTable('opinions').set({ status, reason }).where('id', '=', opinion.id).execute();
    await trx.updateTable('turns').set({ flags: '[]' }).where('dialogue_id', '=', id).execute();
  });
});

test('a survey cell in which many gave no answer is flagged', async () => {
  const dialogue = await one(
    store.read
      .selectFrom('dialogues')
      .select('id')
      .where('language', '=', 'pt')
      .where('topic_id', '=', 'Q229')
      .execute(),
  );
  const { out } = await show('dialogue', dialogue.id);
  expect(out).toMatch(/! 21% \(378\) gave no valid answer: more than 20%/);
});

test('a turn, an opinion, a cluster, a sample, a persona and a call, each with ids to go on with', async () => {
  const sample = await one(store.read.selectFrom('samples').selectAll().execute());
  const opinion = await one(
    store.read
      .selectFrom('opinions')
      .selectAll()
      .where('id', '=', sample.opinion_id as string)
      .execute(),
  );
  const turn = `${opinion.dialogue_id}/${opinion.turn_idx}`;
  const shown = await show('turn', turn);
  expect(shown.out).toMatch(/stance +".+" \(\d of \d to \d\)/);
  expect(shown.out).toContain(`culturepark why ${turn}`);
  const call = /inspect call (\w+)/.exec(shown.out)?.[1] as string;
  expect((await show('opinion', opinion.id)).out).toMatch(
    /verdict +entail, judged by scripted-1 .*not calibrated/s,
  );
  expect((await show('sample', sample.id)).out).toMatch(/status +unverified: its judge is not calibrated/);
  expect((await show('persona', opinion.persona_id)).out).toMatch(/Answers\n {2}Q\d+: “/);
  const cluster = await one(
    store.read.selectFrom('cluster_members').selectAll().where('opinion_id', '=', opinion.id).execute(),
  );
  expect((await show('cluster', cluster.cluster_id)).out).toContain('represents the cluster');
  const asked = await show('call', call);
  expect(asked.out).toMatch(/parameters +temperature 0.7, max_tokens 400, replicate \[1,0,0\]/);
  expect(asked.out).toContain('▸ system\n');
  expect(asked.out).toContain(`dialogue  delegate  ${turn}`);
});

test('a call as JSON holds the exact messages', async () => {
  const { call_id } = await one(
    store.read.selectFrom('turns').select('call_id').where('idx', '=', 1).execute(),
  );
  const { json } = await show('call', call_id, '--json');
  const { call, messages, parameters, tries, uses } = json<Record<string, any>>();
  expect(messages.map(({ role }: { role: string }) => role)).toEqual(['system', 'user']);
  expect(parameters).toMatchObject({ max_tokens: 400 });
  expect(call).toMatchObject({ id: call_id, scripted: true, status: 'ok' });
  expect([tries.length, uses.length]).toEqual([1, 1]);
});

test('the beginning of an id is enough, in either case; an ambiguous one lists what it could be', async () => {
  const { id } = await dialogueOf('talk', 'zh');
  expect((await show('dialogue', id.slice(0, 8).toUpperCase())).out).toContain(`Dialogue ${id}`);
  const row = await one(store.read.selectFrom('dialogues').selectAll().where('id', '=', id).execute());
  const twin = `${id.slice(0, 15)}9`;
  await store.write((trx) =>
    trx
      .insertInto('dialogues')
      .values({ ...row, id: twin })
      .execute(),
  );
  const { code, err } = await show('dialogue', id.slice(0, 8));
  expect(code).toBe(1);
  expect(err).toContain(`dialogue ${id}`);
  expect(err).toContain(`dialogue ${twin}`);
  expect((await show('dialogue', id)).code).toBe(0);
  await store.write((trx) => trx.deleteFrom('dialogues').where('id', '=', twin).execute());
});

test('every mistake says how to go on', async () => {
  const { id } = await dialogueOf('talk', 'zh');
  const mistakes: [string[], RegExp][] = [
    [['dialog', id], /no kind "dialog"; did you mean "dialogue"\?\nKinds: run, dialogue/],
    [['toString', id], /no kind "toString"/],
    [['run', 'zzzzzzzz'], /nothing in .* whose id begins with "zzzzzzzz".\nSee `culturepark runs`/],
    [['run', id], new RegExp(`is not a run but dialogue ${id}.\nSee \`culturepark inspect dialogue ${id}\``)],
    [['dialogue', 'ab'], /too short for an id.\nGive at least its first 4 characters/],
    [['dialogue', `${id}/2`], /culturepark inspect turn/],
    [['turn', id], new RegExp(`is a dialogue, not a turn.\nName a turn by its number there: ${id}/0`)],
    [['turn', `${id}/77`], /has no turn 77.\nIt has the turns 0 to 5/],
    [['turn', `${id}/x`], /is no turn/],
  ];
  for (const [argv, expected] of mistakes) {
    const { code, err, out } = await show(...argv);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(expected);
  }
  const { code, err } = await terminal('inspect', 'run', run, '--db', join(temporaryFolder(), 'none.db'));
  expect(code).toBe(1);
  expect(err).toMatch(/There is no database .*\nName it with --db, or start a run first/);
});

test('what could steer a terminal is neither printed nor lost in JSON', async () => {
  const { id } = await dialogueOf('talk', 'pt');
  const row = await one(
    store.read
      .selectFrom('turns')
      .select('text')
      .where('dialogue_id', '=', id)
      .where('idx', '=', 0)
      .execute(),
  );
  const steering = 'red \u001b[31m and \u009b31m and \u202eback';
  await store.write((trx) =>
    trx
      .updateTable('turns')
      .set({ text: steering })
      .where('dialogue_id', '=', id)
      .where('idx', '=', 0)
      .execute(),
  );
  const { out } = await show('dialogue', id);
  // eslint-disable-next-line no-control-regex
  expect(out).not.toMatch(/[\u001b\u009b\u202e]/);
  const { out: line, json } = await show('turn', `${id}/0`, '--json');
  // eslint-disable-next-line no-control-regex
  expect(line).not.toMatch(/[\u001b\u009b\u202e]/);
  expect(json<{ turn: { text: string } }>().turn.text).toBe(steering);
  await store.write((trx) =>
    trx.updateTable('turns').set(row).where('dialogue_id', '=', id).where('idx', '=', 0).execute(),
  );
});

test('wide characters count two columns, marks none; lines break at spaces where there are any', () => {
  expect(foldLine('外来移民让', 6)).toEqual(['外来移', '民让']);
  expect(foldLine('가나 다라 마바', 10)).toEqual(['가나 다라', '마바']);
  expect(foldLine('বাংলা', 5)).toEqual(['বাংলা']);
  expect(foldLine('short', 5)).toEqual(['short']);
  expect(foldLine('', 5)).toEqual(['']);
});
