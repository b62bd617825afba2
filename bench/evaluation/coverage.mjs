// How often the 95% intervals of src/evaluation hold the truth, by simulation with a fixed seed.
// Usage: npm run build && node bench/evaluation/coverage.mjs [SECTION=all] [rounds=1000]
// Sections: share, jsd, wasserstein, mean, plain, balanced, drift
// Reference: 93 to 97%. At equality the upper limit can't miss, so an interval that is right has 97.5% there.
// A dialogue of several rows has a voice: each row repeats it with chance 0.55, else it is a draw of its own
// (correlation of two rows of a dialogue: 0.3).
import process from 'node:process';
import { confusionTable } from '../../dist/evaluation/agreement.js';
import { divergenceInterval } from '../../dist/evaluation/divergence-interval.js';
import { offStance } from '../../dist/evaluation/off-stance.js';
import {
  balancedAccuracyInterval,
  clusterBootstrap,
  shareInterval,
} from '../../dist/evaluation/intervals.js';
import { jsd } from '../../dist/evaluation/jensen-shannon.js';
import { random } from '../../dist/evaluation/random.js';
import { wasserstein1 } from '../../dist/evaluation/wasserstein.js';

const what = process.argv[2] ?? 'all';
const rounds = Number(process.argv[3] ?? 1000);
const VOICE = 0.55;
let next = random('coverage');

const surveys = {
  '2 options': [0.7, 0.3],
  '4 options': [0.32, 0.51, 0.13, 0.04],
  '10 options': [0.04, 0.02, 0.04, 0.05, 0.16, 0.12, 0.15, 0.18, 0.1, 0.14],
};
const gathered = (survey, at, share) => survey.map((p, i) => (1 - share) * p + (i === at ? share : 0));
const mode = (survey) => survey.indexOf(Math.max(...survey));
/** What the rows really are, given what the survey is. */
const truths = {
  'as the survey': (survey) => survey,
  '10% moved to the last': (survey) => gathered(survey, survey.length - 1, 0.1),
  '30% moved to the middle': (survey) => gathered(survey, Math.floor(survey.length / 2), 0.3),
  '90% on the most frequent': (survey) => gathered(survey, mode(survey), 0.9),
  reversed: (survey) => [...survey].reverse(),
};

function draw(shares) {
  let left = next();
  const at = shares.findIndex((share) => (left -= share) < 0);
  return at < 0 ? shares.length - 1 : at;
}

/** Counts of options for each of n dialogues; 1 row each, or 1 to 2 rows - 1. */
function dialogues(shares, n, rows) {
  return Array.from({ length: n }, () => {
    const counts = shares.map(() => 0);
    const voice = draw(shares);
    const size = rows === 1 ? 1 : 1 + Math.floor(next() * (2 * rows - 1));
    for (let row = 0; row < size; row++) counts[rows > 1 && next() < VOICE ? voice : draw(shares)] += 1;
    return counts;
  });
}

function report(name, truth, intervalOf) {
  next = random('coverage', name);
  let [low, high, none, width, estimate] = [0, 0, 0, 0, 0];
  const begin = performance.now();
  for (let round = 0; round < rounds; round++) {
    const interval = intervalOf(round);
    if (!interval) none += 1;
    else {
      if (interval.low > truth + 1e-9) low += 1;
      if (interval.high < truth - 1e-9) high += 1;
      width += interval.high - interval.low;
      estimate += interval.estimate;
    }
  }
  const got = rounds - none;
  const percent = (count) => `${((100 * count) / got).toFixed(1)}`;
  const milliseconds = ((performance.now() - begin) / rounds).toFixed(1);
  console.log(
    `${name.padEnd(66)} ${percent(got - low - high).padStart(5)}%  above the truth ${percent(low)}%, below ${percent(high)}%; truth ${truth.toFixed(4)}, mean estimate ${(estimate / got).toFixed(4)}, mean width ${(width / got).toFixed(4)}${none ? `, none ${none}` : ''}; ${milliseconds} ms`,
  );
}

