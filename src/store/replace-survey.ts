import { UserError } from '../errors.ts';
import { cellKey } from '../ids.ts';
import type { ImportedSurvey } from '../survey/import/types.ts';
import type { Cell, Topic } from '../survey/types.ts';
import type { Trx } from './store.ts';

/** Makes room for the World Values Survey's counts; refuses to change those that runs drew from, and a country twice. */
export async function freeWvs7(trx: Trx, survey: ImportedSurvey, knownId: string | undefined): Promise<void> {
  const countries = [...survey.countries];
  if (knownId !== undefined) await refusePeople(trx, knownId);
  const taken = await trx
    .selectFrom('respondents as r')
    .innerJoin('surveys as s', 's.id', 'r.survey_id')
    .select(['s.id', 's.name', 'r.country'])
    .where('s.kind', '=', 'wvs7')
    .distinct()
    .execute();
  const twice = taken.find(({ id, country }) => id !== knownId && countries.includes(country));
  if (twice)
    throw new UserError(
      `The respondents of ${twice.country} are in this database already, as "${twice.name}".`,
      { mend: `Import the file that replaces them under that name: --name ${twice.name}` },
    );
  const gone = taken.flatMap(({ id, country }) =>
    id === knownId && !countries.includes(country) ? [country] : [],
  );
  await refuseDrawn(trx, survey, gone);
  const wvs7 = trx.selectFrom('topics').select('id').where('survey', '=', 'wvs7');
  if (gone.length > 0)
    await trx
      .updateTable('cells')
      .set({ weighted_n: null })
      .where('country', 'in', gone)
      .where('topic_id', 'in', wvs7)
      .execute();
  for (const table of ['cells', 'cell_totals'] as const)
    await trx.deleteFrom(table).where('country', 'in', countries).where('topic_id', 'in', wvs7).execute();
}

/** Refuses counts that are not those that a run's personas were drawn from: plain ones, or weighted where it asked for them. */
async function refuseDrawn(trx: Trx, survey: ImportedSurvey, gone: readonly string[]): Promise<void> {
  const before = await trx
    .selectFrom('cells as c')
    .innerJoin('topics as t', 't.id', 'c.topic_id')
    .select(['c.topic_id', 'c.country', 'c.code', 'c.n', 'c.weighted_n'])
    .where('t.survey', '=', 'wvs7')
    .where('c.country', 'in', [...survey.countries, ...gone])
    .execute();
  const now = new Map(
    survey.cells.flatMap(rowsOf).map((row) => [`${cellKey(row.topic_id, row.country)} ${row.code}`, row]),
  );
  const changed = { plain: new Set<string>(), weighted: new Set<string>() };
  for (const { topic_id, country, code, n, weighted_n } of before) {
    const cell = cellKey(topic_id, country);
    const row = now.get(`${cell} ${code}`);
    if (!gone.includes(country) && row?.n !== n) changed.plain.add(cell);
    if (weighted_n !== null && row?.weighted_n !== weighted_n) changed.weighted.add(cell);
  }
  if (changed.plain.size + changed.weighted.size === 0) return;
  const drawn = await trx
    .selectFrom('stances as st')
    .innerJoin('personas as p', 'p.id', 'st.persona_id')
    .innerJoin('runs as r', 'r.id', 'p.run_id')
    .select(['st.topic_id', 'p.country', 'r.id', 'r.config'])
    .distinct()
    .execute();
  const byWeights = new Map(drawn.map(({ id, config }) => [id, weightsIn(config)]));
  for (const { topic_id, country, id } of drawn) {
    const cell = cellKey(topic_id, country);
    if (changed.plain.has(cell) || (byWeights.get(id) && changed.weighted.has(cell)))
      throw inUse(`the run ${id} drew personas from ${topic_id} in ${country}, which has other counts now`);
  }
}

