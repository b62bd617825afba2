import { yieldsIn } from '../../src/store/yields.ts';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { coursesOf, drift } from '../../src/evaluation/stances.ts';
import type { LedgerRow } from '../../src/dialogue/types.ts';
import { estimateLine } from '../../src/cli/money.ts';
import { scriptedModel } from '../../src/models/scripted.ts';
import { estimate } from '../../src/pipeline/estimate.ts';
import { prepare } from '../../src/pipeline/prepare.ts';
import { refineRun } from '../../src/pipeline/run.ts';
import type { RunResult } from '../../src/pipeline/run-types.ts';
import { messagesOf } from '../../src/store/calls.ts';
import { stanceLedger } from '../../src/store/readings.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { countryName } from '../../src/survey/texts.ts';
import { loadCulture } from '../../src/agents/load.ts';
import { key } from '../helpers/calls.ts';
import { start, type ChatBody, type FaultServer } from '../helpers/fault-server.ts';
import { contentOf } from '../helpers/rows.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { block, terminal } from '../helpers/terminal.ts';

let store: Store;
beforeEach(() => {
  store = openStore(`${temporaryFolder()}/test.db`);
});
afterEach(() => store.close());

const scenario = (yaml: string): string => scenarioFile(temporaryFolder(), yaml, 'read');
const debates = `cultures: [german, korean]
topics: [Q27, Q33]
protocol: debate
turns: 4
dialogues_per_cell: 3
`;
const scripted = async (file: string, more: Parameters<typeof scriptedRun>[2] = {}): Promise<RunResult> =>
  (await scriptedRun(temporaryFolder(), file, { store, ...more })).result;

const rowsIn = async <T>(query: string): Promise<T[]> => (await sql.raw<T>(query).execute(store.read)).rows;

/** The ledger of the newest run, all rows. */
async function ledger(runId: string): Promise<LedgerRow[]> {
  const rows: LedgerRow[] = [];
  for await (const own of stanceLedger(store.read, runId)) rows.push(...own);
  return rows;
}

