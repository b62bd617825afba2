import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { importSurvey } from '../../src/pipeline/import-survey.ts';
import { openStore } from '../../src/store/store.ts';
import { scriptedRun, temporaryFolder } from '../helpers/run.ts';

test('every query of docs/database.md runs, and those about a finished run answer', async () => {
  const queries = [...readFileSync('docs/database.md', 'utf8').matchAll(/```sql\n([\s\S]*?)```/g)].map(
    (match) => match[1] as string,
  );
  const folder = temporaryFolder();
  const store = openStore(join(folder, 'test.db'));
  const survey = join(folder, 'mine.csv');
  writeFileSync(survey, 'country,item,statement,code,label,count\nDEU,tea,Tea.,1,yes,3\nDEU,tea,,2,no,4\n');
  await importSurvey(() => store, survey);
  await scriptedRun(folder, 'quickstart', { store, includeScripted: true });
  const rows = await Promise.all(
    queries.map(async (query) => (await sql.raw(query).execute(store.read)).rows.length),
  );
  await store.close();
  expect(queries.length).toBeGreaterThanOrEqual(6);
  // The last asks for calls that failed: a rehearsal has none. Nor do its personas stand for respondents.
  expect(
    queries.slice(0, -1).filter((query, at) => rows[at] === 0 && !query.includes('persona_respondents')),
  ).toEqual([]);
  expect(rows.at(-1)).toBe(0);
});
