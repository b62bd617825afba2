import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Manifest } from '../../src/export/manifest.ts';
import type { RefineDiff } from '../../src/pipeline/refine-diff.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { contentOf } from '../helpers/rows.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal, type Ended } from '../helpers/terminal.ts';

let folder: string;
let run: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A finished run of the scripted model, large enough that opinions come to every end. */
async function finished(more = ''): Promise<void> {
  const yaml = `cultures: [german, portuguese]\ntopics: [Q27, Q229]\ndialogues_per_cell: 8\nturns: 14\nexport: { include_scripted: true }\n${more}`;
  const made = await scriptedRun(folder, scenarioFile(folder, yaml));
  run = made.result.run_id;
  await made.store.close();
}
const command = (...argv: string[]): Promise<Ended> => terminal(...argv, '--db', join(folder, 'test.db'));
const ok = async (...argv: string[]): Promise<Ended> => {
  const ended = await command(...argv);
  expect(ended.code, ended.err).toBe(0);
  return ended;
};
async function reading<T>(query: (store: Store) => Promise<T>): Promise<T> {
  const store = openStore(join(folder, 'test.db'), { readonly: true });
  return query(store).finally(() => store.close());
}
const ends = () =>
  reading((store) =>
    store.read
      .selectFrom('opinions as o')
      .innerJoin('stage_runs as s', 's.id', 'o.stage_run_id')
      .select(['o.id', 'o.status', 'o.reason', 'o.edited', 'o.text', 'o.extends_topic'])
      .where('s.current', '=', 1)
      .orderBy('o.key')
      .execute(),
  );
const endOf = async (id: string) => (await ends()).find((row) => row.id === id);
const stagesOf = () =>
  reading((store) => store.read.selectFrom('stage_runs').select(['stage', 'id', 'current']).execute());
const calls = () => reading((store) => store.read.selectFrom('calls').select('id').execute());
const that = async (reason: string): Promise<string> => {
  const found = (await ends()).find((row) => row.reason === reason);
  if (!found) throw new Error(`no opinion ended so: ${reason}`);
  return found.id;
};
const diffOf = async (...argv: string[]): Promise<RefineDiff> =>
  (await ok('refine', run, ...argv, '--diff', '--json')).json<RefineDiff>();
const exported = async (
  ...argv: string[]
): Promise<{ manifest: Manifest; rows: string[]; lines: string }> => {
  await ok('export', run, '--out', join(folder, 'exports'), ...argv);
  const read = (name: string): string => readFileSync(join(folder, 'exports', run, name), 'utf8');
  const files = ['train', 'test'].map((part) => {
    try {
      return read(`openai-chat/${part}/all.jsonl`);
    } catch {
      return '';
    }
  });
  return {
    manifest: JSON.parse(read('manifest.json')) as Manifest,
    rows: read('rows.csv').trim().split('\n'),
    lines: files.join(''),
  };
};

test('a dialogue of 14 turns takes at most four calls of the refinement, and a gate one more', async () => {
  await finished();
  const counts = () =>
    reading(async (store) => {
      const rows = await store.read
        .selectFrom('call_uses')
        .select((e) => ['subject', e.fn.countAll<number>().as('n')])
        .where('stage', 'in', ['extract', 'verify', 'rewrite', 'verify_rewrite', 'gate'])
        .groupBy('subject')
        .execute();
      return rows.map(({ n }) => n);
    });
  const before = await counts();
  expect(before).toHaveLength(32);
  expect(Math.max(...before)).toBe(4);
  expect(Math.min(...before)).toBe(2);
  await ok('refine', run, '--set', 'refinement.gate=note');
  expect(await counts()).toEqual(before.map((n) => n + 1));
});

describe('a run that was made with the prompts from before', () => {
  test('is refined again without a call, and its rows say that flags were not asked', async () => {
    mkdirSync(join(folder, 'agents', 'prompts'), { recursive: true });
    copyFileSync(
      'test/fixtures/refinement-version-1.yaml',
      join(folder, 'agents', 'prompts', 'refinement.yaml'),
    );
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder);
    await finished();
    cwd.mockRestore();
    const [made, stages] = [await calls(), await stagesOf()];
    const rows = await reading((store) => store.read.selectFrom('opinions').selectAll().execute());
    expect(
      rows.every(({ flags, subtype, extends_topic }) => !flags && !subtype && extends_topic === null),
    ).toBe(true);
    await ok('refine', run, '--set', 'refinement.threshold=0.5');
    expect(await calls()).toEqual(made);
    const models = ['extract', 'verify', 'rewrite', 'verify_rewrite'];
    const current = (all: typeof stages) =>
      all.filter(({ stage, current: stands }) => stands === 1 && models.includes(stage)).map(({ id }) => id);
    expect(current(await stagesOf())).toEqual(current(stages));
    const { manifest, rows: csv } = await exported();
    expect(manifest.flagged_rows).toEqual({
      ...{ hateful: 0, 'personal-data': 0, stereotype: 0 },
      not_asked: csv.length / 2 - 0.5,
    });
  });
});

