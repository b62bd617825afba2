// Personas that stand for respondents, of a made-up file whose answers go together. How far the answers drawn for each topic
// are from the survey's weighted shares, and each pair of topics from the respondents'.
// References: weighted error <= 1.3 / sqrt(n) at n = 1,000 (of a topic: the root of the sum over its answers of
// (drawn - survey)^2 / survey; independent draws give sqrt(answers - 1) / sqrt(n)); pairs within 0.05 at n = 8,000.
// Usage: npm run build && node bench/survey/joint.mjs [SEEDS=2]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importSurvey } from '../../dist/pipeline/import-survey.js';
import { importedFor } from '../../dist/pipeline/people.js';
import { planDialogues } from '../../dist/pipeline/plan.js';
import { prepareFrom } from '../../dist/pipeline/prepare.js';
import { loadScenario } from '../../dist/pipeline/scenario.js';
import { openStore } from '../../dist/store/store.js';
import { mixture } from '../../dist/survey/mixture.js';
import { correlatedRow, writeWvs7 } from './made-up-files.mjs';

const seeds = Number(process.argv[2] ?? 2);
const folder = mkdtempSync(join(tmpdir(), 'culturepark-bench-'));
const file = join(folder, 'wvs7.csv');
writeWvs7(file, { countries: ['TUR', 'DEU'], columns: 75, row: correlatedRow() });
const store = openStore(join(folder, 'bench.db'));
await importSurvey(() => store, file);
// Fixed, so that the figures can be had again.
await store.write((trx) => trx.updateTable('secrets').set({ value: 'bench' }).execute());

async function prepared(cultures, n) {
  const scenario = join(folder, 'joint.yaml');
  writeFileSync(
    scenario,
    `cultures: [${cultures}]\ntopics: all\npersonas: respondents\nprotocol: direct\ndialogues_per_cell: ${n}\n`,
  );
  const loaded = loadScenario(scenario);
  return prepareFrom(loaded, new Map(), await importedFor(store.read, loaded));
}

/** The answers drawn: by topic, and by persona. */
function drawn({ plan }, seed) {
  const byTopic = new Map();
  const byPersona = new Map();
  for (const { row, seats } of planDialogues({ ...plan, runId: 'bench', seed })) {
    const { persona } = seats.at(-1);
    const code = persona.stances.get(row.topic_id);
    const counts = byTopic.get(row.topic_id) ?? new Map();
    byTopic.set(row.topic_id, counts.set(code, (counts.get(code) ?? 0) + 1));
    const answers = byPersona.get(persona.id) ?? new Map();
    byPersona.set(persona.id, answers.set(row.topic_id, code));
  }
  return { byTopic, people: [...byPersona.values()].map((answers) => ({ answers, weight: 1 })) };
}

const sum = (numbers) => [...numbers].reduce((total, n) => total + n, 0);
const root = (numbers) => Math.sqrt(sum(numbers) / numbers.length);

/** Of each topic: the weighted error and the plain one, times the root of n. */
function errorsOf({ plan }, byTopic, n) {
  return [...byTopic].map(([topic, counts]) => {
    const { parts } = mixture(plan.survey, plan.cultures[0].countries, topic);
    const survey = new Map();
    for (const { code, share } of parts) survey.set(code, (survey.get(code) ?? 0) + share);
    if (sum(counts.values()) !== n) throw new Error(`${topic} has ${sum(counts.values())} personas`);
    const off = [...survey].map(([code, share]) => [(counts.get(code) ?? 0) / n - share, share]);
    return {
      weighted: Math.sqrt(n * sum(off.map(([by, share]) => (share > 0 ? (by * by) / share : 0)))),
      plain: Math.sqrt(n) * root(off.map(([by]) => by * by)),
    };
  });
}

/** Joint shares of all pairs of topics, and their correlations, among the people who answered both. */
function pairsOf(people, topics) {
  const pairs = [];
  const columns = topics.map((topic) => people.map(({ answers }) => answers.get(topic)));
  for (let a = 0; a < topics.length; a += 1)
    for (let b = 0; b < a; b += 1) {
      const shares = new Map();
      const m = { n: 0, x: 0, y: 0, xx: 0, yy: 0, xy: 0 };
      people.forEach(({ weight }, at) => {
        const [x, y] = [columns[a][at], columns[b][at]];
        if (x === undefined || y === undefined) return;
        shares.set(100 * x + y, (shares.get(100 * x + y) ?? 0) + weight);
        m.n += weight;
        m.x += weight * x;
        m.y += weight * y;
        m.xx += weight * x * x;
        m.yy += weight * y * y;
        m.xy += weight * x * y;
      });
      for (const [key, value] of shares) shares.set(key, value / m.n);
      const spread = (two, one) => Math.sqrt(two / m.n - (one / m.n) ** 2);
      const correlation = (m.xy / m.n - (m.x * m.y) / m.n ** 2) / (spread(m.xx, m.x) * spread(m.yy, m.y));
      pairs.push({ shares, correlation });
    }
  return pairs;
}

console.log('error x sqrt(n)      root mean square of the topics, largest (reference: <= 1.3 at n = 1,000)');
/** Says the errors of some draws of n; gives the people of the last. */
function say(scenario, culture, n, draws) {
  const started = performance.now();
  let last;
  const all = Array.from({ length: draws }, (_, seed) => {
    last = drawn(scenario, seed);
    return errorsOf(scenario, last.byTopic, n);
  });
  const ms = Math.round((performance.now() - started) / draws);
  const said = ['weighted', 'plain'].map((kind) => {
    const of = all.flatMap((topics) => topics.map((topic) => topic[kind]));
    return `${kind} ${root(of.map((error) => error * error)).toFixed(2)}, ${Math.max(...of).toFixed(2)}`;
  });
  console.log(`n = ${String(n).padEnd(6)} ${culture.padEnd(9)} ${said.join('   ')}   ${ms} ms a plan`);
  return last.people;
}

for (const n of [10, 100]) say(await prepared('turkish', n), 'turkish', n, seeds);
for (const culture of ['turkish', 'german']) say(await prepared(culture, 1000), culture, 1000, seeds);
const scenario = await prepared('turkish', 8000);
const people = say(scenario, 'turkish', 8000, 1);
const topics = scenario.plan.topics.map(({ id }) => id);
const truth = pairsOf(scenario.plan.people.byCountry.get('TUR'), topics);
const found = pairsOf(people, topics);
const worst = (of) => Math.max(...truth.map((pair, at) => of(pair, found[at])));
const shareOff = worst((one, other) =>
  Math.max(...[...one.shares].map(([key, share]) => Math.abs(share - (other.shares.get(key) ?? 0)))),
);
const correlationOff = worst((one, other) => Math.abs(one.correlation - other.correlation));
console.log(
  `pairs, n = 8000      ${truth.length}; largest difference of a joint share ${shareOff.toFixed(4)}, of a correlation ${correlationOff.toFixed(4)} (reference: <= 0.05)`,
);
console.log(
  `correlations         from ${Math.min(...truth.map((p) => p.correlation)).toFixed(2)} to ${Math.max(...truth.map((p) => p.correlation)).toFixed(2)} in the file`,
);
await store.close();
rmSync(folder, { recursive: true, force: true });
