import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { RunResult } from '../../src/pipeline/run-types.ts';
import { openStore } from '../../src/store/store.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

interface Body {
  messages: { role: string; content: string }[];
  response_format?: { json_schema: { name: string; schema: { properties: Record<string, any> } } };
}

const long = 'People here say that trust takes years and that one lie is enough to lose it. '.repeat(1300);
/** What people of this model say: good English, and what nobody would wish for. */
const said = [
  'I think that my parents should be proud of me, and so do they.',
  'Yes.',
  '👍👍👍',
  '\u200f\u202eI think that trust is earned slowly\u202c in my village\u200e.',
  'My \ud83d parents gave up a lot for me, and I know it.',
  long,
  '\u200b \u200f',
];

let server: Server;
afterEach(() => {
  server.close();
  vi.unstubAllEnvs();
});

/** A model that speaks so, extracts from each turn words that stand there and words that do not, and judges in German. */
async function model(verdict: () => string): Promise<string> {
  let n = 0;
  const reply = ({ messages, response_format: format }: Body): string => {
    // The last message may be what was wrong with the reply before.
    const prompt = messages[1]?.content ?? '';
    const schema = format?.json_schema;
    if (!schema) return said[n++ % said.length] as string;
    if (schema.name === 'verdicts') {
      const many = [...prompt.matchAll(/^\d+\. \(the person/gm)].length;
      return JSON.stringify({
        verdicts: Array.from({ length: many }, (_, at) => ({ opinion: at + 1, verdict: verdict() })),
      });
    }
    if (schema.name !== 'opinions') return 'Darauf antworte ich nicht.';
    const line = schema.schema.properties['opinions'].items.properties.turn;
    const turns = (line.enum ?? [line.const]) as number[];
    const opinions = turns.flatMap((turn) => {
      const text = new RegExp(`^\\[${turn}\\] [^:]+: (.*)$`, 'm').exec(prompt)?.[1] ?? '';
      const rest = { turn, polarity: 'agree', class: 'belief', subtype: 'social', extends: false, flags: [] };
      return [
        { ...rest, quote: text.slice(0, 60), opinion: `I hold that this is so \udc00: ${text.slice(0, 80)}` },
        {
          ...rest,
          quote: 'Nobody ever said anything of the kind.',
          opinion: 'An invented opinion about the moon.',
        },
      ];
    });
    return JSON.stringify({ opinions, understanding: [] });
  };
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.method !== 'POST') return void response.writeHead(404).end();
      const text = reply(JSON.parse(Buffer.concat(parts).toString()) as Body);
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          ...{ id: 'x', object: 'chat.completion', created: 1, model: 'tiny' },
          choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
          usage: { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 },
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

async function runWith(verdict: () => string) {
  vi.stubEnv('OPENAI_API_KEY', 'sk-test');
  const folder = temporaryFolder();
  const db = join(folder, 'test.db');
  const scenario = scenarioFile(
    folder,
    `cultures: [german, turkish]\ntopics: [Q27, Q31]\nturns: 6\nprotocol: free-chat\nrole_retries: 0\nreadings: { turns: false, opinions: false }\nconcurrency: 1\n`,
  );
  const ended = await terminal(
    ...['run', scenario, '--model', 'openai:tiny', '--base-url', await model(verdict), '--db', db],
    ...['--out', join(folder, 'exports'), '--json'],
  );
  expect(ended.code, ended.err).toBe(0);
  const store = openStore(db, { readonly: true });
  const opinions = await store.read.selectFrom('opinions').selectAll().execute();
  const notes = await store.read.selectFrom('stage_dialogues').selectAll().execute();
  const turns = await store.read.selectFrom('turns').selectAll().execute();
  await store.close();
  return { result: ended.json<RunResult>(), opinions, notes, turns, db };
}

test('turns that nobody would wish for stop no run: each opinion has words of its turn, or is ungrounded', async () => {
  const { result, opinions, turns } = await runWith(() => 'entail');
  expect(result.status).toBe('finished');
  expect(turns.some(({ text }) => text.length > 90_000)).toBe(true);
  expect(turns.some(({ text }) => /👍/.test(text))).toBe(true);
  const accepted = opinions.filter(({ status }) => status === 'accepted');
  expect(accepted.length).toBeGreaterThan(0);
  for (const { dialogue_id, turn_idx, quote, quote_start, quote_end, text } of accepted) {
    const turn = turns.find((one) => one.dialogue_id === dialogue_id && one.idx === turn_idx)!;
    expect(turn.text.slice(quote_start!, quote_end!)).toBe(quote);
    expect(text.isWellFormed()).toBe(true);
  }
  const invented = opinions.filter(({ text }) => text.includes('moon'));
  expect(invented.length).toBeGreaterThan(0);
  expect(new Set(invented.map(({ reason }) => reason))).toEqual(new Set(['ungrounded']));
  expect(opinions.every(({ reason }) => reason !== null)).toBe(true);
});

test('a judge that answers in another language stops no run, lets nothing in, and is told of', async () => {
  const { result, opinions, notes, db } = await runWith(() => 'stimmt zu');
  expect(result.status).toBe('finished');
  expect(result.samples).toBe(0);
  const reasons = opinions.filter(({ quote }) => quote !== null).map(({ reason }) => reason);
  expect(new Set(reasons)).toEqual(new Set(['no verdict']));
  const told = notes.filter(({ note }) => note === 'the reply was malformed');
  expect(told.length).toBeGreaterThan(0);
  const { out } = await terminal('why', told[0]!.dialogue_id, '--db', db);
  expect(out).toContain('verify: the reply was malformed');
});