const sizes = [40, 200];
const sections = {
  share() {
    const pooled = (sample) => {
      const [a, b] = sample.reduce((sum, one) => [sum[0] + one[0], sum[1] + one[1]], [0, 0]);
      return a / (a + b);
    };
    for (const rows of [1, 3])
      for (const n of sizes)
        for (const p of [0.05, 0.1, 0.3, 0.5]) {
          const name = `${p}, ${n} dialogues of ${rows === 1 ? '1 row' : '1 to 5 rows'}`;
          report(`share (Wilson, effective n) ${name}`, p, () =>
            shareInterval(dialogues([p, 1 - p], n, rows)),
          );
          report(`share (cluster bootstrap) ${name}`, p, (round) =>
            clusterBootstrap(dialogues([p, 1 - p], n, rows), pooled, round, 500),
          );
        }
  },
  jsd: () => divergences('JSD', jsd),
  wasserstein: () => divergences('W1', wasserstein1),
  mean() {
    for (const [name, measure] of [
      ['JSD', jsd],
      ['W1', wasserstein1],
    ])
      for (const options of ['4 options', '10 options'])
        for (const [shape, truthOf] of Object.entries(truths)) {
          const survey = surveys[options];
          const truth = truthOf(survey);
          report(
            `mean ${name} of 20 cells, ${options}, ${shape}, 10 dialogues`,
            measure(truth, survey),
            (round) =>
              divergenceInterval(
                Array.from({ length: 20 }, () => ({ dialogues: dialogues(truth, 10, 1), survey })),
                measure,
                round,
                300,
              ),
          );
        }
  },
  plain() {
    for (const [shape, truthOf] of Object.entries(truths))
      for (const n of sizes) {
        const survey = surveys['4 options'];
        const truth = truthOf(survey);
        const pooled = (sample) => survey.map((_, at) => sample.reduce((sum, one) => sum + one[at], 0));
        report(
          `JSD by the cluster bootstrap, 4 options, ${shape}, ${n} dialogues of 1 row`,
          jsd(truth, survey),
          (round) =>
            clusterBootstrap(dialogues(truth, n, 1), (sample) => jsd(pooled(sample), survey), round, 500),
        );
      }
  },
  balanced() {
    for (const [recalls, items] of [
      [
        [0.9, 0.9],
        [50, 50],
      ],
      [
        [0.95, 0.7],
        [80, 20],
      ],
      [
        [0.98, 0.98],
        [30, 30],
      ],
      [
        [0.9, 0.6, 0.8],
        [60, 15, 25],
      ],
      [
        [0.8, 0.8, 0.8, 0.8, 0.8],
        [20, 20, 20, 20, 20],
      ],
    ]) {
      const truth = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
      report(`balanced accuracy, recalls ${recalls.join(' ')} of ${items.join(' ')} items`, truth, () => {
        const pairs = recalls.flatMap((recall, at) =>
          Array.from({ length: items[at] }, () => [at, next() < recall ? at : (at + 1) % recalls.length]),
        );
        return balancedAccuracyInterval(confusionTable(pairs, [...recalls.keys()]));
      });
    }
  },
  drift() {
    // As many items as our pairs have; `middle` is the share of the turns that are in the middle.
    const items = [65, 7, 65];
    const readers = {
      good: [
        [0.85, 0.1, 0.05],
        [0.25, 0.5, 0.25],
        [0.03, 0.12, 0.85],
      ],
      'blind to the middle': [
        [0.9, 0.05, 0.05],
        [0.45, 0.1, 0.45],
        [0.15, 0.05, 0.8],
      ],
    };
    for (const [shape, reader] of Object.entries(readers))
      for (const middle of [0, 0.1, 0.3])
        for (const [moved, alone] of [
          [0, 0],
          [0.2, 0.05],
        ])
          for (const n of [60, 200]) {
            const answer = (side) => ({ agreement: side / 2, place: side });
            const course = (control, key) => {
              const from = next() < 0.5 ? 0 : 2;
              const share = control ? alone : moved;
              const said = () => (next() < share ? 2 - from : next() < middle ? 1 : from);
              const told = () => answer(control ? said() : draw(reader[said()]));
              const talk = control
                ? { turns: [], before: told(), after: told() }
                : { turns: [told(), told(), told()], before: null, after: null };
              return {
                dialogueKey: `${control} ${key}`,
                language: 'en',
                places: middle === 0 ? 4 : 5,
                control,
                assigned: answer(from),
                ...talk,
              };
            };
            const name = `drift ${moved} over ${alone}, reader ${shape}, ${middle} in the middle, ${n} dialogues each`;
            report(name, moved - alone, (round) => {
              const courses = Array.from({ length: 2 * n }, (_, at) => course(at % 2 === 1, at));
              const pairs = reader.flatMap((row, at) =>
                Array.from({ length: items[at] }, () => [at, draw(row)]),
              );
              const calibrated = new Map([['en', confusionTable(pairs, [0, 1, 2])]]);
              return offStance(courses, calibrated, round, 400)?.excess;
            });
          }
  },
};

function divergences(name, measure) {
  for (const [options, survey] of Object.entries(surveys)) {
    // Of two options the distance is the difference of the shares.
    if (measure === wasserstein1 && survey.length === 2) continue;
    for (const [shape, truthOf] of Object.entries(truths))
      for (const rows of [1, 3])
        for (const n of sizes) {
          const truth = truthOf(survey);
          const title = `${name}, ${options}, ${shape}, ${n} dialogues of ${rows === 1 ? '1 row' : '1 to 5 rows'}`;
          report(title, measure(truth, survey), (round) =>
            divergenceInterval([{ dialogues: dialogues(truth, n, rows), survey }], measure, round),
          );
        }
  }
}

const chosen = what === 'all' ? Object.values(sections) : [sections[what]];
if (!chosen[0]) throw new Error(`one of ${Object.keys(sections).join(', ')} or all, not ${what}`);
for (const section of chosen) section();