/** Refuses to take the respondents away that a run's personas stand for. */
async function refusePeople(trx: Trx, surveyId: string): Promise<void> {
  const used = await trx
    .selectFrom('persona_respondents as r')
    .innerJoin('personas as p', 'p.id', 'r.persona_id')
    .select('p.run_id')
    .where('r.survey_id', '=', surveyId)
    .limit(1)
    .executeTakeFirst();
  if (used) throw inUse(`personas of the run ${used.run_id} stand for its respondents`);
}

function weightsIn(config: string): boolean {
  const { scenario } = JSON.parse(config) as { scenario?: { weights?: boolean; personas?: string } };
  return scenario?.weights === true || scenario?.personas === 'respondents';
}

const inUse = (why: string): UserError =>
  new UserError(`The figures can't be replaced: ${why}.`, {
    mend: 'Use another database (--db), so that the rows of that run keep what they point to.',
  });

/** Takes the survey's old topics away; refuses changes of those that runs talk about, and ids of other surveys. */
export async function freeTopics(trx: Trx, survey: ImportedSurvey): Promise<void> {
  const known = new Map(
    (await trx.selectFrom('topics').selectAll().execute()).map((topic) => [topic.id, topic]),
  );
  const spoken = await trx
    .selectFrom('dialogues as d')
    .innerJoin('topics as t', 't.id', 'd.topic_id')
    .select('d.topic_id')
    .where('t.survey', '=', survey.name)
    .distinct()
    .execute();
  const kept = new Set(spoken.map(({ topic_id }) => topic_id));
  for (const topic of survey.topics) {
    const there = known.get(topic.id);
    if (there && there.survey !== survey.name)
      throw new UserError(
        `The topic ${topic.id} is in this database already, in the survey "${there.survey}".`,
        {
          mend: `Import it under that name (--name ${there.survey}), or give the topic another id.`,
        },
      );
    if (there && kept.has(topic.id) && !(await sameTopic(trx, survey, topic, there)))
      throw inUse(`runs are about the topic ${topic.id}, which has other words or figures now`);
  }
  const old = trx
    .selectFrom('topics')
    .select('id')
    .where('survey', '=', survey.name)
    .where('id', 'not in', trx.selectFrom('dialogues').select('topic_id'));
  await trx.deleteFrom('scales').where('scale', 'in', old).execute();
  for (const table of ['cells', 'cell_totals', 'topic_texts'] as const)
    await trx.deleteFrom(table).where('topic_id', 'in', old).execute();
  await trx.deleteFrom('topics').where('id', 'in', old).execute();
}

/** Whether words, answers and figures of a topic are those that are stored. */
async function sameTopic(
  trx: Trx,
  { scales, cells }: ImportedSurvey,
  topic: Topic,
  there: Topic,
): Promise<boolean> {
  const figures = await trx
    .selectFrom('cells')
    .select(['country', 'code', 'n', 'weighted_n'])
    .where('topic_id', '=', topic.id)
    .execute();
  const options = await trx
    .selectFrom('scales')
    .select(['code', 'label', 'agreement'])
    .where('scale', '=', there.scale ?? '')
    .execute();
  const lines = (rows: readonly (readonly unknown[])[]): string => JSON.stringify(rows.map(String).sort());
  return (
    there.statement === topic.statement &&
    there.scale === topic.scale &&
    lines(options.map((one) => [one.code, one.label, one.agreement])) ===
      lines(
        scales
          .filter(({ id }) => id === topic.scale)
          .flatMap((scale) => scale.options.map((one) => [one.code, one.label, one.agreement])),
      ) &&
    lines(figures.map((one) => [one.country, one.code, one.n, one.weighted_n])) ===
      lines(
        cells
          .filter(({ topicId }) => topicId === topic.id)
          .flatMap(rowsOf)
          .map((one) => [one.country, one.code, one.n, one.weighted_n]),
      )
  );
}

/** A cell's rows, one an answer. */
export const rowsOf = ({ topicId, country, scale, counts, weighted }: Cell) =>
  scale.options.map(({ code }, at) => ({
    topic_id: topicId,
    country,
    scale: scale.id,
    code,
    n: counts[at] as number,
    weighted_n: weighted?.[at] ?? null,
  }));
