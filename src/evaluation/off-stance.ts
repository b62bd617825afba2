import { groupBy } from '../group-by.ts';
import { takesSide } from '../survey/sides.ts';
import { excessDrift, type ExcessDrift, type Transition } from './drift.ts';
import { sideAt, type Readers, type SideTable } from './persuasion.ts';
import type { Course } from './stances.ts';

/**
 * The share of turns on the other side than the assigned answer with the reader's errors taken out, beside the private
 * answers of the controls. What counts is only whether a turn is on the other side, told apart by the side of the stance,
 * since a reader may take agreement for disagreement more often than the other way. On a scale with a middle answer the
 * turns in the middle are among those that are not, in the share that the calibration has of them: its middle is too small
 * to be a category of its own.
 * @returns null where no calibration is known, the talks were in several languages (the reader errs in each in its own
 *   way), or fewer than two talks or controls have answers
 */
export function offStance(
  courses: readonly Course[],
  readers: Readers,
  seed: string | number,
  resamples?: number,
): ExcessDrift | null {
  const languages = new Set(courses.flatMap(({ turns, language }) => (turns.length > 0 ? [language] : [])));
  const [reader] = [...languages].map((language) => readers.get(language));
  if (languages.size > 1 || reader === undefined || typeof reader === 'string') return null;
  const [treated, control] = [false, true].map((alone) => {
    const own = courses.filter((course) => course.control === alone);
    const talks = groupBy(own, ({ dialogueKey }) => dialogueKey);
    return [...talks.values()].map((talk) => talk.flatMap(transitionsOf)).filter(({ length }) => length > 0);
  }) as [Transition[][], Transition[][]];
  if (treated.length < 2 || control.length < 2) return null;
  const loss = (_: number, to: number): number => to % 2;
  return excessDrift({ treated, control, reader: tableOf(reader), loss }, seed, resamples);
}

/**
 * Stance against the statement: 0 on its side or in the middle, 1 on the other side; stance for it: 2 and 3; the same from
 * 4 on where the scale has a middle, as an odd number of answers has.
 */
function transitionsOf({ assigned, control, turns, before, after, places }: Course): Transition[] {
  if (!assigned || !takesSide(assigned)) return [];
  const from = sideAt(assigned);
  const first = from + 4 * (places % 2);
  return (control ? [before, after] : turns).flatMap((answer) =>
    answer ? [{ before: first, after: first + (sideAt(answer) === 2 - from ? 1 : 0) }] : [],
  );
}

/** How the reader takes those eight for each other: only the two of one stance and sort of scale. */
function tableOf(sides: SideTable): number[][] {
  const [against, middle, agree] = sides as [number[], number[], number[]];
  const withMiddle = (row: readonly number[]): number[] => row.map((n, at) => n + (middle[at] as number));
  const blocks = (
    disagreeing: readonly number[],
    agreeing: readonly number[],
  ): [readonly number[], 0 | 2][] => [
    [disagreeing, 2],
    [agree, 2],
    [agreeing, 0],
    [against, 0],
  ];
  const rows = [...blocks(against, agree), ...blocks(withMiddle(against), withMiddle(agree))];
  return rows.map(([row, other], at) => {
    const all = row.reduce((sum, n) => sum + n, 0);
    const read = row[other] as number;
    const pair = at - (at % 2);
    return rows.map((_, column) => (column === pair ? all - read : column === pair + 1 ? read : 0));
  });
}
