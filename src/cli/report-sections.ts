// Longer than most files: the panels one after the other, each a few lines; all three forms of the report print them.
import type { Comparison } from '../evaluation/compare.ts';
import { answerName, ENOUGH } from '../evaluation/fidelity.ts';
import type { Report, ReportCell } from '../evaluation/report.ts';
import { groupBy } from '../group-by.ts';
import { count } from './inspect-text.ts';
import { confusionSection, judgesSection } from './report-judges.ts';
import {
  cellName,
  figure,
  interval,
  money,
  noFigure,
  of,
  ordered,
  points,
  role,
  share,
  surveyError,
} from './report-words.ts';

type Value = string | number | null;

/** A panel of the report: what it says, and its table. A panel without data is left out. */
export interface Section {
  id: string;
  title: string;
  /** What the figures are, in a sentence or two. */
  note: string;
  head: readonly string[];
  rows: readonly (readonly Value[])[];
}

/** Share of missing answers from which a cell is named. */
const MISSING = 0.2;

/** All panels that there are data for, in the order in which they are read. */
export function sections(report: Report, comparison: Comparison | null): Section[] {
  const all = [
    fidelitySection(report),
    comparison ? runsSection(report, comparison) : null,
    comparison ? comparisonSection(comparison) : null,
    cellsSection(report),
    drawnSection(report),
    answersSection(report),
    flatteningSection(report),
    driftSection(report),
    persuasionSection(report),
    breaksSection(report),
    quotaSection(report),
    funnelSection(report),
    coverageSection(report),
    leftOutSection(report),
    missingSection(report),
    classesSection(report),
    diversitySection(report),
    caricatureSection(report),
    largestSection(report),
    costSection(report),
    judgesSection(report),
    confusionSection(report),
  ];
  return all.filter((one) => one !== null && one.rows.length > 0) as Section[];
}

function fidelitySection({ cultures }: Report): Section {
  return {
    id: 'fidelity',
    title: 'Read against survey, by culture',
    note: `Answers read from the accepted opinions against the survey: the mean over the culture's topics. 1 - JSD: 1 is equal (Jensen-Shannon divergence, base 2), its 95% interval resamples dialogues. "Best" is the highest that so many whole rows allow, "by chance" what as many independent draws from the survey give on average. JS distance is the root of the divergence, W1 the Wasserstein distance on the answers' order (0 is equal; left out where answers have no order). The survey's error is unknown where it publishes shares without the number of people. Fewer than ${ENOUGH} accepted rows are too few. "Off" is how many rows the personas' answers, and those of the accepted opinions' personas, differ from the quota at most in a cell: that checks the drawing of personas, not what they say.`,
    head: [
      'culture',
      'accepted',
      'n read',
      'no answer',
      '1 - JSD',
      '95% interval',
      'best',
      'by chance',
      'survey error',
      'JS distance',
      'W1',
      'explained',
      'assigned off',
      'accepted off',
    ],
    rows: cultures.map((line) => {
      const { fidelity: f } = line;
      return [
        line.culture,
        line.accepted,
        line.read,
        line.none,
        f ? figure(f.similarity.estimate) : noFigure(line),
        f ? interval(f.similarity) : '',
        ...(f ? [figure(f.best), figure(f.by_chance), surveyError(f)] : ['', '', '']),
        ...(f ? [figure(f.distance), ordered(f), f.explained ? 'yes' : 'no'] : ['', '', '']),
        figure(line.assigned.off_by, 1),
        figure(line.accepted_of.off_by, 1),
      ];
    }),
  };
}

function comparisonSection({ other, cultures, only_this, only_other }: Comparison): Section {
  const common = cultures.reduce((sum, row) => sum + row.cells, 0);
  const columns = ['n', '1 - JSD', '95% interval', 'best'];
  const cell = (f: Comparison['cultures'][number]['this']): Value[] => [
    f.n,
    figure(f.similarity.estimate),
    interval(f.similarity),
    figure(f.best),
  ];
  return {
    id: 'compare',
    title: `Read against survey, beside run ${other.run.id}`,
    note: `Over the ${common} cells that both runs have read rows in (${only_this} are in this run alone, ${only_other} in the other alone). Intervals that overlap leave it open which run is nearer to the survey.`,
    head: [
      'culture',
      'cells',
      ...columns.map((name) => `this: ${name}`),
      ...columns.map((name) => `other: ${name}`),
    ],
    rows: cultures.map((row) => [row.culture, row.cells, ...cell(row.this), ...cell(row.other)]),
  };
}

