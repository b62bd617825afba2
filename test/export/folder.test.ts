import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { openExportFolder, type ExportFolder, type WrittenFile } from '../../src/export/folder.ts';
import { canMount, smallDisk } from '../helpers/process.ts';
import { temporaryFolder } from '../helpers/run.ts';

let out: string;
beforeEach(() => {
  out = temporaryFolder();
});

const manifest = JSON.stringify({ program: { name: 'culturepark' } });
/** Writes an export of one file. */
async function write(name: string, text: string, into = out): Promise<string> {
  const folder = openExportFolder(into, name);
  await folder.line('a/rows.jsonl', text);
  return folder.finish(() => ({ 'manifest.json': manifest }));
}
const read = (name = 'one'): string => readFileSync(join(out, name, 'a', 'rows.jsonl'), 'utf8');

test('a folder stands only when all of it is written, and leaves nothing beside it', async () => {
  const folder = openExportFolder(out, 'one');
  await folder.line('a/rows.jsonl', 'x');
  expect(existsSync(join(out, 'one'))).toBe(false);
  expect(await folder.finish(() => ({ 'manifest.json': manifest }))).toBe(join(out, 'one'));
  expect(readdirSync(out)).toEqual(['one']);
  expect(read()).toBe('x\n');
});

test('what a dead export left goes at the next one; that of a living process, of another machine and of others stays', async () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const gone = [
    `.one.${dead}.part`,
    `.two.${dead}@${hostname()
      .replace(/[^\w-]/g, '_')
      .slice(0, 30)}.part`,
  ];
  const kept = [
    `.three.${process.pid}.part`,
    `.four.${dead}@elsewhere.part`,
    '.five.part',
    `six.${dead}.part`,
  ];
  for (const name of [...gone, ...kept]) {
    mkdirSync(join(out, name));
    writeFileSync(join(out, name, 'rows.jsonl'), 'x\n');
  }
  await write('one', 'x');
  expect(readdirSync(out).sort()).toEqual([...kept, 'one'].sort());
});

test('what was written is told: rows, bytes and hash, in order of the paths', async () => {
  const folder = openExportFolder(out, 'one');
  let told: readonly WrittenFile[] = [];
  await folder.line('b.csv', 'head', false);
  for (const text of ['ü', 'v', 'w'.repeat(100_000)]) {
    await folder.line('a/rows.jsonl', text);
    await folder.line('b.csv', `${folder.lines('a/rows.jsonl')}`);
  }
  await folder.finish((files) => {
    told = files;
    return { 'manifest.json': manifest };
  });
  expect(told.map(({ path, rows }) => [path, rows])).toEqual([
    ['a/rows.jsonl', 3],
    ['b.csv', 3],
  ]);
  for (const { path, bytes, sha256 } of told) {
    const content = readFileSync(join(out, 'one', path));
    expect([content.length, createHash('sha256').update(content).digest('hex')]).toEqual([bytes, sha256]);
  }
  expect(readFileSync(join(out, 'one', 'b.csv'), 'utf8')).toBe('head\n1\n2\n3\n');
});

describe('another export of the same name', () => {
  test('takes the place of the older one as a whole', async () => {
    await write('one', 'old');
    writeFileSync(join(out, 'one', 'notes.txt'), 'of the old one');
    await write('one', 'new');
    expect(read()).toBe('new\n');
    expect(readdirSync(join(out, 'one')).sort()).toEqual(['a', 'manifest.json']);
    expect(readdirSync(out)).toEqual(['one']);
  });

  test('that is thrown away leaves the older one', async () => {
    await write('one', 'old');
    const folder = openExportFolder(out, 'one');
    await folder.line('a/rows.jsonl', 'new');
    await folder.discard();
    expect(read()).toBe('old\n');
    expect(readdirSync(out)).toEqual(['one']);
  });

  test('after a crash between the two renames: the older one comes back first', async () => {
    await write('one', 'old');
    renameSync(join(out, 'one'), join(out, '.one.old'));
    const folder: ExportFolder = openExportFolder(out, 'one');
    expect(read()).toBe('old\n');
    await folder.line('a/rows.jsonl', 'new');
    await folder.finish(() => ({ 'manifest.json': manifest }));
    expect(read()).toBe('new\n');
    expect(readdirSync(out)).toEqual(['one']);
  });

  test('after a crash behind the second rename: what is left of the older one goes', async () => {
    await write('one', 'newer');
    mkdirSync(join(out, '.one.old'));
    writeFileSync(join(out, '.one.old', 'x'), '');
    await write('one', 'newest');
    expect(read()).toBe('newest\n');
    expect(readdirSync(out)).toEqual(['one']);
  });
});

describe('what is no export is never replaced', () => {
  test.each<[string, (path: string) => void]>([
    ['a folder of somebody', (path) => mkdirSync(join(path, 'thesis'), { recursive: true })],
    ['a file', (path) => writeFileSync(path, 'precious')],
    [
      "another program's folder with a manifest",
      (path) => {
        mkdirSync(path);
        writeFileSync(join(path, 'manifest.json'), '{"name": "my extension"}');
      },
    ],
  ])('%s', (_, make) => {
    const path = join(out, 'one');
    make(path);
    expect(() => openExportFolder(out, 'one')).toThrow(`${path} is there already and is no export.`);
    expect(readdirSync(out)).toEqual(['one']);
  });

  test('an empty folder gives way', async () => {
    mkdirSync(join(out, 'one'));
    await write('one', 'x');
    expect(read()).toBe('x\n');
  });
});

describe('names', () => {
  test.each(['', '.', '..', '../x', 'a/b', 'a/', '/etc', '.hidden', 'a\\b', 'x\u0000y', '..\\x'])(
    '%j is refused, and nothing is made',
    (name) => {
      expect(() => openExportFolder(out, name)).toThrow(UserError);
      expect(readdirSync(out)).toEqual([]);
    },
  );

  test.each(['run-1', 'Zwölf Läufe', 'x.y', '文化'])('%j is one', async (name) => {
    expect(await write(name, 'x')).toBe(join(out, name));
  });

  test.each(['../x', '..', 'a/../../x'])('a file %j of the folder is refused', async (path) => {
    const folder = openExportFolder(out, 'one');
    await expect(folder.line(path, 'x')).rejects.toThrow(UserError);
    await folder.discard();
    expect(readdirSync(out)).toEqual([]);
  });

  test('too long ones, and a file in the place of the folder, say how to mend it', () => {
    expect(() => openExportFolder(out, 'x'.repeat(300))).toThrow(/too long/);
    const file = join(out, 'file');
    writeFileSync(file, '');
    expect(() => openExportFolder(file, 'one')).toThrow(UserError);
  });
});

test.skipIf(!canMount)(
  `a full disk is told, and leaves the older export${canMount ? '' : ' (skipped: no file system can be mounted here)'}`,
  async () => {
    const disk = smallDisk(1024)!;
    try {
      const folder = join(disk.path, 'exports');
      await write('one', 'old', folder);
      const next = openExportFolder(folder, 'one');
      const full = (async () => {
        for (let n = 0; n < 100; n += 1) await next.line('a/rows.jsonl', 'x'.repeat(50_000));
        return next.finish(() => ({ 'manifest.json': manifest }));
      })();
      await expect(full).rejects.toThrow('There is no room left for the export.');
      await next.discard();
      expect(readFileSync(join(folder, 'one', 'a', 'rows.jsonl'), 'utf8')).toBe('old\n');
      expect(readdirSync(folder)).toEqual(['one']);
    } finally {
      disk.dispose();
    }
  },
);
