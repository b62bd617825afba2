import { bestJsd, expectedJsd } from './attainable.ts';
import { divergenceInterval } from './divergence-interval.ts';
import { flattening, holm, type Flattening } from './flattening.ts';
import type { Interval } from './intervals.ts';
import { jsd, jsDistance } from './jensen-shannon.ts';
import { joined, sum, type CellData } from './report-cells.ts';
import { jsdSurveyError, type SurveyError } from './survey-error.ts';
import { wasserstein1 } from './wasserstein.ts';

/** Accepted rows from which a cell, or a culture, gets figures; fewer read "too few". */
export const ENOUGH = 40;

/** How close answers are to the survey's; of several cells the mean. */
export interface Fidelity {
  /** Rows with a read answer. */
  n: number;
  dialogues: number;
  /** 1 - Jensen-Shannon divergence (base 2), with its 95% interval over dialogues. */
  similarity: Interval;
  /** The similarity without what noise takes from it at this n. */
  corrected: number;
  /** The Jensen-Shannon distance: the root of the divergence. */
  distance: number;
  /** Normalised Wasserstein-1; null where answers have no order. */
  wasserstein: number | null;
  /** The highest similarity that n whole rows allow, and the mean one of n independent draws from the survey. */
  best: number;
  by_chance: number;
  /**
   * Standard error that the survey's own sample gives the figure, and the divergence that it hides even when all is well;
   * null where the survey does not say how many people it asked.
   */
  survey_error: number | null;
  survey_floor: number | null;
  /** True where the interval reaches what noise and the survey's own error explain. */
  explained: boolean;
}

/** Numbers that the draws of one interval may take together: keeps a large run within seconds. */
const DRAWS = 150_000;

/** The fidelity of the rows read in some cells of a culture; null without one. Topics count alike. */
export function fidelity(cells: readonly CellData[], seed: number, share = 1): Fidelity | null {
  const read = joined(cells).filter(({ talks }) => talks.size > 0);
  if (read.length === 0) return null;
  const n = sum(read, (cell) => rowsOf(cell));
  const draws = Math.round(Math.min(1000, Math.max(100, (DRAWS * share) / n)));
  const compared = read.map(({ talks, survey }) => ({ dialogues: [...talks.values()], survey }));
  const { estimate, low, high, corrected } = divergenceInterval(compared, jsd, seed, draws);
  const mean = (value: (cell: CellData) => number): number => sum(read, value) / read.length;
  const errors = read.flatMap((cell) => surveyErrorOf(cell) ?? []);
  const told = errors.length === read.length;
  const floor = told ? sum(errors, (one) => one.floor) / read.length : null;
  return {
    n,
    dialogues: sum(read, ({ talks }) => talks.size),
    similarity: { estimate: 1 - estimate, low: 1 - high, high: 1 - low },
    corrected: 1 - corrected,
    distance: mean((cell) => jsDistance(cell.read, cell.survey)),
    wasserstein: read.every(isOrdered) ? mean(moved) : null,
    best: 1 - mean((cell) => bestJsd(cell.survey, rowsOf(cell)).value),
    by_chance: 1 - mean((cell) => expectedJsd(cell.survey, rowsOf(cell))),
    survey_error: told ? Math.sqrt(sum(errors, (one) => one.standardError ** 2)) / read.length : null,
    survey_floor: floor,
    explained: low <= (floor ?? 0),
  };
}

function surveyErrorOf({ read, samples }: CellData): SurveyError | null {
  const known = samples.flatMap(({ respondents, ...one }) =>
    respondents === null ? [] : [{ ...one, respondents }],
  );
  return known.length < samples.length ? null : jsdSurveyError(read, known);
}

const isOrdered = ({ options }: CellData): boolean => options.every(({ agreement }) => agreement !== null);

/** The Wasserstein distance of a cell; of joined ones the mean of their parts, by weight. */
function moved({ parts, read, survey }: CellData): number {
  if (!parts) return wasserstein1(read, survey);
  const told = parts.filter(({ talks }) => talks.size > 0);
  return sum(told, (part) => part.weight * moved(part)) / sum(told, ({ weight }) => weight);
}

export const rowsOf = ({ read }: Pick<CellData, 'read'>): number => sum(read, (count) => count);

/** How far counts are from n times the survey's shares: the largest difference of an answer, in rows. */
export function offBy(counts: readonly number[], survey: readonly number[]): number {
  const n = sum(counts, (count) => count);
  return Math.max(0, ...counts.map((count, at) => Math.abs(count - n * (survey[at] as number))));
}

/** A cell whose answers gather on one more than the survey makes likely. */
export interface FlatCell extends Flattening {
  culture: string;
  topic: string;
  countries: string[];
  /** Label or code of the answer that they gather on. */
  answer: string;
  /** One voice a dialogue. */
  dialogues: number;
  /** `p`, adjusted for all cells (Holm). */
  adjusted: number;
}

/** How likely a flagged cell is by chance, all cells together. */
const FLAGGED = 0.01;

/** The flattened cells, one answer a dialogue. */
export function flattened(cells: readonly CellData[]): { tested: number; flagged: FlatCell[] } {
  const tested = cells.filter(({ talks }) => talks.size > 0);
  const found = tested.map(({ voices, survey }) => flattening(voices, survey));
  const adjusted = holm(found.map(({ p }) => p));
  const flagged = tested.flatMap(({ culture, topic, countries, options, talks }, at) => {
    const one = found[at] as Flattening;
    const p = adjusted[at] as number;
    // Fewer than the survey has is spread, not flattening: the test names the option for its tail alone.
    if (p >= FLAGGED || one.share <= one.surveyShare) return [];
    const answer = answerName(options[one.option] as CellData['options'][number]);
    return [{ culture, topic, countries, answer, dialogues: talks.size, adjusted: p, ...one }];
  });
  return { tested: tested.length, flagged };
}

export const answerName = ({ code, label }: { code: number; label: string }): string => label || String(code);