function runsSection(report: Report, { other, cultures }: Comparison): Section {
  const voiced = ({ funnel }: Report): number => funnel.reduce((sum, line) => sum + line.voiced, 0);
  return {
    id: 'runs',
    title: 'The two runs',
    note: `Yield: accepted opinions of those voiced.${cultures.length > 0 ? '' : ' No cell has read rows in both runs, so their answers are not compared.'}`,
    head: [
      'run',
      'scenario',
      'seed',
      'models',
      'scripted',
      'accepted',
      'yield',
      'flattened cells',
      'cost',
      'a sample',
    ],
    rows: [report, other].map((one) => [
      one.run.id,
      one.run.scenario,
      one.run.seed,
      modelsOf(one),
      one.run.scripted_roles.length > 0 ? 'yes' : 'no',
      one.cost.accepted,
      voiced(one) > 0 ? share(one.cost.accepted / voiced(one)) : '',
      `${one.flattening.flagged.length} of ${one.flattening.tested}`,
      money(one.cost.total),
      one.cost.accepted > 0 ? money(one.cost.a_sample) : '',
    ]),
  };
}

const modelsOf = ({ run }: Report): string => run.models.map(({ name }) => name).join(', ');

const withRows = ({ cells }: Report): ReportCell[] => cells.filter((cell) => cell.accepted > 0);

function cellsSection(report: Report): Section {
  return {
    id: 'cells',
    title: 'Culture by topic',
    note: `The same figures a cell. Countries of a culture that were shown other answers have a row of their own. Fewer than ${ENOUGH} accepted rows are too few for a figure.`,
    head: [
      'culture',
      'topic',
      'countries',
      'accepted',
      'n read',
      'no answer',
      '1 - JSD',
      '95% interval',
      'best',
      'survey error',
      'JS distance',
      'W1',
    ],
    rows: withRows(report).map((cell) => {
      const { fidelity: f } = cell;
      return [
        cell.culture,
        cellName(cell),
        cell.countries.join(', '),
        cell.accepted,
        cell.read.reduce((sum, n) => sum + n, 0),
        cell.none,
        f ? figure(f.similarity.estimate) : noFigure(readOf(cell)),
        ...(f
          ? [interval(f.similarity), figure(f.best), surveyError(f), figure(f.distance), ordered(f)]
          : ['', '', '', '', '']),
      ];
    }),
  };
}

function drawnSection({ drawn }: Report): Section {
  return {
    id: 'drawn',
    title: 'Respondents drawn, by cell',
    note: 'Each persona stands for a respondent, so a cell may differ from the survey by more than one person. Deviation: root mean square over the answers of share drawn less share in the survey, in points of a hundred; sampling error: what as many independent draws would give. "Off" is in people, for the answer that differs most.',
    head: ['culture', 'topic', 'people', 'off', 'deviation', 'sampling error'],
    rows: drawn.map((cell) => [
      cell.culture,
      cellName(cell),
      cell.n,
      figure(cell.off_by, 1),
      figure(100 * cell.deviation, 2),
      figure(100 * cell.sampling_error, 2),
    ]),
  };
}

export const readOf = ({ accepted: n, read, unread }: ReportCell): Parameters<typeof noFigure>[0] => ({
  accepted: n,
  read: read.reduce((sum, rows) => sum + rows, 0),
  unread,
});

/** The answers of a cell: the three distributions, and how many of the opinions voiced with each were accepted. */
export function answerRows(cell: ReportCell): Value[][] {
  const [assigned, read] = [cell.assigned, cell.read].map((list) => list.reduce((sum, n) => sum + n, 0));
  return cell.options.map((option, at) => [
    answerName(option),
    share(cell.survey[at] as number),
    of(cell.assigned[at] as number, assigned as number),
    of(cell.read[at] as number, read as number),
    cell.voiced[at] as number,
    of(cell.accepted_of[at] as number, cell.voiced[at] as number),
  ]);
}

