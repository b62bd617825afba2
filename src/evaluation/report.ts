import { groupBy } from '../group-by.ts';
import { drawnCells, type DrawnCell } from './drawn.ts';
import { ENOUGH, fidelity, flattened, offBy, rowsOf, type Fidelity, type FlatCell } from './fidelity.ts';
import type { CellData, CellFigures, ReportCulture } from './report-cells.ts';
import { sum } from './report-cells.ts';
import { driftFigures, type DriftFigures } from './report-drift.ts';
import type { ClassRow, CostLine, EndRow, JudgeRow, Largest, LeftOut, TextRow } from './report-rows.ts';
import { caricature, diversity, type CaricatureLine, type DiversityLine } from './report-texts.ts';
import type { QuotaFigures } from './report-quota.ts';
import type { Readers } from './persuasion.ts';
import type { Confusion } from './calibration.ts';
import type { Course } from './stances.ts';
import { verdict } from './report-verdict.ts';

/** What a run is. */
export interface ReportHead {
  id: string;
  scenario: string;
  description: string | null;
  status: string;
  stop_reason: string | null;
  phase: string;
  seed: number;
  surveys: string[];
  cultures: string[];
  topics: { id: string; theme: string; statement: string }[];
  /** Whether personas had one stance, drawn for its topic, or all those of a respondent. */
  personas: 'answers' | 'respondents';
  models: { name: string; roles: string[]; scripted: boolean }[];
  /** Roles that the scripted model plays. */
  scripted_roles: string[];
  /** How near-duplicates were found, in the deduplication that stands; null before it. */
  deduplication: {
    threshold: number;
    embedder: string | null;
    embedding_threshold: number | null;
    embedding_languages: string[];
  } | null;
  dialogues: { planned: number; finished: number; failed: number; flagged: number };
  started: number;
  finished: number | null;
}

/** A cell with its figures: null where too few rows were accepted, or none read. */
export interface ReportCell extends CellFigures {
  dialogues: number;
  fidelity: Fidelity | null;
}

/** A culture's line. */
export interface CultureLine {
  culture: string;
  accepted: number;
  read: number;
  none: number;
  unread: number;
  /** Null where too few rows were accepted, or none read. */
  fidelity: Fidelity | null;
  /** The quota: delegates, and accepted opinions by their persona's answer, against the survey; the largest difference of a cell's answer, in rows. */
  assigned: { n: number; off_by: number };
  accepted_of: { n: number; off_by: number };
}

export interface FunnelLine {
  culture: string;
  voiced: number;
  rewritten: number;
  accepted: number;
  /** By reason, the most frequent first. */
  dropped: { reason: string; opinions: number }[];
}

/** Who judged or read dialogues in a language, and what is known of how well; `calibration` is in plain words. */
export interface Judge extends JudgeRow {
  /** Null where nothing was judged yet. */
  language: string | null;
  /** Those whose dialogues it judged. */
  cultures: string[];
  calibration: string;
  figures: JudgeFigures | null;
}

/** What a judge is worth; `low` and `high` are the 95% interval of the balanced accuracy. */
interface JudgeFigures {
  source: string;
  provenance: string;
  n: number;
  accuracy: number;
  balanced_accuracy: number;
  low: number;
  high: number;
  kappa: number | null;
  at_chance: boolean;
  confusion: Confusion;
}

export interface Report {
  run: ReportHead;
  /** The answer in plain words, a sentence or more each. */
  verdict: string[];
  cultures: CultureLine[];
  cells: ReportCell[];
  /** Accepted opinions against the quotas; null where the scenario asks for none. */
  quota: QuotaFigures | null;
  /** How the respondents drawn for each cell are spread; empty where stances were drawn topic by topic. */
  drawn: DrawnCell[];
  funnel: FunnelLine[];
  drift: DriftFigures | null;
  flattening: { tested: number; flagged: FlatCell[] };
  coverage: {
    culture: string;
    topic: string;
    accepted: number;
    dialogues: number;
    left_out: string | null;
  }[];
  classes: ClassRow[];
  diversity: DiversityLine[];
  caricature: CaricatureLine[];
  largest: Largest[];
  cost: { lines: CostLine[]; total: number | null; accepted: number; a_sample: number | null };
  judges: Judge[];
}

export interface ReportInput {
  run: ReportHead;
  cultures: readonly ReportCulture[];
  cells: readonly CellData[];
  ends: readonly EndRow[];
  seats: readonly { culture: string; topic: string; seats: number }[];
  leftOut: readonly LeftOut[];
  quota: QuotaFigures | null;
  courses: readonly Course[];
  classes: readonly ClassRow[];
  texts: readonly TextRow[];
  words: ReadonlyMap<string, readonly string[]>;
  largest: readonly Omit<Largest, 'all'>[];
  costs: readonly CostLine[];
  judges: readonly Judge[];
  /** How the reader of the turns read texts of known sides. */
  readers: Readers;
}

