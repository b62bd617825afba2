// Calls a second against a mock server, beside bare undici on the same server and the limit C / L.
// Usage: npm run build && node bench/calls/throughput.mjs [IN_FLIGHT]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Agent, request } from 'undici';
import { openStore, runScenario } from '../../dist/index.js';

// As the program does (src/cli.ts).
setFlagsFromString('--heap-growing-percent=100');

const cases = [
  { inFlight: 64, latency: 500, dialogues: 256, turns: 32, atLeast: 0.98 },
  { inFlight: 256, latency: 1000, dialogues: 1024, turns: 16, atLeast: 0.95 },
  { inFlight: 1000, latency: 2000, dialogues: 4000, turns: 8, atLeast: 0.95 },
];

const TOPICS = ['Q27', 'Q28', 'Q29', 'Q31', 'Q33', 'Q39', 'Q158', 'Q159'];

async function server(latency) {
  const child = spawn(process.execPath, [new URL('server.mjs', import.meta.url).pathname, String(latency)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) => child.stdout.once('data', (data) => resolve(Number(data))));
  return { url: `http://127.0.0.1:${port}/v1`, stop: () => child.kill() };
}

async function bare(url, calls, inFlight) {
  const dispatcher = new Agent({ connections: inFlight });
  const body = JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: 'x'.repeat(800) }] });
  let left = calls;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (left-- > 0) {
        const reply = await request(`${url}/chat/completions`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json' },
          dispatcher,
        });
        await reply.body.json();
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await dispatcher.close();
  return seconds;
}

async function pipeline(url, { inFlight, dialogues, turns }) {
  const folder = mkdtempSync(join(tmpdir(), 'culturepark-bench-'));
  const scenario = join(folder, 'bench.yaml');
  writeFileSync(
    scenario,
    `cultures: [turkish]\ntopics: [${TOPICS}]\ndialogues_per_cell: ${dialogues / TOPICS.length}\nprotocol: free-chat\nturns: ${turns}\n`,
  );
  const store = openStore(join(folder, 'bench.db'));
  let started = 0;
  let ended = 0;
  let cpu;
  let used;
  let peak = 0;
  let last = 0;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss / 1e6)), 100);
  const result = await runScenario(
    {
      store,
      out: folder,
      concurrency: inFlight,
      maxCalls: dialogues * turns,
      model: { baseUrl: url, apiKey: 'bench' },
      watch: {
        say: () => undefined,
        phase(phase) {
          if (phase === 'dialogues') {
            started = performance.now();
            cpu = process.cpuUsage();
          }
        },
        call(event) {
          if (event.kind !== 'done' || (last += 1) < dialogues * turns) return;
          ended = performance.now();
          used = process.cpuUsage(cpu);
        },
      },
    },
    { scenario, modelFlag: 'openai:mock' },
  );
  clearInterval(timer);
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  return {
    seconds: (ended - started) / 1000,
    cpuMs: (used.user + used.system) / 1000,
    peak,
    made: result.calls.made,
  };
}

const only = Number(process.argv[2]);
for (const one of cases.filter(({ inFlight }) => !only || inFlight === only)) {
  const { url, stop } = await server(one.latency);
  const calls = one.dialogues * one.turns;
  const limit = (calls / one.inFlight) * (one.latency / 1000);
  const undici = await bare(url, calls, one.inFlight);
  const ours = await pipeline(url, one);
  stop();
  console.log(
    `${one.inFlight} in flight, ${one.latency / 1000} s: ${calls} calls, limit ${limit.toFixed(1)} s; bare undici ${(limit / undici).toFixed(3)} of it, culturepark ${(limit / ours.seconds).toFixed(3)} (at least ${one.atLeast}); ` +
      `${(ours.cpuMs / ours.made).toFixed(2)} ms of CPU a call (<= 1.5), ${Math.round(ours.peak)} MB`,
  );
}