describe('refine --diff', () => {
  test('changes nothing, and says what the refinement then does', async () => {
    await finished();
    const content = () => reading(contentOf);
    const before = await content();
    const flags = ['--from', 'deduplicate', '--set', 'refinement.threshold=0.45'];
    const diff = await diffOf(...flags);
    expect(await content()).toEqual(before);
    const old = new Map((await ends()).map((row) => [row.id, row]));
    await ok('refine', run, ...flags);
    const changed = (await ends()).filter((row) => old.get(row.id)?.reason !== row.reason);
    expect(changed.length).toBeGreaterThan(5);
    expect(diff.opinions.map(({ id, before: was, after }) => [id, was?.reason, after?.reason])).toEqual(
      changed.slice(0, 200).map(({ id, reason }) => [id, old.get(id)?.reason, reason]),
    );
    expect(diff.changes.reduce((sum, { opinions }) => sum + opinions, 0)).toBe(changed.length);
    expect(diff).toMatchObject({ calls: [], waiting: 0, refinement: { calls: { low: 0, high: 0 } } });
  });

  test('counts the calls that it would take, and those that may follow from their replies', async () => {
    await finished();
    const made = await calls();
    const diff = await diffOf('--set', 'refinement.quotes=choose');
    expect(diff).toMatchObject({ waiting: 32, opinions: [] });
    expect(diff.calls).toContainEqual(
      expect.objectContaining({ stage: 'extract', role: 'extractor', calls: { low: 32, high: 32 } }),
    );
    expect(diff.refinement.calls).toEqual({ low: 32, high: 128 });
    expect(diff.readings.calls).toEqual({ low: 0, high: 32 });
    await ok('refine', run, '--set', 'refinement.quotes=choose');
    const more = (await calls()).length - made.length;
    expect(more).toBeGreaterThanOrEqual(diff.refinement.calls.low + diff.readings.calls.low);
    expect(more).toBeLessThanOrEqual(diff.refinement.calls.high + diff.readings.calls.high);
    // Back again: every reply is there, so that it can be told to the last opinion.
    const back = await diffOf();
    expect(back).toMatchObject({ waiting: 0, calls: [] });
    expect(back.changes.length).toBeGreaterThan(0);
    const text = (await ok('refine', run, '--diff')).out;
    expect(text).toContain('It asks no model.');
    expect(text).toContain('Nothing was changed.');
  });
});

test('--diff names the price where a model has one, and reaches nobody', async () => {
  await finished();
  const store = openStore(join(folder, 'test.db'));
  const { models } = await store.read.selectFrom('runs').select('models').executeTakeFirstOrThrow();
  const named = (model: string) =>
    models
      .replaceAll(
        '"provider":"scripted","model":"scripted-1","scripted":true',
        `"provider":"https://api.openai.com","model":"${model}","scripted":false`,
      )
      .replaceAll('"spec":"scripted"', `"spec":"openai:${model}"`);
  const diffWith = async (model: string): Promise<RefineDiff> => {
    await store.write((trx) =>
      trx
        .updateTable('runs')
        .set({ models: named(model) })
        .execute(),
    );
    return diffOf();
  };
  // No key is set, and the address is not there.
  vi.stubEnv('OPENAI_API_KEY', '');
  const { refinement, readings, waiting } = await diffWith('gpt-4o-mini');
  expect(waiting).toBe(32);
  expect(refinement.calls).toEqual({ low: 32, high: 128 });
  expect(refinement.cost_usd?.low).toBeGreaterThan(0.0005);
  expect(refinement.cost_usd?.high).toBeLessThan(0.5);
  expect(readings.calls.low).toBe(32);
  expect((await diffWith('unheard-of-1')).refinement.cost_usd).toBeNull();
  await store.close();
  vi.unstubAllEnvs();
});

