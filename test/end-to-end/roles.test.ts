import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Manifest } from '../../src/export/manifest.ts';
import { rememberSecrets } from '../../src/models/secrets.ts';
import type { RunResult } from '../../src/pipeline/run-types.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { start, type FaultServer } from '../helpers/fault-server.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';
import { terminal, type Ended } from '../helpers/terminal.ts';

let here: FaultServer;
let there: FaultServer;
let folder: string;
beforeEach(async () => {
  [here, there] = [await start(), await start()];
  folder = temporaryFolder();
  for (const name of ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'CULTUREPARK_MODEL']) vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  rememberSecrets();
  await here.stop();
  await there.stop();
});

const originOf = ({ baseUrl }: FaultServer): string => new URL(baseUrl).origin;
const scenario = (models: string, rest = 'protocol: self-guidance\nturns: 4'): string =>
  scenarioFile(
    folder,
    `cultures: [german, turkish]\ntopics: [Q27, Q31, Q33]\nconcurrency: 6\n${rest}\nmodels:\n${models}`,
  );
const command = (...args: string[]): Promise<Ended> =>
  terminal(...args, '--db', join(folder, 'test.db'), '--json');
const run = (file: string, ...more: string[]): Promise<Ended> =>
  command('run', file, '--out', join(folder, 'exports'), ...more);
const resultOf = (ended: Ended): RunResult => {
  expect(ended.code, ended.err).toBe(0);
  return ended.json<RunResult>();
};
async function reading<T>(query: (store: Store) => Promise<T>): Promise<T> {
  const store = openStore(join(folder, 'test.db'), { readonly: true });
  return query(store).finally(() => store.close());
}

/** Who spoke the turns: `ROLE CULTURE SEAT` by provider and model, from the rows. */
const speakers = (): Promise<Record<string, string>> =>
  reading(async (store) => {
    const rows = await store.read
      .selectFrom('turns')
      .innerJoin('calls', 'calls.id', 'turns.call_id')
      .innerJoin('participants', (join_) =>
        join_
          .onRef('participants.dialogue_id', '=', 'turns.dialogue_id')
          .onRef('participants.seat', '=', 'turns.seat'),
      )
      .leftJoin('personas', 'personas.id', 'turns.persona_id')
      .select(['role', 'culture', 'turns.seat', 'provider', 'model'])
      .distinct()
      .execute();
    const all: Record<string, string> = {};
    for (const { role, culture, seat, provider, model } of rows) {
      const name = `${role} ${culture} ${seat}`;
      all[name] = [...(all[name]?.split(', ') ?? []), `${model} ${provider}`].sort().join(', ');
    }
    return all;
  });

const filesIn = (path: string): string[] =>
  readdirSync(path).flatMap((name) => {
    const inner = join(path, name);
    return statSync(inner).isDirectory() ? filesIn(inner) : [inner];
  });
const placesOf = (text: string, ...ended: Ended[]): string[] => [
  ...filesIn(folder).filter((file) => readFileSync(file).includes(text)),
  ...ended.filter(({ out, err }) => `${out}${err}`.includes(text)).map(() => 'the screen'),
];

