import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { cleanText } from '../clean-text.ts';
import { UserError } from '../errors.ts';
import { shortId } from '../ids.ts';
import type { ImportedSurvey } from '../survey/import/types.ts';
import { freeTopics, freeWvs7, rowsOf } from './replace-survey.ts';
import type { Store, Trx } from './store.ts';

/** What an import came to. */
export type Outcome = 'imported' | 'replaced' | 'unchanged';

/** Rows a statement: always the same number, so that few statements are prepared. */
const ROWS = 500;

/**
 * Stores a survey with its topics, cells and waiting respondents in one transaction. The same content is left alone; another
 * file under the same name takes its place, unless runs drew their personas from what it changes.
 */
export async function saveSurvey(store: Store, survey: ImportedSurvey): Promise<Outcome> {
  const id = shortId('survey', survey.name);
  return store.write(async (trx) => {
    const known = await trx
      .selectFrom('surveys')
      .selectAll()
      .where('name', '=', survey.name)
      .executeTakeFirst();
    if (
      known?.sha256 === survey.sha256 &&
      known.kind === survey.kind &&
      known.ordered === Number(survey.ordered)
    )
      return 'unchanged';
    if (known && known.kind !== survey.kind)
      throw new UserError(`There is another survey "${survey.name}" in this database (${known.kind}).`, {
        mend: 'Give this one another name with --name.',
      });
    await (survey.kind === 'wvs7' ? freeWvs7 : freeTopics)(trx, survey, known?.id);
    if (known) await trx.deleteFrom('respondents').where('survey_id', '=', id).execute();
    const { kind, name, basis, file, sha256, respondents, notes, comparison } = survey;
    const row = {
      id,
      name,
      kind,
      basis,
      file,
      sha256,
      respondents,
      ordered: Number(survey.ordered),
      imported_at: Date.now(),
      items: JSON.stringify(survey.items),
      notes: JSON.stringify({ notes, comparison }),
    };
    await trx
      .insertInto('surveys')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
      .execute();
    await saveFigures(trx, survey);
    if (respondents !== null) {
      await trx
        .insertInto('secrets')
        .values({ name: 'respondents', value: randomBytes(16).toString('hex') })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await sql`INSERT INTO respondents (survey_id, country, number, weight, age_band, gender, education, answers)
        SELECT ${id}, country, number, weight, age_band, gender, education, answers FROM temp.incoming_respondents
        ORDER BY country, number`.execute(trx);
    }
    return known ? 'replaced' : 'imported';
  });
}

/** Topics, statements, scales and cells; those that stand there already stay. */
async function saveFigures(trx: Trx, { topics, statements, scales, cells }: ImportedSurvey): Promise<void> {
  await inPages(
    topics,
    (topic) => [{ ...topic, statement: cleanText(topic.statement) }],
    (page) =>
      trx
        .insertInto('topics')
        .values(page)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
  );
  await inPages(
    statements,
    ([topic_id, words]) =>
      [...words].map(([language, text]) => ({
        topic_id,
        language,
        text: cleanText(text),
        source: 'imported',
        reviewed: 0,
      })),
    (page) =>
      trx
        .insertInto('topic_texts')
        .values(page)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
  );
  await inPages(
    scales,
    ({ id: scale, options }) =>
      options.map(({ code, label, agreement }) => ({ scale, code, label: cleanText(label), agreement })),
    (page) =>
      trx
        .insertInto('scales')
        .values(page)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
  );
  await inPages(cells, rowsOf, (page) =>
    trx
      .insertInto('cells')
      .values(page)
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  await inPages(
    cells,
    ({ topicId, country, validN, missingN }) => [
      { topic_id: topicId, country, valid_n: validN, missing_n: missingN },
    ],
    (page) =>
      trx
        .insertInto('cell_totals')
        .values(page)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
  );
}

/** Makes rows of items and writes them a page at a time: the rows of a large survey are never all there at once. */
async function inPages<T, Row>(
  items: Iterable<T>,
  rowsFor: (item: T) => readonly Row[],
  write: (page: readonly Row[]) => Promise<unknown>,
): Promise<void> {
  let page: Row[] = [];
  for (const item of items) {
    page.push(...rowsFor(item));
    for (; page.length >= ROWS; page = page.slice(ROWS)) await write(page.slice(0, ROWS));
  }
  if (page.length > 0) await write(page);
}
