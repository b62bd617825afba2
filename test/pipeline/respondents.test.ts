import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Papa from 'papaparse';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { correlatedRow, writeGlobalOpinions, writeWvs7 } from '../../bench/survey/made-up-files.mjs';
import type { Person } from '../../src/agents/respondents.ts';
import type { Persona } from '../../src/agents/types.ts';
import { sections } from '../../src/cli/report-sections.ts';
import { loadEducationPrompts } from '../../src/dialogue/education.ts';
import { shortId } from '../../src/ids.ts';
import { exportRuns } from '../../src/pipeline/export-runs.ts';
import { importSurvey } from '../../src/pipeline/import-survey.ts';
import { importedFor } from '../../src/pipeline/people.ts';
import { planDialogues } from '../../src/pipeline/plan.ts';
import { prepareFrom, type Prepared } from '../../src/pipeline/prepare.ts';
import { reportRun } from '../../src/pipeline/report.ts';
import { resumeRun } from '../../src/pipeline/run.ts';
import { loadScenario } from '../../src/pipeline/scenario.ts';
import { getRun } from '../../src/store/runs.ts';
import { packageRoot } from '../../src/paths.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { mixture } from '../../src/survey/mixture.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
let store: Store;
beforeAll(async () => {
  writeWvs7(path('wvs7.csv'), { countries: ['TUR'], columns: 75, row: correlatedRow() });
  store = openStore(path('test.db'));
  await importSurvey(() => store, path('wvs7.csv'));
});
afterAll(() => store.close());

const yaml = (more: string): string => `cultures: [turkish]\npersonas: respondents\n${more}\n`;

async function prepared(more: string, from = store): Promise<Prepared> {
  const loaded = loadScenario(scenarioFile(folder, yaml(more), 'planned'));
  return prepareFrom(loaded, new Map(), await importedFor(from.read, loaded));
}

interface Drawn {
  topic: string;
  dialogue: string;
  persona: Persona;
}

const drawn = ({ plan }: Prepared, seed = 1): Drawn[] =>
  [...planDialogues({ ...plan, runId: 'run', seed })].flatMap(({ row, seats }) =>
    seats.flatMap(({ role, persona }) =>
      role === 'delegate' && persona ? [{ topic: row.topic_id, dialogue: row.key, persona }] : [],
    ),
  );

const peopleOf = ({ plan }: Prepared): Map<number, Person> =>
  new Map(plan.people?.byCountry.get('TUR')?.map((person) => [person.number, person]));

const refusal = (more: string, from = store): Promise<string> =>
  prepared(more, from).then(
    () => 'none',
    (error: Error & { mend?: string }) => `${error.message} ${error.mend}`,
  );

