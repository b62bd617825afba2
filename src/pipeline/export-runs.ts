// Longer than most files: it joins store, texts, samples, files and manifest, and each of these is a few lines.
import { join } from 'node:path';
import { placesOf } from '../dialogue/anonymous.ts';
import { UserError } from '../errors.ts';
import { card } from '../export/card.ts';
import { exportedJudge, isVerified, judgesOf, requireCalibrated, type JudgeAtWork } from './judges.ts';
import { openExportFolder, type ExportFolder } from '../export/folder.ts';
import { formats } from '../export/formats.ts';
import {
  notFor,
  notForRespondents,
  personaNotice,
  respondentNotice,
  type ExportedCulture,
  type ExportedRun,
  type Manifest,
} from '../export/manifest.ts';
import { renderSample, type Sample } from '../export/sample.ts';
import { testTopics } from '../export/split.ts';
import { surveySources } from '../export/survey-sources.ts';
import { EXTENDS, reviewed } from '../refinement/decide.ts';
import { opinionFlags, type OpinionFlag } from '../refinement/types.ts';
import { groupBy } from '../group-by.ts';
import { shortId } from '../ids.ts';
import { modelsThatSpoke } from '../store/calls.ts';
import { promptRefs, type RunRow } from '../store/runs.ts';
import {
  acceptedOpinions,
  funnel,
  omissionsIn,
  saveSamples,
  withdrawSamples,
  type AcceptedRow,
  type SampleRow,
} from '../store/samples.ts';
import type { Store } from '../store/store.ts';
import { storedSurvey } from '../store/survey.ts';
import { importedSurveys } from '../store/surveys.ts';
import { countryName, loadTexts, statementIn, type SurveyTexts } from '../survey/texts.ts';
import type { Scale, Survey, Topic } from '../survey/types.ts';
import { version } from '../version.ts';
import type { RunConfig, RunModels } from './config.ts';
import { byWeights } from './scenario.ts';

export interface ExportInput {
  store: Store;
  runs: readonly RunRow[];
  out: string;
  /** Folder name; needed for several runs together. */
  name?: string | undefined;
  includeScripted?: boolean | undefined;
  /** Lower 95% bound of the balanced accuracy that each culture's verifier must reach, 0 to 1; a UserError otherwise. */
  requireCalibrated?: number | undefined;
  /** Instead of `export.exclude_flags`: rows with one of these flags are left out. */
  excludeFlags?: readonly OpinionFlag[] | undefined;
}

export interface Exported {
  folder: string;
  rows: number;
  /** Rows left out since the scripted model made them. */
  scriptedLeftOut: number;
  /** Rows left out for a flag. */
  flaggedLeftOut: number;
  /** Training files, absolute paths. */
  files: readonly string[];
  /** Cultures that ended with no rows, and why. */
  empty: readonly { culture: string; reason: string }[];
}

/** A run with what its export needs. */
interface Source {
  run: RunRow;
  config: RunConfig;
  includeScripted: boolean;
  excludeFlags: readonly OpinionFlag[];
  judges: readonly JudgeAtWork[];
  /** Whether its personas stand for respondents: then no two of its rows may tell that they are of one person. */
  respondents: boolean;
}

/** What is counted on the way. */
interface Tally {
  byCulture: Map<string, { train: number; test: number }>;
  rewritten: number;
  scripted: number;
  scriptedLeftOut: number;
  namedLeftOut: number;
  flaggedLeftOut: number;
  edited: number;
  extending: number;
  /** Rows by flag, and those that the extractor was not asked about. */
  flags: Map<string, number>;
  unasked: number;
  statuses: Set<Sample['status']>;
}