describe('roles at two providers', () => {
  const models =
    (): string => `  default: { model: openai:big, base_url: '${here.baseUrl}', api_key_env: HERE }
  delegate: { model: openai:small, base_url: '${there.baseUrl}', api_key_env: SECRET_OF_THERE, concurrency: 2, temperature: 1.1, top_p: 0.9 }
`;
  beforeEach(() => {
    vi.stubEnv('HERE', 'first.horse.battery');
    vi.stubEnv('SECRET_OF_THERE', 'second.horse.staple');
  });

  test('each role is spoken by its own model, with its own temperature, limit and key', async () => {
    here.options.latencyMs = there.options.latencyMs = 15;
    resultOf(await run(scenario(models())));
    expect(await speakers()).toEqual({
      'main_contact english 0': `big ${originOf(here)}`,
      'delegate german 1': `small ${originOf(there)}`,
      'delegate turkish 1': `small ${originOf(there)}`,
    });
    expect(there.counts.maxInFlight).toBe(2);
    expect(here.counts.maxInFlight).toBeGreaterThan(2);
    for (const body of there.counts.bodies) expect(body).toMatchObject({ temperature: 1.1, top_p: 0.9 });
    expect(new Set(here.counts.bodies.map(({ temperature }) => temperature))).toEqual(new Set([0, 0.7]));
    expect([...here.counts.authorizations]).toEqual(['Bearer first.horse.battery']);
    expect([...there.counts.authorizations]).toEqual(['Bearer second.horse.staple']);
  });

  test('no key is in a file or on the screen, whatever the servers say', async () => {
    for (const server of [here, there]) server.options.rates = { echo: 0.4, '429-ms': 0.2 };
    const first = await run(scenario(models()), '--verbose', '--max-calls', '30');
    expect(first.code).toBe(3);
    const second = await command('resume', '--out', join(folder, 'exports'), '--verbose');
    expect(second.code, second.err).toBe(0);
    there.options.choose = () => '401';
    const third = await run(scenario(models()), '--new', '--verbose');
    expect(third.code).toBe(1);
    expect(third.err + third.out).toContain('Check the key in the environment or in .env (SECRET_OF_THERE)');
    expect(placesOf('[secret]', first, second, third).length).toBeGreaterThan(1);
    expect(placesOf('horse', first, second, third)).toEqual([]);
  });

  test('a resume takes models and limits from the run and keys from the environment', async () => {
    expect((await run(scenario(models()), '--max-calls', '10')).code).toBe(3);
    vi.stubEnv('SECRET_OF_THERE', '');
    const without = await command('resume', '--out', join(folder, 'exports'));
    expect(without.code).toBe(1);
    expect(without.err).toContain('models.delegate: its key is to be in SECRET_OF_THERE, which is not set.');
    vi.stubEnv('SECRET_OF_THERE', 'another.horse.staple');
    there.options.latencyMs = 15;
    there.counts.maxInFlight = 0;
    // The scenario's file is not asked.
    scenario('  default: scripted\n');
    const result = resultOf(await command('resume', '--out', join(folder, 'exports')));
    expect(result.status).toBe('finished');
    expect(there.counts.authorizations).toContain('Bearer another.horse.staple');
    expect(there.counts.maxInFlight).toBe(2);
    expect(there.counts.bodies.at(-1)).toMatchObject({ model: 'small', temperature: 1.1 });
  });

  test("the environment's key goes to the environment's address alone", async () => {
    vi.stubEnv('OPENAI_API_KEY', 'environment.horse');
    vi.stubEnv('OPENAI_BASE_URL', here.baseUrl);
    const yaml = `  default: openai:big\n  delegate: { model: openai:small, base_url: '${there.baseUrl}' }\n`;
    resultOf(await run(scenario(yaml)));
    expect([...here.counts.authorizations]).toEqual(['Bearer environment.horse']);
    expect([...there.counts.authorizations]).toEqual(['Bearer none']);
  });

  test('what changes no row leaves the run what it is; what does makes another', async () => {
    const { run_id: id } = resultOf(await run(scenario(models())));
    vi.stubEnv('OTHER_NAME', 'second.horse.staple');
    const again = async (...set: string[]): Promise<boolean> => {
      const flags = [...set, 'concurrency=9'].flatMap((change) => ['--set', change]);
      const ended = await run(scenario(models()), '--max-calls', '0', ...flags);
      return ended.json<RunResult>().run_id === id;
    };
    for (const same of [
      'models.delegate.concurrency=5',
      'models.delegate.timeout=9',
      'models.verifier.requests_per_minute=100',
      'models.delegate.api_key_env=OTHER_NAME',
    ])
      expect([same, await again(same)]).toEqual([same, true]);
    for (const other of [
      'models.delegate.temperature=1',
      'models.verifier.temperature=0.2',
      'models.delegate.model=openai:medium',
      `models.extractor.fallback={model: openai:medium, base_url: '${here.baseUrl}'}`,
      `models.delegates={turkish: {model: openai:medium, base_url: '${here.baseUrl}'}}`,
    ])
      expect([other, await again(other)]).toEqual([other, false]);
  });
});

