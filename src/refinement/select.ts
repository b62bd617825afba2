import { groupBy } from '../group-by.ts';

/** What the selection goes by. */
export interface Selectable {
  opinionId: string;
  key: string;
  culture: string;
  topicId: string;
}

export interface Selection {
  opinionId: string;
  selected: boolean;
  reason: string | null;
}

/** At most `perCulture` opinions a culture, taken in turn from its topics in key order; all of them without a limit. */
export function select(candidates: readonly Selectable[], perCulture: number | undefined): Selection[] {
  const chosen = new Set<string>();
  const byCulture = groupBy(
    [...candidates].sort((a, b) => (a.key < b.key ? -1 : 1)),
    ({ culture }) => culture,
  );
  for (const own of byCulture.values()) {
    const topics = [...groupBy(own, ({ topicId }) => topicId).entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, rows]) => rows);
    const inTurn = Array.from({ length: Math.max(...topics.map((rows) => rows.length)) }, (_, at) =>
      topics.flatMap((rows) => rows[at] ?? []),
    ).flat();
    inTurn.slice(0, perCulture).forEach(({ opinionId }) => chosen.add(opinionId));
  }
  return candidates.map(({ opinionId }) => ({
    opinionId,
    selected: chosen.has(opinionId),
    reason: chosen.has(opinionId) ? null : 'quota is full',
  }));
}