/** Writes OUT/NAME (or OUT/RUN): one file a culture and one for all, train and test apart, rows.csv, manifest and card. */
export async function exportRuns(input: ExportInput): Promise<Exported> {
  const { store, runs, out } = input;
  if (runs.length > 1 && !input.name)
    throw new UserError('Several runs need a name for their common folder.', { mend: 'Add --name NAME.' });
  const name = input.name ?? (runs[0] as RunRow).id;
  const sources = await Promise.all(
    runs.map(async (run) => {
      const config = JSON.parse(run.config) as RunConfig;
      const includeScripted = input.includeScripted ?? config.scenario.export.include_scripted;
      return {
        run,
        config,
        includeScripted,
        excludeFlags: input.excludeFlags ?? config.scenario.export.exclude_flags ?? [],
        judges: await judgesOf(store, run, includeScripted),
        respondents: config.scenario.personas === 'respondents',
      };
    }),
  );
  if (input.requireCalibrated !== undefined)
    requireCalibrated(
      sources.flatMap(({ judges }) => judges),
      input.requireCalibrated,
      runs,
      store.path,
    );
  const topicIds = [...new Set(sources.flatMap(({ config }) => config.topics))];
  const { survey, statements } = await storedSurvey(store, topicIds);
  const test = testTopics(
    topicIds,
    Math.max(...sources.map(({ config }) => config.scenario.export.test_share)),
  );
  const tally: Tally = {
    byCulture: new Map(),
    rewritten: 0,
    scripted: 0,
    scriptedLeftOut: 0,
    namedLeftOut: 0,
    flaggedLeftOut: 0,
    edited: 0,
    extending: 0,
    flags: new Map(),
    unasked: 0,
    statuses: new Set(),
  };
  const folder = openExportFolder(out, name);
  try {
    await folder.line('rows.csv', columns.join(','), false);
    for (const source of sources) await exportRun(store, folder, source, { survey, statements, test }, tally);
    const rest = await manifestParts(store, sources, survey, topicIds, tally);
    let files: string[] = [];
    const target = await folder.finish((written) => {
      files = written.map(({ path }) => path).filter((path) => path !== 'rows.csv');
      const manifest: Manifest = { ...rest, name, test_topics: [...test].sort(), files: written };
      return { 'manifest.json': `${JSON.stringify(manifest, null, 2)}\n`, 'README.md': card(manifest) };
    });
    return {
      folder: target,
      rows: [...tally.byCulture.values()].reduce((sum, { train, test: tested }) => sum + train + tested, 0),
      scriptedLeftOut: tally.scriptedLeftOut,
      flaggedLeftOut: tally.flaggedLeftOut,
      files: files.map((path) => join(target, path)),
      empty: rest.cultures.flatMap(({ culture, no_rows }) =>
        no_rows === null ? [] : [{ culture, reason: no_rows }],
      ),
    };
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

interface Words {
  survey: Survey;
  statements: ReadonlyMap<string, ReadonlyMap<string, string>>;
  test: ReadonlySet<string>;
}

async function exportRun(
  store: Store,
  folder: ExportFolder,
  source: Source,
  words: Words,
  tally: Tally,
): Promise<void> {
  const { run, config, includeScripted, excludeFlags, respondents } = source;
  const texts = new Map<string, SurveyTexts>();
  await withdrawSamples(store, run.id);
  let page: SampleRow[] = [];
  for await (const row of acceptedOpinions(store, run.id)) {
    if (row.scripted && !includeScripted) {
      tally.scriptedLeftOut += 1;
      continue;
    }
    if (row.flags?.some((flag) => excludeFlags.includes(flag))) {
      tally.flaggedLeftOut += 1;
      continue;
    }
    // A name is the same on every topic, and tells age band and gender.
    if (respondents && isNamed(row)) {
      tally.namedLeftOut += 1;
      continue;
    }
    const language = config.scenario.export.language === 'english' ? 'en' : row.language;
    if (!texts.has(language)) texts.set(language, textsFrom(words, language));
    const sample = sampleOf(row, source, words, texts.get(language) as SurveyTexts);
    await writeSample(folder, source, sample);
    count(tally, sample);
    page.push({
      id: sample.id,
      run_id: run.id,
      opinion_id: sample.opinionId,
      kind: sample.kind,
      culture: sample.culture,
      language,
      split: sample.split,
      status: sample.status,
      tokens: null,
    });
    if (page.length === 1000) {
      await saveSamples(store, page);
      page = [];
    }
  }
  await saveSamples(store, page);
}

const isNamed = ({ text, personaName }: AcceptedRow): boolean =>
  new RegExp(placesOf(personaName.normalize('NFC')), 'u').test(text.normalize('NFC'));

/** The package's templates and labels, with the statements that the database holds. */
function textsFrom({ survey, statements }: Words, language: string): SurveyTexts {
  const texts = loadTexts(language, survey);
  return { ...texts, statements: new Map([...texts.statements, ...(statements.get(language) ?? [])]) };
}

function sampleOf(
  row: AcceptedRow,
  { run, config, judges }: Source,
  { survey, test }: Words,
  texts: SurveyTexts,
): Sample {
  const country = config.cultures
    .flatMap(({ countries }) => countries)
    .find(({ code }) => code === row.country);
  const topic = survey.topics.get(row.topicId) as Topic;
  const scale = row.scale === null ? undefined : survey.scales.get(row.scale);
  const kind = row.reason === EXTENDS ? 'extends' : 'opinion';
  const key = shortId('sample', kind, row.key);
  const stance = kind === 'extends' ? null : row.stanceCode;
  return renderSample(
    {
      kind,
      id: shortId(run.id, key),
      key,
      opinionId: row.opinionId,
      dialogueId: row.dialogueId,
      runId: run.id,
      culture: row.culture,
      country: row.country,
      countryName: countryName(country?.region ?? row.country, texts.language),
      language: texts.language,
      topicId: row.topicId,
      statement: statementIn(texts, topic),
      opinion: row.text,
      rewritten: row.rewriteOf !== null,
      edited: row.edited,
      flags: row.flags,
      stance: stance === null ? null : { code: stance, scale: scale as Scale },
      status: isReviewed(row)
        ? 'reviewed'
        : stance === null
          ? 'no-stance'
          : isVerified(judges, row)
            ? 'verified'
            : 'unverified',
      scripted: row.scripted === 1,
    },
    texts,
    test.has(row.topicId) ? 'test' : 'train',
  );
}

const isReviewed = ({ reason }: AcceptedRow): boolean =>
  reason === reviewed.accept.reason || reason === reviewed.edit.reason;

const columns = [
  'file',
  'line',
  'sample_id',
  'opinion_id',
  'dialogue_id',
  'run_id',
  'culture',
  'country',
  'language',
  'topic',
  'answer_code',
  'status',
  'rewritten',
  'scripted',
  'kind',
  'edited',
  'flags',
];

async function writeSample(
  folder: ExportFolder,
  { config, respondents }: Source,
  sample: Sample,
): Promise<void> {
  for (const name of config.scenario.export.formats) {
    const { extension, line } = formats[name];
    const text = line(sample);
    for (const part of [sample.culture, 'all']) {
      const path = `${name}/${sample.split}/${part}.${extension}`;
      await folder.line(path, text);
      const {
        id,
        opinionId,
        dialogueId,
        runId,
        culture,
        country,
        language,
        topicId,
        stance,
        status,
        rewritten,
        scripted,
        kind,
        edited,
        flags,
      } = sample;
      const cells = [
        path,
        folder.lines(path),
        id,
        // A respondent's samples have nothing in common but the run: each is its own pseudonym.
        respondents ? '' : opinionId,
        respondents ? '' : dialogueId,
        runId,
        culture,
        country,
        language,
        topicId,
        stance?.code ?? '',
        status,
        rewritten,
        scripted,
        kind,
        edited,
        flags === null ? 'unknown' : flags.join(' '),
      ];
      await folder.line('rows.csv', cells.join(','));
    }
  }
}

function count(tally: Tally, sample: Sample): void {
  const counted = tally.byCulture.get(sample.culture) ?? { train: 0, test: 0 };
  counted[sample.split] += 1;
  tally.byCulture.set(sample.culture, counted);
  tally.statuses.add(sample.status);
  if (sample.rewritten) tally.rewritten += 1;
  if (sample.scripted) tally.scripted += 1;
  if (sample.edited) tally.edited += 1;
  if (sample.kind === 'extends') tally.extending += 1;
  if (sample.flags === null) tally.unasked += 1;
  for (const flag of sample.flags ?? []) tally.flags.set(flag, (tally.flags.get(flag) ?? 0) + 1);
}

async function manifestParts(
  store: Store,
  sources: readonly Source[],
  survey: Survey,
  topicIds: readonly string[],
  tally: Tally,
): Promise<Omit<Manifest, 'name' | 'test_topics' | 'files'>> {
  const cultures = await culturesOf(store, sources, tally);
  const omissions = (await Promise.all(sources.map(({ run }) => omissionsIn(store, run.id)))).flat();
  return {
    format_version: 1,
    program: { name: 'culturepark', version },
    made_at: new Date().toISOString(),
    synthetic: true,
    scripted_rows: tally.scripted,
    rewritten_rows: tally.rewritten,
    ...(tally.edited > 0 ? { edited_rows: tally.edited } : {}),
    ...(tally.extending > 0 ? { extending_rows: tally.extending } : {}),
    flagged_rows: {
      ...Object.fromEntries(opinionFlags.map((flag) => [flag, tally.flags.get(flag) ?? 0])),
      not_asked: tally.unasked,
    },
    verification: verificationText(tally.statuses),
    judges: sources.flatMap(({ judges }) => judges.map(exportedJudge)),
    runs: await Promise.all(sources.map((source) => exportedRun(store, source))),
    cultures,
    topics: topicIds.flatMap((id) => {
      const topic = survey.topics.get(id);
      return topic
        ? [{ id, survey: topic.survey, statement: topic.statement, stances: topic.scale !== null }]
        : [];
    }),
    left_out: {
      no_answers: omissions.map(({ culture, topic_id: topic, reason }) => ({ culture, topic, reason })),
      scripted_rows: tally.scriptedLeftOut,
      ...(tally.namedLeftOut > 0 ? { named_rows: tally.namedLeftOut } : {}),
      ...(tally.flaggedLeftOut > 0 ? { flagged_rows: tally.flaggedLeftOut } : {}),
    },
    missing_above_20_percent: missingCells(survey, topicIds, cultures),
    survey: await sourcesOf(store, sources, survey),
    personas: personasSaid(sources),
    not_for: sources.some(({ respondents }) => respondents) ? [...notFor, notForRespondents] : notFor,
  };
}

const personasSaid = (sources: readonly Source[]): string =>
  [
    ...(sources.some(({ respondents }) => !respondents) ? [personaNotice] : []),
    ...(sources.some(({ respondents }) => respondents) ? [respondentNotice] : []),
  ].join(' ');

/** The surveys behind the runs' topics; a run without topics of an imported survey has the shipped figures. */
async function sourcesOf(
  store: Store,
  sources: readonly Source[],
  { topics }: Survey,
): Promise<Manifest['survey']> {
  const imported = (await importedSurveys(store.read)).filter(
    ({ kind, name }) => kind !== 'wvs7' && [...topics.values()].some(({ survey }) => survey === name),
  );
  const names = new Set(imported.map(({ name }) => name));
  const drawn = sources.filter(({ config }) =>
    config.topics.some((id) => !names.has(topics.get(id)?.survey ?? '')),
  );
  return surveySources(
    {
      plain: drawn.some(({ config }) => !byWeights(config.scenario)),
      weighted: drawn.some(({ config }) => byWeights(config.scenario)),
    },
    imported,
  );
}

function verificationText(statuses: ReadonlySet<Sample['status']>): string {
  const parts: string[] = [];
  if (statuses.size === 0) parts.push('There are no rows.');
  if (statuses.has('unverified')) {
    parts.push(
      `${statuses.has('verified') ? 'Some' : 'The'} rows are **unverified**: the model that judged whether an opinion agrees with the persona's answer was never calibrated in the language of the dialogue, or is no better than chance.`,
    );
  }
  if (statuses.has('verified'))
    parts.push(
      'Rows with status `verified` were let in by a model whose verdicts were calibrated in the language of the dialogue (below); no person has seen them.',
    );
  if (statuses.has('reviewed'))
    parts.push(
      'Rows with status `reviewed` were accepted, or edited, by a person, whatever the models said of them.',
    );
  if (statuses.has('no-stance'))
    parts.push(
      'Rows with status `no-stance` are about topics that no survey figures exist for, or say nothing about the statement (kind `extends`): no fidelity to any culture is claimed.',
    );
  return parts.join(' ');
}

async function exportedRun(store: Store, { run, config }: Source): Promise<ExportedRun> {
  const models = JSON.parse(run.models) as RunModels;
  return {
    id: run.id,
    scenario: run.scenario,
    seed: run.seed,
    created_at: new Date(run.created_at).toISOString(),
    scripted: run.scripted === 1,
    config: config.scenario,
    models: Object.fromEntries(
      Object.entries(models).map(([role, { fallback, ...own }]) => [
        role,
        fallback ? { ...exportedModel(own), fallback: exportedModel(fallback) } : exportedModel(own),
      ]),
    ),
    spoke: await modelsThatSpoke(store.read, run.id),
    prompts: await promptRefs(store, run.id),
  };
}

const exportedModel = ({ provider, model, scripted, sampling }: Omit<RunModels[string], 'fallback'>) => ({
  provider,
  model,
  scripted,
  ...(sampling?.temperature === undefined ? {} : { temperature: sampling.temperature }),
  ...(sampling?.topP === undefined ? {} : { top_p: sampling.topP }),
});

async function culturesOf(
  store: Store,
  sources: readonly Source[],
  tally: Tally,
): Promise<ExportedCulture[]> {
  const ended = (await Promise.all(sources.map(({ run }) => funnel(store, run.id)))).flat();
  const byId = groupBy(
    sources.flatMap(({ config }) => config.cultures),
    ({ id }) => id,
  );
  return [...byId.values()].map(([culture]) => {
    const { id, countries, weights_source } = culture as RunConfig['cultures'][number];
    const { train, test } = tally.byCulture.get(id) ?? { train: 0, test: 0 };
    const own: Record<string, number> = {};
    for (const row of ended.filter((entry) => entry.culture === id)) {
      const end = row.status === 'accepted' ? 'accepted' : (row.reason ?? row.status);
      own[end] = (own[end] ?? 0) + row.opinions;
    }
    return {
      culture: id,
      countries: countries.map(({ code, weight }) => ({ code, weight })),
      weights_source,
      train,
      test,
      no_rows: train + test > 0 ? null : whyNone(own, tally),
      funnel: own,
    };
  });
}

function whyNone(funnelOf: Record<string, number>, tally: Tally): string {
  const { accepted = 0, ...dropped } = funnelOf;
  if (accepted > 0 && tally.scriptedLeftOut > 0)
    return 'all of its opinions were made by the scripted rehearsal model, which exports leave out unless told otherwise (--include-scripted)';
  const reasons = Object.entries(dropped).map(([reason, n]) => `${n} ${reason}`);
  return reasons.length > 0
    ? `all opinions were dropped: ${reasons.join(', ')}`
    : 'no opinion was voiced, or no dialogue could be held';
}

function missingCells(
  survey: Survey,
  topicIds: readonly string[],
  cultures: readonly ExportedCulture[],
): Manifest['missing_above_20_percent'] {
  const countries = new Set(cultures.flatMap((culture) => culture.countries.map(({ code }) => code)));
  return [...survey.cells.values()].flatMap(({ topicId, country, validN, missingN }) => {
    const share = missingN / (validN + missingN);
    return validN > 0 && share > 0.2 && countries.has(country) && topicIds.includes(topicId)
      ? [{ topic: topicId, country, missing_share: share }]
      : [];
  });
}
