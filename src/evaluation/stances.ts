import type { LedgerRow } from '../dialogue/types.ts';
import { groupBy } from '../group-by.ts';
import { opposed, takesSide } from '../survey/sides.ts';

/** An answer on its scale: its place there from 0 (against the statement), and its agreement with it, 0 to 1. */
export interface Answer {
  place: number;
  agreement: number;
}

/** The answers of one persona in one dialogue, or in a control, where nobody talked. */
export interface Course {
  dialogueKey: string;
  personaKey: string;
  topicId: string;
  language: string;
  culture: string;
  role: LedgerRow['role'];
  control: boolean;
  /** How many answers its scale has. */
  places: number;
  assigned: Answer | null;
  /** In private, before the talk (or first) and after it (or second). */
  before: Answer | null;
  after: Answer | null;
  /** As read from its turns, in order; null where a turn takes no position. */
  turns: readonly (Answer | null)[];
}

/**
 * The courses that rows of the stance ledger tell of, one a persona and dialogue, in the order of the rows. Turns are
 * those read after the end; where there are none, those that were checked as they were spoken.
 */
export function coursesOf(rows: readonly LedgerRow[]): Course[] {
  const groups = groupBy(rows, ({ dialogueKey, personaKey }) => `${dialogueKey} ${personaKey}`);
  return [...groups.values()].map((own) => {
    const [{ dialogueKey, personaKey, topicId, language, culture, role, protocol, places }] = own as [
      LedgerRow,
    ];
    const at = (...moments: LedgerRow['moment'][]): Answer | null => {
      const row = own.find(({ moment }) => moments.includes(moment));
      return row ? answerOf(row) : null;
    };
    const read = own.some(({ moment }) => moment === 'turn') ? 'turn' : 'check';
    return {
      dialogueKey,
      personaKey,
      topicId,
      language,
      culture,
      role,
      places,
      control: protocol === 'control',
      assigned: at('assigned'),
      before: at('private-before', 'control-first'),
      after: at('private-after', 'control-second'),
      turns: own.filter(({ moment }) => moment === read).map(answerOf),
    };
  });
}

const answers = new Map<string, Answer>();

/** One object an answer, however many give it: a large run has half a million. */
function answerOf({ place, agreement }: LedgerRow): Answer | null {
  if (place === null || agreement === null) return null;
  const key = `${place} ${agreement}`;
  const known = answers.get(key);
  if (known) return known;
  const answer = { place, agreement };
  answers.set(key, answer);
  return answer;
}

/** A figure of the dialogues beside that of the controls; `excess` is the difference, null without a control. */
export interface Compared {
  dialogues: number | null;
  control: number | null;
  excess: number | null;
}

