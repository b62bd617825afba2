import type { Selectable } from 'kysely';
import type { People } from '../agents/respondents.ts';
import { groupBy } from '../group-by.ts';
import { cellKey } from '../ids.ts';
import type { Comparison, Respondent } from '../survey/import/types.ts';
import type { Cell, Scale, Survey, Topic } from '../survey/types.ts';
import type { Database } from './schema.ts';
import type { Reader } from './store.ts';

/** An imported survey, as `survey list` shows it. */
export interface SurveyRecord extends Omit<Selectable<Database['surveys']>, 'items' | 'notes' | 'ordered'> {
  ordered: boolean;
  items: readonly string[];
  /** What was left out. */
  notes: readonly string[];
  comparison: Comparison | null;
}

/** Imported topics with their figures and statements by language, as a run takes them beside the shipped ones. */
export interface Imported {
  survey: Survey;
  statements: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Names of all imported surveys whose topics can be named. */
  names: readonly string[];
  /** The respondents of a scenario's countries, where its personas stand for them. */
  people?: People;
}

/** Whether the database has a place for imports: one that an older program made may be open for reading alone. */
async function hasSurveys(read: Reader): Promise<boolean> {
  const tables = await read.introspection.getTables();
  return tables.some(({ name }) => name === 'surveys');
}

/** The imported surveys, the oldest first. */
export async function importedSurveys(read: Reader): Promise<SurveyRecord[]> {
  if (!(await hasSurveys(read))) return [];
  const rows = await read.selectFrom('surveys').selectAll().orderBy('imported_at').orderBy('name').execute();
  return rows.map(({ items, notes, ordered, ...row }) => ({
    ...row,
    ordered: ordered === 1,
    items: JSON.parse(items) as string[],
    ...(JSON.parse(notes) as { notes: string[]; comparison: Comparison | null }),
  }));
}

/** The topics of imported surveys, without those of the World Values Survey, which are shipped. */
export async function importedTopics(read: Reader): Promise<Topic[]> {
  if (!(await hasSurveys(read))) return [];
  return topicsOf(read).selectAll('t').orderBy('t.survey').orderBy('t.theme').orderBy('t.id').execute();
}

const topicsOf = (read: Reader) =>
  read
    .selectFrom('topics as t')
    .innerJoin('surveys as s', (join) => join.onRef('s.name', '=', 't.survey').on('s.kind', '<>', 'wvs7'));

/**
 * The imported topics that some words name (id, theme or survey), with all their cells, and the World Values Survey's cells
 * that have weighted counts.
 * @returns null where nothing was imported
 */
export async function importedSurvey(read: Reader, words: readonly string[]): Promise<Imported | null> {
  const surveys = await importedSurveys(read);
  if (surveys.length === 0) return null;
  const named = new Set(words);
  const topics = (await importedTopics(read)).filter(({ id, theme, survey }) =>
    [id, theme, survey].some((word) => named.has(word)),
  );
  const shares = new Set(surveys.filter(({ basis }) => basis === 'shares').map(({ name }) => name));
  const bySurvey = new Map(topics.map(({ id, survey }) => [id, survey]));
  const rows = [
    ...(await pages(topics, 200, (page) =>
      cellRows(read)
        .where(
          'c.topic_id',
          'in',
          page.map(({ id }) => id),
        )
        .execute(),
    )),
    ...(await cellRows(read).where('c.weighted_n', 'is not', null).where('t.survey', '=', 'wvs7').execute()),
  ];
  const scales = await scalesOf(read, [...new Set(rows.map(({ scale }) => scale))]);
  const texts = await pages(topics, 200, (page) =>
    read
      .selectFrom('topic_texts')
      .selectAll()
      .where(
        'topic_id',
        'in',
        page.map(({ id }) => id),
      )
      .execute(),
  );
  const cells = [...groupBy(rows, (row) => cellKey(row.topic_id, row.country))].map(
    ([key, own]): [string, Cell] => {
      const [{ topic_id: topicId, valid_n: validN, missing_n: missingN }] = own as [(typeof own)[number]];
      const shared = shares.has(bySurvey.get(topicId) ?? '');
      return [key, cellFrom(own, scales, { validN, missingN, shares: shared })];
    },
  );
  return {
    survey: { topics: new Map(topics.map((topic) => [topic.id, topic])), scales, cells: new Map(cells) },
    statements: new Map(
      [...groupBy(texts, (row) => row.topic_id)].map(([id, own]) => [
        id,
        new Map(own.map(({ language, text }) => [language, text])),
      ]),
    ),
    names: surveys.filter(({ kind }) => kind !== 'wvs7').map(({ name }) => name),
  };
}