test('--from takes the stages before it as they stand, and refuses settings that would make them others', async () => {
  await finished();
  const refused = await command('refine', run, '--from', 'deduplicate', '--set', 'refinement.rewrite=false');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('its stage rewrite is another one (on)');
  expect(refused.err).toContain('--from rewrite');
  const gate = await command('refine', run, '--from', 'select', '--set', 'refinement.gate=drop');
  expect(gate.err).toContain('its stage gate is not done');
  await ok('refine', run, '--from', 'rewrite', '--set', 'refinement.rewrite=false');
  expect((await command('refine', run, '--from', 'ground')).code).toBe(1);
});

describe('what a person says of an opinion', () => {
  test('wins, survives every re-run, and is exported with a label and without a name', async () => {
    await finished();
    const rejected = await that('grounded; entails the stance');
    const accepted = await that('contradict');
    await ok(
      'review',
      'reject',
      rejected,
      '--note',
      'Nobody there says this.',
      '--reviewer',
      'Ada of the tests',
    );
    await ok('review', 'accept', accepted);
    const edited = (await ends()).find((row) => row.reason === 'grounded; entails the stance')!;
    await ok(
      'review',
      'edit',
      edited.id,
      '--text',
      'Words that\na person chose.',
      '--reviewer',
      'Ada of the tests',
    );
    const check = async (): Promise<void> => {
      expect(await endOf(rejected)).toMatchObject({ status: 'dropped', reason: 'rejected by a person' });
      expect(await endOf(accepted)).toMatchObject({ status: 'accepted', reason: 'accepted by a person' });
      expect(await endOf(edited.id)).toMatchObject({
        ...{ status: 'accepted', reason: 'edited by a person' },
        ...{ text: edited.text, edited: 'Words that a person chose.' },
      });
    };
    await check();
    for (const change of ['refinement.threshold=0.31', 'refinement.gate=drop', 'refinement.per_culture=1']) {
      await ok('refine', run, '--set', change);
      await check();
    }
    const { out } = await ok('why', rejected);
    expect(out).toMatch(/rejected by a person: “Nobody there says this.”/);
    expect(out).toMatch(/review +rejected by Ada of the tests, /);
    const { manifest, rows, lines } = await exported();
    expect(manifest.edited_rows).toBe(1);
    expect(lines).toContain('Words that a person chose.');
    expect(lines).not.toContain(edited.text);
    const row = rows.find((line) => line.includes(edited.id));
    expect(row).toMatch(/,reviewed,false,true,opinion,true,/);
    expect(rows.some((line) => line.includes(rejected))).toBe(false);
    const card = readFileSync(join(folder, 'exports', run, 'README.md'), 'utf8');
    expect(card).toContain('1 rows are in words that a person has edited');
    expect(`${card}${rows.join()}${lines}${JSON.stringify(manifest)}`).not.toContain('Ada of the tests');
  });

  test('is of the words: it holds where another extraction finds them again, and can be taken back', async () => {
    await finished('refinement: { quotes: choose }');
    const id = await that('grounded; entails the stance');
    const { text } = (await endOf(id))!;
    await ok('review', 'reject', id);
    // Other stages before, with the same words.
    const store = openStore(join(folder, 'test.db'));
    await store.write((trx) => trx.updateTable('dialogues').set({ attempt: 1 }).execute());
    await store.close();
    await ok('refine', run);
    expect(await endOf(id)).toBeUndefined();
    const again = (await ends()).filter((row) => row.text === text && row.reason === 'rejected by a person');
    expect(again).toHaveLength(1);
    await ok('review', 'clear', again[0]!.id);
    await ok('refine', run);
    expect((await endOf(again[0]!.id))?.reason).not.toBe('rejected by a person');
  });

  test('that a representative is rejected lets another of its cluster stand for it', async () => {
    await finished();
    const duplicate = await that('duplicate');
    const stands = await reading((store) =>
      store.read
        .selectFrom('cluster_members as m')
        .innerJoin('cluster_members as r', 'r.cluster_id', 'm.cluster_id')
        .innerJoin('clusters as c', 'c.id', 'm.cluster_id')
        .innerJoin('stage_runs as s', 's.id', 'c.stage_run_id')
        .select('r.opinion_id')
        .where('m.opinion_id', '=', duplicate)
        .where('r.representative', '=', 1)
        .where('s.current', '=', 1)
        .executeTakeFirstOrThrow(),
    );
    await ok('review', 'reject', stands.opinion_id);
    const diff = await diffOf();
    expect(diff.changes).toContainEqual({
      ...{ before: 'dropped (duplicate)', after: 'accepted (grounded; entails the stance)' },
      opinions: expect.any(Number),
    });
    expect(diff.calls).toEqual([]);
  });

  test('is told where it can not be meant, and then nothing is kept', async () => {
    await finished();
    const id = await that('grounded; entails the stance');
    const wrong: [string, string[], RegExp][] = [
      ['edit', [], /An edit needs the words/],
      ['edit', ['--text', ' \n '], /An edit needs the words/],
      ['reject', ['--text', 'x'], /--text belongs to edit, not to reject/],
      ['edit', ['--text', 'x'.repeat(1001)], /at most 1000/],
      ['approve', [], /Invalid values|Choices/],
    ];
    for (const [mark, more, message] of wrong) {
      const ended = await command('review', mark, id, ...more);
      expect(ended.code).toBe(1);
      expect(ended.err).toMatch(message);
    }
    expect(await reading((store) => store.read.selectFrom('reviews').selectAll().execute())).toEqual([]);
  });
});

