import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/evaluation/report.ts';
import { promptIn, saveCalibration, type CalibrationRow } from '../../src/store/calibrations.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

const folder = temporaryFolder();
const db = join(folder, 'test.db');
let store: Store;
let debates: string;
let unread: string;

beforeAll(async () => {
  store = openStore(db);
  const run = async (name: string, yaml: string, more = {}): Promise<string> => {
    const file = scenarioFile(folder, `cultures: [turkish, german]\n${yaml}`, name);
    return (await scriptedRun(folder, file, { store, ...more })).result.run_id;
  };
  debates = await run(
    'debates',
    'topics: [Q28, Q29]\nprotocol: debate\nturns: 4\ndialogues_per_cell: 40\nreadings: { control: 0.3 }\n',
  );
  unread = await run('unread', 'topics: [Q28]\nturns: 2\nreadings: { turns: false, opinions: false }\n');
}, 180_000);

afterAll(() => store.close());

async function reportOf(run: string, ...more: string[]): Promise<Report & { comparison: unknown }> {
  const { code, out, err } = await terminal('report', run, '--db', db, '--json', ...more);
  expect(err.replace(/^Written: .*$/gm, '').trim()).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out) as Report & { comparison: unknown };
}

async function pagesOf(
  run: string,
  path = db,
  ...more: string[]
): Promise<{ html: string; markdown: string; out: string }> {
  const [html, markdown] = [join(folder, 'out', 'r.html'), join(folder, 'out', 'r.md')];
  const { code, out } = await terminal(
    ...['report', run, '--db', path, '--html', html, '--markdown', markdown, ...more],
  );
  expect(code).toBe(0);
  return { html: readFileSync(html, 'utf8'), markdown: readFileSync(markdown, 'utf8'), out };
}

/** As in a textbook, and not as in the program. */
function divergence(p: readonly number[], q: readonly number[]): number {
  const entropy = (list: readonly number[]): number =>
    list.reduce((sum, x) => (x > 0 ? sum - x * Math.log2(x) : sum), 0);
  return entropy(p.map((x, at) => (x + (q[at] as number)) / 2)) - (entropy(p) + entropy(q)) / 2;
}

test('the figures of a cell are those of a count by hand, and reach the target of the rehearsal', async () => {
  const report = await reportOf(debates);
  const told = report.cells.filter(({ fidelity }) => fidelity !== null);
  expect(told).toHaveLength(4);
  for (const cell of told) {
    const { rows } = await sql<{ code: number; n: number; survey: number }>`
      SELECT c.code, c.n / (SELECT sum(n) FROM cells a WHERE a.topic_id = c.topic_id AND a.country = c.country) AS survey,
        (SELECT count(*) FROM opinions o JOIN opinion_readings r ON r.opinion_id = o.id JOIN dialogues d ON d.id = o.dialogue_id
          JOIN personas p ON p.id = o.persona_id
          WHERE d.run_id = ${debates} AND d.topic_id = c.topic_id AND p.country = c.country AND o.status = 'accepted'
            AND r.code = c.code) AS n
      FROM cells c WHERE c.topic_id = ${cell.topic} AND c.country = ${cell.countries[0]} ORDER BY c.code`.execute(
      store.read,
    );
    expect(cell.countries).toHaveLength(1);
    expect(cell.read).toEqual(rows.map(({ n }) => n));
    const n = rows.reduce((sum, row) => sum + row.n, 0);
    const jsd = divergence(
      rows.map((row) => row.n / n),
      rows.map(({ survey }) => survey),
    );
    const { similarity, best, distance, n: rowsRead } = cell.fidelity as NonNullable<typeof cell.fidelity>;
    expect(rowsRead).toBe(n);
    expect(similarity.estimate).toBeCloseTo(1 - jsd, 10);
    expect(distance).toBeCloseTo(Math.sqrt(jsd), 8);
    expect(similarity.low).toBeLessThanOrEqual(similarity.estimate);
    expect(similarity.estimate, `${cell.culture} ${cell.topic}`).toBeGreaterThan(
      Math.min(0.98, best - 0.005),
    );
  }
  for (const { fidelity, assigned } of report.cultures) {
    expect(fidelity?.similarity.estimate).toBeGreaterThan(0.98);
    expect(assigned.off_by).toBeLessThanOrEqual(1);
  }
});

