import type { ClassRow, EndRow, Largest, OpinionRow, ReadRow } from './report-rows.ts';

/** Counts of a run's opinions, page by page: they grow with what is told apart, and not with the opinions. */
export interface OpinionTally {
  /** Counts a page that holds all opinions of its dialogues; gives what was read from the accepted ones, by dialogue. */
  add(page: readonly OpinionRow[]): ReadRow[];
  ends(): EndRow[];
  /** Accepted opinions by class; of a culture the most frequent class first. */
  classes(): ClassRow[];
  /** What most accepted opinions come from, a persona by its id; none where nothing was accepted. */
  largest(): Omit<Largest, 'all'>[];
}

export function opinionTally(): OpinionTally {
  const ends = new Map<string, EndRow>();
  const classes = new Map<string, ClassRow>();
  const models = new Map<string, number>();
  const personas = new Map<string, number>();
  let dialogue = { name: '', opinions: 0 };
  return {
    add(page) {
      const read = new Map<string, ReadRow>();
      const dialogues = new Map<string, number>();
      for (const row of page) {
        const { culture, topic, country, code, status, reason, rewritten } = row;
        const ended = ends.get(keyOf(culture, topic, country, code, status, reason, rewritten));
        if (ended) ended.opinions += 1;
        else
          ends.set(keyOf(culture, topic, country, code, status, reason, rewritten), {
            culture,
            topic,
            country,
            code,
            status,
            reason,
            rewritten: rewritten === 1,
            opinions: 1,
          });
        if (status !== 'accepted') continue;
        count(models, keyOf(row.model, row.provider));
        count(personas, row.persona);
        count(dialogues, row.dialogueId);
        const classed = classes.get(keyOf(culture, row.class));
        if (classed) classed.opinions += 1;
        else classes.set(keyOf(culture, row.class), { culture, class: row.class, opinions: 1 });
        const at = keyOf(row.dialogue, culture, country, row.read, row.readCode);
        const same = read.get(at);
        if (same) same.rows += 1;
        else
          read.set(at, {
            dialogue: row.dialogue,
            culture,
            topic,
            country,
            read: row.read === 1,
            code: row.readCode,
            rows: 1,
          });
      }
      const [most] = byNumber(dialogues);
      if (most && (most[1] > dialogue.opinions || (most[1] === dialogue.opinions && most[0] < dialogue.name)))
        dialogue = { name: most[0], opinions: most[1] };
      return [...read.values()];
    },
    ends: () => [...ends].sort(byKey).map(([, row]) => row),
    classes: () =>
      [...classes]
        .sort(byKey)
        .map(([, row]) => row)
        .sort((a, b) => (a.culture === b.culture ? b.opinions - a.opinions : a.culture < b.culture ? -1 : 1)),
    largest: () => {
      const [[model], [persona]] = [byNumber(models), byNumber(personas)];
      if (!model || !persona) return [];
      return [
        { of: 'model', name: model[0].split(SEPARATOR)[0] as string, opinions: model[1] },
        { of: 'persona', name: persona[0], opinions: persona[1] },
        { of: 'dialogue', ...dialogue },
      ];
    },
  };
}

const SEPARATOR = '\u0000';
const keyOf = (...parts: readonly (string | number | null)[]): string => parts.join(SEPARATOR);

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

/** The highest count first, of equal ones by name. */
const byNumber = (counts: ReadonlyMap<string, number>): [string, number][] =>
  [...counts].sort((a, b) => b[1] - a[1] || byKey(a, b));