describe('people drawn', () => {
  test('have the answers, age, gender and education of one respondent, on every topic that it answered', async () => {
    const plan = await prepared(
      'topics: [Q27, Q31, Q33, Q159, Q40]\ndialogues_per_cell: 40\nprotocol: direct',
    );
    const people = peopleOf(plan);
    const seats = drawn(plan);
    const topicsOf = new Map<number, string[]>();
    for (const { topic, persona } of seats) {
      const person = people.get(persona.respondent!.number)!;
      expect([...persona.stances]).toEqual([[topic, person.answers.get(topic)]]);
      expect(persona.education).toBe(person.education);
      if (person.ageBand) expect(persona.ageBand).toBe(person.ageBand);
      if (person.gender) expect(persona.gender).toBe(person.gender);
      topicsOf.set(person.number, [...(topicsOf.get(person.number) ?? []), topic]);
    }
    // Those who came first speak on all that they answered; each topic has its forty.
    const together = [...topicsOf].filter(([, topics]) => topics.length > 1);
    expect(together.length).toBeGreaterThan(35);
    for (const [number, topics] of together)
      expect(topics.sort()).toEqual(
        ['Q27', 'Q31', 'Q33', 'Q159', 'Q40'].filter((id) => people.get(number)!.answers.has(id)).sort(),
      );
    for (const id of ['Q27', 'Q31', 'Q33', 'Q159', 'Q40'])
      expect(seats.filter(({ topic }) => topic === id)).toHaveLength(40);
    // One persona a person, whatever the topic; in an order that is each topic's own.
    expect(new Set(seats.map(({ persona }) => persona.id)).size).toBe(topicsOf.size);
    const order = (id: string): string[] =>
      seats.filter(({ topic }) => topic === id).map(({ persona }) => persona.id);
    const both = (a: string, b: string): number => order(a).filter((id, at) => order(b)[at] === id).length;
    expect(both('Q27', 'Q31')).toBeLessThan(6);
  });

  test('are near the weighted survey, and their answers go together as in the file', async () => {
    const topics = ['Q27', 'Q31', 'Q33', 'Q159', 'Q40', 'Q160', 'Q161', 'Q169'];
    const plan = await prepared(`topics: [${topics}]\ndialogues_per_cell: 1000\nprotocol: direct`);
    const seats = drawn(plan);
    for (const topic of topics) {
      const own = seats.filter((seat) => seat.topic === topic);
      const { parts } = mixture(plan.plan.survey, plan.plan.cultures[0]!.countries, topic)!;
      const error = parts.reduce((sum, { code, share }) => {
        const n = own.filter(({ persona }) => persona.stances.get(topic) === code).length;
        return share > 0 ? sum + (n / 1000 - share) ** 2 / share : sum;
      }, 0);
      expect(Math.sqrt(error), topic).toBeLessThan(1.3 / Math.sqrt(1000));
    }
    const correlation = (rows: { x: number; y: number; w: number }[]): number => {
      const mean = (of: (row: { x: number; y: number }) => number): number =>
        rows.reduce((sum, row) => sum + row.w * of(row), 0) / rows.reduce((sum, { w }) => sum + w, 0);
      const [x, y] = [mean((row) => row.x), mean((row) => row.y)];
      const between = mean((row) => (row.x - x) * (row.y - y));
      return between / Math.sqrt(mean((row) => (row.x - x) ** 2) * mean((row) => (row.y - y) ** 2));
    };
    const personas = new Map<string, Map<string, number>>();
    for (const { topic, persona } of seats)
      personas.set(
        persona.id,
        (personas.get(persona.id) ?? new Map<string, number>()).set(topic, persona.stances.get(topic)!),
      );
    for (const [a, b] of [
      ['Q27', 'Q31'],
      ['Q33', 'Q159'],
      ['Q160', 'Q169'],
    ] as const) {
      const rows = (list: Iterable<{ answers: ReadonlyMap<string, number>; weight: number }>) =>
        [...list].flatMap(({ answers, weight }) =>
          answers.has(a) && answers.has(b) ? [{ x: answers.get(a)!, y: answers.get(b)!, w: weight }] : [],
        );
      const known = correlation(rows(peopleOf(plan).values()));
      const found = correlation(rows([...personas.values()].map((answers) => ({ answers, weight: 1 }))));
      expect(known).toBeGreaterThan(0.15);
      expect(Math.abs(found - known)).toBeLessThan(0.1);
    }
  });

  test('are as many in pairs of one culture, a woman and a man as far as there are so many', async () => {
    const plan = await prepared(
      'topics: [Q27, Q31]\ndialogues_per_cell: 20\npairing: in-cultural\nprotocol: debate',
    );
    const pairs = [...planDialogues({ ...plan.plan, runId: 'run', seed: 1 })];
    expect(pairs).toHaveLength(40);
    const mixed = pairs.filter(({ seats: [one, other] }) => one!.persona!.gender !== other!.persona!.gender);
    expect(mixed.length).toBeGreaterThan(30);
    for (const { seats } of pairs) expect(seats[0]!.persona!.id).not.toBe(seats[1]!.persona!.id);
  });

  test('are others with another seed, and in the database of somebody who has the same file', async () => {
    const more = 'topics: [Q27, Q31]\ndialogues_per_cell: 40\nprotocol: direct';
    const numbers = (plan: Prepared, seed: number): Set<number> =>
      new Set(drawn(plan, seed).map(({ persona }) => persona.respondent!.number));
    const mine = numbers(await prepared(more), 1);
    expect(numbers(await prepared(more), 1)).toEqual(mine);
    const elsewhere = openStore(path('elsewhere.db'));
    await importSurvey(() => elsewhere, path('wvs7.csv'));
    const theirs = numbers(await prepared(more, elsewhere), 1);
    await elsewhere.close();
    for (const other of [theirs, numbers(await prepared(more), 2)]) {
      expect(other.size).toBeGreaterThan(35);
      expect([...other].filter((number) => mine.has(number)).length).toBeLessThan(12);
    }
  });

  test('a database that had respondents before gets its secret when it is opened, and keeps it', async () => {
    const db = openSqlite(path('before.db'));
    const migrations = join(packageRoot, 'db', 'migrations', 'sqlite');
    const older = readdirSync(migrations).filter((name) => name.endsWith('.sql') && name < '006');
    for (const name of older.sort()) db.exec(readFileSync(join(migrations, name), 'utf8'));
    db.exec(`INSERT INTO surveys VALUES ('s', 'wvs7', 'wvs7', 'respondents', 'f', 'x', 0, 1, 1, '[]', '{}');
      INSERT INTO respondents VALUES ('s', 'TUR', 1, 1.0, NULL, NULL, NULL, '')`);
    db.pragma(`application_id = ${0x4350726b}`);
    db.pragma('user_version = 5');
    db.close();
    const secret = async (): Promise<string | undefined> => {
      const opened = openStore(path('before.db'));
      const [row] = await opened.read.selectFrom('secrets').select('value').execute();
      await opened.close();
      return row?.value;
    };
    const given = await secret();
    expect(given).toMatch(/^[0-9a-f]{32}$/);
    expect(await secret()).toBe(given);
    const [own] = await store.read.selectFrom('secrets').select('value').execute();
    expect(own?.value).toMatch(/^[0-9a-f]{32}$/);
    await importSurvey(() => store, path('wvs7.csv'));
    expect(await store.read.selectFrom('secrets').select('value').execute()).toEqual([own]);
  });

  test('more dialogues than respondents: some are drawn again, and that is said', async () => {
    const few = openStore(path('few.db'));
    let n = 0;
    const row = correlatedRow();
    writeWvs7(path('few.csv'), {
      countries: ['TUR'],
      columns: 75,
      // All but 300 are of another country.
      row: (fields, number, names) => {
        n += 1;
        const own = row(fields, number, names);
        if (n > 300) own[names.indexOf('B_COUNTRY_ALPHA')] = 'XXX';
        return own;
      },
    });
    await importSurvey(() => few, path('few.csv'));
    const { result, said } = await scriptedRun(
      folder,
      scenarioFile(folder, yaml('topics: [Q27]\ndialogues_per_cell: 320\nprotocol: direct\nturns: 1'), 'few'),
      { store: few },
    );
    expect(result.status).toBe('finished');
    expect(said.join('\n')).toContain('turkish has 300 respondents for 320 personas a topic');
    await few.close();
  });
});