test('what became of the opinions and what was left out add up, with the reasons', async () => {
  const report = await reportOf(debates);
  for (const line of report.funnel) {
    const dropped = line.dropped.reduce((sum, { opinions }) => sum + opinions, 0);
    expect(line.accepted + dropped).toBe(line.voiced + line.rewritten);
  }
  const { n } = await store.read
    .selectFrom('opinions')
    .innerJoin('dialogues', 'dialogues.id', 'opinions.dialogue_id')
    .select((e) => e.fn.countAll<number>().as('n'))
    .where('run_id', '=', debates)
    .where('opinions.status', '=', 'accepted')
    .executeTakeFirstOrThrow();
  expect(report.cost.accepted).toBe(n);
  expect(report.coverage.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(n);
  expect(report.cost).toMatchObject({ total: 0, a_sample: 0 });
  const left = report.coverage.filter(({ left_out }) => left_out !== null);
  expect(left.every(({ accepted, dialogues }) => accepted === 0 && dialogues === 0)).toBe(true);
  expect(report.drift?.lines.map(({ culture }) => culture)).toContain('turkish');
  expect(report.drift?.lines.every(({ beyond_noise }) => !beyond_noise)).toBe(true);
});

test('the terminal says in plain words that the rehearsal is circular and the judges are not calibrated', async () => {
  const { code, out } = await terminal('report', debates, '--db', db);
  expect(code).toBe(0);
  expect(out.split('\n').length).toBeLessThanOrEqual(60);
  expect(out).toMatch(/Circular: the scripted model plays all roles/);
  expect(out).toMatch(/is not calibrated/);
});

describe('with calibrations', () => {
  /** The pages of a copy whose judges have these calibrations. */
  async function calibrated(name: string, more: Partial<CalibrationRow>) {
    const copy = join(folder, `${name}.db`);
    await store.backup(copy);
    const own = openStore(copy);
    const stages = await own.read
      .selectFrom('stage_runs')
      .select(['stage', 'settings'])
      .where('run_id', '=', debates)
      .where('stage', 'in', ['verify', 'read_turns'])
      .execute();
    await own.write(async (trx) => {
      for (const { stage, settings } of stages) {
        const role = stage === 'verify' ? ('verifier' as const) : ('reader' as const);
        const labels =
          role === 'verifier' ? ['entail', 'contradict'] : ['disagree', 'middle', 'agree', 'none'];
        const counts = labels.map((_, row) => labels.map((__, column) => (row === column ? 46 : 2)));
        await saveCalibration(trx, {
          ...{ id: stage, role, provider: 'scripted', model: 'scripted-1', prompt_hash: promptIn(settings) },
          ...{ language: 'en', source: 'pairs', provenance: 'author-written', pairs_hash: 'x', n: 204 },
          ...{ classes: 3, accuracy: 0.91, balanced_accuracy: 0.9, low: 0.85, high: 0.94, kappa: 0.87 },
          ...{ exact: null, within_one: null, confusion: JSON.stringify({ labels, counts }) },
          ...{ scripted: 0, created_at: 1, ...more },
        });
      }
    });
    await own.close();
    const json = await terminal('report', debates, '--db', copy, '--json');
    return { ...(await pagesOf(debates, copy)), report: JSON.parse(json.out) as Report };
  }

  test('every judge is told with figures and confusion table, and who persuaded whom is told', async () => {
    const { report, markdown, html, out } = await calibrated('calibrated', {});
    expect(report.judges.map(({ stage, language, figures }) => [stage, language, figures?.low])).toEqual([
      ['read_opinions', 'en', 0.85],
      ['read_turns', 'en', 0.85],
      ['verify', 'en', 0.85],
    ]);
    expect(report.judges[0]?.cultures).toEqual(['turkish', 'german']);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'right 90% of the time, the categories balanced (85% to 94%) in en',
    );
    expect(out).not.toContain('not calibrated');
    for (const text of [markdown, html]) {
      expect(text).toContain('better than chance; author-written');
      expect(text).toContain('0.85 to 0.94');
      expect(text).toMatch(/disagree.*disagree 46 \(88%\), middle 2 \(3\.8%\), agree 2/s);
      expect(text).toContain('Who persuaded whom');
    }
    expect(report.drift?.persuasion.pulls?.length).toBeGreaterThan(0);
    // The rehearsal's turns are on their stance; a reader that errs in 1 of 12 would have shown more off it.
    const line = report.drift?.breaks.find(({ culture }) => culture === 'turkish');
    expect(line?.corrected?.treated).toBeLessThan(line?.off.dialogues as number);
    expect(line?.corrected?.excess.low).toBeLessThan(line?.corrected?.excess.high as number);
  });

  test('a judge no better than chance is called so, and tells nobody who persuaded whom', async () => {
    const { report, markdown, out } = await calibrated('chance', {
      balanced_accuracy: 0.36,
      low: 0.3,
      high: 0.43,
    });
    expect(out.replace(/\s+/g, ' ')).toContain(
      'scripted-1 (scripted) as verifier is no better than chance in en',
    );
    expect(markdown).toContain('no better than chance; author-written');
    expect(report.drift?.persuasion).toEqual({
      pulls: null,
      reason: 'the reader is no better than chance (dialogues in en)',
    });
    expect(markdown).toContain('Who persuaded whom is not told: the reader is no better than chance');
    expect(report.drift?.breaks.every(({ corrected }) => corrected === null)).toBe(true);
  });

  test('without one the report says so, judge by judge', async () => {
    const report = await reportOf(debates);
    expect(new Set(report.judges.map(({ calibration, figures }) => [calibration, figures].join()))).toEqual(
      new Set(['not calibrated,']),
    );
    const { markdown } = await pagesOf(debates);
    expect(markdown).toContain(
      'Who persuaded whom is not told: the reader is not calibrated (dialogues in en)',
    );
    expect(markdown).not.toContain('How the judges err');
  });
});