export const answerHead = ['answer', 'survey', 'assigned', 'read', 'voiced', 'accepted (yield)'];

function answersSection(report: Report): Section {
  return {
    id: 'answers',
    title: 'The three distributions, and the yield of each answer',
    note: 'Survey: shares of the respondents. Assigned: delegates by the answer drawn for them. Read: accepted opinions by the answer that a reader found in their text alone, seeing neither persona nor culture. Voiced and accepted: opinions of personas who were assigned that answer; a low yield of an answer is the usual cause of a flattened cell.',
    head: ['culture', 'topic', ...answerHead],
    rows: withRows(report).flatMap((cell) =>
      answerRows(cell).map((row) => [cell.culture, cellName(cell), ...row]),
    ),
  };
}

function flatteningSection({ flattening: { flagged, tested } }: Report): Section {
  return {
    id: 'flattening',
    title: 'Flattened cells',
    note: `Cells where one answer is read more often than the survey makes likely at that number of dialogues (one answer a dialogue, binomial, p below 0.01 after Holm's correction for the ${tested} cells tested).`,
    head: ['culture', 'topic', 'answer', 'read in', 'survey', 'p'],
    rows: flagged.map((cell) => [
      cell.culture,
      cell.topic,
      cell.answer,
      `${cell.count} of ${cell.dialogues} dialogues`,
      share(cell.surveyShare),
      cell.adjusted.toExponential(1),
    ]),
  };
}

function driftSection({ drift }: Report): Section | null {
  if (!drift) return null;
  return {
    id: 'drift',
    title: 'Who drifted during the talk',
    note: `Private answers before and after a talk, beside controls: the same personas, asked twice with no talk between. Moves are percentages of the scale's length; the excess is talk less control, its 95% interval resamples dialogues, and only an interval above 0 is more than noise.${drift.persuasion.pulls ? '' : ` Who persuaded whom is not told: ${drift.persuasion.reason}.`}${drift.closer.dialogues === null ? '' : ` Personas of a dialogue came closer by ${points(drift.closer.dialogues)} points (controls: ${points(drift.closer.control) || 'none'}).`}${drift.rank_stability.dialogues === null ? '' : ` Rank stability on a topic: ${figure(drift.rank_stability.dialogues, 2)} (controls: ${figure(drift.rank_stability.control, 2) || 'none'}).`}`,
    head: [
      'who',
      'talked',
      'controls',
      'moved',
      'control',
      'excess',
      '95% interval',
      'beyond noise',
      'changed side',
      'control ',
    ],
    rows: drift.lines.map((line) => [
      `${line.culture} ${role(line.role)}`,
      line.talked,
      line.controls,
      share(line.distance.dialogues),
      share(line.distance.control),
      points(line.distance.excess),
      line.excess ? `${points(line.excess.low)} to ${points(line.excess.high)}` : 'too few',
      line.excess === null ? '' : line.beyond_noise ? 'yes' : 'no',
      share(line.crossed.dialogues),
      share(line.crossed.control),
    ]),
  };
}

function persuasionSection({ drift }: Report): Section | null {
  if (!drift?.persuasion.pulls) return null;
  return {
    id: 'persuasion',
    title: 'Who persuaded whom',
    note: "How far personas drew others to the side that they spoke for, as a percentage of the scale's length; what the controls moved to the same side by themselves; the difference.",
    head: ['from', 'to', 'pairs', 'pull', 'control', 'excess'],
    rows: drift.persuasion.pulls.map((row) => [
      row.from,
      row.to,
      row.pairs,
      points(row.pull),
      points(row.control),
      points(row.excess),
    ]),
  };
}

