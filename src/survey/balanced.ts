import { shuffled, uniform } from '../ids.ts';

/** Below this a number of the elimination is 0: all that goes in are ones. */
const NOTHING = 1e-6;
/** How near to 0 or 1 a chance is decided. */
const DECIDED = 1e-9;
/** Share of the traits that is kept from one step of the landing to the next. */
const KEPT = 0.8;

type Part = string | number;

/**
 * Balanced sampling: each unit is drawn as often as expected (the floor or the ceiling of its `expected` draws, the mean
 * exactly that), and so is each trait, as far as whole draws allow: its number among the drawn is the sum of what its
 * units expect. The cube method (Deville & Tillé 2004, Biometrika 91), its flight unit by unit (Chauvet & Tillé 2006,
 * Computational Statistics 21); where that ends, traits are dropped a fifth at a time, in an order that favours none.
 * The number drawn is never dropped.
 * @param expected draws of each unit, 0 or more
 * @param traits of each unit, numbered from 0; a unit has a trait or has it not
 * @param parts of the seed: they alone decide
 * @returns how often each unit is drawn
 */
export function balancedSample(
  expected: readonly number[],
  traits: readonly (readonly number[])[],
  ...parts: Part[]
): number[] {
  const chances = expected.map((draws) => draws - Math.floor(draws));
  const known = [...new Set(traits.flat())].sort((a, b) => a - b);
  const kept = shuffled(known, ...parts, 'traits');
  let open = shuffled([...chances.keys()], ...parts, 'units').filter((unit) => !isDecided(chances, unit));
  for (let step = 0; open.length > 0; step += 1) {
    // Place 0 is the number drawn, which every unit adds one to.
    const place = new Map(kept.map((trait, at) => [trait, at + 1]));
    const places = (unit: number): number[] => [
      0,
      ...(traits[unit] as readonly number[]).flatMap((trait) => place.get(trait) ?? []),
    ];
    open = flight(chances, open, places, kept.length + 1, [...parts, 'flight', step]);
    if (kept.length === 0) break;
    kept.length = Math.floor(kept.length * KEPT);
  }
  // One at most, where the draws expected are no whole number.
  for (const unit of open)
    chances[unit] = uniform(...parts, 'last', unit) < (chances[unit] as number) ? 1 : 0;
  return expected.map((draws, unit) => Math.floor(draws) + (chances[unit] as number));
}

function isDecided(chances: number[], unit: number): boolean {
  const chance = chances[unit] as number;
  if (chance > DECIDED && chance < 1 - DECIDED) return false;
  chances[unit] = Math.round(chance);
  return true;
}

/**
 * Moves the chances of units, which keep their means and the sums of all places, until those left undecided are
 * independent of each other; these are returned. Units come one by one: one that depends on those that wait is moved
 * against them, up or down as chance has it, until one of them is decided.
 * @param places the rows of the balance that a unit stands in with a 1
 */
function flight(
  chances: number[],
  units: readonly number[],
  places: (unit: number) => readonly number[],
  size: number,
  parts: readonly Part[],
): number[] {
  // Gauss-Jordan elimination: `reduced` times the column of a unit that waits is 1 in its own row and 0 elsewhere.
  const reduced = new Float64Array(size * size);
  for (let row = 0; row < size; row += 1) reduced[row * size + row] = 1;
  const waiting = new Int32Array(size).fill(-1);
  const column = new Float64Array(size);

  const takeRow = (row: number, unit: number): void => {
    const pivot = column[row] as number;
    for (let from = 0; from < size * size; from += size) {
      const value = reduced[from + row] as number;
      if (value === 0) continue;
      const factor = value / pivot;
      for (let at = 0; at < size; at += 1)
        reduced[from + at] = (reduced[from + at] as number) - (column[at] as number) * factor;
      reduced[from + row] = factor;
    }
    waiting[row] = unit;
  };
  const largest = (among: (row: number) => boolean): number => {
    let found = -1;
    let most = NOTHING;
    for (let row = 0; row < size; row += 1) {
      const value = Math.abs(column[row] as number);
      if (value > most && among(row)) [found, most] = [row, value];
    }
    return found;
  };

  for (const unit of units) {
    column.fill(0);
    for (const place of places(unit)) {
      const from = place * size;
      for (let row = 0; row < size; row += 1)
        column[row] = (column[row] as number) + (reduced[from + row] as number);
    }
    const free = largest((row) => waiting[row] === -1);
    if (free >= 0) {
      takeRow(free, unit);
      continue;
    }
    const moved: { unit: number; row: number; by: number }[] = [{ unit, row: -1, by: 1 }];
    for (let row = 0; row < size; row += 1)
      if (waiting[row] !== -1 && Math.abs(column[row] as number) > NOTHING)
        moved.push({ unit: waiting[row] as number, row, by: -(column[row] as number) });
    const room = (sign: 1 | -1): number =>
      Math.min(
        ...moved.map(({ unit: one, by }) => {
          const chance = chances[one] as number;
          return (by * sign > 0 ? 1 - chance : chance) / Math.abs(by);
        }),
      );
    const [up, down] = [room(1), room(-1)];
    const step = uniform(...parts, unit) < down / (up + down) ? up : -down;
    for (const { unit: one, by } of moved) chances[one] = (chances[one] as number) + step * by;
    const done = new Set(moved.filter(({ unit: one }) => isDecided(chances, one)).map(({ row }) => row));
    const freed = done.has(-1) ? -1 : largest((row) => done.has(row));
    for (const row of done) if (row >= 0) waiting[row] = -1;
    if (freed >= 0) takeRow(freed, unit);
  }
  return [...waiting].filter((unit) => unit !== -1);
}
