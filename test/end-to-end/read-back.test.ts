import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import type { Fidelity } from '../../src/evaluation/fidelity.ts';
import type { Report } from '../../src/evaluation/report.ts';
import { importSurvey } from '../../src/pipeline/import-survey.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

/** Answers of people of two or more countries on scales of each length, skewed; `plain` ones have no order. */
function surveyFile(folder: string, lengths: readonly number[], plain: readonly number[]): string {
  const lines = ['country,item,statement,code,label,agreement,count'];
  const add = (item: string, of: number, ordered: boolean): void => {
    for (const [at, country] of ['TUR', 'DEU', 'KOR', 'CHN', 'EGY', 'BGD', 'BRA', 'MEX', 'USA'].entries())
      for (let code = 1; code <= of; code += 1) {
        const count = 20 + 90 * ((code * 7 + at * 5 + of) % of);
        const place = ordered ? (of - code) / (of - 1) : '';
        lines.push(
          `${country},${item},Item ${item} (1/2) is what counts.,${code},Answer ${code} of ${of},${place},${count}`,
        );
      }
  };
  for (const of of lengths) add(`s${of}`, of, true);
  for (const of of plain) add(`n${of}`, of, false);
  const file = join(folder, 'scales.csv');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

async function reportOf(store: Store, run: string): Promise<Report> {
  const { code, out } = await terminal('report', run, '--db', store.path, '--json');
  expect(code).toBe(0);
  return JSON.parse(out) as Report;
}

/** 0.98, or what whole rows allow where they are few. */
const atLeast = (fidelity: Fidelity | null): number => Math.min(0.98, (fidelity?.best ?? 1) - 0.005);

/** What holds of a run of the scripted model with quotas that are filled. */
async function expectReadBack(store: Store, report: Report): Promise<void> {
  for (const { culture, topic, read, accepted_of, unread, none } of report.cells)
    expect({ culture, topic, read, unread, none }).toEqual({
      culture,
      topic,
      read: accepted_of,
      unread: 0,
      none: 0,
    });
  expect(report.quota).toMatchObject({ off_by: 0, off: [], why: null });
  expect(report.verdict.join('\n')).toMatch(/The quotas are kept: \d+ opinions accepted of \d+ asked for/);
  for (const { assigned, accepted } of report.cells.filter((cell) => cell.respondents === 0))
    expect([accepted, ...assigned].every((n) => n === 0)).toBe(true);
  const { rows } = await sql<{ n: number }>`
    SELECT count(*) AS n FROM stances s JOIN personas p ON p.id = s.persona_id
    WHERE NOT EXISTS (SELECT 1 FROM cell_totals t WHERE t.topic_id = s.topic_id AND t.country = p.country AND t.valid_n > 0)`.execute(
    store.read,
  );
  expect(rows).toEqual([{ n: 0 }]);
}

test('any scale reads back: two to eleven answers, with an order or without', async () => {
  const folder = temporaryFolder();
  const store = openStore(join(folder, 'test.db'));
  const lengths = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  await importSurvey(() => store, surveyFile(folder, lengths, [3, 7]), {});
  const topics = ['Q29', 'Q125', 'Q159', ...lengths.map((of) => `s${of}`), 'n3', 'n7'];
  const file = scenarioFile(
    folder,
    `cultures: [chinese, turkish]\ntopics: [${topics.join(', ')}]\nprotocol: direct\nlanguage: english\nsamples: { per_culture: 690, spread: survey }\n`,
  );
  const { result } = await scriptedRun(folder, file, { store });
  expect(result).toMatchObject({ status: 'finished' });
  const report = await reportOf(store, result.run_id);
  await expectReadBack(store, report);
  expect(report.quota).toMatchObject({ wanted: 1380, accepted: 1380 });
  for (const { fidelity } of report.cultures)
    expect(fidelity?.similarity.estimate).toBeGreaterThanOrEqual(0.98);
  for (const { culture, topic, fidelity, accepted } of report.cells) {
    const name = `${culture} ${topic}`;
    if (accepted < 40) expect(fidelity, name).toBeNull();
    else expect(fidelity?.similarity.estimate, name).toBeGreaterThanOrEqual(atLeast(fidelity));
  }
  expect(report.cells.filter(({ fidelity }) => fidelity !== null).length).toBeGreaterThan(25);
  // Nobody was asked Q125 in China.
  const left = report.coverage.filter(({ left_out }) => left_out !== null);
  expect(left).toMatchObject([{ culture: 'chinese', topic: 'Q125', accepted: 0, dialogues: 0 }]);
  // Answers without an order have no Wasserstein distance.
  for (const { topic, fidelity } of report.cells.filter((cell) => cell.fidelity))
    expect(fidelity?.wasserstein === null, topic).toBe(topic.startsWith('n'));
  await store.close();
}, 120_000);

test('in every language, with rewrites among the samples', async () => {
  // The scripted model has few phrases in some languages: at the default threshold they count as said before too soon.
  const folder = temporaryFolder();
  const store = openStore(join(folder, 'test.db'));
  const file = scenarioFile(
    folder,
    'cultures: [arabic, bengali, chinese, english, german, korean, portuguese, spanish, turkish]\ntopics: [Q29, Q159, Q27, Q160]\nprotocol: self-guidance\nturns: 4\nlanguage: own\nrefinement: { include_rewritten: true, threshold: 0.7 }\nsamples: { per_culture: 44, spread: survey }\n',
  );
  const { result } = await scriptedRun(folder, file, { store });
  expect(result).toMatchObject({ status: 'finished' });
  await expectReadBack(store, await reportOf(store, result.run_id));
  await store.close();
}, 120_000);

test('quotas that a cap left short: the report says which, how many and why', async () => {
  const folder = temporaryFolder();
  const file = scenarioFile(
    folder,
    'cultures: [turkish]\ntopics: [Q29]\nturns: 4\nsamples: { per_culture: 60, max_dialogues: 9 }\n',
  );
  const { store, result } = await scriptedRun(folder, file);
  expect(result).toMatchObject({ status: 'stopped', stop_reason: 'quota_short' });
  const { quota, verdict } = await reportOf(store, result.run_id);
  const short = quota?.off.reduce((sum, row) => sum + row.quota - row.accepted, 0);
  expect(quota).toMatchObject({ wanted: 60, accepted: 60 - (short as number) });
  expect(short).toBeGreaterThan(30);
  expect(verdict.join('\n')).toMatch(
    /The quotas are not kept, because the cap of 9 dialogues was reached.*: \d+ opinions accepted of 60 asked for; \d+ are missing in \d answers, most in turkish Q29 in TUR, answer \d: \d+ of \d+ \(\d+ people gave it/,
  );
  const markdown = join(folder, 'report.md');
  await terminal('report', result.run_id, '--db', store.path, '--markdown', markdown);
  expect(readFileSync(markdown, 'utf8')).toMatch(/## Quotas[\s\S]*turkish \| 60 \| \d+ \| 4 /);
  await store.close();
});