function compared<T extends { control: boolean }>(
  units: readonly T[],
  figure: (units: readonly T[]) => number | null,
): Compared {
  const dialogues = figure(units.filter(({ control }) => !control));
  const control = figure(units.filter((unit) => unit.control));
  return { dialogues, control, excess: dialogues === null || control === null ? null : dialogues - control };
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/** How far a persona's private answer moved. */
export interface Drift {
  dialogueKey: string;
  personaKey: string;
  control: boolean;
  /** Places of its scale, positive towards the statement. */
  moved: number;
  /** The same as a share of the scale's length. */
  share: number;
  /** Whether it went to the other side of the statement. */
  crossed: boolean;
}

/** The drift of every persona that answered in private twice, and the means: towards the statement, either way, and how many moved and crossed. */
export function drift(courses: readonly Course[]): {
  personas: Drift[];
  towards: Compared;
  distance: Compared;
  moved: Compared;
  crossed: Compared;
} {
  const personas = courses.flatMap(({ dialogueKey, personaKey, control, before, after, places }) => {
    if (!before || !after) return [];
    const moved = after.place - before.place;
    const share = moved / (places - 1);
    return [{ dialogueKey, personaKey, control, moved, share, crossed: opposed(before, after) }];
  });
  const over = (of: (one: Drift) => number): Compared => compared(personas, (units) => mean(units.map(of)));
  return {
    personas,
    towards: over(({ share }) => share),
    distance: over(({ share }) => Math.abs(share)),
    moved: over(({ moved }) => (moved === 0 ? 0 : 1)),
    crossed: over(({ crossed }) => (crossed ? 1 : 0)),
  };
}

/** How often a persona's turns were read on the other side than its assigned answer. */
export interface Breaks {
  dialogueKey: string;
  personaKey: string;
  /** Turns that were read, those of them that take a position, and those on the other side. */
  turns: number;
  positions: number;
  off: number;
}

/**
 * The breaks of every persona whose stance takes a side, the share of the turns with a position that are off it, and of
 * the personas with such a turn. Nobody talks in a control: beside them stands how many private answers there are off
 * the stance, which is what the persona's prompt alone leaves open. As read: a reader that errs makes breaks too.
 */
export function breaks(courses: readonly Course[]): { personas: Breaks[]; turns: Compared; some: Compared } {
  const units = courses.flatMap(({ dialogueKey, personaKey, control, assigned, turns, before, after }) => {
    if (!assigned || !takesSide(assigned)) return [];
    const answers = (control ? [before, after] : turns).filter((answer) => answer !== null);
    const off = answers.filter((answer) => opposed(assigned, answer)).length;
    const counted = { turns: turns.length, positions: answers.length, off };
    return [{ dialogueKey, personaKey, control, ...counted }];
  });
  const sum = (some: readonly Breaks[], of: 'off' | 'positions'): number =>
    some.reduce((total, one) => total + one[of], 0);
  const spoke = units.filter(({ control, turns }) => !control && turns > 0);
  return {
    personas: spoke.map(({ dialogueKey, personaKey, turns, positions, off }) => ({
      dialogueKey,
      personaKey,
      turns,
      positions,
      off,
    })),
    turns: compared(units, (some) =>
      sum(some, 'positions') > 0 ? sum(some, 'off') / sum(some, 'positions') : null,
    ),
    some: compared(
      units.filter(({ positions }) => positions > 0),
      (some) => mean(some.map(({ off }) => (off > 0 ? 1 : 0))),
    ),
  };
}

/** How far apart the personas of a dialogue are in private: the mean distance of two of them, as a share of their scales. */
export interface Convergence {
  dialogueKey: string;
  control: boolean;
  before: number;
  after: number;
}

/** Whether the personas of a dialogue come closer: the distance before less the distance after, positive for closer. */
export function convergence(courses: readonly Course[]): { dialogues: Convergence[]; closer: Compared } {
  const dialogues = [...groupBy(courses, ({ dialogueKey }) => dialogueKey)].flatMap(([dialogueKey, own]) => {
    const both = own.flatMap(({ before, after, places }) =>
      before && after ? [{ before: before.place / (places - 1), after: after.place / (places - 1) }] : [],
    );
    const apart = (at: 'before' | 'after'): number | null =>
      mean(both.flatMap((one, i) => both.slice(i + 1).map((other) => Math.abs(one[at] - other[at]))));
    const [before, after] = [apart('before'), apart('after')];
    const control = own[0]?.control === true;
    return before === null || after === null ? [] : [{ dialogueKey, control, before, after }];
  });
  return {
    dialogues,
    closer: compared(dialogues, (some) => mean(some.map(({ before, after }) => before - after))),
  };
}

/**
 * Whether the personas on a topic keep their order, most against to most for the statement: the mean over topics.
 * @param correlation of the places before and after, as shares of the scale; null where there is none
 */
export function rankStability(
  courses: readonly Course[],
  correlation: (before: readonly number[], after: readonly number[]) => number | null,
): { topics: { topicId: string; control: boolean; personas: number; stability: number }[]; mean: Compared } {
  const answered = courses.filter(({ before, after }) => before && after);
  const groups = groupBy(answered, ({ topicId, control }) => `${control} ${topicId}`);
  const topics = [...groups.values()].flatMap((own) => {
    const at = (when: 'before' | 'after'): number[] =>
      own.map((course) => (course[when] as Answer).place / (course.places - 1));
    const [{ topicId, control }] = own as [Course];
    const stability = correlation(at('before'), at('after'));
    return stability === null ? [] : [{ topicId, control, personas: own.length, stability }];
  });
  return { topics, mean: compared(topics, (some) => mean(some.map(({ stability }) => stability))) };
}
