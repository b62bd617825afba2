import { groupBy } from '../group-by.ts';
import { cellKey, uniform } from '../ids.ts';
import type { Cell, Option, Survey } from '../survey/types.ts';
import type { EndRow, ReadRow, SeatRow } from './report-rows.ts';
import { shares } from './shares.ts';
import { sumOf } from './effective-n.ts';

/** A culture as the run had it. */
export interface ReportCulture {
  id: string;
  countries: readonly { code: string; weight: number }[];
}

/** A country that stands in a cell: what people there answered, and its weight. */
interface CellCountry {
  code: string;
  counts: readonly number[];
  /** Null where the survey gives shares without the number of people. */
  respondents: number | null;
  weight: number;
}

/**
 * A topic in a culture, as far as people there were offered the same answers: a culture whose countries were shown
 * different scales has a cell for each. All lists follow `options`.
 */
export interface CellFigures {
  culture: string;
  topic: string;
  scale: string;
  countries: string[];
  /** True where the culture's other countries have another scale. */
  split: boolean;
  options: Option[];
  /** Null where the survey gives shares without the number of people. */
  respondents: number | null;
  /** Share of the respondents without a valid answer. */
  missing_share: number;
  /** The survey's shares: the weighted mixture of the countries. */
  survey: number[];
  /** Delegates by the answer that they were assigned. */
  assigned: number[];
  /** Opinions voiced by personas of each answer, rewrites left out, and those of them that were accepted. */
  voiced: number[];
  accepted_of: number[];
  /** Accepted opinions by the answer that was read. */
  read: number[];
  accepted: number;
  /** Accepted opinions in which the reader found no answer, and those that nobody read. */
  none: number;
  unread: number;
}

/** The figures with what the intervals resample. */
export interface CellData extends CellFigures {
  samples: CellCountry[];
  /** The share of the culture that its countries have among those asked on the topic. */
  weight: number;
  /** By dialogue how many of its accepted opinions were read as each answer; none without one. */
  talks: Map<string, number[]>;
  /** The cells that it was joined from (`joined`). */
  parts?: CellData[];
  /** One answer a dialogue: the one most read there. */
  voices: number[];
}

/** The cells of a run that have answers, still without opinions, in the order of cultures and topics. */
export function emptyCells(
  survey: Survey,
  cultures: readonly ReportCulture[],
  topics: readonly string[],
): CellData[] {
  return cultures.flatMap((culture) =>
    topics.flatMap((topic) => {
      const asked = culture.countries.flatMap(({ code, weight }) => {
        const cell = survey.cells.get(cellKey(topic, code));
        return cell && cell.validN > 0 ? [{ code, weight, cell }] : [];
      });
      const whole = sum(asked, ({ weight }) => weight);
      const groups = [...groupBy(asked, ({ cell }) => cell.scale.id)];
      return groups.map(([scale, own]): CellData => {
        const { options } = (own[0] as (typeof own)[number]).cell.scale;
        const zero = (): number[] => options.map(() => 0);
        const samples = own.map(({ code, weight, cell }) => ({
          code,
          weight,
          respondents: cell.shares ? null : cell.validN,
          counts: cell.weighted ?? cell.counts,
        }));
        const missing = sum(own, ({ cell }) => cell.missingN);
        const valid = sum(own, ({ cell }) => cell.validN);
        return {
          culture: culture.id,
          topic,
          scale,
          samples,
          respondents: own.some(({ cell }) => cell.shares) ? null : valid,
          countries: own.map(({ code }) => code),
          split: groups.length > 1,
          options: [...options],
          missing_share: missing / (missing + valid),
          survey: mixed(own),
          assigned: zero(),
          voiced: zero(),
          accepted_of: zero(),
          read: zero(),
          accepted: 0,
          none: 0,
          unread: 0,
          weight: sum(own, ({ weight }) => weight) / whole,
          talks: new Map(),
          voices: zero(),
        };
      });
    }),
  );
}

function mixed(countries: readonly { weight: number; cell: Cell }[]): number[] {
  const total = sum(countries, ({ weight }) => weight);
  const parts = countries.map(({ weight, cell }) =>
    shares(cell.weighted ?? cell.counts).map((share) => (share * weight) / total),
  );
  return sumOf(parts);
}

