import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/export/manifest.ts';
import { scriptedModel } from '../../src/models/scripted.ts';
import { calibrateFromReviews } from '../../src/pipeline/calibrate-reviews.ts';
import { estimate, type Estimate } from '../../src/pipeline/estimate.ts';
import { exportRuns, type ExportInput } from '../../src/pipeline/export-runs.ts';
import { prepare } from '../../src/pipeline/prepare.ts';
import { promptIn, saveCalibration, type CalibrationRow } from '../../src/store/calibrations.ts';
import { getRun } from '../../src/store/runs.ts';
import type { Store } from '../../src/store/store.ts';
import { start, type FaultServer } from '../helpers/fault-server.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

const scenario = `cultures: [german, turkish]
topics: [Q27, Q31]
dialogues_per_cell: 2
protocol: free-chat
turns: 4
readings: { turns: false, opinions: false }
`;

const good = {
  role: 'verifier',
  source: 'pairs',
  provenance: 'author-written, not checked by native speakers',
  ...{ pairs_hash: 'x', n: 204, classes: 3, accuracy: 0.8, balanced_accuracy: 0.8, low: 0.74, high: 0.85 },
  ...{ kappa: 0.7, exact: null, within_one: null, confusion: '{}', scripted: 0, created_at: 1 },
} as const;

/** The calibration of the judge that a run had. */
async function calibrationFor(store: Store, more: Partial<CalibrationRow> = {}): Promise<CalibrationRow> {
  const verdict = await store.read
    .selectFrom('verdicts as v')
    .innerJoin('calls as c', 'c.id', 'v.call_id')
    .innerJoin('stage_runs as s', 's.id', 'v.stage_run_id')
    .select(['c.provider', 'c.model', 's.settings'])
    .executeTakeFirstOrThrow();
  const { provider, model, settings } = verdict;
  return { ...good, id: 'c1', provider, model, prompt_hash: promptIn(settings), language: 'en', ...more };
}

describe('an export', () => {
  let store: Store;
  let folder: string;
  let runId: string;
  beforeAll(async () => {
    folder = temporaryFolder();
    const made = await scriptedRun(folder, scenarioFile(folder, scenario), { includeScripted: true });
    store = made.store;
    runId = made.result.run_id;
  });
  afterEach(() => store.write((trx) => trx.deleteFrom('calibrations').execute()));
  afterAll(() => store.close());
  const save = async (more: Partial<CalibrationRow> = {}) => {
    const row = await calibrationFor(store, more);
    await store.write((trx) => saveCalibration(trx, row));
  };
  const exported = async (more: Partial<ExportInput> = {}) => {
    const run = await getRun(store, runId);
    const made = await exportRuns({
      store,
      runs: [run],
      out: temporaryFolder(),
      includeScripted: true,
      ...more,
    });
    const manifest = JSON.parse(readFileSync(join(made.folder, 'manifest.json'), 'utf8')) as Manifest;
    return { manifest, card: readFileSync(join(made.folder, 'README.md'), 'utf8') };
  };
  const statuses = async () =>
    new Set((await store.read.selectFrom('samples').select('status').execute()).map(({ status }) => status));

  test('says that its judge is not calibrated, and its rows are unverified', async () => {
    const { manifest, card } = await exported();
    expect(manifest.judges.map(({ culture, language, in_words }) => [culture, language, in_words])).toEqual([
      ['german', 'en', 'not calibrated'],
      ['turkish', 'en', 'not calibrated'],
    ]);
    expect(card).toContain('on dialogues in en: **not calibrated** [german, turkish]');
    expect(card).toContain('**unverified**');
    expect(await statuses()).toEqual(new Set(['unverified']));
  });

  test('says in plain words what a calibrated judge is worth, and its rows are verified', async () => {
    await save();
    const { manifest, card } = await exported();
    expect(manifest.judges[0]?.calibration).toMatchObject({ n: 204, low: 0.74, source: 'pairs' });
    expect(card).toContain('balanced accuracy 0.80 (0.74 to 0.85), n 204, author-written pairs');
    expect(card).not.toContain('**unverified**');
    expect(await statuses()).toEqual(new Set(['verified']));
  });

  test('says that a judge is no better than chance, and its rows stay unverified', async () => {
    await save({ balanced_accuracy: 0.36, low: 0.3, high: 0.43 });
    const { card } = await exported();
    expect(card).toContain('**no better than chance: balanced accuracy 0.36');
    expect(await statuses()).toEqual(new Set(['unverified']));
  });

  test.each([
    ['another prompt', { prompt_hash: 'before' }],
    ['another model', { model: 'other' }],
    ['another language', { language: 'tr' }],
  ])('knows no calibration of %s', async (_, other) => {
    await save(other);
    expect((await exported()).manifest.judges[0]?.in_words).toBe('not calibrated');
  });

  test('that requires a calibrated judge is refused without one, and says which command calibrates', async () => {
    const before = await store.read.selectFrom('samples').selectAll().orderBy('id').execute();
    const { code, err } = await terminal(
      ...['export', runId, '--db', store.path, '--out', join(folder, 'refused')],
      ...['--include-scripted', '--require-calibrated', '0.7'],
    );
    expect(code).toBe(1);
    expect(err).toContain('german, dialogues in en: the verifier scripted-1 is not calibrated');
    expect(err).toContain(
      `culturepark models calibrate --role verifier --model scripted --language en --db ${store.path}`,
    );
    expect(await store.read.selectFrom('samples').selectAll().orderBy('id').execute()).toEqual(before);
  });

  test('that requires a calibrated judge goes by the lower bound, not by the figure', async () => {
    await save();
    await expect(exported({ requireCalibrated: 0.75 })).rejects.toThrow(/below it: balanced accuracy 0\.80/);
    expect((await exported({ requireCalibrated: 0.74 })).manifest.judges).toHaveLength(2);
  });

  test('needs no judge where no stance is claimed', async () => {
    const own = temporaryFolder();
    const topic = '{ id: tea, theme: food, statement: Tea is good., stance: none }';
    scenarioFile(own, `survey: mine\ntopics: [${topic}]\n`, 'mine');
    const file = scenarioFile(
      own,
      'cultures: [turkish]\ntopics: [tea]\ntopic_files: [mine.yaml]\nturns: 4\nprotocol: free-chat\n',
    );
    const made = await scriptedRun(own, file, { includeScripted: true });
    const run = await getRun(made.store, made.result.run_id);
    const wanted = { store: made.store, runs: [run], out: own, name: 'again', includeScripted: true };
    await expect(exportRuns({ ...wanted, requireCalibrated: 0.9 })).resolves.toMatchObject({ empty: [] });
    await made.store.close();
  });

  test('takes no bound beyond 1', async () => {
    const { code, err } = await terminal('export', '--require-calibrated', '70', '--db', store.path);
    expect([code, err]).toEqual([1, expect.stringContaining('expected a number from 0 to 1')]);
  });
});

