import { groupBy } from '../group-by.ts';
import type { ExcessDrift } from './drift.ts';
import { clusterBootstrap, type Interval } from './intervals.ts';
import { offStance } from './off-stance.ts';
import { persuasion, type Persuasion, type Readers } from './persuasion.ts';
import { rankStability as spearman } from './rank-stability.ts';
import { breaks, convergence, drift, rankStability, type Compared, type Course } from './stances.ts';

/** How the personas of a culture and role held their answers. */
export interface DriftLine {
  culture: string;
  role: string;
  /** Personas that answered in private before and after a talk, and those asked twice with no talk between. */
  talked: number;
  controls: number;
  /** Mean move in private either way, and towards the statement, as shares of the scale. */
  distance: Compared;
  towards: Compared;
  moved: Compared;
  crossed: Compared;
  /** `distance.excess` with its 95% interval over dialogues; null with too few controls. */
  excess: Interval | null;
  /** True where they moved further than the controls, the interval above 0. */
  beyond_noise: boolean;
}

/** Turns on the other side than the assigned answer, as read. */
interface BreakLine {
  culture: string;
  role: string;
  personas: number;
  turns: number;
  off: Compared;
  /** The same with the reader's errors taken out; null without a calibrated reader, or with too few controls. */
  corrected: ExcessDrift | null;
}

export interface DriftFigures {
  lines: DriftLine[];
  breaks: BreakLine[];
  /** Whether personas came closer to each other, and whether they kept their order on a topic. */
  closer: Compared;
  rank_stability: Compared;
  /** Who persuaded whom, or why it is not told. */
  persuasion: Persuasion;
}

/** Units that the intervals resample: more dialogues are put together at random, which keeps the interval. */
const UNITS = 500;

/** The measures of the stance ledger by culture and role; null where there is nothing to tell. */
export function driftFigures(
  courses: readonly Course[],
  seed: number,
  readers: Readers,
): DriftFigures | null {
  const groups = [...groupBy(courses, ({ culture, role }) => JSON.stringify([culture, role])).values()].sort(
    ([a], [b]) => (whoOf(a as Course) < whoOf(b as Course) ? -1 : 1),
  );
  const lines = groups.flatMap((own) => {
    const found = drift(own);
    const talked = found.personas.filter(({ control }) => !control).length;
    if (talked === 0) return [];
    const [{ culture, role }] = own as [Course];
    const excess = excessOf(found.personas, `${seed} ${whoOf(own[0] as Course)}`);
    const { distance, towards, moved, crossed } = found;
    return [
      {
        culture,
        role,
        talked,
        controls: found.personas.length - talked,
        distance,
        towards,
        moved,
        crossed,
        excess,
        beyond_noise: excess !== null && excess.low > 0,
      },
    ];
  });
  const broken = groups.flatMap((own) => {
    const { personas, turns } = breaks(own);
    const [{ culture, role }] = own as [Course];
    const read = personas.reduce((all, one) => all + one.positions, 0);
    if (read === 0) return [];
    const corrected = offStance(own, readers, `${seed} ${whoOf(own[0] as Course)}`, 1000);
    return [{ culture, role, personas: personas.length, turns: read, off: turns, corrected }];
  });
  if (lines.length === 0 && broken.length === 0) return null;
  return {
    lines,
    breaks: broken,
    closer: convergence(courses).closer,
    rank_stability: rankStability(courses, spearman).mean,
    persuasion: persuasion(courses, readers),
  };
}

const whoOf = ({ culture, role }: Course): string => `${culture} ${role}`;

type Move = ReturnType<typeof drift>['personas'][number];

function excessOf(moves: readonly Move[], seed: string): Interval | null {
  const talks = [...groupBy(moves, ({ dialogueKey, control }) => `${dialogueKey} ${control}`).values()];
  const controls = talks.filter(([one]) => one?.control).length;
  if (controls < 2 || talks.length - controls < 2) return null;
  const units = [...groupBy(talks.entries(), ([at]) => at % UNITS).values()].map((own) => {
    const moved = (control: boolean): [sum: number, n: number] => {
      const some = own.flatMap(([, talk]) => talk.filter((one) => one.control === control));
      return [some.reduce((sum, { share }) => sum + Math.abs(share), 0), some.length];
    };
    return { talked: moved(false), alone: moved(true) };
  });
  const mean = (drawn: readonly (typeof units)[number][], of: 'talked' | 'alone'): number | null => {
    let [sum, n] = [0, 0];
    for (const unit of drawn) [sum, n] = [sum + unit[of][0], n + unit[of][1]];
    return n === 0 ? null : sum / n;
  };
  return clusterBootstrap(
    units,
    (drawn) => {
      const [talked, alone] = [mean(drawn, 'talked'), mean(drawn, 'alone')];
      return talked === null || alone === null ? null : talked - alone;
    },
    seed,
    1000,
  );
}
