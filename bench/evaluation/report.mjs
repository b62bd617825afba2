// How long a report takes, and how much memory, with 36,000 and with 144,000 opinions. Reference: <= 10 s, flat memory.
// The database holds some hundred debates of the scripted model with readings and controls, copied in SQL under ids of
// their own, calls with their texts among them.
// Usage: npm run build && node bench/evaluation/report.mjs [FOLDER to keep the databases in]
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { openStore, runScenario } from '../../dist/index.js';

const keep = process.argv[2];
if (keep) mkdirSync(keep, { recursive: true });
const folder = keep ?? mkdtempSync(join(tmpdir(), 'culturepark-report-'));
const held = join(folder, 'held.db');

/** Debates of the scripted model; the run's id. */
async function hold() {
  const scenario = join(folder, 'bench.yaml');
  writeFileSync(
    scenario,
    `cultures: [arabic, bengali, german, korean, portuguese, spanish, turkish, english]
topics: [Q27, Q28, Q29, Q31, Q159]
protocol: debate
turns: 6
dialogues_per_cell: 10
language: english
`,
  );
  const store = openStore(held);
  await runScenario(
    {
      store,
      out: join(folder, 'exports'),
      model: { baseUrl: undefined, apiKey: undefined },
      watch: { say: () => undefined },
    },
    { scenario, modelFlag: 'scripted' },
  );
  await store.close();
}

const ids = new Set([
  'id',
  'key',
  'persona_id',
  'dialogue_id',
  'call_id',
  'opinion_id',
  'rewrite_of',
  'subject',
]);
const tables =
  'personas stances dialogues participants calls call_uses turns readings stage_dialogues opinions opinion_readings'.split(
    ' ',
  );

/** A database with so many opinions: what is held, and copies of it, whose ids begin with letters of their own. */
function grown(opinions) {
  const db = join(folder, `${opinions}.db`);
  if (existsSync(db)) return db;
  copyFileSync(held, db);
  const sqlite = new BetterSqlite3(db);
  for (const setting of ['foreign_keys = OFF', 'synchronous = OFF', 'cache_size = -500000'])
    sqlite.pragma(setting);
  sqlite.prepare('ATTACH ? AS held').run(held);
  const each = sqlite.prepare('SELECT count(*) FROM held.opinions').pluck().get();
  const inserts = tables.map((table) => {
    const columns = sqlite.pragma(`table_info(${table})`).map(({ name }) => name);
    const values = columns.map((name) => (ids.has(name) ? `@copy || substr(${name}, 9)` : name));
    return sqlite.prepare(`INSERT INTO main.${table} (${columns}) SELECT ${values} FROM held.${table}`);
  });
  const one = sqlite.transaction((copy) => inserts.forEach((insert) => insert.run({ copy })));
  for (let k = 1; k < Math.ceil(opinions / each); k += 1)
    one(((k * 2654435761) % 2 ** 32).toString(36).padStart(8, 'a').slice(-8));
  sqlite.pragma('wal_checkpoint(TRUNCATE)');
  sqlite.close();
  return db;
}

if (!existsSync(held)) await hold();
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const watch = `process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  console.error('used', JSON.stringify({ peak: maxRSS / 1e3, cpu: (userCPUTime + systemCPUTime) / 1e6 }));
})`;
for (const wanted of [36_000, 144_000]) {
  const db = grown(wanted);
  const began = performance.now();
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(watch)}`, cli, 'report', '--db', db, '--json'],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  if (status !== 0) throw new Error(stderr);
  const seconds = (performance.now() - began) / 1000;
  const { funnel, run } = JSON.parse(stdout);
  const opinions = funnel.reduce((sum, line) => sum + line.voiced + line.rewritten, 0);
  const { peak, cpu } = JSON.parse(/used (.*)/.exec(stderr)[1]);
  console.log(
    `${opinions} opinions of ${run.dialogues.planned} dialogues (${Math.round(statSync(db).size / 1e6)} MB): ${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU, peak memory ${Math.round(peak)} MB`,
  );
}
if (!keep) rmSync(folder, { recursive: true, force: true });