describe("people's marks", () => {
  test('calibrate the judge of the marked opinions; where there are none it says so', async () => {
    const folder = temporaryFolder();
    const { store } = await scriptedRun(folder, scenarioFile(folder, scenario));
    const from = (...more: string[]) =>
      terminal('models', 'calibrate', '--from-reviews', '--db', store.path, ...more);
    expect(await from()).toMatchObject({ code: 1, err: expect.stringContaining("a person's mark") });

    const verdicts = await store.read
      .selectFrom('verdicts as v')
      .innerJoin('stage_runs as s', 's.id', 'v.stage_run_id')
      .select(['v.opinion_id', 'v.verdict'])
      .where('s.stage', '=', 'verify')
      .orderBy('v.opinion_id')
      .execute();
    const entailed = verdicts.filter(({ verdict }) => verdict === 'entail').slice(0, 5);
    const others = verdicts.filter(({ verdict }) => verdict !== 'entail').slice(0, 2);
    expect([entailed.length, others.length]).toEqual([5, 2]);
    // Of five entailed ones a person accepts three at last; of the two others none; one is disputed.
    const marks: [string, string, string, number][] = [
      ...entailed.map(({ opinion_id: id }, at) => [id, at < 4 ? 'accept' : 'reject', 'ann', 1] as never),
      ...others.map(({ opinion_id: id }) => [id, 'reject', 'ann', 1] as never),
      [entailed[3]?.opinion_id as string, 'reject', 'ann', 2],
      [entailed[0]?.opinion_id as string, 'reject', 'ben', 1],
    ];
    await store.write(async (trx) => {
      for (const [subject, mark, reviewer, at] of marks)
        await trx.insertInto('reviews').values({ subject, mark, note: null, reviewer, at }).execute();
    });
    const { calibrations, marked, disputed } = await calibrateFromReviews(store);
    expect([marked, disputed, calibrations.length]).toEqual([7, 1, 1]);
    // Left: two accepted that were entailed, two rejected that were entailed, two rejected that were not.
    expect(calibrations[0]).toMatchObject({
      source: 'reviews',
      n: 6,
      classes: 2,
      scripted: 1,
      language: 'en',
    });
    expect(calibrations[0]?.accuracy).toBeCloseTo(4 / 6, 12);
    expect(calibrations[0]?.balanced_accuracy).toBeCloseTo((1 + 0.5) / 2, 12);
    const { code, out } = await from();
    expect(code).toBe(0);
    expect(out).toContain("n 6, people's marks (accept or reject)");
    expect((await from('--language', 'tr')).code).toBe(1);
    await store.close();
  });
});

