import { groupBy } from '../group-by.ts';
import type { ConfusionTable } from './agreement.ts';
import { type Interval, quantile } from './intervals.ts';
import { normalCdf, normalQuantile, studentTail } from './normal.ts';
import { random } from './random.ts';

/** The answer that was assigned and the one expressed later: places of categories, from 0. */
export interface Transition {
  before: number;
  after: number;
}

export interface DriftInput {
  /** Of each dialogue in which personas talked; `after` is what the reader found in their turns. */
  treated: readonly (readonly Transition[])[];
  /** Of each control, where nobody talked; `after` is what the personas chose themselves, and nobody had to read. */
  control: readonly (readonly Transition[])[];
  /** Calibration: how often the reader read each true category (row) as each (column); counts of items. */
  reader: ConfusionTable;
  /** What a true change from one place to another counts; without it 1 for any change. */
  loss?: (from: number, to: number) => number;
}

export interface ExcessDrift {
  /** Mean loss a transition, the reader's errors taken out; may leave 0 to 1 by noise. */
  treated: number;
  control: number;
  /** Treated minus control. */
  excess: Interval;
  /** The difference as read, nothing taken out. */
  asRead: number;
}

/** Units that are drawn with replacement: more dialogues are put together, which keeps the interval. */
const UNITS = 500;

/**
 * How much further personas leave their assigned answer in a talk than in the control, free of the reader's errors.
 *
 * A reader that errs sees changes where there are none and misses others. With M its shares (rows true, columns read) and
 * errors that depend on the true category alone, the observed shares of what was read are those of the truth times M; the
 * truth is got back by the inverse of M: the estimator for gross flows of Abowd & Zellner 1985 (Journal of Business &
 * Economic Statistics 3:254-283; Poterba & Summers 1986, Econometrica 54:1319-1338), with one side known. Only the mean
 * loss is wanted, which makes every observed transition a score, L inv(M)', and drift the mean score.
 *
 * The interval draws dialogues of both groups with replacement and the reader's items anew a true category (2,000
 * times; percentiles widened as Student's t is).
 * @param seed the same seed and input give the same interval
 * @returns null when the reader's table can't be inverted, as it is or in more than 1 resample of 40: a category without
 *   items, or two that it reads alike
 * @throws RangeError for fewer than two dialogues with transitions in a group, or a place outside of the table
 */
export function excessDrift(input: DriftInput, seed: string | number, resamples = 2000): ExcessDrift | null {
  const size = input.reader.length;
  const loss = places(size).map((from) =>
    places(size).map((to) => (input.loss ? input.loss(from, to) : from === to ? 0 : 1)),
  );
  const treated = countsOf(input.treated, size);
  const control = countsOf(input.control, size);
  const fewer = Math.min(treated.length, control.length);
  if (fewer < 2) throw new RangeError('drift needs transitions of two dialogues or more in each group');
  const plain = loss.flat();
  const scores = scoresOf(input.reader, loss);
  if (!scores) return null;
  const next = random('drift', seed);
  const [some, alone] = [unitsOf(treated), unitsOf(control)];
  const any = (units: readonly Counts[]) =>
    units.map(() => units[Math.floor(next() * units.length)] as Counts);
  const figures: number[] = [];
  for (let round = 0; round < resamples; round++) {
    const drawn = scoresOf(
      input.reader.map((row) => redraw(row, next)),
      loss,
    );
    if (drawn) figures.push(meanScore(any(some), drawn) - meanScore(any(alone), plain));
  }
  if (figures.length < resamples * (39 / 40)) return null;
  const sorted = Float64Array.from(figures).sort();
  const tail = normalCdf(normalQuantile(studentTail(fewer - 1)) * Math.sqrt(fewer / (fewer - 1)));
  const [a, b] = [meanScore(treated, scores), meanScore(control, plain)];
  return {
    treated: a,
    control: b,
    excess: { estimate: a - b, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) },
    asRead: meanScore(treated, plain) - b,
  };
}

type Matrix = number[][];

const places = (size: number) => Array.from({ length: size }, (_, at) => at);

/** How many transitions there are of some kinds; a kind is a place in the table of before and after, row by row. */
type Counts = ReadonlyMap<number, number>;

/** The counts of each dialogue with transitions. */
function countsOf(dialogues: readonly (readonly Transition[])[], size: number): Counts[] {
  const kindOf = ({ before, after }: Transition) => {
    for (const one of [before, after])
      if (!(Number.isInteger(one) && one >= 0 && one < size))
        throw new RangeError(`no category ${one} of ${size}`);
    return before * size + after;
  };
  return dialogues
    .filter((dialogue) => dialogue.length > 0)
    .map((dialogue) => summed(dialogue.map((one) => [kindOf(one), 1])));
}

function summed(kinds: Iterable<readonly [kind: number, n: number]>): Counts {
  const counts = new Map<number, number>();
  for (const [kind, n] of kinds) counts.set(kind, (counts.get(kind) ?? 0) + n);
  return counts;
}

const unitsOf = (dialogues: readonly Counts[]): Counts[] =>
  [...groupBy(dialogues.entries(), ([at]) => at % UNITS).values()].map((own) =>
    summed(own.flatMap(([, counts]) => [...counts])),
  );

/** The score of each observed transition, row by row; null when the reader's shares can't be inverted. */
function scoresOf(reader: ConfusionTable, loss: Matrix): number[] | null {
  const items = reader.map((row) => row.reduce((sum, count) => sum + count, 0));
  if (items.includes(0)) return null;
  const back = inverse(reader.map((row, at) => row.map((count) => count / (items[at] as number))));
  return back && loss.flatMap((row) => back.map((own) => dot(row, own)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
}

/** Gauss-Jordan elimination with row exchange; null when a pivot is next to nothing. */
function inverse(matrix: Matrix): Matrix | null {
  const size = matrix.length;
  const work = matrix.map((row, at) => [...row, ...places(size).map((other) => (other === at ? 1 : 0))]);
  for (let column = 0; column < size; column++) {
    const below = work.slice(column).map((row) => Math.abs(row[column] as number));
    const at = column + below.indexOf(Math.max(...below));
    const pivotRow = work[at] as number[];
    const pivot = pivotRow[column] as number;
    if (Math.abs(pivot) < 1e-6) return null;
    work[at] = work[column] as number[];
    work[column] = pivotRow.map((value) => value / pivot);
    for (let row = 0; row < size; row++) {
      const factor = (work[row] as number[])[column] as number;
      if (row !== column)
        work[row] = (work[row] as number[]).map(
          (value, i) => value - factor * ((work[column] as number[])[i] as number),
        );
    }
  }
  return work.map((row) => row.slice(size));
}

/** As many items as the row has, each falling to a column as the row's shares say. */
function redraw(row: readonly number[], next: () => number): number[] {
  const items = row.reduce((sum, count) => sum + count, 0);
  const drawn = row.map(() => 0);
  for (let item = 0; item < items; item++) {
    let left = next() * items;
    const at = row.findIndex((count) => (left -= count) < 0);
    drawn[at] = (drawn[at] as number) + 1;
  }
  return drawn;
}

function meanScore(units: readonly Counts[], scores: readonly number[]): number {
  let [total, sum] = [0, 0];
  for (const counts of units)
    for (const [kind, n] of counts) {
      total += n;
      sum += n * (scores[kind] as number);
    }
  return sum / total;
}