/** Takes away a part of the dialogues that were planned and not begun, as if the planning had been cut off. */
async function dropSomePlanned(from: Store, runId: string): Promise<number> {
  return from.write(async (trx) => {
    const planned = await trx
      .selectFrom('dialogues as d')
      .select('d.id')
      .where('d.run_id', '=', runId)
      .where('d.status', '=', 'planned')
      .where('d.id', 'not in', (e) => e.selectFrom('turns').select('dialogue_id'))
      .orderBy('d.key')
      .execute();
    const ids = planned.filter((_, at) => at % 2 === 0).map(({ id }) => id);
    await trx.deleteFrom('participants').where('dialogue_id', 'in', ids).execute();
    await trx.deleteFrom('dialogues').where('id', 'in', ids).execute();
    return ids.length;
  });
}

describe('is refused, before anything is asked', () => {
  test('without respondents, topics, countries and people enough', async () => {
    const empty = openStore(path('empty.db'));
    expect(await refusal('topics: [Q27]\ndialogues_per_cell: 20', empty)).toMatch(
      /no respondents of a survey in this database.*survey import/,
    );
    writeGlobalOpinions(path('goqa.csv'), [
      { question: 'Is it good?', selections: { Turkey: [0.4, 0.6] }, options: ['Yes', 'No'], source: 'GAS' },
    ]);
    await importSurvey(() => empty, path('goqa.csv'));
    expect(await refusal('topics: [GAS]\ndialogues_per_cell: 20', empty)).toContain('no respondents');
    await empty.close();
    await importSurvey(() => store, path('goqa.csv'));
    expect(await refusal('topics: [GAS, Q27]\ndialogues_per_cell: 20')).toMatch(
      /figures of goqa-\S+ and no answers of single respondents/,
    );
    expect(await refusal('topics: [Q27]')).toContain('dialogues_per_cell: 10 or more');
    expect(await refusal('topics: [Q27]\ndialogues_per_cell: 9')).toMatch(
      /fewer than 10 people of a country.*dialogues_per_cell: 10 or more/s,
    );
    const loaded = loadScenario(
      scenarioFile(
        folder,
        'cultures: [german, turkish]\ntopics: [Q27]\npersonas: respondents\ndialogues_per_cell: 20\n',
        'german',
      ),
    );
    const imported = await importedFor(store.read, loaded);
    expect(() => prepareFrom(loaded, new Map(), imported)).toThrow(/no respondents of DEU \(german\)/);
  });

  test('where nobody answered a topic that the survey has figures of', async () => {
    const silent = openStore(path('silent.db'));
    const row = correlatedRow();
    writeWvs7(path('silent.csv'), {
      countries: ['TUR'],
      columns: 75,
      row: (fields, number, names) => {
        const own = row(fields, number, names);
        own[names.indexOf('Q33')] = -2;
        return own;
      },
    });
    await importSurvey(() => silent, path('silent.csv'));
    expect(await refusal('topics: [Q27, Q33]\ndialogues_per_cell: 20', silent)).toContain(
      'none of the imported respondents answered Q33 (turkish)',
    );
    await silent.close();
  });
});