test('few rows read "too few", and a run whose opinions nobody read says so and how to read them', async () => {
  const report = await reportOf(unread);
  expect(report.cells.every(({ fidelity }) => fidelity === null)).toBe(true);
  const { html, markdown, out } = await pagesOf(unread);
  expect(out.replace(/\s+/g, ' ')).toContain(`culturepark refine ${unread} --set readings.opinions=true`);
  expect(markdown).toMatch(/not read/);
  expect(html).not.toContain('1 - JSD by culture');
  expect(html).not.toContain('Who drifted');
  const { code } = await terminal('refine', unread, '--db', db, '--set', 'readings.opinions=true');
  expect(code).toBe(0);
  const after = await pagesOf(unread);
  expect(after.out).toContain('too few');
  expect(after.markdown).not.toContain('not read ');
});

test('a run that was stopped before anything was said has a report too', async () => {
  const own = join(folder, 'stopped');
  mkdirSync(own);
  const file = scenarioFile(own, 'cultures: [turkish]\ntopics: [Q28]\nturns: 2\n', 'stopped');
  const { store: other, result } = await scriptedRun(own, file, { maxCalls: 1 });
  await other.close();
  const { html, out } = await pagesOf(result.run_id, join(own, 'test.db'));
  expect(out).toMatch(/The run is not finished \(stopped: budget/);
  expect(out.replace(/\s+/g, ' ')).toContain('No opinion was accepted');
  expect(html).not.toMatch(/<svg/);
  expect(html).not.toMatch(/NaN|Infinity|undefined/);
});

test('two runs stand side by side over the cells that both have', async () => {
  const { comparison } = await reportOf(debates, '--compare', unread);
  expect(comparison).toMatchObject({
    cultures: [{ culture: 'turkish', cells: 1 }, {}],
    only_this: 2,
    only_other: 0,
  });
  const { html, markdown, out } = await pagesOf(debates, db, '--compare', unread);
  for (const text of [html, markdown, out]) expect(text).toContain(`beside run ${unread}`);
  const same = await terminal('report', debates, '--db', db, '--compare', debates);
  expect(same.code).toBe(1);
  expect(same.err).toContain('the run itself');
});

test('hostile texts do nothing, and the page asks nobody for anything', async () => {
  const copy = join(folder, 'hostile.db');
  await store.backup(copy);
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>| [a](javascript:alert(3)) \u001b[2J`;
  const hostile = openStore(copy);
  await hostile.write(async (trx) => {
    await trx.updateTable('topics').set({ statement: evil }).execute();
    await trx.updateTable('calls').set({ model: evil }).execute();
    await trx.updateTable('personas').set({ name: evil }).execute();
    await trx.updateTable('runs').set({ scenario: evil }).execute();
    await trx.updateTable('scales').set({ label: evil }).execute();
    await sql`UPDATE opinions SET reason = ${evil}, class = ${evil} WHERE status <> 'accepted'`.execute(trx);
  });
  await hostile.close();
  const { html, markdown, out } = await pagesOf(debates, copy);
  const bare = html.replace(/"[^"]*"/g, '""');
  expect(bare).not.toMatch(/<script|<img|<[^>]*\son\w+=/i);
  expect(html).toContain('&lt;script&gt;alert(1)');
  expect(bare).not.toMatch(/<[^>]*\b(src|href)\s*=/i);
  expect(html).not.toMatch(/@import|url\(|https?:\/\//i);
  expect(unbalanced(html)).toEqual([]);
  expect(markdown).not.toMatch(/(?<!\\)<script|(?<!\\)\]\(/);
  expect(`${out}${markdown}${html}`).not.toContain('\u001b');
});

/** Tags that were not closed, or closed and never opened. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, close, name = '', rest = ''] of html.matchAll(
    /<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|[^">])*)>/gi,
  )) {
    if (['meta', 'br', 'hr'].includes(name) || rest.endsWith('/')) continue;
    if (!close) open.push(name);
    else if (open.pop() !== name) wrong.push(name);
  }
  return [...wrong, ...open];
}
