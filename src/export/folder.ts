import { createHash, type Hash } from 'node:crypto';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  type WriteStream,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { UserError } from '../errors.ts';

export interface WrittenFile {
  /** Path inside the folder, with forward slashes. */
  path: string;
  rows: number;
  bytes: number;
  sha256: string;
}

/** A folder in the making; its name stands only when all of it is written. */
export interface ExportFolder {
  /** Appends a line to a file of the folder. */
  line(path: string, text: string, row?: boolean): Promise<void>;
  /** Number of lines that a file has so far. */
  lines(path: string): number;
  /** Writes the last files and puts the folder in place of an older one. */
  finish(last: (files: readonly WrittenFile[]) => Record<string, string>): Promise<string>;
  /** Throws away what was written. */
  discard(): Promise<void>;
}

interface Open {
  stream: WriteStream;
  hash: Hash;
  rows: number;
  lines: number;
  bytes: number;
  failure: Promise<never>;
}

/** Opens OUT/NAME for writing: files go into a hidden folder beside it, which takes its name at the end. */
export function openExportFolder(out: string, name: string): ExportFolder {
  if (Buffer.byteLength(name) > 200) {
    throw new UserError('The name of the folder of exports is too long.', { mend: 'Give a shorter --name.' });
  }
  const root = resolve(out);
  const target = join(root, name);
  if (!/^[^.\\/\0][^\\/\0]*$/.test(name)) {
    throw new UserError(`"${name}" can't name a folder of exports.`, {
      mend: 'Use letters, digits, "-" and "_".',
    });
  }
  if (existsSync(target) && !isExport(target)) {
    throw new UserError(`${target} is there already and is no export.`, {
      mend: 'Name another folder (--name, --out), or move that one away.',
    });
  }
  const work = join(root, `.${name}.${process.pid}@${HOST}.part`);
  const old = join(root, `.${name}.old`);
  // An export that was cut off between the two renames left the older folder aside.
  if (existsSync(old) && !existsSync(target)) guard(() => renameSync(old, target));
  guard(() => removeAbandoned(root));
  guard(() => rmSync(work, { recursive: true, force: true }));
  guard(() => mkdirSync(work, { recursive: true }));
  const files = new Map<string, Open>();

  const open = (path: string): Open => {
    const file = join(work, path);
    if (!file.startsWith(work + sep)) throw new UserError(`"${path}" lies outside of the export.`);
    mkdirSync(dirname(file), { recursive: true });
    const stream = createWriteStream(file);
    const failure = once(stream, 'error').then(([error]) => {
      throw error;
    }) as Promise<never>;
    failure.catch(() => undefined);
    const opened = { stream, hash: createHash('sha256'), rows: 0, lines: 0, bytes: 0, failure };
    files.set(path, opened);
    return opened;
  };

  return {
    async line(path, text, row = true) {
      const file = files.get(path) ?? open(path);
      const bytes = Buffer.from(`${text}\n`);
      file.hash.update(bytes);
      file.lines += 1;
      if (row) file.rows += 1;
      file.bytes += bytes.length;
      if (!file.stream.write(bytes)) await guarded(Promise.race([once(file.stream, 'drain'), file.failure]));
    },
    lines: (path) => files.get(path)?.lines ?? 0,
    async finish(last) {
      for (const { stream } of files.values()) {
        stream.end();
        await guarded(finished(stream));
      }
      const written = [...files]
        .map(([path, { rows, bytes, hash }]) => ({ path, rows, bytes, sha256: hash.digest('hex') }))
        .sort((a, b) => (a.path < b.path ? -1 : 1));
      guard(() => {
        for (const [path, text] of Object.entries(last(written))) writeFileSync(join(work, path), text);
        rmSync(old, { recursive: true, force: true });
        if (existsSync(target)) renameSync(target, old);
        renameSync(work, target);
        rmSync(old, { recursive: true, force: true });
      });
      return target;
    },
    async discard() {
      for (const { stream } of files.values()) stream.destroy();
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/** Of which machine a process is, in a folder's name. */
const HOST = hostname()
  .replace(/[^\w-]/g, '_')
  .slice(0, 30);

/** Removes what exports of this machine wrote whose process died before it came to an end. */
function removeAbandoned(root: string): void {
  if (!existsSync(root)) return;
  for (const entry of readdirSync(root)) {
    const [, pid, host = HOST] = /^\..+\.(\d+)(?:@([\w-]+))?\.part$/.exec(entry) ?? [];
    if (!pid || host !== HOST || isAlive(Number(pid))) continue;
    try {
      rmSync(join(root, entry), { recursive: true, force: true });
    } catch {
      // It hides and harms nothing: the export goes on.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== 'ESRCH';
  }
}

/** Only an export of ours, or an empty folder, gives way to a new one: it is deleted in the end. */
function isExport(path: string): boolean {
  try {
    if (readdirSync(path).length === 0) return true;
    const text = readFileSync(join(path, 'manifest.json'), 'utf8');
    return (JSON.parse(text) as { program?: { name?: string } }).program?.name === 'culturepark';
  } catch {
    return false;
  }
}

function explained(error: unknown): unknown {
  const { code, path } = error as { code?: string; path?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new UserError('There is no room left for the export.', {
      mend: 'Free some space and export again; the database is complete.',
      cause: error,
    });
  if (
    code === 'EACCES' ||
    code === 'EPERM' ||
    code === 'EROFS' ||
    code === 'ENOTDIR' ||
    code === 'EEXIST' ||
    code === 'ENAMETOOLONG'
  ) {
    return new UserError(`The export can't be written to ${path ?? 'that folder'} (${code}).`, {
      mend: 'Mend the rights, or name another folder with --out.',
      cause: error,
    });
  }
  return error;
}

function guard(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw explained(error);
  }
}

async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explained(error);
  }
}
