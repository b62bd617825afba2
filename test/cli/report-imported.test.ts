import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../src/evaluation/report.ts';
import { importSurvey } from '../../src/pipeline/import-survey.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

const folder = temporaryFolder();
let store: Store;

beforeAll(async () => {
  store = openStore(join(folder, 'test.db'));
  const load = async (name: string, lines: string[]): Promise<void> => {
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
    await importSurvey(() => store, join(folder, name), {});
  };
  // Published as shares: one question whose answers have an order, and one whose answers have none.
  await load('shares.csv', [
    'country,item,statement,code,label,agreement,share',
    ...['TUR', 'DEU'].flatMap((country) => [
      ...[40, 35, 25].map((n, at) => `${country},ranked,Tea is good.,${at},Answer ${at},${1 - at / 2},${n}`),
      ...[50, 30, 20].map((n, at) => `${country},plain,What is best?,${at},Drink ${at},,${n}`),
    ]),
  ]);
  await load('weighted.csv', [
    'country,item,statement,code,label,agreement,count,weighted_count',
    ...[30, 10].map((n, at) => `TUR,heavy,Soup is good.,${at},Answer ${at},${1 - at},${n},${40 - n}`),
  ]);
});

afterAll(() => store.close());

async function reported(
  name: string,
  yaml: string,
): Promise<{ report: Report; markdown: string; html: string }> {
  const { result } = await scriptedRun(folder, scenarioFile(folder, yaml, name), { store });
  expect(result.status).toBe('finished');
  const [markdown, html] = [join(folder, `${name}.md`), join(folder, `${name}.html`)];
  const { code, out } = await terminal(
    ...['report', result.run_id, '--db', store.path, '--json', '--markdown', markdown, '--html', html],
  );
  expect(code).toBe(0);
  return {
    report: JSON.parse(out) as Report,
    markdown: readFileSync(markdown, 'utf8'),
    html: readFileSync(html, 'utf8'),
  };
}

test('shares without a number of people have no survey error, and the report says so; answers without an order no distance and no drift', async () => {
  const { report, markdown, html } = await reported(
    'shares',
    'cultures: [turkish, german]\ntopics: [ranked, plain]\nprotocol: debate\nturns: 4\ndialogues_per_cell: 45\nlanguage: english\nreadings: { control: 0.3 }\n',
  );
  expect(report.cells).toHaveLength(4);
  for (const { topic, respondents, fidelity, survey } of report.cells) {
    expect(respondents).toBeNull();
    expect(survey.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(fidelity).toMatchObject({ survey_error: null, survey_floor: null });
    if (topic === 'plain') expect(fidelity?.wasserstein).toBeNull();
    else expect(fidelity?.wasserstein).toBeGreaterThanOrEqual(0);
  }
  for (const { fidelity } of report.cultures)
    expect(fidelity).toMatchObject({ survey_error: null, wasserstein: null });
  expect(report.verdict.join('\n')).toMatch(
    /survey's own error is left out for turkish, german: shares were published there without the number of people/,
  );
  expect(markdown).toMatch(/\| unknown \| [\d.]+ \| no order \|/);
  expect(html).toContain('published as shares, respondents unknown');
  // Only the answers that have an order can move.
  const delegates = report.coverage.filter(({ topic }) => topic === 'ranked');
  for (const { culture, talked } of report.drift?.lines ?? [])
    expect(talked).toBe(delegates.find((cell) => cell.culture === culture)?.dialogues);
  expect(report.drift?.lines).toHaveLength(2);
});

test('a run is measured against the counts that it was drawn from, weighted ones only where it asked for them', async () => {
  const yaml = 'cultures: [turkish]\ntopics: [heavy]\nprotocol: direct\ndialogues_per_cell: 4\n';
  const { report: plain } = await reported('plain', yaml);
  expect(plain.cells[0]?.survey).toEqual([0.75, 0.25]);
  const { report: weighted } = await reported('weighted', `${yaml}weights: true\n`);
  expect(weighted.cells[0]?.survey).toEqual([0.25, 0.75]);
});