function breaksSection({ drift }: Report): Section | null {
  if (!drift) return null;
  return {
    id: 'breaks',
    title: 'Turns off the stance',
    note: `Turns that were read on the other side than the answer the persona was assigned, of those that take a position; beside them private answers of the controls that were. As read: a reader that errs makes breaks too. ${drift.breaks.some((line) => line.corrected) ? "Errors taken out: by the calibrated reader's confusion table (it may leave 0 to 100% by noise); the excess over the controls with its 95% interval." : "Without a calibrated reader its errors can't be taken out."}`,
    head: [
      'who',
      'personas',
      'turns with a position',
      'off, as read',
      'control',
      'errors taken out',
      'excess',
      '95% interval',
    ],
    rows: drift.breaks.map((line) => [
      `${line.culture} ${role(line.role)}`,
      line.personas,
      line.turns,
      share(line.off.dialogues),
      share(line.off.control),
      share(line.corrected?.treated ?? null),
      points(line.corrected?.excess.estimate ?? null),
      line.corrected ? `${points(line.corrected.excess.low)} to ${points(line.corrected.excess.high)}` : '',
    ]),
  };
}

function quotaSection({ quota }: Report): Section | null {
  if (!quota) return null;
  const off = groupBy(quota.off, ({ culture }) => culture);
  return {
    id: 'quota',
    title: 'Quotas',
    note: `Accepted opinions against what the scenario asks for, shared out over the answers as the survey has them. "Off" is the largest difference of an answer of a topic in a country.${quota.why ? ` Not filled: ${quota.why}.` : ''}`,
    head: ['culture', 'asked for', 'accepted', 'answers', 'off', 'topic, country and answer that are off'],
    rows: quota.cultures.map(({ culture, wanted, accepted, answers, off_by }) => [
      culture,
      wanted,
      accepted,
      answers,
      off_by,
      listed(off.get(culture) ?? []),
    ]),
  };
}

/** The answers that are off their quota, five in words. */
const listed = (off: NonNullable<Report['quota']>['off']): string =>
  [
    ...off
      .slice(0, 5)
      .map(
        ({ topic, country, code, accepted, quota }) =>
          `${topic} ${country} ${code ?? 'no stance'}: ${accepted} of ${quota}`,
      ),
    ...(off.length > 5 ? [`and ${off.length - 5} more`] : []),
  ].join('; ');

function funnelSection({ funnel, run }: Report): Section {
  const reasons = [...new Set(funnel.flatMap(({ dropped }) => dropped.map(({ reason }) => reason)))];
  return {
    id: 'funnel',
    title: 'From voiced to accepted',
    note:
      'How the opinions of the refinement that stands ended. Rewrites are opinions of their own, made where one contradicted its persona.' +
      duplicatesInWords(run.deduplication),
    head: ['culture', 'voiced', 'rewrites', 'accepted', ...reasons],
    rows: funnel
      .filter(({ voiced }) => voiced > 0)
      .map(({ culture, voiced, rewritten, accepted: kept, dropped }) => [
        culture,
        voiced,
        rewritten,
        of(kept, voiced),
        ...reasons.map((reason) => dropped.find((one) => one.reason === reason)?.opinions ?? 0),
      ]),
  };
}

/** Which languages an embedder's threshold is validated in: our labelled pairs (docs/refinement.md). */
const VALIDATED = 'en';

function duplicatesInWords(found: Report['run']['deduplication']): string {
  if (!found) return '';
  const { threshold, embedder, embedding_threshold: cosine, embedding_languages: languages } = found;
  const ngrams = ` Near-duplicates of one side were found by their characters (Jaccard of ${threshold} or more) in every language`;
  if (embedder === null) return `${ngrams}.`;
  const foreign = languages.filter((language) => language !== VALIDATED);
  return `${ngrams}, and by the embedder ${embedder} (cosine of ${cosine} or more) in ${languages.join(', ')}; its threshold is validated for English only${foreign.length > 0 ? `, not for ${foreign.join(', ')}` : ''}.`;
}

function coverageSection({ coverage, run }: Report): Section {
  return {
    id: 'coverage',
    title: 'Coverage: accepted opinions of culture and topic',
    note: 'A dash: left out, since nobody was asked there (the reasons stand below).',
    head: ['culture', ...run.topics.map(({ id }) => id)],
    rows: [...groupBy(coverage, ({ culture }) => culture)].map(([culture, own]) => [
      culture,
      ...own.map(({ left_out, accepted: n }) => (left_out === null ? n : '–')),
    ]),
  };
}

