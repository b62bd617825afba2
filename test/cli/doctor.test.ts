import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { apiKey, baseUrl, diskSpace, nodeVersion, packageData } from '../../src/cli/doctor-checks.ts';
import { openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../helpers/run.ts';
import { terminal } from '../helpers/terminal.ts';

let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = temporaryFolder();
  vi.stubEnv('OPENAI_API_KEY', '');
  vi.stubEnv('OPENAI_BASE_URL', '');
  vi.stubEnv('CULTUREPARK_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function serve(listener: RequestListener): Promise<number> {
  server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

interface Report {
  ok: boolean;
  checks: { name: string; level: string; text: string; mend?: string }[];
}
const at = (report: Report, name: string) => report.checks.find((check) => check.name === name);

describe('doctor', () => {
  test('a sound machine: a line each, exit code 0', async () => {
    await openStore(join(folder, 'culture.db')).close();
    const { code, out } = await terminal(
      'doctor',
      '--db',
      join(folder, 'culture.db'),
      '--out',
      join(folder, 'not/yet/there'),
    );
    expect(code).toBe(0);
    for (const line of [
      /^ok +node +\d+/m,
      /^ok +package data/m,
      /^ok +sqlite .*SQLite 3\./m,
      /^ok +database .*schema \d+, quick check ok/m,
      /^ok +machine +\d+ cores/m,
    ])
      expect(out).toMatch(line);
    expect(out).toMatch(/^warn +OPENAI_API_KEY +not set/m);
    expect(out).toContain('culturepark models fetch');
    expect(out).not.toMatch(/^fail/m);
  });

  test('a damaged file fails with 1 and says how to mend it', async () => {
    const db = join(folder, 'broken.db');
    writeFileSync(db, 'not a database '.repeat(1000));
    const { code, out } = await terminal('doctor', '--db', db, '--json');
    expect(code).toBe(1);
    const report = JSON.parse(out) as Report;
    expect(report.ok).toBe(false);
    expect(at(report, 'database')).toMatchObject({ level: 'fail', mend: expect.stringContaining('--db') });
  });

  test('secrets are never shown', async () => {
    const port = await serve((_, response) => response.writeHead(401).end());
    vi.stubEnv('OPENAI_API_KEY', 'sk-verysecretvalue123');
    for (const [address, fault] of [
      [`http://127.0.0.1:${port}/v1?key=abcdef`, /^fail +OPENAI_BASE_URL .*refuses the key/m],
      [`http://me:pa55word@127.0.0.1:${port}/v1`, /^fail +OPENAI_BASE_URL .*has a user name or password/m],
    ] as const) {
      vi.stubEnv('OPENAI_BASE_URL', address);
      const { code, out, err } = await terminal('doctor', '--db', join(folder, 'none.db'));
      expect(code).toBe(1);
      expect(out).toMatch(/^ok +OPENAI_API_KEY +set$/m);
      expect(out).toMatch(fault);
      expect(out + err).not.toMatch(/verysecret|pa55word|abcdef/);
    }
  });

  test('--base-url beats the environment', async () => {
    const asked: string[] = [];
    const port = await serve((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      response.end('{"data":[]}');
    });
    vi.stubEnv('OPENAI_BASE_URL', 'http://127.0.0.1:9/v1');
    const { out, code } = await terminal(
      'doctor',
      '--db',
      join(folder, 'none.db'),
      '--base-url',
      `http://127.0.0.1:${port}/v1/`,
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^ok +OPENAI_BASE_URL +http:\/\/127\.0\.0\.1:\d+\/v1 answers/m);
    expect(asked).toEqual(['/v1/models undefined']);
  });

  test('a word that is no address fails, the other checks go on', async () => {
    const { out, code } = await terminal(
      'doctor',
      '--db',
      join(folder, 'none.db'),
      '--base-url',
      'localhost',
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^fail +OPENAI_BASE_URL .*is not a base URL/m);
    expect(out).toMatch(/^ok +machine/m);
  });

  test('its help has examples', async () =>
    expect((await terminal('doctor', '--help')).out).toContain('Examples:'));
});

describe('checks', () => {
  test.each([
    ['18.20.4', 'fail'],
    ['20.9.0', 'fail'],
    ['20.19.0', 'ok'],
    ['24.1.0', 'ok'],
  ])('Node %s: %s', (version, level) => expect(nodeVersion(version).level).toBe(level));

  test('what the package lacks is named', () => {
    mkdirSync(join(folder, 'agents'));
    writeFileSync(join(folder, 'agents', 'a.yaml'), '');
    const { level, text } = packageData(folder);
    expect(level).toBe('fail');
    expect(text).toContain('db/survey/*.csv');
    expect(text).not.toContain('agents/*.yaml');
  });

  test('a server that does not answer in time', async () => {
    const port = await serve(() => {});
    const { level, text } = await baseUrl(
      { apiKey: undefined, baseUrl: `http://127.0.0.1:${port}/v1`, named: undefined },
      150,
    );
    expect(level).toBe('fail');
    expect(text).toContain('no answer in 0.15 s');
  });

  test('a server that is not there, one without /models', async () => {
    const gone = await baseUrl({ apiKey: undefined, baseUrl: 'http://127.0.0.1:9/v1', named: undefined });
    expect(gone).toMatchObject({ level: 'fail', text: expect.stringContaining("can't be reached") });
    const port = await serve((_, response) => response.writeHead(404).end());
    expect(
      (await baseUrl({ apiKey: 'k', baseUrl: `http://127.0.0.1:${port}`, named: undefined })).level,
    ).toBe('warn');
  });

  test('a key is set or not', () => {
    expect(apiKey({ apiKey: 'sk-x', baseUrl: undefined, named: undefined })).toEqual({
      level: 'ok',
      text: 'set',
    });
    expect(apiKey({ apiKey: undefined, baseUrl: 'http://x', named: undefined }).level).toBe('ok');
    expect(apiKey({ apiKey: undefined, baseUrl: undefined, named: undefined }).level).toBe('warn');
  });

  test('the room on the disk of a folder that is not there yet', () =>
    expect(diskSpace(join(folder, 'a/b/c.db')).text).toContain(folder));
});