describe('two models in one dialogue', () => {
  test('by culture: at a panel each delegate speaks with the model of its culture', async () => {
    const yaml = `  default: { model: openai:big, base_url: '${here.baseUrl}' }
  delegates:
    turkish: { model: openai:small, base_url: '${there.baseUrl}' }
    german: openai:medium
`;
    const file = scenarioFile(
      folder,
      `cultures: [german, korean, turkish]\ntopics: [Q27]\nprotocol: panel\nturns: 9\nmodels:\n${yaml}`,
    );
    vi.stubEnv('OPENAI_BASE_URL', here.baseUrl);
    resultOf(await run(file));
    expect(
      Object.entries(await speakers()).map(([name, model]) => [name.replace(/ \d$/, ''), model]),
    ).toEqual(
      expect.arrayContaining([
        ['moderator null', `big ${originOf(here)}`],
        ['delegate korean', `big ${originOf(here)}`],
        ['delegate german', `medium ${originOf(here)}`],
        ['delegate turkish', `small ${originOf(there)}`],
      ]),
    );
  });

  test('by seat: two of one culture debate with a model each', async () => {
    const yaml = `  default: { model: openai:big, base_url: '${here.baseUrl}' }
  second_delegate: { model: openai:small, base_url: '${there.baseUrl}' }
  delegates: { turkish: { temperature: 0.3 } }
`;
    resultOf(await run(scenario(yaml, 'protocol: debate\npairing: in-cultural\nturns: 4')));
    expect(await speakers()).toEqual({
      'delegate german 0': `big ${originOf(here)}`,
      'delegate german 1': `small ${originOf(there)}`,
      'delegate turkish 0': `big ${originOf(here)}`,
      'delegate turkish 1': `small ${originOf(there)}`,
    });
    // A map that names no model changes only what it says.
    expect(new Set(here.counts.bodies.map(({ temperature }) => temperature))).toEqual(new Set([0, 0.3, 0.7]));
  });
});

