import { compare, type Comparison } from '../evaluation/compare.ts';
import {
  cellFinder,
  countEnds,
  countReadings,
  countSeats,
  emptyCells,
  type CellData,
} from '../evaluation/report-cells.ts';
import type { EndRow, SeatRow } from '../evaluation/report-rows.ts';
import { opinionTally } from '../evaluation/report-tally.ts';
import { quotaFigures, type QuotaFigures, type QuotaRow } from '../evaluation/report-quota.ts';
import { buildReport, type Report, type ReportHead } from '../evaluation/report.ts';
import { coursesOf, type Course } from '../evaluation/stances.ts';
import { groupBy } from '../group-by.ts';
import { costsOf } from '../store/inspect.ts';
import { stanceLedger } from '../store/readings.ts';
import { currentStage } from '../store/opinions.ts';
import { opinionPages, personaInWords, seatRows, textRows } from '../store/report.ts';
import { runCounts, type RunRow } from '../store/runs.ts';
import { omissionsIn } from '../store/samples.ts';
import type { Store } from '../store/store.ts';
import { storedSurvey } from '../store/survey.ts';
import { countryName } from '../survey/texts.ts';
import type { Survey } from '../survey/types.ts';
import type { CultureSnapshot, RunConfig, RunModels } from './config.ts';
import { quotasOf } from './quota.ts';
import { reportJudges } from './report-judges.ts';
import { mostDialogues } from './rounds.ts';
import { byWeights } from './scenario.ts';

/** A run's report, and beside it another's. */
export interface Reported {
  report: Report;
  comparison: Comparison | null;
}

/** The report of a run as it stands, finished or not; nothing is written. */
export async function reportRun(store: Store, run: RunRow, other?: RunRow): Promise<Reported> {
  const topics = [run, ...(other ? [other] : [])].flatMap(
    ({ config }) => (JSON.parse(config) as RunConfig).topics,
  );
  const { survey } = await storedSurvey(store, [...new Set(topics)]);
  const mine = await measured(store, survey, run);
  const comparison = other ? compare(mine, await measured(store, survey, other)) : null;
  return { report: mine.report, comparison };
}

/** Texts of a cell that diversity and caricature are measured on, and those of all cells together. */
const TEXTS = { cell: 40, all: 8000 };

async function measured(
  store: Store,
  stored: Survey,
  run: RunRow,
): Promise<{ report: Report; cells: CellData[] }> {
  const { read } = store;
  const config = JSON.parse(run.config) as RunConfig;
  const survey = byWeights(config.scenario) ? stored : unweighted(stored);
  const cells = emptyCells(survey, config.cultures, config.topics);
  const find = cellFinder(cells);
  const seats = await seatRows(read, run.id);
  const tally = opinionTally();
  for await (const page of opinionPages(read, run.id)) countReadings(find, tally.add(page));
  const ends = tally.ends();
  countSeats(find, seats);
  countEnds(find, ends);
  const largest = tally.largest();
  for (const one of largest) if (one.of === 'persona') one.name = await personaInWords(read, one.name);
  const courses: Course[] = [];
  for await (const rows of stanceLedger(read, run.id)) courses.push(...coursesOf(rows));
  const each = Math.max(4, Math.min(TEXTS.cell, Math.floor(TEXTS.all / Math.max(1, cells.length))));
  const left = await omissionsIn(store, run.id);
  const quota = quotasOfRun(survey, run, config, ends, seats);
  const report = buildReport({
    run: await headOf(store, survey, run, config),
    cultures: config.cultures,
    cells,
    ends,
    seats,
    quota,
    courses,
    leftOut: left.map(({ topic_id: topic, ...row }) => ({
      ...row,
      topic,
    })),
    classes: tally.classes(),
    texts: await textRows(read, run.id, each),
    words: new Map(config.cultures.map((culture) => [culture.id, wordsOf(culture, config.languages)])),
    largest,
    costs: await costsOf(read, run.id),
    ...(await reportJudges(read, run.id, config)),
  });
  return { report, cells };
}

/** The survey without weighted counts: a database has them of any import, and few runs draw by them (`byWeights`). */
const unweighted = (survey: Survey): Survey => ({
  ...survey,
  cells: new Map([...survey.cells].map(([key, cell]) => [key, { ...cell, weighted: null }])),
});

/** The quotas that the run had, by the answers as the database holds them, and what came of them. */
function quotasOfRun(
  survey: Survey,
  run: RunRow,
  { scenario, cultures, topics: ids }: RunConfig,
  ...[ends, seats]: [readonly EndRow[], readonly SeatRow[]]
): QuotaFigures | null {
  if (!scenario.samples) return null;
  const topics = ids.flatMap((id) => survey.topics.get(id) ?? []);
  const quotas = quotasOf({ seed: run.seed, survey, cultures, topics }, scenario.samples.per_culture);
  const rows = quotas.map(({ topicId: topic, ...row }): QuotaRow => ({ ...row, topic }));
  const most = mostDialogues({ scenario, cultures });
  return quotaFigures(rows, ends, seats, { status: run.status, stop_reason: run.stop_reason, most });
}

async function headOf(store: Store, survey: Survey, run: RunRow, config: RunConfig): Promise<ReportHead> {
  const models = Object.entries(JSON.parse(run.models) as RunModels);
  const byName = groupBy(models, ([, { model, provider }]) =>
    JSON.stringify([model, provider.replace(/^(sha256:.{12}).*/, '$1…')]),
  );
  const topics = config.topics.flatMap((id) => survey.topics.get(id) ?? []);
  const { id, scenario, status, stop_reason, phase, seed } = run;
  return {
    id,
    scenario,
    status,
    stop_reason,
    phase,
    seed,
    description: config.scenario.description ?? null,
    personas: config.scenario.personas ?? 'answers',
    surveys: [...new Set(topics.map((topic) => topic.survey))],
    cultures: config.cultures.map((culture) => culture.id),
    topics: topics.map(({ id: topic, theme, statement }) => ({
      id: topic,
      theme,
      statement,
    })),
    models: [...byName].map(([key, own]) => {
      const [model, provider] = JSON.parse(key) as [string, string];
      const scripted = own.some(([, { scripted: plays }]) => plays);
      return {
        name: `${model} (${provider})`,
        roles: own.map(([role]) => role),
        scripted,
      };
    }),
    scripted_roles: models.filter(([, model]) => model.scripted).map(([role]) => role),
    deduplication: await deduplicationOf(store, id),
    dialogues: (await runCounts(store.read, run.id)).dialogues,
    started: run.created_at,
    finished: run.finished_at,
  };
}

async function deduplicationOf(store: Store, runId: string): Promise<ReportHead['deduplication']> {
  const stage = await currentStage(store.read, runId, 'deduplicate');
  if (!stage) return null;
  const settings = JSON.parse(stage.settings) as Partial<NonNullable<ReportHead['deduplication']>>;
  const { threshold = 0, embedder = null, embedding_threshold = null, embedding_languages = [] } = settings;
  return { threshold, embedder, embedding_threshold, embedding_languages };
}

/** Names of a culture, its language and countries, in English, in its own language and in those that were spoken. */
function wordsOf({ name, language, countries }: CultureSnapshot, spoken: readonly string[]): string[] {
  const tongues = [...new Set(['en', language, ...spoken])];
  const named = tongues.flatMap((tongue) => [
    ...countries.map(({ region }) => countryName(region, tongue)),
    new Intl.DisplayNames([tongue], { type: 'language' }).of(language) ?? '',
  ]);
  return [...new Set([name.en, name.own, ...named])].filter((word) => word.trim() !== '');
}
