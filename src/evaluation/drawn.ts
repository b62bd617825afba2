import { offBy } from './fidelity.ts';
import { sum, type CellFigures } from './report-cells.ts';

/** How the respondents drawn for a cell are spread, beside the survey and what chance alone would do. */
export interface DrawnCell {
  culture: string;
  topic: string;
  countries: string[];
  split: boolean;
  /** Delegates, and how many they differ from n times the survey's shares at most in an answer. */
  n: number;
  off_by: number;
  /** Root mean square over the answers of share drawn less share in the survey. */
  deviation: number;
  /** What the same measure expects of n independent draws: the root of the mean of p(1 - p) / n. */
  sampling_error: number;
}

/** The cells that delegates were drawn for. */
export function drawnCells(cells: readonly CellFigures[]): DrawnCell[] {
  return cells.flatMap(({ culture, topic, countries, split, assigned, survey }) => {
    const n = sum(assigned, (count) => count);
    if (n === 0) return [];
    const rootMean = (value: (share: number, at: number) => number): number =>
      Math.sqrt(survey.reduce((total, share, at) => total + value(share, at), 0) / survey.length);
    return [
      {
        culture,
        topic,
        countries,
        split,
        n,
        off_by: offBy(assigned, survey),
        deviation: rootMean((share, at) => ((assigned[at] as number) / n - share) ** 2),
        sampling_error: rootMean((share) => (share * (1 - share)) / n),
      },
    ];
  });
}