describe('a run of respondents', () => {
  const topics = ['Q27', 'Q31', 'Q33', 'Q159'];
  const scenario = yaml(
    `topics: [${topics}]\ndialogues_per_cell: 12\nprotocol: free-chat\nturns: 4\nexport: { include_scripted: true, test_share: 0.25 }`,
  );
  let runId: string;
  let exported: string;
  /** By sample id the respondent behind it, as the database alone knows. */
  const truth = new Map<string, string>();

  beforeAll(async () => {
    const { result } = await scriptedRun(folder, scenarioFile(folder, scenario, 'joint'), { store });
    runId = result.run_id;
    exported = join(folder, 'exports', runId);
    const { rows } = await sql<{ id: string; who: string }>`
      SELECT s.id, r.country || r.number AS who FROM samples s JOIN opinions o ON o.id = s.opinion_id
      JOIN persona_respondents r ON r.persona_id = o.persona_id WHERE s.run_id = ${runId}`.execute(
      store.read,
    );
    for (const { id, who } of rows) truth.set(id, who);
  });

  const rowsOf = (): Record<string, string>[] =>
    Papa.parse<Record<string, string>>(readFileSync(join(exported, 'rows.csv'), 'utf8'), {
      header: true,
      skipEmptyLines: true,
    }).data.filter(({ file }) => file?.endsWith('/turkish.jsonl'));

  test('its export names no id that stands for a person, a dialogue or an opinion, no age, no education', async () => {
    const files = readdirSync(exported, { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    const text = files.map((one) => readFileSync(join(one.parentPath, one.name), 'utf8')).join('\n');
    const { rows: ids } = await sql<{ id: string }>`
      SELECT id FROM personas UNION SELECT key FROM personas UNION SELECT id FROM dialogues UNION SELECT key FROM dialogues
      UNION SELECT id FROM opinions UNION SELECT key FROM opinions UNION SELECT value FROM secrets`.execute(
      store.read,
    );
    expect(ids.length).toBeGreaterThan(100);
    expect(ids.filter(({ id }) => text.includes(id))).toEqual([]);
    const rows = rowsOf();
    expect(rows.length).toBeGreaterThan(40);
    expect(
      Object.keys(rows[0]!).filter((name) => /^age|gender|educ|persona|respond|name/.test(name)),
    ).toEqual([]);
    expect(rows.every((row) => truth.has(row['sample_id']!))).toBe(true);
    // A card that tells what personas are, and does not claim that their attributes were invented.
    expect(text).toContain('Each persona stands for one respondent');
    expect(text).not.toContain('carry no survey information');
  });

  test('nothing in its export joins the rows of a respondent', () => {
    // Each line with its text, so that the attack has all that there is.
    const rows = rowsOf().map((row): Record<string, string> => {
      const line = readFileSync(join(exported, row['file']!), 'utf8').split('\n')[Number(row['line']) - 1]!;
      const { messages } = JSON.parse(line) as { messages: { content: string }[] };
      return {
        ...row,
        system: messages[0]!.content,
        question: messages[1]!.content,
        text: messages[2]!.content,
      };
    });
    const byTopic = new Map(topics.map((id) => [id, rows.filter(({ topic }) => topic === id)]));
    // Places in the order of each file: the first rows of two topics, and so on.
    for (const own of byTopic.values())
      own.forEach((row, at) => {
        row['place'] = String(at);
        row['place_of_id'] = String(
          [...own].sort((a, b) => (a['sample_id']! < b['sample_id']! ? -1 : 1)).indexOf(row),
        );
      });
    const joins = (same: (one: Record<string, string>, other: Record<string, string>) => boolean) => {
      let [joined, right, pairs, related] = [0, 0, 0, 0];
      topics.forEach((a, at) =>
        topics.slice(at + 1).forEach((b) => {
          for (const one of byTopic.get(a)!)
            for (const other of byTopic.get(b)!) {
              const isOne = truth.get(one['sample_id']!) === truth.get(other['sample_id']!);
              pairs += 1;
              if (isOne) related += 1;
              if (!same(one, other)) continue;
              joined += 1;
              if (isOne) right += 1;
            }
        }),
      );
      return { joined, precision: joined > 0 ? right / joined : 0, chance: related / pairs };
    };
    const fields = Object.keys(rows[0]!);
    // The same person does speak on several topics: there is something to find.
    expect(joins(() => true).chance).toBeGreaterThan(0.04);
    for (const field of fields) {
      const { joined, precision, chance } = joins(
        (one, other) => one[field] !== '' && one[field] === other[field],
      );
      // By chance alone some of the joined are of one person; few pairs say little.
      const noise = joined > 0 ? 4 * Math.sqrt((chance * (1 - chance)) / joined) : 0;
      expect(precision, `${field}: ${joined} joined`).toBeLessThanOrEqual(chance + noise + 0.03);
    }
    // And no field is one person's alone while it stands in rows of several topics.
    for (const field of fields) {
      const values = new Map<string, Record<string, string>[]>();
      for (const row of rows) values.set(row[field]!, [...(values.get(row[field]!) ?? []), row]);
      for (const own of values.values()) {
        const people = new Set(own.map((row) => truth.get(row['sample_id']!)));
        const about = new Set(own.map(({ topic }) => topic));
        if (own.length > 4 && about.size > 1) expect(people.size, field).toBeGreaterThan(1);
      }
    }
  });

  test('no id of its export can be worked out from the seed, the program and the texts', async () => {
    const { rows } = await sql<{
      id: string;
      topic: string;
      key: string;
      idx: number;
      text: string;
      stage: string;
    }>`SELECT s.id, d.topic_id AS topic, d.key, o.turn_idx AS idx, o.text, r.fingerprint AS stage FROM samples s
      JOIN opinions o ON o.id = s.opinion_id JOIN dialogues d ON d.id = o.dialogue_id
      JOIN stage_runs r ON r.id = o.stage_run_id WHERE s.run_id = ${runId}`.execute(store.read);
    const { plan } = await prepared(
      `topics: [${topics}]\ndialogues_per_cell: 12\nprotocol: free-chat\nturns: 4`,
    );
    const { seed } = await getRun(store, runId);
    // Without the database's secret: the keys that dialogues of these ordinals have elsewhere.
    const guessed = [...planDialogues({ ...plan, people: undefined, runId, seed })].map(({ row }) => row);
    expect(guessed).toHaveLength(48);
    for (const { id, topic, key, idx, text, stage } of rows) {
      const sampleOf = (dialogue: string): string =>
        shortId(runId, shortId('sample', 'opinion', shortId(dialogue, 'opinion', stage, idx, text)));
      // So ids are made; with the right key the attack would succeed.
      expect(sampleOf(key)).toBe(id);
      expect(guessed.filter((row) => row.topic_id === topic && sampleOf(row.key) === id)).toEqual([]);
    }
  });

  test('in its own database a sample leads to the persona, and the persona to the respondent', async () => {
    const [id, who] = [...truth][0]!;
    const { persona_id: persona } = await store.read
      .selectFrom('samples as s')
      .innerJoin('opinions as o', 'o.id', 's.opinion_id')
      .select('o.persona_id')
      .where('s.id', '=', id)
      .executeTakeFirstOrThrow();
    const why = await terminal('why', id, '--db', path('test.db'));
    expect(why.out).toContain(persona);
    const page = await terminal('inspect', 'persona', persona, '--db', path('test.db'));
    expect(page.out).toContain(`respondent ${who.slice(3)} of wvs7 (TUR)`);
    const { out } = await terminal('inspect', 'persona', persona, '--db', path('test.db'), '--json');
    expect(JSON.parse(out)).toMatchObject({
      respondent: { survey: 'wvs7', country: 'TUR', number: Number(who.slice(3)) },
    });
  });

  test('its report has the deviation of each cell beside its sampling error', async () => {
    const { report } = await reportRun(store, await getRun(store, runId));
    expect(report.drawn.map(({ topic, n }) => [topic, n])).toEqual(topics.map((topic) => [topic, 12]));
    for (const { deviation, sampling_error } of report.drawn) {
      expect(sampling_error).toBeGreaterThan(0.05);
      expect(deviation).toBeLessThan(1.3 * sampling_error);
    }
    expect(report.verdict.join(' ')).toMatch(/Personas stand for respondents: in \d of 4 cells/);
    const panel = sections(report, null).find(({ id }) => id === 'drawn');
    expect(panel?.head).toEqual(['culture', 'topic', 'people', 'off', 'deviation', 'sampling error']);
    expect(panel?.rows).toHaveLength(4);
  });

  test('its personas are told age, gender and education', async () => {
    const { rows } = await sql<{ text: string; education: string; gender: string }>`
      SELECT m.text, p.education, p.gender FROM turns t JOIN calls c ON c.id = t.call_id JOIN personas p ON p.id = t.persona_id
      JOIN messages m ON m.hash = json_extract(c.request, '$.messages[0]')
      JOIN participants q ON q.dialogue_id = t.dialogue_id AND q.persona_id = p.id
      WHERE q.role = 'delegate' AND p.run_id = ${runId}`.execute(store.read);
    expect(rows.length).toBeGreaterThan(50);
    const words = { lower: 'lower years of secondary', middle: 'finished secondary', higher: 'degree' };
    for (const { text, education, gender } of rows) {
      expect(text).toContain(words[education as keyof typeof words]);
      expect(text).toContain(gender === 'female' ? 'a woman' : 'a man');
    }
  });

  test('education has words in every language of the standard prompts', () => {
    const names = readdirSync(join(packageRoot, 'agents', 'prompts'));
    const languages = names.flatMap((name) => /^dialogue\.(..)\.yaml$/.exec(name)?.[1] ?? []);
    expect(Object.keys(loadEducationPrompts().prompts.words).sort()).toEqual(languages.sort());
  });

  test('stopped in its planning and in its talk it goes on with the same people', async () => {
    // Two copies of the database, and so the same secret.
    const run = async (name: string, cut: boolean) => {
      const from = openStore(path('test.db'));
      await sql`VACUUM INTO ${path(name)}`.execute(from.read);
      await from.close();
      const copy = openStore(path(name));
      const file = scenarioFile(
        folder,
        scenario.replace('dialogues_per_cell: 12', 'dialogues_per_cell: 11'),
        'cut',
      );
      const first = await scriptedRun(folder, file, { store: copy, ...(cut ? { maxCalls: 60 } : {}) });
      if (cut) {
        expect(first.result.status).toBe('stopped');
        await copy.write(async (trx) => {
          await trx
            .updateTable('runs')
            .set({ phase: 'plan' })
            .where('id', '=', first.result.run_id)
            .execute();
        });
        const dropped = await dropSomePlanned(copy, first.result.run_id);
        expect(dropped).toBeGreaterThan(5);
        const result = await resumeRun(
          {
            store: copy,
            out: path('out'),
            model: { baseUrl: undefined, apiKey: undefined },
            maxCalls: 100_000,
            watch: { say: () => undefined },
          },
          first.result.run_id,
        );
        expect(result.status).toBe('finished');
      }
      const { rows } = await sql<object>`
        SELECT d.key, p.key AS persona, p.age_band, p.gender, p.education, r.number, st.code FROM dialogues d
        JOIN participants q ON q.dialogue_id = d.id AND q.role = 'delegate' JOIN personas p ON p.id = q.persona_id
        JOIN persona_respondents r ON r.persona_id = p.id JOIN stances st ON st.persona_id = p.id AND st.topic_id = d.topic_id
        WHERE d.run_id = ${first.result.run_id} ORDER BY d.key`.execute(copy.read);
      await copy.close();
      return rows;
    };
    const whole = await run('whole.db', false);
    expect(whole).toHaveLength(44);
    expect(await run('cut.db', true)).toEqual(whole);
  });

  test('its respondents are not taken away by another file', async () => {
    copyFileSync(path('few.csv'), path('other.csv'));
    await expect(importSurvey(() => store, path('other.csv'))).rejects.toThrow(
      `personas of the run ${runId} stand for its respondents`,
    );
  });

  test('a quota that is short gets further people who gave that answer', async () => {
    const { result } = await scriptedRun(
      folder,
      scenarioFile(
        folder,
        yaml(
          'topics: [Q27, Q31]\ndialogues_per_cell: 10\nprotocol: direct\nturns: 1\nsamples: { per_culture: 40, max_dialogues: 200 }\nexport: { include_scripted: true }',
        ),
        'quota',
      ),
      { store },
    );
    expect(result.status).toBe('finished');
    const { rows } = await sql<{ round: number; number: number | null }>`
      SELECT d.round, r.number FROM dialogues d JOIN participants q ON q.dialogue_id = d.id AND q.role = 'delegate'
      LEFT JOIN persona_respondents r ON r.persona_id = q.persona_id WHERE d.run_id = ${result.run_id}`.execute(
      store.read,
    );
    expect(rows.some(({ round }) => round > 0)).toBe(true);
    expect(rows.every(({ number }) => number !== null)).toBe(true);
    // The report knows the quotas as they were drawn: by weight.
    const { report } = await reportRun(store, await getRun(store, result.run_id));
    expect(report.quota).toMatchObject({ wanted: 40, accepted: 40, off: [], why: null });
    const { folder: out } = await exportRuns({
      store,
      runs: [await getRun(store, result.run_id)],
      out: path('again'),
    });
    expect(readFileSync(join(out, 'rows.csv'), 'utf8').split('\n').length).toBeGreaterThan(80);
  });
});