function leftOutSection({ coverage }: Report): Section {
  return {
    id: 'left-out',
    title: 'Left out',
    note: 'No answer is invented for these cells, and no dialogue was held about them.',
    head: ['culture', 'topic', 'reason'],
    rows: coverage.flatMap(({ culture, topic, left_out }) =>
      left_out === null ? [] : [[culture, topic, left_out]],
    ),
  };
}

function missingSection({ cells }: Report): Section {
  return {
    id: 'missing',
    title: 'Missing answers in the survey',
    note: `Cells where more than ${share(MISSING)} of the respondents gave no valid answer: the spread is that of those who answered.`,
    head: ['culture', 'topic', 'valid answers', 'missing'],
    rows: cells
      .filter(({ missing_share }) => missing_share > MISSING)
      .map((cell) => [
        cell.culture,
        cellName(cell),
        cell.respondents ?? 'unknown',
        share(cell.missing_share),
      ]),
  };
}

function classesSection({ classes }: Report): Section {
  const names = [...new Set(classes.map((row) => row.class ?? 'none given'))];
  return {
    id: 'classes',
    title: 'Classes of accepted opinions',
    note: 'As the extractor named them.',
    head: ['culture', ...names],
    rows: [...groupBy(classes, ({ culture }) => culture)].map(([culture, own]) => {
      const all = own.reduce((sum, { opinions }) => sum + opinions, 0);
      const n = (name: string): number =>
        own.find((row) => (row.class ?? 'none given') === name)?.opinions ?? 0;
      return [culture, ...names.map((name) => of(n(name), all))];
    }),
  };
}

function diversitySection({ diversity }: Report): Section {
  return {
    id: 'diversity',
    title: 'Diversity of the texts',
    note: 'On a sample of each cell. Distinct-1 and -2: different words and pairs of words as a share of all; they fall with more texts. Within: how far two opinions of a cell are apart (0 equal, 1 nothing shared); between: one of the cell and one of another culture on the same topic. Within far below between: a culture that says one thing.',
    head: ['culture', 'texts', 'distinct-1', 'distinct-2', 'within', 'between'],
    rows: diversity.map((row) => [
      row.culture,
      row.texts,
      figure(row.distinct_1, 2),
      figure(row.distinct_2, 2),
      figure(row.within, 2),
      figure(row.between, 2),
    ]),
  };
}

function caricatureSection({ caricature }: Report): Section {
  return {
    id: 'caricature',
    title: 'Caricature: texts that name the culture',
    note: 'Share of the sampled opinions that name the culture, its language or its countries instead of keeping to the topic, beside the same words in the turns of those whom they talked with. A plain stand-in: it counts names, not clichés.',
    head: ['culture', 'texts', 'naming it', 'main contact', 'words looked for'],
    rows: caricature.map((row) => [
      row.culture,
      row.texts,
      share(row.naming),
      row.others === null ? 'none' : share(row.others),
      row.words.slice(0, 8).join(', ') + (row.words.length > 8 ? `, and ${row.words.length - 8} more` : ''),
    ]),
  };
}

function largestSection({ largest }: Report): Section {
  return {
    id: 'largest',
    title: 'The largest share of one source',
    note: 'The model, persona and dialogue that most accepted opinions come from.',
    head: ['source', 'name', 'accepted opinions'],
    rows: largest.map((row) => [row.of, row.name, of(row.opinions, row.all)]),
  };
}

function costSection({ cost }: Report): Section {
  return {
    id: 'cost',
    title: `Cost: ${money(cost.total)}${cost.accepted > 0 ? `, ${money(cost.a_sample)} a kept sample` : ''}`,
    note: `What the run paid by stage and role; calls that were reused cost nothing again. ${cost.accepted > 0 ? `${count(cost.accepted)} opinions were kept. ` : ''}A cost is unknown where the price of a model is.`,
    head: ['stage', 'role', 'model', 'paid calls', 'reused', 'tokens in', 'tokens out', 'cost'],
    rows: cost.lines.map((line) => [
      role(line.stage),
      role(line.role),
      line.model,
      line.paid_calls,
      line.reused_calls,
      line.input_tokens,
      line.output_tokens,
      money(line.cost_usd),
    ]),
  };
}
