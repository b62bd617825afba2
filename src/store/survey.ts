import { UserError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import { cellKey } from '../ids.ts';
import type { SurveyTexts } from '../survey/texts.ts';
import type { Survey, Topic } from '../survey/types.ts';
import type { Store, Trx } from './store.ts';
import { cellFrom, topicsOfShares } from './surveys.ts';

/** Stores the topics that a run uses, with their words and their cells; a topic that stands there with other words is refused. */
export async function saveTopics(
  store: Store,
  survey: Survey,
  topics: readonly Topic[],
  texts: readonly SurveyTexts[],
): Promise<void> {
  await store.write(async (trx) => {
    for (const scale of survey.scales.values()) {
      await trx
        .insertInto('scales')
        .values(scale.options.map((option) => ({ scale: scale.id, ...option })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    for (const topic of topics) await saveTopic(trx, survey, topic, texts);
  });
}

async function saveTopic(
  trx: Trx,
  survey: Survey,
  topic: Topic,
  texts: readonly SurveyTexts[],
): Promise<void> {
  const known = await trx.selectFrom('topics').selectAll().where('id', '=', topic.id).executeTakeFirst();
  if (
    known &&
    (known.statement !== topic.statement || known.survey !== topic.survey || known.scale !== topic.scale)
  ) {
    throw new UserError(
      `The topic ${topic.id} is in this database already, with other words: "${known.statement}".`,
      {
        mend: 'Give the changed topic another id, or use another database (--db).',
      },
    );
  }
  if (!known) await trx.insertInto('topics').values(topic).execute();
  for (const words of texts) {
    const text = words.statements.get(topic.id);
    if (text === undefined) continue;
    await trx
      .insertInto('topic_texts')
      .values({
        topic_id: topic.id,
        language: words.language,
        text,
        source: words.review,
        reviewed: words.review === 'reviewed' ? 1 : 0,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  if (known) return checkCells(trx, survey, topic);
  const cells = [...survey.cells.values()].filter((cell) => cell.topicId === topic.id);
  for (const cell of cells) {
    await trx
      .insertInto('cells')
      .values(
        cell.scale.options.map((option, at) => ({
          topic_id: topic.id,
          country: cell.country,
          scale: cell.scale.id,
          code: option.code,
          n: cell.counts[at] ?? 0,
          weighted_n: cell.weighted?.[at] ?? null,
        })),
      )
      .execute();
    await trx
      .insertInto('cell_totals')
      .values({ topic_id: topic.id, country: cell.country, valid_n: cell.validN, missing_n: cell.missingN })
      .execute();
  }
}

/** A cell's figures are what rows of earlier runs point to: they don't change under a topic's id. */
async function checkCells(trx: Trx, survey: Survey, topic: Topic): Promise<void> {
  const rows = await trx
    .selectFrom('cells')
    .select(['country', 'code', 'n'])
    .where('topic_id', '=', topic.id)
    .execute();
  for (const { country, code, n } of rows) {
    const cell = survey.cells.get(cellKey(topic.id, country));
    // An imported country that the run has nobody of.
    if (!cell && topic.survey === 'wvs7') continue;
    const at = cell?.scale.options.findIndex((option) => option.code === code) ?? -1;
    if (cell?.counts[at] !== n) {
      throw new UserError(
        `The topic ${topic.id} is in this database already, with other figures for ${country}.`,
        {
          mend: 'Give the changed topic another id, or use another database (--db).',
        },
      );
    }
  }
}

/** Some topics with scales and cells as the database holds them, and the statements by language and topic. */
export async function storedSurvey(
  store: Store,
  topicIds: readonly string[],
): Promise<{ survey: Survey; statements: Map<string, Map<string, string>> }> {
  const { read } = store;
  const topics = await read.selectFrom('topics').selectAll().where('id', 'in', topicIds).execute();
  const shares = await topicsOfShares(read, topicIds);
  const options = await read.selectFrom('scales').selectAll().orderBy('scale').orderBy('code').execute();
  const scales = new Map(
    [...groupBy(options, ({ scale }) => scale)].map(([id, rows]) => [
      id,
      { id, options: rows.map(({ code, label, agreement }) => ({ code, label, agreement })) },
    ]),
  );
  const totals = new Map(
    (await read.selectFrom('cell_totals').selectAll().where('topic_id', 'in', topicIds).execute()).map(
      (row) => [cellKey(row.topic_id, row.country), row],
    ),
  );
  const counts = await read
    .selectFrom('cells')
    .selectAll()
    .where('topic_id', 'in', topicIds)
    .orderBy('topic_id')
    .orderBy('country')
    .orderBy('code')
    .execute();
  const cells = new Map(
    [...groupBy(counts, (row) => cellKey(row.topic_id, row.country))].map(([key, rows]) => {
      const [{ topic_id: topicId }] = rows as [(typeof rows)[number]];
      const { valid_n: validN = 0, missing_n: missingN = 0 } = totals.get(key) ?? {};
      return [key, cellFrom(rows, scales, { validN, missingN, shares: shares.has(topicId) })];
    }),
  );
  const texts = await read.selectFrom('topic_texts').selectAll().where('topic_id', 'in', topicIds).execute();
  const statements = new Map(
    [...groupBy(texts, ({ language }) => language)].map(([language, rows]) => [
      language,
      new Map(rows.map((row) => [row.topic_id, row.text])),
    ]),
  );
  return { survey: { topics: new Map(topics.map((topic) => [topic.id, topic])), scales, cells }, statements };
}