test('opinions that extend the topic are kept as a kind of their own, and claim no answer', async () => {
  await finished();
  await ok('refine', run, '--set', 'refinement.keep_extends=true');
  const kept = (await ends()).filter(({ reason }) => reason === 'grounded; extends the topic');
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.every(({ extends_topic }) => extends_topic === 1)).toBe(true);
  const { manifest, rows } = await exported();
  const own = rows.filter((row) => row.includes(',extends,'));
  expect(own).toHaveLength(2 * kept.length);
  for (const row of own) expect(row).toMatch(/,,no-stance,/);
  expect(manifest.extending_rows).toBe(kept.length);
});

test('a gate that notes changes no opinion; one that drops keeps out the dialogues that fail, and says why', async () => {
  await finished('refinement: { gate: note }');
  const before = await ends();
  const [id] = await reading((store) =>
    store.read
      .selectFrom('dialogue_gates')
      .select('dialogue_id')
      .where((e) => e.or([e('shown', '<>', 'shown'), e('consistent', '=', 0)]))
      .execute(),
  ).then((rows) => rows.map((row) => row.dialogue_id));
  expect((await ok('inspect', 'dialogue', id!)).out).toMatch(/gate +values are/);
  const made = await calls();
  await ok('refine', run, '--set', 'refinement.gate=drop');
  expect(await calls()).toEqual(made);
  const dropped = (await ends()).filter(({ reason }) => reason?.startsWith('values '));
  expect(dropped.length).toBeGreaterThan(3);
  expect((await ok('why', dropped[0]!.id)).out).toContain('the dialogue gate keeps out');
  await ok('refine', run);
  expect(await ends()).toEqual(before);
});

test('flags are counted on the card, and rows with one can be left out of an export', async () => {
  await finished();
  const all = await exported();
  const flagged =
    all.rows.filter((row) => /,(hateful|personal-data|stereotype)[ \w-]*$/.test(row)).length / 2;
  expect(flagged).toBeGreaterThan(0);
  const card = readFileSync(join(folder, 'exports', run, 'README.md'), 'utf8');
  expect(card).toContain(`stereotype ${all.manifest.flagged_rows['stereotype']}`);
  const without = await exported('--exclude-flags', 'hateful,personal-data,stereotype');
  expect(without.manifest.left_out.flagged_rows).toBe(flagged);
  expect(without.rows).toHaveLength(all.rows.length - 2 * flagged);
  // The same by the scenario: another run, whose replies are all there.
  const excluding = 'export.exclude_flags=[hateful, personal-data, stereotype]';
  const other = await ok(
    ...['run', join(folder, 'test.yaml'), '--set', excluding, '--model', 'scripted', '--json'],
    ...['--out', join(folder, 'exports')],
  );
  expect(other.json()).toMatchObject({ samples: (without.rows.length - 1) / 2, calls: { made: 0 } });
  const wrong = await command('export', run, '--exclude-flags', 'rude');
  expect(wrong.code).toBe(1);
  expect(wrong.err).toContain('there is no flag "rude"');
});

test('an opinion in another language than its dialogue is dropped for that', async () => {
  await finished();
  const id = await that('grounded; entails the stance');
  const store = openStore(join(folder, 'test.db'));
  await store.write((trx) =>
    trx
      .updateTable('opinions')
      .set({ text: '家庭比工作更重要，因为家人一直支持我。' })
      .where('id', '=', id)
      .execute(),
  );
  await store.close();
  await ok('refine', run);
  expect(await endOf(id)).toMatchObject({ status: 'dropped', reason: 'another language' });
  expect((await ok('why', id)).out).toContain('not written in the language of its dialogue');
});
