import { groupBy } from '../group-by.ts';
import { takesSide } from '../survey/sides.ts';
import type { Confusion } from './calibration.ts';
import type { Answer, Course } from './stances.ts';

/** How often the reader read texts of each true side (row) as each side (column), in this order; counts. */
export type SideTable = readonly (readonly number[])[];
const sides = ['disagree', 'middle', 'agree'] as const;

/** By the language of the dialogues how the reader errs, or in plain words why nobody knows. */
export type Readers = ReadonlyMap<string, SideTable | string>;

/** The sides in a confusion table that has other categories as well; null where one is missing. */
export function sidesOf({ labels, counts }: Confusion): SideTable | null {
  const at = sides.map((side) => labels.indexOf(side));
  if (at.includes(-1)) return null;
  return at.map((row) => at.map((column) => counts[row]?.[column] ?? 0));
}

/** How far personas of one culture and role drew those of another to the side that they spoke for. */
interface Pull {
  from: string;
  to: string;
  /** Pairs of a speaker and a listener. */
  pairs: number;
  /** Mean move of the listeners' private answers to the speakers' side, as a share of the scale; what the controls moved to the same side by themselves; the difference. */
  pull: number;
  control: number | null;
  excess: number | null;
}

export type Persuasion = { pulls: Pull[] } | { pulls: null; reason: string };

/**
 * Who persuaded whom: whether private answers moved to the side that another persona of the dialogue was read to speak
 * for. The listener's answers are its own; the speaker's side is what the reader made of its turns, so nothing is told
 * without a calibration. A turn read on side s (-1, 0, 1) counts (2s - a - b) / (b - a), with a and b the mean side that
 * the reader finds in texts against and for the statement: such weights have -1 and 1 as their means there, so that a
 * reader that errs at random makes the figure noisy and not small. The controls are the same personas with no talk
 * between, so the speaker that a control is measured against is the one of its debate. Turns that take no position tell
 * nothing.
 */
export function persuasion(courses: readonly Course[], readers: Readers): Persuasion {
  const read = courses.filter(({ turns }) => turns.length > 0);
  if (read.length === 0) return { pulls: null, reason: 'no turn was read' };
  const languages = [...new Set(read.map(({ language }) => language))].sort();
  const known = new Map(languages.map((language) => [language, weightsIn(readers, language)]));
  const untold = groupBy(
    languages.filter((language) => typeof known.get(language) === 'string'),
    (language) => known.get(language),
  );
  if (untold.size > 0) {
    const reasons = [...untold].map(([why, own]) => `${String(why)} (dialogues in ${own.join(', ')})`);
    return { pulls: null, reason: `the reader is ${reasons.join(', and ')}` };
  }
  const controls = new Map(
    courses.filter(({ control }) => control).map((course) => [course.personaKey, course]),
  );
  const talks = courses.filter(({ control }) => !control);
  const pairs = [...groupBy(talks, ({ dialogueKey }) => dialogueKey).values()].flatMap((own) =>
    own.flatMap((speaker) => {
      const spoken = speaker.turns.filter((turn) => turn !== null);
      if (spoken.length === 0) return [];
      const weights = known.get(speaker.language) as number[];
      const side = spoken.reduce((sum, turn) => sum + (weights[sideAt(turn)] as number), 0) / spoken.length;
      return own.flatMap((listener) => {
        const move = listener === speaker ? null : moveOf(listener);
        if (move === null) return [];
        const control = controls.get(listener.personaKey);
        const alone = control ? moveOf(control) : null;
        return [
          {
            from: who(speaker),
            to: who(listener),
            pull: move * side,
            alone: alone === null ? null : alone * side,
          },
        ];
      });
    }),
  );
  const pulls = [...groupBy(pairs, ({ from, to }) => JSON.stringify([from, to])).values()].map((own) => {
    const [{ from, to }] = own as [(typeof pairs)[number]];
    const pull = own.reduce((sum, one) => sum + one.pull, 0) / own.length;
    const alone = own.flatMap((one) => one.alone ?? []);
    const control = alone.length === 0 ? null : alone.reduce((sum, one) => sum + one, 0) / alone.length;
    return { from, to, pairs: own.length, pull, control, excess: control === null ? null : pull - control };
  });
  return { pulls: pulls.sort((a, b) => (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1)) };
}

const who = ({ culture, role }: Course): string => `${culture} ${role.replaceAll('_', ' ')}`;

/** An answer's side, as its place among them. */
export const sideAt = (answer: Answer): number => (takesSide(answer) ? (answer.agreement > 0.5 ? 2 : 0) : 1);

const moveOf = ({ before, after, places }: Course): number | null =>
  before && after ? (after.place - before.place) / (places - 1) : null;

function weightsIn(readers: Readers, language: string): number[] | string {
  const table = readers.get(language) ?? 'not calibrated';
  if (typeof table === 'string') return table;
  return weightsOf(table) ?? 'calibrated, but does not tell the sides apart';
}

/**
 * The weights of a turn by the side that it was read on; null where the reader takes both sides for each other alike. The
 * middle's own errors are left as they are: a calibration has too few texts there.
 */
function weightsOf(table: SideTable): number[] | null {
  const [against, , agree] = table.map((row) => {
    const items = row.reduce((sum, count) => sum + count, 0);
    return row.reduce((sum, count, at) => sum + count * (at - 1), 0) / items;
  });
  if (against === undefined || agree === undefined || !(agree - against > 1e-6)) return null;
  return sides.map((_, at) => (2 * (at - 1) - agree - against) / (agree - against));
}