/**
 * The cells of a culture with one cell a topic: where its countries were shown several scales, the answers of all of
 * them stand side by side, each scale with its countries' share of the culture, as personas were drawn.
 */
export function joined(cells: readonly CellData[]): CellData[] {
  return [...groupBy(cells, ({ topic }) => topic).values()].map((parts) => {
    const [first] = parts as [CellData];
    if (parts.length === 1) return first;
    const total = sum(parts, ({ weight }) => weight);
    const all = (list: (part: CellData) => readonly number[]): number[] =>
      parts.flatMap((part) => list(part));
    /** Counts of one part among the answers of all. */
    const padded = (own: CellData, counts: readonly number[]): number[] =>
      all((part) => (part === own ? counts : part.options.map(() => 0)));
    const talks = new Map<string, number[]>();
    for (const part of parts)
      for (const [dialogue, counts] of part.talks) {
        const known = talks.get(dialogue);
        talks.set(dialogue, known ? sumOf([known, padded(part, counts)]) : padded(part, counts));
      }
    return {
      ...first,
      parts,
      talks,
      options: parts.flatMap(({ options }) => options),
      survey: all(({ survey, weight }) => survey.map((share) => (share * weight) / total)),
      read: all(({ read }) => read),
      samples: parts.flatMap((part) =>
        part.samples.map((country) => ({ ...country, counts: padded(part, country.counts) })),
      ),
    };
  });
}

/** Finds a country's cell. */
export function cellFinder(
  cells: readonly CellData[],
): (row: { culture: string; topic: string; country: string }) => CellData | undefined {
  const key = (...parts: string[]): string => JSON.stringify(parts);
  const byKey = new Map(
    cells.flatMap((cell) =>
      cell.countries.map((country) => [key(cell.culture, cell.topic, country), cell] as const),
    ),
  );
  return ({ culture, topic, country }) => byKey.get(key(culture, topic, country));
}

type Find = ReturnType<typeof cellFinder>;

export function countSeats(find: Find, rows: readonly SeatRow[]): void {
  for (const row of rows) add(find(row), 'assigned', row.code, row.seats);
}

export function countEnds(find: Find, rows: readonly EndRow[]): void {
  for (const row of rows) {
    const cell = find(row);
    if (!row.rewritten) add(cell, 'voiced', row.code, row.opinions);
    if (row.status !== 'accepted') continue;
    add(cell, 'accepted_of', row.code, row.opinions);
    if (cell) cell.accepted += row.opinions;
  }
}

function add(
  cell: CellData | undefined,
  list: 'assigned' | 'voiced' | 'accepted_of',
  code: number | null,
  n: number,
): void {
  const at = cell?.options.findIndex((option) => option.code === code) ?? -1;
  if (cell && at >= 0) cell[list][at] = (cell[list][at] as number) + n;
}

/** Adds a page of readings that holds all rows of its dialogues. */
export function countReadings(find: Find, page: readonly ReadRow[]): void {
  const own = groupBy(page, (row) => JSON.stringify([row.dialogue, row.culture, row.topic]));
  for (const rows of own.values()) {
    for (const [cell, read] of groupBy(rows, find)) {
      if (!cell) continue;
      const counts = cell.options.map(({ code }) =>
        sum(read, (row) => (row.read && row.code === code ? row.rows : 0)),
      );
      cell.unread += sum(read, (row) => (row.read ? 0 : row.rows));
      const read_n = sum(counts, (n) => n);
      // An answer that the scale does not have is none of its answers.
      cell.none += sum(read, (row) => (row.read ? row.rows : 0)) - read_n;
      if (read_n === 0) continue;
      cell.talks.set((rows[0] as ReadRow).dialogue, counts);
      counts.forEach((n, at) => (cell.read[at] = (cell.read[at] as number) + n));
      const voice = mostRead(counts, (rows[0] as ReadRow).dialogue);
      cell.voices[voice] = (cell.voices[voice] as number) + 1;
    }
  }
}

/** The place of the highest count; of equal ones, one by the dialogue's key. */
function mostRead(counts: readonly number[], dialogue: string): number {
  const most = Math.max(...counts);
  const places = counts.flatMap((count, at) => (count === most ? [at] : []));
  return places[Math.floor(uniform('voice', dialogue) * places.length)] as number;
}

export function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
