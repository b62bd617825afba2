import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { cleanBaseUrl, defaultSpec, openModel, type ModelContext } from '../../src/models/resolve.ts';
import { redact } from '../../src/models/secrets.ts';
import { modelEntries, type ModelEntry } from '../../src/pipeline/model-entries.ts';
import { identityOf, openRoutes, reopenRoutes } from '../../src/pipeline/routes.ts';
import { loadScenario } from '../../src/pipeline/scenario.ts';
import { key, request } from '../helpers/calls.ts';
import { start, type FaultServer } from '../helpers/fault-server.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';

let server: FaultServer;
beforeEach(async () => {
  server = await start();
  vi.stubEnv('OPENAI_API_KEY', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});

const context = (more: Partial<ModelContext> = {}): ModelContext => ({
  baseUrl: undefined,
  apiKey: undefined,
  say: () => undefined,
  allowFetch: false,
  ...more,
});
const refused = async (spec: string, more: Partial<ModelContext> = {}): Promise<UserError> => {
  const error = await openModel(spec, context(more)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).mend).toBeTruthy();
  return error as UserError;
};

describe('base URL', () => {
  test.each([
    ['http://127.0.0.1:11434/v1', 'http://127.0.0.1:11434/v1'],
    ['http://127.0.0.1:11434/v1/', 'http://127.0.0.1:11434/v1'],
    ['https://host.example/v1?api-version=3#x', 'https://host.example/v1'],
    ['HTTPS://Host.Example', 'https://host.example'],
  ])('%s is stored as %s', (text, url) => expect(cleanBaseUrl(text)).toBe(url));

  test.each(['', 'localhost:8000/v1', 'ftp://host/v1', '/v1', 'http://'])('"%s" is none', (text) => {
    expect(() => cleanBaseUrl(text)).toThrow(UserError);
  });

  test.each(['https://me:hunter2@host.example/v1', 'https://hunter2@host.example/v1'])(
    'credentials in an address are refused, not dropped, and not told: %s',
    async (text) => {
      const error = await refused('openai:tiny', { baseUrl: text });
      expect(error.message).toMatch(/host\.example has a user name or password in it/);
      expect(error.mend).toMatch(/OPENAI_API_KEY.*api_key_env/);
      expect(`${error.message} ${error.mend}`).not.toContain('hunter2');
    },
  );

  test('one that is none is named without its password', () => {
    expect(() => cleanBaseUrl('ftp://me:hunter2@host/')).toThrow(/^(?!.*hunter2).*\[secret\]/);
  });
});

describe('openai', () => {
  test('the single entry of /models where no name is given, and no key is needed', async () => {
    const { resolved, chat } = await openModel('openai', context({ baseUrl: server.baseUrl }));
    expect(resolved).toEqual({
      spec: 'openai:tiny-1',
      provider: new URL(server.baseUrl).origin,
      model: 'tiny-1',
      scripted: false,
      baseUrl: server.baseUrl,
    });
    expect((await chat.chat(request('Why?'), new AbortController().signal)).finish).toBe('stop');
  });

  test('a name with colons in it, and the key is sent', async () => {
    const { resolved, chat } = await openModel(
      'openai:llama3:8b',
      context({ baseUrl: server.baseUrl, apiKey: key }),
    );
    expect(resolved.model).toBe('llama3:8b');
    await chat.chat(request('Why?'), new AbortController().signal);
    expect(server.counts.bodies[0]?.model).toBe('llama3:8b');
    expect(server.counts.authorizations).toEqual(new Set([`Bearer ${key}`]));
  });

  test('with a key and no base URL: the small one of OpenAI', async () => {
    const { resolved } = await openModel('openai', context({ apiKey: key }));
    expect(resolved).toMatchObject({
      spec: 'openai:gpt-4o-mini',
      provider: 'https://api.openai.com',
      baseUrl: 'https://api.openai.com/v1',
    });
  });

  test.each(['openai', 'openai:gpt-4o'])('%s without a key', async (spec) => {
    const { message, mend } = await refused(spec);
    expect(message).toBe(`The model "${spec}" needs a key, and OPENAI_API_KEY is not set.`);
    expect(mend).toMatch(/OPENAI_BASE_URL.*--model local/);
  });

  test('several models: they are named', async () => {
    server.options.models = ['small', 'large'];
    expect((await refused('openai', { baseUrl: server.baseUrl })).message).toMatch(
      /2 models: small, large\./,
    );
  });

  test('no models', async () => {
    server.options.models = [];
    expect((await refused('openai', { baseUrl: server.baseUrl })).message).toMatch(/offers no models/);
  });

  test('nobody there', async () => {
    expect((await refused('openai', { baseUrl: 'http://127.0.0.1:9/v1' })).message).toMatch(
      /^http:\/\/127\.0\.0\.1:9\/v1\/models can't be read \(.*ECONNREFUSED.*\), and no model is named\.$/,
    );
  });

  test('a path that is none', async () => {
    const baseUrl = `${new URL(server.baseUrl).origin}/nowhere`;
    expect((await refused('openai', { baseUrl })).message).toBe(
      `${baseUrl}/models can't be read (HTTP 404), and no model is named.`,
    );
  });
});

