import { accuracy, cohenKappa, confusionTable } from './agreement.ts';
import { balancedAccuracyInterval } from './intervals.ts';

/** A judge's answer that could not be used (malformed, refused, cut off, passed over): counted, and always wrong. */
const UNUSABLE = 'unusable';

/** How often each true category (row) was judged to be each category (column), in the order of `labels`. */
export interface Confusion {
  labels: readonly string[];
  counts: readonly (readonly number[])[];
}

/** What a judge is worth on labelled items. Shares are 0 to 1; `low` and `high` are the 95% interval of the balanced accuracy. */
export interface CalibrationFigures {
  n: number;
  /** True categories that have items: chance is one in so many. */
  classes: number;
  accuracy: number;
  balanced_accuracy: number;
  low: number;
  high: number;
  kappa: number | null;
  confusion: Confusion;
}

/**
 * Figures of a judge from true and given categories. What was given is wrong where it is none of the labels, and then
 * stands in a column of its own; it is never left out. Null without items.
 */
export function calibrationFigures(
  items: readonly { truth: string; given: string | null }[],
  labels: readonly string[],
): CalibrationFigures | null {
  if (items.length === 0) return null;
  const usable = items.every(({ given }) => given !== null && labels.includes(given));
  const all = usable ? labels : [...labels, UNUSABLE];
  const counts = confusionTable(
    items.map(
      ({ truth, given }) => [truth, given !== null && labels.includes(given) ? given : UNUSABLE] as const,
    ),
    all,
  );
  const { estimate, low, high } = balancedAccuracyInterval(counts);
  return {
    n: items.length,
    classes: new Set(items.map(({ truth }) => truth)).size,
    accuracy: accuracy(counts),
    balanced_accuracy: estimate,
    low,
    high,
    kappa: cohenKappa(counts),
    confusion: { labels: all, counts },
  };
}

/**
 * Of texts with a true answer, the shares that a reader read as that answer, and as it or its neighbour on the scale.
 * Places count along the scale; null is "takes no position", which only itself is right for; undefined is no reading.
 */
export function readingShares(items: readonly { truth: number | null; given: number | null | undefined }[]): {
  exact: number;
  within_one: number;
} {
  const share = (right: (truth: number | null, given: number | null) => boolean): number =>
    items.filter(({ truth, given }) => given !== undefined && right(truth, given)).length / items.length;
  return {
    exact: share((truth, given) => truth === given),
    within_one: share((truth, given) =>
      truth === null || given === null ? truth === given : Math.abs(truth - given) <= 1,
    ),
  };
}

/** What of a calibration its words need. */
interface Told extends Pick<CalibrationFigures, 'n' | 'classes' | 'balanced_accuracy' | 'low' | 'high'> {
  source: 'pairs' | 'reviews';
  provenance: string;
}

/** Whether a judge was found to be no better than one that throws dice: the interval reaches down to chance. */
export const atChance = ({ low, classes }: Pick<Told, 'low' | 'classes'>): boolean => low <= 1 / classes;

/** What a judge is worth, in plain words; undefined: it was never calibrated with this prompt in this language. */
export function calibrationInWords(calibration: Told | undefined): string {
  if (!calibration) return 'not calibrated';
  const { n, source, provenance, balanced_accuracy: estimate, low, high } = calibration;
  const figures = `balanced accuracy ${estimate.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}), n ${n}`;
  const on =
    source === 'pairs' ? `${provenance.replace(/^author-written/, 'author-written pairs')}` : provenance;
  return `${atChance(calibration) ? 'no better than chance: ' : ''}${figures}, ${on}`;
}