describe('two judges', () => {
  let server: FaultServer;
  const run = async (second: string, modelFlag?: string) => {
    const judged = new Map<string, number>();
    server = await start({
      models: ['tiny-1', 'tiny-2', 'tiny-3'],
      object({ model, messages, response_format: format }) {
        if (format?.json_schema.name !== 'verdicts') return undefined;
        const asked = messages.at(-1)?.content.match(/^\d+\. \(/gm)?.length ?? 0;
        judged.set(model, (judged.get(model) ?? 0) + 1);
        // The second judge objects to every other opinion.
        return JSON.stringify({
          verdicts: Array.from({ length: asked }, (_, at) => ({
            opinion: at + 1,
            verdict: model === 'tiny-2' && at % 2 === 1 ? 'contradict' : 'entail',
          })),
        });
      },
    });
    const folder = temporaryFolder();
    const models = `models: { default: 'openai:tiny-1', second_verifier: ${second} }\n`;
    const file = scenarioFile(folder, scenario + models);
    let before: Estimate | undefined;
    const made = await scriptedRun(folder, file, {
      modelFlag,
      model: { baseUrl: server.baseUrl, apiKey: 'sk-test-0123456789abcdef' },
      watch: { say: () => undefined, started: ({ outlook }) => void (before = outlook?.estimate()) },
    });
    return { ...made, judged, before: before as unknown as Estimate };
  };
  afterEach(() => server.stop());

  test('keep what both agree on; where they disagree both verdicts stand, and the reason says so', async () => {
    const { store, result, judged } = await run('openai:tiny-2');
    expect(judged.get('tiny-2')).toBe(judged.get('tiny-1'));
    const { disagreed, entail, contradict } = result.opinions;
    expect(disagreed).toBeGreaterThan(0);
    expect(entail).toBeGreaterThan(0);
    expect(contradict).toBe(0);
    const opinions = await store.read.selectFrom('opinions').selectAll().execute();
    const dropped = opinions.filter(({ reason }) => reason === 'judges disagree');
    expect(dropped).toHaveLength(disagreed);
    const verdicts = await store.read
      .selectFrom('verdicts')
      .select(['verdict', 'model'])
      .where('opinion_id', '=', dropped[0]?.id ?? '')
      .orderBy('model')
      .execute();
    expect(verdicts).toEqual([
      { verdict: 'entail', model: 'tiny-1' },
      { verdict: 'contradict', model: 'tiny-2' },
    ]);
    for (const command of [['why'], ['inspect', 'opinion']]) {
      const { out } = await terminal(...command, dropped[0]?.id as string, '--db', store.path);
      expect(out).toMatch(/judges disagree: tiny-1.* says\s+entail, tiny-2.* says\s+contradict/s);
      expect(out.match(/not calibrated/g)).toHaveLength(2);
    }
    const funnel = await terminal('inspect', 'run', result.run_id, '--db', store.path);
    expect(funnel.out).toContain('judges disagree');
    await store.close();
  });

  test('are both in the estimate, and with --model neither is', async () => {
    const two = await run('{ model: openai:tiny-2, temperature: 0.1 }');
    const alone = estimate(prepare(scenarioFile(temporaryFolder(), scenario)), () => scriptedModel(), 1);
    // Two a dialogue: the opinions' verdicts, and those of their rewrites.
    const dialogues = two.before.dialogues;
    expect(two.before.calls.low).toBe(alone.calls.low + dialogues);
    expect(two.before.calls.high).toBeGreaterThan(alone.calls.high + dialogues);
    expect(two.result.calls.made).toBeLessThanOrEqual(two.before.calls.high);
    expect(two.result.calls.made).toBeGreaterThanOrEqual(two.before.calls.low);
    await two.store.close();
    await server.stop();
    const replaced = await run('openai:tiny-2', 'openai:tiny-3');
    expect(replaced.before.calls).toEqual(alone.calls);
    expect([...replaced.judged.keys()]).toEqual(['tiny-3']);
    await replaced.store.close();
  });

  test('of one model are one judge, who is asked once', async () => {
    const { store, result, judged } = await run('openai:tiny-1');
    expect(result.opinions.disagreed).toBe(0);
    expect(result.opinions.accepted).toBeGreaterThan(0);
    const opinions = await store.read.selectFrom('verdicts').select('opinion_id').execute();
    expect(new Set(opinions.map(({ opinion_id: id }) => id)).size).toBe(opinions.length);
    expect(judged.has('tiny-2')).toBe(false);
    await store.close();
  });
});
