import { groupBy } from '../group-by.ts';
import { farthestFirst, type Choosable, type Space } from './farthest.ts';

/** What the selection goes by. */
export interface Selectable extends Choosable {
  opinionId: string;
  culture: string;
  topicId: string;
  /** The answer that the persona gives, in words that tell answers apart: culture, topic, country and code. */
  answer: string;
  /** Who said it: the model, the persona, and the dialogue. */
  model: string;
  persona: string;
  dialogue: string;
}

const sources = ['model', 'persona', 'dialogue'] as const;

/** How many are selected: all, at most so many a culture, or a quota for each answer. */
export type Wanted =
  | { kind: 'all' }
  | { kind: 'per_culture'; n: number }
  | { kind: 'quotas'; quotas: ReadonlyMap<string, number> };

export interface SelectSettings {
  /** How much it counts that an opinion is typical of its culture and of no other, beside being unlike the others; 0 to 1. */
  distinctive: number;
  /** Largest share of all that are selected that may come from one model, persona or dialogue. */
  maxShare: Partial<Record<(typeof sources)[number], number | undefined>>;
  space?: Space | undefined;
}

export interface Selection {
  opinionId: string;
  selected: boolean;
  reason: string | null;
}

/**
 * The opinions that are taken up: within a quota the best ones, and among equals those that are farthest from each other
 * (`farthestFirst`). No model, persona or dialogue has more than its share of all, unless there are too few of them to
 * share in it: of two models one may always have half. What comes before which depends on the rows alone.
 */
export async function select(
  candidates: readonly Selectable[],
  wanted: Wanted,
  settings: SelectSettings,
): Promise<Selection[]> {
  const ordered = [...candidates].sort((a, b) => (a.key < b.key ? -1 : 1));
  let chosen: ReadonlySet<Selectable> = new Set();
  // With a cap fewer may be selected, and then its share is of fewer: until it holds.
  for (let total = Infinity; ; total = chosen.size) {
    const room = roomIn(ordered, Math.min(total, ordered.length, mostOf(ordered, wanted)), settings);
    chosen = await chooseFrom(ordered, wanted, room, settings);
    if (chosen.size === 0 || chosen.size >= total || room.free) break;
  }
  const full = fullIn(ordered, wanted, chosen);
  return candidates.map((row) => ({
    opinionId: row.opinionId,
    selected: chosen.has(row),
    reason: chosen.has(row) ? null : full(row) ? QUOTA : 'its source has its share',
  }));
}

const QUOTA = 'quota is full';

/** How many may be selected at most. */
function mostOf(rows: readonly Selectable[], wanted: Wanted): number {
  if (wanted.kind === 'all') return rows.length;
  if (wanted.kind === 'quotas') return [...wanted.quotas.values()].reduce((sum, n) => sum + n, 0);
  return wanted.n * new Set(rows.map(({ culture }) => culture)).size;
}

/** What is still free of each source's share. */
interface Room {
  /** No cap counts. */
  free: boolean;
  has(row: Selectable): boolean;
  take(row: Selectable): void;
}

function roomIn(rows: readonly Selectable[], total: number, { maxShare }: SelectSettings): Room {
  const caps = sources.flatMap((of) => {
    const share = maxShare[of];
    if (share === undefined || share >= 1) return [];
    const names = new Set(rows.map((row) => row[of])).size;
    return [
      {
        of,
        most: Math.max(1, Math.floor(Math.max(share, 1 / names) * total)),
        taken: new Map<string, number>(),
      },
    ];
  });
  return {
    free: caps.length === 0,
    has: (row) => caps.every(({ of, most, taken }) => (taken.get(row[of]) ?? 0) < most),
    take: (row) => caps.forEach(({ of, taken }) => taken.set(row[of], (taken.get(row[of]) ?? 0) + 1)),
  };
}

async function chooseFrom(
  rows: readonly Selectable[],
  wanted: Wanted,
  room: Room,
  settings: SelectSettings,
): Promise<Set<Selectable>> {
  const chosen = new Set<Selectable>();
  const take = (row: Selectable): void => {
    chosen.add(row);
    room.take(row);
  };
  if (wanted.kind === 'all') {
    for (const row of [...rows].sort((a, b) => b.quality - a.quality)) if (room.has(row)) take(row);
    return chosen;
  }
  const onTopic = groupBy(rows, ({ topicId }) => topicId);
  const inOrder = (pool: readonly Selectable[]) => {
    const [{ topicId, culture }] = pool as [Selectable];
    const others =
      settings.distinctive > 0
        ? (onTopic.get(topicId) as Selectable[]).filter((row) => row.culture !== culture)
        : [];
    return farthestFirst(pool, room.has, { weight: settings.distinctive, others, space: settings.space });
  };
  if (wanted.kind === 'quotas') {
    for (const [answer, pool] of groupBy(rows, (row) => row.answer)) {
      let left = wanted.quotas.get(answer) ?? 0;
      if (left >= pool.length && room.free) pool.forEach(take);
      else if (left > 0)
        for await (const row of inOrder(pool)) {
          take(row);
          left -= 1;
          if (left === 0) break;
        }
    }
    return chosen;
  }
  for (const own of groupBy(rows, ({ culture }) => culture).values()) {
    if (own.length <= wanted.n && room.free) {
      own.forEach(take);
      continue;
    }
    // In turn from each topic.
    let turns = [...groupBy(own, ({ topicId }) => topicId)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, pool]) => inOrder(pool));
    let left = wanted.n;
    while (left > 0 && turns.length > 0) {
      const going: typeof turns = [];
      for (const turn of turns) {
        if (left === 0) break;
        const { value, done } = await turn.next();
        if (done) continue;
        take(value);
        left -= 1;
        going.push(turn);
      }
      turns = going;
    }
  }
  return chosen;
}

/** Whether the quota of a row that was not chosen is full. */
function fullIn(
  rows: readonly Selectable[],
  wanted: Wanted,
  chosen: ReadonlySet<Selectable>,
): (row: Selectable) => boolean {
  if (wanted.kind === 'all') return () => false;
  const of = (row: Selectable): string => (wanted.kind === 'quotas' ? row.answer : row.culture);
  const taken = groupBy(
    [...rows].filter((row) => chosen.has(row)),
    of,
  );
  const most = (row: Selectable): number =>
    wanted.kind === 'quotas' ? (wanted.quotas.get(row.answer) ?? 0) : wanted.n;
  return (row) => (taken.get(of(row))?.length ?? 0) >= most(row);
}