describe('a fallback', () => {
  const models = (): string => `  default:
    model: openai:big
    base_url: '${here.baseUrl}'
    fallback: { model: openai:small, base_url: '${there.baseUrl}' }
`;
  const costs = () =>
    reading(
      async (store) =>
        (
          await sql<{ role: string; model: string; paid_calls: number; reused_calls: number }>`
            SELECT role, model, paid_calls, reused_calls FROM v_costs WHERE stage = 'dialogue'`.execute(
            store.read,
          )
        ).rows,
    );

  test('goes on where the key of the model stops being one: said once, counted, and shown by every row', async () => {
    here.options.choose = ({ n }) => (n > 10 ? '401' : undefined);
    const ended = await run(scenario(models()));
    const result = resultOf(ended);
    expect(result).toMatchObject({ status: 'finished', dialogues: { finished: 6, flagged: 0 } });
    expect(result.calls.fallback).toBe(there.counts.paid);
    expect(result.calls.made).toBe(here.counts.requests + there.counts.paid);
    expect(result.calls.failed).toBe(here.counts.requests - 10);
    expect(here.counts.requests).toBeLessThanOrEqual(10 + 6);
    expect(ended.err.match(/From here on small/g)).toHaveLength(1);
    expect(ended.err).toContain(`answered by a fallback`);
    expect(ended.err).toContain('what a fallback answers is not counted');
    expect(await speakers()).toMatchObject({
      'delegate german 1': expect.stringContaining(`small ${originOf(there)}`),
    });
    const paid = await costs();
    expect(new Set(paid.map(({ model }) => model))).toEqual(new Set(['big', 'small']));

    const manifest = JSON.parse(readFileSync(join(result.exports[0]!, 'manifest.json'), 'utf8')) as Manifest;
    const { spoke, models: named } = manifest.runs[0]!;
    expect(named['delegate']).toMatchObject({
      model: 'big',
      fallback: { model: 'small', provider: originOf(there) },
    });
    expect(spoke.reduce((sum, { replies }) => sum + replies, 0)).toBe(10 + there.counts.paid);
    for (const role of ['delegate', 'main_contact', 'verifier'])
      expect(spoke.filter((one) => one.role === role).reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(
        1,
      );
    expect(spoke.filter(({ role }) => role === 'verifier')).toMatchObject([{ model: 'small', share: 1 }]);
    const card = readFileSync(join(result.exports[0]!, 'README.md'), 'utf8');
    expect(card).toMatch(/verifier: small \(http:.*\) 100\.0% \(\d+\)/);
    expect(card).toMatch(/main contact: .*big .*%.*, small /);

    const page = await terminal('inspect', 'run', result.run_id, '--db', join(folder, 'test.db'));
    expect(page.out).toMatch(/where it gives up, small/);
    expect(page.out).toMatch(/answered by a fallback/);
    // A finished run asks nobody again.
    const asked = here.counts.requests + there.counts.requests;
    expect(resultOf(await run(scenario(models()))).run_id).toBe(result.run_id);
    expect(here.counts.requests + there.counts.requests).toBe(asked);
  });

  test('is paid once over any number of interruptions, and the model answers again when it is back', async () => {
    here.options.choose = ({ n }) => (n % 3 === 0 ? '400' : undefined);
    const first = await run(scenario(models()), '--max-calls', '25');
    expect(first.code).toBe(3);
    expect(first.json<RunResult>().calls.fallback).toBe(there.counts.paid);
    const spoken = there.counts.paid;
    expect(spoken).toBeGreaterThan(3);
    delete here.options.choose;
    const result = resultOf(await run(scenario(models())));
    expect(result.status).toBe('finished');
    // What it had said stands, and it said nothing more.
    expect(there.counts.paid).toBe(spoken);
    expect(result.calls.fallback).toBe(spoken);
    expect([...there.counts.byHash.values()].every(({ paid }) => paid === 1)).toBe(true);
    expect([...here.counts.byHash.values()].every(({ paid }) => paid <= 1)).toBe(true);
  });

  test('of a role that is refused speaks after the role’s own tries, and no dialogue is flagged', async () => {
    here.options.choose = ({ body }) =>
      body.model === 'big' && body.temperature === 0.5 ? 'content-filter' : undefined;
    const yaml = `  default: { model: openai:big, base_url: '${here.baseUrl}' }
  delegate: { temperature: 0.5, fallback: { model: openai:small, base_url: '${there.baseUrl}' } }
`;
    const result = resultOf(await run(scenario(yaml, 'turns: 2\nrole_retries: 1')));
    expect(result).toMatchObject({ dialogues: { finished: 6, flagged: 0 }, calls: { fallback: 6 } });
    // Two refusals a turn, both paid and on record, then the fallback with the role's temperature.
    expect(here.counts.faults['content-filter']).toBe(12);
    expect(there.counts.bodies.every(({ temperature }) => temperature === 0.5)).toBe(true);
    const refused = await reading((store) =>
      store.read.selectFrom('calls').select('id').where('status', '=', 'refused').execute(),
    );
    expect(refused).toHaveLength(12);
  });

  test('may be the only one that is there when the run begins', async () => {
    const gone = await start();
    const address = gone.baseUrl;
    await gone.stop();
    const yaml = `  default: { model: openai:big, base_url: '${address}', fallback: { model: openai:small, base_url: '${there.baseUrl}' } }\n`;
    const dry = await run(scenario(yaml), '--dry-run');
    expect(dry.code, dry.err).toBe(0);
    const ended = await run(scenario(yaml), '--max-calls', '0');
    expect(ended.err).toContain(`${address} can't be reached`);
    expect(ended.code).toBe(3);
  });
});

test('what --dry-run and estimate say of the models', async () => {
  const yaml = `  default: { model: openai:big, base_url: '${here.baseUrl}', api_key_env: NOT_SET, concurrency: 3 }
  verifier: { temperature: 0.2, timeout: 30, fallback: openai:small }
`;
  const plain = (...args: string[]): Promise<Ended> => terminal(...args);
  const { out } = await plain('run', scenario(yaml), '--dry-run');
  expect(out).toContain(
    `openai:big at ${here.baseUrl} (key in NOT_SET, 3 calls at once): main_contact, delegate, moderator, extractor, reader, judge`,
  );
  expect(out).toContain(
    `openai:big at ${here.baseUrl} (key in NOT_SET, temperature 0.2, 3 calls at once, 30 s a reply); where it gives up, openai:small: verifier`,
  );
  expect(out).toContain('what a fallback answers is not counted');
  expect((await plain('estimate', scenario(yaml))).out).toContain('what a fallback answers is not counted');
  const json = async (text: string): Promise<unknown> =>
    JSON.parse((await plain('estimate', scenario(text), '--json')).out);
  expect(await json(yaml)).toMatchObject({ fallbacks_counted: false });
  expect(await json(yaml.replace(', fallback: openai:small', ''))).not.toHaveProperty('fallbacks_counted');
  expect(here.counts.authorizations.size + here.counts.requests).toBe(0);
});

test('a run is refined with the models that it was begun with, and says so where others are named', async () => {
  const { run_id: id } = resultOf(await run(scenario('  default: scripted\n'), '--include-scripted'));
  const { code, err } = await command('refine', id, '--set', 'models.verifier=openai:other');
  expect(code).toBe(1);
  expect(err).toContain(`The run ${id} keeps the models that it was begun with.`);
});