describe('other names', () => {
  test('scripted', async () => {
    expect((await openModel('scripted', context())).resolved).toEqual({
      spec: 'scripted',
      provider: 'scripted',
      model: 'scripted-1',
      scripted: true,
      baseUrl: null,
    });
  });

  test.each(['', 'gpt-4o', ':', ':x', 'anthropic:'])('"%s" is no name of a model', async (spec) => {
    expect((await refused(spec)).message).toBe(`"${spec}" is not the name of a model.`);
  });

  test('a provider whose package is not there', async () => {
    const { message, mend } = await refused('nobody:model-1');
    expect(message).toMatch(/^The model "nobody:model-1" can't be used: /);
    expect(message).not.toContain('\n');
    expect(mend).toMatch(/Install/);
  });

  test.each([
    ['a file that is not there', undefined],
    ['a file that is no GGUF', 'hello, I am a text file '.repeat(100)],
  ])('local: %s', async (_, content) => {
    const file = join(temporaryFolder(), 'model.gguf');
    if (content) writeFileSync(file, content);
    expect((await refused(`local:${file}`)).message).toContain(file);
  });
});

describe('who chooses the model', () => {
  const specs = (
    yaml: string,
    choice: { flag?: string; environment?: string; set?: string[] },
    more: { baseUrl?: string; apiKey?: string } = {},
  ) => {
    const set = choice.set ?? [];
    const file = scenarioFile(temporaryFolder(), `cultures: [german]\ntopics: [Q27]\n${yaml}`);
    const found = modelEntries(
      loadScenario(file, set).value,
      { flag: choice.flag, environment: choice.environment, set },
      { baseUrl: more.baseUrl, apiKey: more.apiKey },
    );
    const names = [...found.entries].map(([name, { spec }]) => [name, spec]);
    return { ...Object.fromEntries(names), named: found.named };
  };

  test('nobody: OpenAI where a key or base URL is set, else the local one', () => {
    expect(defaultSpec({ baseUrl: undefined, apiKey: undefined })).toBe('local');
    expect(defaultSpec({ baseUrl: undefined, apiKey: key })).toBe('openai');
    expect(defaultSpec({ baseUrl: server.baseUrl, apiKey: undefined })).toBe('openai');
    expect(specs('', {})).toMatchObject({ delegate: 'local', judge: 'local', named: false });
    expect(specs('', {}, { apiKey: key })).toMatchObject({ delegate: 'openai', named: false });
  });

  test('flag before environment before scenario', () => {
    const yaml = 'models: { default: openai:from-scenario }\n';
    expect(specs(yaml, {})).toMatchObject({ delegate: 'openai:from-scenario', named: true });
    expect(specs(yaml, { environment: 'openai:from-env' })).toMatchObject({ delegate: 'openai:from-env' });
    expect(specs(yaml, { environment: 'openai:from-env', flag: 'scripted' })).toMatchObject({
      delegate: 'scripted',
      verifier: 'scripted',
    });
  });

  test('--model replaces every role, --set models.x sets one', () => {
    const yaml = 'models: { default: openai:a, verifier: openai:b }\n';
    expect(specs(yaml, {})).toMatchObject({ delegate: 'openai:a', verifier: 'openai:b' });
    expect(specs(yaml, { flag: 'scripted' })).toMatchObject({ delegate: 'scripted', verifier: 'scripted' });
    expect(specs(yaml, { flag: 'scripted', set: ['models.extractor=openai:c:d'] })).toMatchObject({
      delegate: 'scripted',
      verifier: 'scripted',
      extractor: 'openai:c:d',
    });
    expect(specs(yaml, { environment: 'local', set: ['models.default=openai:e'] })).toMatchObject({
      delegate: 'openai:e',
    });
  });
});

describe('what else a role asks of its model', () => {
  const entriesOf = (models: string, choice: { flag?: string; set?: string[] } = {}) => {
    const set = choice.set ?? [];
    const file = scenarioFile(
      temporaryFolder(),
      `cultures: [german, turkish]\ntopics: [Q27]\nmodels:\n${models}`,
    );
    return Object.fromEntries(
      modelEntries(
        loadScenario(file, set).value,
        { flag: choice.flag, environment: undefined, set },
        { baseUrl: undefined, apiKey: key },
      ).entries,
    );
  };
  const yaml = `  default: { model: openai:a, base_url: 'http://a/v1', api_key_env: KEY_A, concurrency: 4, fallback: openai:z }
  delegate: { temperature: 0.9 }
  extractor: openai:c
  verifier: { base_url: 'http://b/v1', tokens_per_minute: 100 }
  moderator: { model: openai:d, timeout: 9, fallback: { model: scripted, temperature: 0.1 } }
  delegates: { turkish: { top_p: 0.5 }, korean: openai:k }
`;
  const limits = { name: 'default', concurrency: 4 };
  const a = { spec: 'openai:a', baseUrl: 'http://a/v1', ownAddress: true };

  test('a map that names no model changes only what it says, one that does stands alone', () => {
    const entries = entriesOf(yaml);
    const fallback = { spec: 'openai:z' };
    expect(entries['main_contact']).toEqual({ ...a, apiKeyEnv: 'KEY_A', limits, fallback });
    expect(entries['delegate']).toEqual({
      ...{ ...a, apiKeyEnv: 'KEY_A', limits, fallback },
      sampling: { temperature: 0.9 },
    });
    expect(entries['delegates.turkish']).toMatchObject({
      spec: 'openai:a',
      sampling: { temperature: 0.9, topP: 0.5 },
    });
    expect(entries['extractor']).toEqual({ spec: 'openai:c' });
    expect(entries['moderator']).toEqual({
      ...{ spec: 'openai:d', timeout: 9 },
      fallback: { spec: 'scripted', sampling: { temperature: 0.1 } },
    });
  });

  test('a key does not follow to another address', () => {
    const { verifier } = entriesOf(yaml);
    expect(verifier).toMatchObject({ spec: 'openai:a', baseUrl: 'http://b/v1', ownAddress: true });
    expect(verifier).not.toHaveProperty('apiKeyEnv');
    expect(verifier?.limits).toEqual({ name: 'verifier', concurrency: 4, tokensPerMinute: 100 });
  });

  test('cultures that do not take part have no entry', () => {
    expect(Object.keys(entriesOf(yaml)).filter((name) => name.startsWith('delegates.'))).toEqual([
      'delegates.turkish',
    ]);
  });

  test('--model puts another model in place of all, and leaves only how a role samples', () => {
    const entries = entriesOf(yaml, { flag: 'scripted' });
    expect(entries['main_contact']).toEqual({ spec: 'scripted' });
    expect(entries['verifier']).toEqual({ spec: 'scripted' });
    expect(entries['moderator']).toEqual({ spec: 'scripted' });
    expect(entries['delegate']).toEqual({ spec: 'scripted', sampling: { temperature: 0.9 } });
    expect(entries['delegates.turkish']).toEqual({
      spec: 'scripted',
      sampling: { temperature: 0.9, topP: 0.5 },
    });
  });

  test('what --set says of a role stands beside --model', () => {
    const set = [
      'models.verifier.concurrency=2',
      'models.extractor.model=openai:e',
      'models.moderator.fallback.model=openai:f',
      'models.delegates.turkish=openai:t',
      'models.judge={ model: openai:j, temperature: 0 }',
    ];
    const entries = entriesOf(yaml, { flag: 'scripted', set });
    expect(entries['verifier']).toEqual({
      spec: 'scripted',
      limits: { name: 'verifier', concurrency: 2 },
    });
    expect(entries['extractor']).toEqual({ spec: 'openai:e' });
    expect(entries['moderator']).toEqual({
      spec: 'scripted',
      fallback: { spec: 'openai:f', sampling: { temperature: 0.1 } },
    });
    expect(entries['delegates.turkish']).toEqual({ spec: 'openai:t' });
    expect(entries['judge']).toEqual({ spec: 'openai:j', sampling: { temperature: 0 } });
  });

  test('--set on a role that is only a name adds to it', () => {
    const { extractor } = entriesOf(yaml, { set: ['models.extractor.temperature=0.3'] });
    expect(extractor).toEqual({ spec: 'openai:c', sampling: { temperature: 0.3 } });
  });
});

describe('opening the models of roles', () => {
  const open = (entry: ModelEntry, more: Partial<ModelContext> = {}) =>
    openRoutes(new Map([['verifier', entry]]), true, context(more));
  const own = () => ({ baseUrl: server.baseUrl, ownAddress: true });

  test('a time-out of its own', async () => {
    server.options.choose = () => 'hang';
    const { routes } = await open({ spec: 'openai:slow', ...own(), timeout: 0.1 });
    const asked = routes.get('verifier')!.model.chat(request('Why?'), new AbortController().signal);
    await expect(asked).rejects.toMatchObject({ kind: 'timeout', message: 'no reply within 0.1 s' });
  });

  test('a variable that is not set is named, with the role', async () => {
    await expect(open({ spec: 'openai:x', ...own(), apiKeyEnv: 'NOT_SET' })).rejects.toThrow(
      'models.verifier: its key is to be in NOT_SET, which is not set.',
    );
    const fallback = { spec: 'openai:y', ...own(), apiKeyEnv: 'NOT_SET' };
    await expect(open({ spec: 'scripted', fallback })).rejects.toThrow('models.verifier.fallback: its key');
  });

  test.each<[string, Partial<ModelEntry>, string]>([
    ['scripted', { timeout: 3 }, "timeout can't be used"],
    ['local', { baseUrl: 'http://a/v1', ownAddress: true }, "base_url can't be used"],
    ['anthropic:x', { apiKeyEnv: 'KEY_A' }, "api_key_env can't be used"],
  ])('%s has no use for some settings', async (spec, entry, message) => {
    await expect(open({ spec, ...entry })).rejects.toThrow(message);
  });

  test('a fallback that is the model itself is none', async () => {
    const entry = { spec: 'openai:x', ...own(), fallback: { spec: 'openai:x', ...own() } };
    await expect(open(entry)).rejects.toThrow('models.verifier.fallback is the model itself');
  });

  test('what is stored opens the same again, and holds no key', async () => {
    vi.stubEnv('KEY_A', 'plain-words-1234');
    const limits = { name: 'default', concurrency: 2 };
    const entry = {
      ...{ spec: 'openai', ...own(), apiKeyEnv: 'KEY_A', timeout: 5, limits },
      sampling: { temperature: 0.2 },
      fallback: { spec: 'scripted', sampling: { topP: 0.5 } },
    };
    const { models, routes } = await open(entry);
    const text = JSON.stringify(models);
    expect(text).not.toContain('plain-words-1234');
    const again = await reopenRoutes(JSON.parse(text) as typeof models, context());
    const { model, ...rest } = again.routes.get('verifier')!;
    expect(model).toMatchObject({ provider: new URL(server.baseUrl).origin, model: 'tiny-1' });
    expect(rest).toMatchObject({
      ...{ apiKeyEnv: 'KEY_A', limits, sampling: { temperature: 0.2 } },
      fallback: { model: { model: 'scripted-1' }, sampling: { temperature: 0.2, topP: 0.5 } },
    });
    expect(identityOf(again.routes.get('verifier')!)).toBe(identityOf(routes.get('verifier')!));
    await model.chat(request('Why?'), new AbortController().signal);
    expect([...server.counts.authorizations]).toEqual(['Bearer plain-words-1234']);
    expect(redact('it said plain-words-1234')).toBe('it said [secret]');
  });
});