/** Joins what was counted to a report; the same input gives the same report. */
export function buildReport(input: ReportInput): Report {
  const { run, cells, ends } = input;
  const cultures = input.cultures.map(({ id }) => cultureLine(id, cells, run.seed));
  const funnel = input.cultures.map(({ id }) =>
    funnelLine(
      id,
      ends.filter(({ culture }) => culture === id),
    ),
  );
  const accepted = sum(funnel, (line) => line.accepted);
  const total = input.costs.some(({ cost_usd }) => cost_usd === null)
    ? null
    : sum(input.costs, ({ cost_usd }) => cost_usd as number);
  // A thousand draws a cell, fewer where there are many.
  const share = Math.min(1, 60 / cells.filter(({ accepted }) => accepted >= ENOUGH).length);
  const report: Omit<Report, 'verdict'> = {
    run,
    cultures,
    cells: cells.map((cell) => {
      const { talks, samples: _, voices: __, weight: ___, ...figures } = cell;
      const own = cell.accepted >= ENOUGH ? fidelity([cell], run.seed, share) : null;
      return { ...figures, dialogues: talks.size, fidelity: own };
    }),
    quota: input.quota,
    drawn: run.personas === 'respondents' ? drawnCells(cells) : [],
    funnel,
    drift: driftFigures(input.courses, run.seed, input.readers),
    flattening: flattened(cells),
    coverage: coverageOf(input),
    classes: [...input.classes],
    diversity: diversity(input.texts, run.seed),
    caricature: caricature(input.texts, input.words),
    largest: input.largest.map((row) => ({ ...row, all: accepted })),
    cost: {
      lines: [...input.costs],
      total,
      accepted,
      a_sample: total === null || accepted === 0 ? null : total / accepted,
    },
    judges: [...input.judges],
  };
  return { ...report, verdict: verdict(report) };
}

/** A culture's line over its cells; its figures are the mean of the topics that have read rows. */
function cultureLine(culture: string, all: readonly CellData[], seed: number): CultureLine {
  const cells = all.filter((cell) => cell.culture === culture);
  const accepted = sum(cells, (cell) => cell.accepted);
  const quota = (list: 'assigned' | 'accepted_of'): CultureLine['assigned'] => ({
    n: sum(cells, (cell) => sum(cell[list], (n) => n)),
    off_by: Math.max(0, ...cells.map((cell) => offBy(cell[list], cell.survey))),
  });
  return {
    culture,
    accepted,
    read: sum(cells, rowsOf),
    none: sum(cells, ({ none }) => none),
    unread: sum(cells, ({ unread }) => unread),
    fidelity: accepted >= ENOUGH ? fidelity(cells, seed) : null,
    assigned: quota('assigned'),
    accepted_of: quota('accepted_of'),
  };
}

function funnelLine(culture: string, ends: readonly EndRow[]): FunnelLine {
  const count = (keep: (row: EndRow) => boolean): number =>
    sum(ends.filter(keep), ({ opinions }) => opinions);
  const lost = groupBy(
    ends.filter(({ status }) => status !== 'accepted'),
    ({ status, reason }) => reason ?? status,
  );
  return {
    culture,
    voiced: count(({ rewritten }) => !rewritten),
    rewritten: count(({ rewritten }) => rewritten),
    accepted: count(({ status }) => status === 'accepted'),
    dropped: [...lost]
      .map(([reason, own]) => ({ reason, opinions: sum(own, ({ opinions }) => opinions) }))
      .sort((a, b) => b.opinions - a.opinions || (a.reason < b.reason ? -1 : 1)),
  };
}

function coverageOf({ run, cultures, ends, seats, leftOut }: ReportInput): Report['coverage'] {
  const key = (row: { culture: string; topic: string }): string => JSON.stringify([row.culture, row.topic]);
  const accepted = groupBy(
    ends.filter(({ status }) => status === 'accepted'),
    key,
  );
  const held = groupBy(seats, key);
  const reasons = new Map(leftOut.map((row) => [key(row), row.reason]));
  return cultures.flatMap(({ id: culture }) =>
    run.topics.map(({ id: topic }) => {
      const at = key({ culture, topic });
      return {
        culture,
        topic,
        left_out: reasons.get(at) ?? null,
        accepted: sum(accepted.get(at) ?? [], ({ opinions }) => opinions),
        dialogues: sum(held.get(at) ?? [], (row) => row.seats),
      };
    }),
  );
}