describe('a rehearsed run of debates', () => {
  test('holds of each persona what was assigned, given in private and read; the scripted reading finds the assigned side again', async () => {
    const result = await scripted(scenario(debates));
    expect(result).toMatchObject({
      dialogues: { planned: 12, finished: 12 },
      controls: { planned: 1, finished: 1 },
      readings: { turns: 48, opinions: result.opinions.grounded, none: 0 },
    });
    const rows = await ledger(result.run_id);
    const byMoment = (moment: string): LedgerRow[] => rows.filter((row) => row.moment === moment);
    expect(byMoment('private-before')).toHaveLength(24);
    expect(byMoment('private-after')).toHaveLength(24);
    expect(byMoment('turn')).toHaveLength(48);
    const assigned = new Map(byMoment('assigned').map((row) => [row.personaId, row]));
    for (const row of rows) {
      expect(row.place).toBeGreaterThanOrEqual(0);
      expect(row.place).toBeLessThan(row.places);
      const own = assigned.get(row.personaId) as LedgerRow;
      expect(Math.sign((row.agreement as number) - 0.5)).toBe(Math.sign((own.agreement as number) - 0.5));
    }
    // The rows of the view, which says of each whether a script gave it.
    const { rows: view } = await sql<Record<string, unknown>>`
      SELECT dialogue_id, persona_id, moment, idx, code, agreement, scripted FROM v_ledger WHERE run_id = ${result.run_id}`.execute(
      store.read,
    );
    expect(view.map((row) => JSON.stringify(Object.values(row))).sort()).toEqual(
      rows
        .map(({ dialogueId, personaId, moment, idx, code, agreement }) =>
          // What nobody said is nobody's script.
          JSON.stringify([
            dialogueId,
            personaId,
            moment,
            idx,
            code,
            agreement,
            moment === 'assigned' ? 0 : 1,
          ]),
        )
        .sort(),
    );
    // People in the USA were shown three answers to Q33, people in Germany and Korea five.
    const places = rows
      .filter(({ topicId }) => topicId === 'Q33')
      .map(({ country, places }) => [country, places]);
    expect(Object.fromEntries(places)).toEqual({ USA: 3, DEU: 5, KOR: 5 });
    expect(drift(coursesOf(rows)).moved).toEqual({ dialogues: 0, control: 0, excess: 0 });
  });

  test('the same again reads the same, however many calls are in flight, and pays nothing', async () => {
    const file = scenario(debates);
    const first = await scripted(file, { seed: 4, concurrency: 1 });
    const again = await scripted(file, { seed: 4, fresh: true });
    expect(again.run_id).not.toBe(first.run_id);
    expect(again.calls.made).toBe(0);
    expect(again.readings).toEqual(first.readings);
    const answers = async (id: string) =>
      (await ledger(id)).map(({ dialogueKey, personaKey, moment, idx, code }) =>
        [dialogueKey, personaKey, moment, idx, code].join(' '),
      );
    expect(await answers(again.run_id)).toEqual(await answers(first.run_id));
  });

  test('further rounds for quotas have their controls too, which count neither as dialogues nor as people of a cell', async () => {
    const result = await scripted(
      scenario(`${debates}samples: { per_culture: 40 }\nreadings: { control: 0.5 }\n`),
    );
    const [rounds] = await rowsIn<{ debates: number; controls: number; last: number }>(
      `SELECT sum(protocol = 'debate') AS debates, sum(protocol = 'control') AS controls, max(round) AS last FROM dialogues`,
    );
    expect(rounds?.last).toBeGreaterThan(0);
    expect(Math.abs((rounds?.controls ?? 0) - (rounds?.debates ?? 0) / 2)).toBeLessThanOrEqual(2);
    expect(result.dialogues.planned).toBe(rounds?.debates);
    const yields = await yieldsIn(store, result.run_id);
    const delegates = await rowsIn<{ n: number }>(
      `SELECT count(*) AS n FROM participants p JOIN dialogues d ON d.id = p.dialogue_id WHERE d.protocol = 'debate' AND p.role = 'delegate'`,
    );
    expect(yields.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(delegates[0]?.n);
  });

  test('a control begins with the answers of its debate, which are not paid twice, and is no dialogue of a cell', async () => {
    const result = await scripted(
      scenario(`${debates}readings: { control: 0.5 }\nexport: { include_scripted: true }\n`),
    );
    expect(result.controls).toEqual({ planned: 6, finished: 6 });
    expect(result.dialogues.planned).toBe(12);
    const calls = await rowsIn<{ moment: string; reused: number; n: number }>(
      `SELECT r.moment, u.reused, count(*) AS n FROM readings r JOIN dialogues d ON d.id = r.dialogue_id
        JOIN call_uses u ON u.call_id = r.call_id AND u.subject = d.id || '/' || r.idx
        WHERE d.protocol = 'control' GROUP BY r.moment, u.reused ORDER BY r.moment`,
    );
    expect(calls).toEqual([
      { moment: 'control-first', reused: 1, n: 12 },
      { moment: 'control-second', reused: 0, n: 12 },
    ]);
    // The second question is the first one with the answer to it before: what a debate asks after its talk, without it.
    const [second] = await rowsIn<{ request: string; reply: string; first: string }>(
      `SELECT c.request, c.reply, b.request AS first FROM readings r JOIN calls c ON c.id = r.call_id
        JOIN readings x ON x.dialogue_id = r.dialogue_id AND x.persona_id = r.persona_id AND x.moment = 'control-first'
        JOIN calls b ON b.id = x.call_id WHERE r.moment = 'control-second'`,
    );
    const [before, now] = [
      await messagesOf(store, second?.first as string),
      await messagesOf(store, second?.request as string),
    ];
    expect(now.slice(0, before.length)).toEqual(before);
    expect(now.slice(before.length).map(({ role }) => role)).toEqual(['assistant', 'user']);
    expect(now.at(-1)).toEqual(before.at(-1));
    // Neither harvested nor exported nor counted.
    for (const query of [
      `SELECT 1 FROM opinions o JOIN dialogues d ON d.id = o.dialogue_id WHERE d.protocol = 'control'`,
      `SELECT 1 FROM stage_dialogues n JOIN dialogues d ON d.id = n.dialogue_id WHERE d.protocol = 'control'`,
      `SELECT 1 FROM search_documents s JOIN dialogues d ON s.subject LIKE d.id || '/%' WHERE d.protocol = 'control'`,
    ])
      expect(await rowsIn(query)).toEqual([]);
    const [cells] = await rowsIn<{ n: number }>('SELECT sum(dialogues) AS n FROM v_coverage');
    expect(cells?.n).toBe(12);
    expect(await rowsIn(`SELECT DISTINCT end_reason FROM dialogues WHERE protocol = 'control'`)).toEqual([
      { end_reason: 'asked twice, with no talk between' },
    ]);
  });

  test('is asked for as the estimate says, with the readings and the controls told apart', async () => {
    const file = scenario(`${debates}readings: { control: 0.5 }\n`);
    const told = estimate(prepare(file), () => scriptedModel(), 1);
    expect(told).toMatchObject({ dialogues: 12, controls: 6 });
    const { run_id: id, calls } = await scripted(file);
    const [read] = await rowsIn<{ n: number }>(
      `SELECT count(*) AS n FROM call_uses WHERE role = 'reader' AND run_id = '${id}'`,
    );
    expect(calls.made).toBeGreaterThanOrEqual(told.calls.low);
    expect(calls.made).toBeLessThanOrEqual(told.calls.high);
    expect(read?.n).toBeGreaterThanOrEqual(told.readings.low * 0.9);
    expect(read?.n).toBeLessThanOrEqual(told.readings.high);
    expect(estimateLine(told, false)).toMatch(
      /^12 dialogues \+ 6 controls .*, \d+ to \d+ calls.*; \d+ to \d+ of the calls are readings/,
    );
  });

  test('is shown turn by turn, and as the ledger of a persona', async () => {
    await scripted(scenario(`${debates}readings: { control: 1 }\n`));
    const [spoken] = await rowsIn<{ dialogue: string; idx: number; persona: string; call: string }>(
      `SELECT dialogue_id AS dialogue, idx, persona_id AS persona, call_id AS call FROM readings WHERE moment = 'turn' AND idx = 3`,
    );
    const { dialogue, idx, persona, call } = spoken as NonNullable<typeof spoken>;
    const db = ['--db', store.path];
    const page = await terminal('inspect', 'dialogue', dialogue, ...db);
    expect(page.out.match(/→ answers "/g)).toHaveLength(4);
    expect(page.out.match(/→ read as ".+" \(\d of \d to \d\)$/gm)).toHaveLength(4);
    const turn = await terminal('inspect', 'turn', `${dialogue}/${idx}`, ...db);
    expect(turn.out).toMatch(new RegExp(`reading +read as ".+" \\(\\d of \\d to \\d\\) \\(call ${call}\\)`));
    const { out } = await terminal('inspect', 'persona', persona, ...db);
    expect(block(out, 'Stance ledger')).toMatch(
      /SCRIPTED REHEARSAL[\s\S]+debate, Q\d+\n +assigned +".+\n +private, before +".+\n +turn 3 +read as ".+\n +turn 5 +read as ".+\n +private, after +".+\n +\w+ +control, Q\d+\n +assigned .+\n +private, first +".+\n +private, second, with no talk between +"/,
    );
    await store.write((trx) =>
      trx
        .updateTable('readings')
        .set({ code: null })
        .where('dialogue_id', '=', dialogue)
        .where('idx', '=', idx)
        .execute(),
    );
    expect((await terminal('inspect', 'turn', `${dialogue}/${idx}`, ...db)).out).toContain(
      'read: it takes no position',
    );
  });

  test('without the settings there is nothing to read, and nothing is asked', async () => {
    const off = scenario(`${debates}readings: { turns: false, opinions: false, control: 0 }\n`);
    const result = await scripted(off);
    expect(result.readings).toEqual({ turns: 0, opinions: 0, none: 0 });
    expect(result.controls.planned).toBe(0);
    expect(await rowsIn(`SELECT 1 FROM call_uses WHERE role = 'reader'`)).toEqual([]);
    expect(new Set((await ledger(result.run_id)).map(({ moment }) => moment))).toEqual(
      new Set(['assigned', 'private-before', 'private-after']),
    );
  });

  test('refine reads a finished run that was not read, and leaves what is read alone', async () => {
    const file = scenario(`${debates}readings: { turns: false, opinions: false }\n`);
    const result = await scripted(file);
    const setting = {
      store,
      out: '',
      model: { baseUrl: undefined, apiKey: undefined },
      watch: { say: () => undefined },
    };
    const set = ['readings.turns=true', 'readings.opinions=true'];
    const read = await refineRun(setting, result.run_id, set);
    expect(read.readings).toEqual({ turns: 48, opinions: result.opinions.grounded, none: 0 });
    const rows = await contentOf(store);
    const again = await refineRun(setting, result.run_id, set);
    expect(again.calls.made).toBe(read.calls.made);
    expect(await contentOf(store)).toEqual(rows);
    // Another threshold is another deduplication, and no other reading.
    const other = await refineRun(setting, result.run_id, [...set, 'refinement.threshold=0.9']);
    expect([other.calls.made, other.readings]).toEqual([read.calls.made, read.readings]);
  });
});

test('no question to the reader holds a culture, country, name or stance, in any of nine languages', async () => {
  const cultures = [
    'arabic',
    'bengali',
    'chinese',
    'english',
    'german',
    'korean',
    'portuguese',
    'spanish',
    'turkish',
  ];
  const result = await scripted(
    scenario(`cultures: [${cultures.join(', ')}]\ntopics: [Q28, Q33]\nlanguage: own\nturns: 4\n`),
  );
  const calls = await rowsIn<{ request: string; dialogue: string; language: string }>(
    `SELECT c.request, u.subject AS dialogue, d.language FROM call_uses u JOIN calls c ON c.id = u.call_id
      JOIN dialogues d ON d.id = u.subject WHERE u.role = 'reader'`,
  );
  expect(new Set(calls.map(({ language }) => language)).size).toBe(9);
  expect(result.readings.turns).toBeGreaterThan(60);
  const personas = await rowsIn<{
    dialogue: string;
    name: string;
    culture: string;
    country: string;
    label: string;
  }>(
    `SELECT q.dialogue_id AS dialogue, p.name, p.culture, p.country, p.age_band, sc.label FROM participants q
      JOIN personas p ON p.id = q.persona_id JOIN dialogues d ON d.id = q.dialogue_id
      LEFT JOIN stances s ON s.persona_id = p.id AND s.topic_id = d.topic_id
      LEFT JOIN cells c ON c.topic_id = d.topic_id AND c.country = p.country AND c.code = s.code
      LEFT JOIN scales sc ON sc.scale = c.scale AND sc.code = s.code`,
  );
  const turns = await rowsIn<{ dialogue: string; text: string }>(
    'SELECT dialogue_id AS dialogue, text FROM turns UNION ALL SELECT dialogue_id, text FROM opinions',
  );
  for (const { request, dialogue, language } of calls) {
    const whole = (await messagesOf(store, request)).map(({ text }) => text).join('\n');
    // Texts may speak of a country; what stands around them may not.
    const around = turns
      .filter((turn) => turn.dialogue === dialogue)
      .sort((a, b) => b.text.length - a.text.length)
      .reduce((left, { text }) => left.replaceAll(text.replace(/\s+/g, ' ').normalize('NFC'), ''), whole);
    expect(around.length).toBeLessThan(whole.length);
    for (const { name, culture, country } of personas.filter((one) => one.dialogue === dialogue)) {
      expect(whole).not.toContain(name);
      const { name: named, countries } = loadCulture(culture);
      const region = countries.find(({ code }) => code === country)?.region as string;
      expect(around).not.toMatch(new RegExp(`\\b${country}\\b`));
      const places = [countryName(region, 'en'), countryName(region, language)];
      for (const word of [culture, named.en, named.own, ...places])
        expect(around.toLowerCase()).not.toContain(word.toLowerCase());
    }
    // All answers are offered once, so that none of them can be a stance.
    const letters = [...around.matchAll(/^([A-J]): /gm)].map(([, letter]) => letter);
    expect([...letters].join('')).toMatch(/^ABC(DE?)?$/);
  }
});

describe('with a language model', () => {
  let server: FaultServer;
  beforeEach(async () => {
    server = await start();
  });
  afterEach(() => server.stop());
  const talk = 'cultures: [german, korean, turkish]\ntopics: [Q27, Q28]\nturns: 4\n';
  const run = (file: string): Promise<RunResult> =>
    scripted(file, { modelFlag: 'openai:tiny-1', model: { baseUrl: server.baseUrl, apiKey: key } });
  const namesIn = ({ response_format: format }: ChatBody): string[] =>
    format?.json_schema.name === 'readings' ? Object.keys(format.json_schema.schema.properties ?? {}) : [];
  const notes = (stage: string): Promise<{ note: string | null }[]> =>
    rowsIn(
      `SELECT DISTINCT n.note FROM stage_dialogues n JOIN stage_runs s ON s.id = n.stage_run_id WHERE s.stage = '${stage}'`,
    );

  test('every turn and grounded opinion is read, with how probable the answer was', async () => {
    const result = await run(scenario(talk));
    expect(result.readings).toMatchObject({ turns: 24, opinions: result.opinions.grounded });
    for (const table of ['readings', 'opinion_readings']) {
      const [row] = await rowsIn<{ n: number; low: number; high: number }>(
        `SELECT count(*) AS n, min(p) AS low, max(p) AS high FROM ${table}`,
      );
      expect(row?.n).toBeGreaterThan(0);
      expect([row?.low, row?.high].map((p) => p?.toFixed(6))).toEqual(['0.750000', '0.750000']);
    }
  });

  test('personas that call themselves and each other by name do so without names before the reader', async () => {
    const known = new Set<string>();
    server.options.text = (body) => {
      const told = body.messages.map(({ content }) => content).join('\n');
      const own = /You are ([^,]+),/.exec(told)?.[1] as string;
      const other = /You meet ([^(]+) \(/.exec(told)?.[1] ?? own;
      known.add(own);
      return `To you, ${other}, I say as ${own} who knows ${other}'s road: ${body.messages.length} times ${own}.`;
    };
    await run(scenario(talk));
    expect(known.size).toBeGreaterThan(6);
    const asked = server.counts.bodies.filter((body) => namesIn(body).length > 0);
    // Without their names some dialogues are the same, and are read once.
    expect(asked.length).toBeGreaterThan(3);
    for (const { messages } of asked) {
      const text = messages.map(({ content }) => content).join('\n');
      expect(text).toMatch(/To you, Speaker [12], I say as Speaker [12] who knows Speaker [12]'s road/);
      for (const name of known) expect(text).not.toContain(name);
    }
  });

  test('what a reply passes over is asked about again, by itself; where it never comes it is no row and a note', async () => {
    // Turn 2 is never read, turn 4 at the second time of asking.
    server.options.object = (body) => {
      const names = namesIn(body).filter((name) => name.startsWith('turn'));
      if (names.length === 0) return undefined;
      const told = names.length === 4 ? ['turn_1', 'turn_3'] : names.slice(1);
      return JSON.stringify(Object.fromEntries(told.map((name) => [name, 'none'])));
    };
    const result = await run(scenario(talk));
    expect(result.readings).toMatchObject({ turns: 18 });
    expect(await rowsIn('SELECT DISTINCT idx FROM readings ORDER BY idx')).toEqual([
      { idx: 0 },
      { idx: 2 },
      { idx: 3 },
    ]);
    expect(await notes('read_turns')).toEqual([
      { note: '1 of 4 turns were not read: the reader passed them over' },
    ]);
    const sizes = server.counts.bodies.map(namesIn).filter((names) => names[0]?.startsWith('turn'));
    expect(sizes.map((names) => names.length).sort()).toEqual([...Array(6).fill(2), ...Array(6).fill(4)]);
  });

  test.each([
    ['prose', 'They agree, more or less.'],
    ['an answer that is not offered', '{"turn_1":"Q"}'],
    ['a turn that does not exist', '{"turn_77":"A"}'],
    ['another language', '{"turn_1":"zustimmend"}'],
  ])('%s is shown to the model with its fault, asked for again, and never used', async (_, reply) => {
    server.options.object = (body) => (namesIn(body)[0]?.startsWith('turn') ? reply : undefined);
    const result = await run(scenario(talk));
    expect(result).toMatchObject({ status: 'finished', dialogues: { finished: 6 }, readings: { turns: 0 } });
    expect(result.readings.opinions).toBe(result.opinions.grounded);
    expect(await rowsIn('SELECT 1 FROM readings')).toEqual([]);
    expect(await notes('read_turns')).toEqual([
      { note: '4 of 4 turns were not read: the reply was malformed' },
    ]);
    // Two tries, each with a repair.
    const asked = server.counts.bodies.filter((body) => namesIn(body)[0]?.startsWith('turn'));
    expect(asked).toHaveLength(6 * 4);
    expect(
      asked.filter(({ messages }) => /not the object asked for/.test(messages.at(-1)?.content ?? '')),
    ).toHaveLength(12);
    // Once more: nothing is asked, and nothing is read.
    const before = server.counts.requests;
    expect(await run(scenario(talk))).toMatchObject({ left_alone: true });
    expect(server.counts.requests).toBe(before);
  });

  test('a run that was stopped among its readings goes on there, and pays for none of them twice', async () => {
    const file = scenario(talk);
    let read = 0;
    server.options.choose = ({ body }) => (namesIn(body).length > 0 && (read += 1) > 7 ? 'quota' : undefined);
    const stopped = await run(file);
    expect(stopped).toMatchObject({ status: 'stopped', stop_reason: 'provider' });
    delete server.options.choose;
    const done = await run(file);
    expect(done).toMatchObject({ run_id: stopped.run_id, status: 'finished', readings: { turns: 24 } });
    expect([...server.counts.byHash.values()].every(({ paid }) => paid <= 1)).toBe(true);
    expect(done.calls.made).toBe(server.counts.paid);
  });

  test('ask_again reads delegates in the dialogue, asks again once off the stance, and flags what stays off it', async () => {
    // The reader holds every delegate to be wholly for the statement.
    server.options.object = (body) => {
      const names = namesIn(body);
      if (names.length !== 1 || names[0] !== 'turn_1') return undefined;
      const letter = /^([A-D]): strongly agree$/m.exec(body.messages.at(-1)?.content ?? '')?.[1];
      return letter && JSON.stringify({ turn_1: letter });
    };
    const result = await run(scenario(`${talk}dialogues_per_cell: 2\nreadings: { ask_again: true }\n`));
    expect(result).toMatchObject({ status: 'finished', dialogues: { planned: 12, finished: 12 } });
    const checked = await rowsIn<{ flags: string; agreement: number; spoken: number }>(
      `SELECT t.flags, sc.agreement,
          (SELECT count(*) FROM call_uses u WHERE u.subject = d.id || '/' || t.idx AND u.role = 'delegate') AS spoken
        FROM readings r JOIN turns t ON t.dialogue_id = r.dialogue_id AND t.idx = r.idx
        JOIN dialogues d ON d.id = t.dialogue_id JOIN personas p ON p.id = t.persona_id
        JOIN stances s ON s.persona_id = p.id AND s.topic_id = d.topic_id
        JOIN cells c ON c.topic_id = d.topic_id AND c.country = p.country AND c.code = s.code
        JOIN scales sc ON sc.scale = c.scale AND sc.code = s.code WHERE r.moment = 'check'`,
    );
    expect(checked).toHaveLength(24);
    const against = checked.filter(({ agreement }) => agreement < 0.5);
    expect(against.length).toBeGreaterThan(3);
    expect(against.length).toBeLessThan(24);
    for (const { flags, agreement, spoken } of checked)
      expect([flags, spoken]).toEqual(agreement < 0.5 ? ['["off-stance"]', 2] : ['[]', 1]);
    // Nothing is harvested where a turn stayed off its stance.
    expect(
      await rowsIn(`SELECT 1 FROM opinions o JOIN turns t ON t.dialogue_id = o.dialogue_id AND t.idx = o.turn_idx
        WHERE t.flags LIKE '%off-stance%'`),
    ).toEqual([]);
  });
});