const cellRows = (read: Reader) =>
  read
    .selectFrom('cells as c')
    .innerJoin('topics as t', 't.id', 'c.topic_id')
    .innerJoin('cell_totals as ct', (join) =>
      join.onRef('ct.topic_id', '=', 'c.topic_id').onRef('ct.country', '=', 'c.country'),
    )
    .select(['c.topic_id', 'c.country', 'c.scale', 'c.n', 'c.weighted_n', 'ct.valid_n', 'ct.missing_n'])
    .orderBy('c.topic_id')
    .orderBy('c.country')
    .orderBy('c.code');

async function scalesOf(read: Reader, ids: readonly string[]): Promise<Map<string, Scale>> {
  const options = await pages(ids, 200, (page) =>
    read
      .selectFrom('scales')
      .selectAll()
      .where('scale', 'in', page)
      .orderBy('scale')
      .orderBy('code')
      .execute(),
  );
  return new Map(
    [...groupBy(options, ({ scale }) => scale)].map(([id, own]) => [
      id,
      { id, options: own.map(({ code, label, agreement }) => ({ code, label, agreement })) },
    ]),
  );
}

async function pages<T, R>(
  items: readonly T[],
  size: number,
  query: (page: readonly T[]) => Promise<R[]>,
): Promise<R[]> {
  const rows: R[] = [];
  for (let at = 0; at < items.length; at += size) rows.push(...(await query(items.slice(at, at + size))));
  return rows;
}

/** The topics whose figures are published shares, among some; a stance on them has no number of respondents. */
export async function topicsOfShares(read: Reader, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0 || !(await hasSurveys(read))) return new Set();
  const rows = await topicsOf(read)
    .select('t.id')
    .where('s.basis', '=', 'shares')
    .where('t.id', 'in', ids)
    .execute();
  return new Set(rows.map(({ id }) => id));
}

/** Rows a page. */
const PAGE = 2000;

/**
 * The respondents of a survey in one country, in the order of the file, a page at a time.
 * @returns answers by topic id; a topic without a valid answer is not there
 */
export async function* respondentsOf(
  read: Reader,
  surveyName: string,
  country: string,
): AsyncGenerator<Omit<Respondent, 'answers' | 'country'> & { answers: ReadonlyMap<string, number> }> {
  const survey = await read
    .selectFrom('surveys')
    .select(['id', 'items'])
    .where('name', '=', surveyName)
    .executeTakeFirst();
  if (!survey) return;
  const items = JSON.parse(survey.items) as string[];
  for (let after = 0; ;) {
    const page = await read
      .selectFrom('respondents')
      .select(['number', 'weight', 'age_band', 'gender', 'education', 'answers'])
      .where('survey_id', '=', survey.id)
      .where('country', '=', country)
      .where('number', '>', after)
      .orderBy('number')
      .limit(PAGE)
      .execute();
    for (const { answers, ...person } of page) {
      const codes = answers
        .split(',')
        .flatMap((code, at): [string, number][] =>
          code === '' ? [] : [[items[at] as string, Number(code)]],
        );
      yield { ...person, answers: new Map(codes) };
    }
    if (page.length < PAGE) return;
    after = (page.at(-1) as { number: number }).number;
  }
}

/** A cell from its rows, in the order of their codes. */
export function cellFrom(
  rows: readonly Pick<Selectable<Database['cells']>, 'topic_id' | 'country' | 'scale' | 'n' | 'weighted_n'>[],
  scales: ReadonlyMap<string, Scale>,
  { validN, missingN, shares }: { validN: number; missingN: number; shares: boolean },
): Cell {
  const [{ topic_id: topicId, country, scale }] = rows as [(typeof rows)[number]];
  const weighted = rows.map(({ weighted_n }) => weighted_n);
  return {
    topicId,
    country,
    scale: scales.get(scale) as Scale,
    counts: rows.map(({ n }) => n),
    weighted: weighted.includes(null) ? null : (weighted as number[]),
    validN,
    missingN,
    ...(shares ? { shares: true } : {}),
  };
}
