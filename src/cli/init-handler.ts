import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { UserError } from '../errors.ts';
import { packageRoot } from '../paths.ts';
import { cultureTemplate, environmentTemplate, scenarioTemplate } from './init-files.ts';
import { topicCsvTemplate, topicsTemplate } from './init-topics.ts';
import { out } from './output.ts';
import { paint, printable } from './text.ts';

/** Writes files to edit into a folder: all of them, or none where one is there already (`force` overwrites). */
export function init(dir: string, { force }: { force: boolean }): void {
  const folder = resolve(dir);
  const files = filesToWrite();
  const there = [...files.keys()].filter((file) => existsSync(join(folder, file)));
  if (there.length > 0 && !force) {
    throw new UserError(
      `Nothing was written, since ${there.length === 1 ? 'a file is' : `${there.length} files are`} there already in ${folder}:\n${there.map((file) => `  ${file}`).join('\n')}`,
      {
        mend: 'Name another folder (`culturepark init DIR`), or overwrite them with --force.',
      },
    );
  }
  for (const [file, text] of files) write(join(folder, file), text, force);
  const shown = printable(relative('.', folder)) || '.';
  out(`Written into ${paint('bold', printable(folder))}:`);
  for (const line of described(files)) out(line);
  out(
    `\nNext${shown === '.' ? '' : `, in that folder (cd ${/[^\w./-]/.test(shown) ? JSON.stringify(shown) : shown})`}:`,
  );
  out('  culturepark run my-scenario --dry-run            what would be asked; costs nothing');
  out('  culturepark run my-scenario --model scripted     a rehearsal without a language model');
  out('  culturepark run my-scenario --max-calls 500      the run itself, with the model that is at hand');
}

/** Texts by path, from the folder. */
function filesToWrite(): Map<string, string> {
  const files = new Map([['scenarios/my-scenario.yaml', scenarioTemplate]]);
  copy(files, 'scenarios/scenario.schema.json');
  files.set('agents/my-culture.yaml', cultureTemplate);
  files.set('topics/my-topics.yaml', topicsTemplate);
  files.set('topics/my-topic.csv', topicCsvTemplate);
  files.set('.env.example', environmentTemplate);
  for (const file of readdirSync(join(packageRoot, 'agents', 'prompts')).sort())
    if (file.endsWith('.yaml')) copy(files, `agents/prompts/${file}`);
  return files;
}

function copy(files: Map<string, string>, path: string): void {
  const source = join(packageRoot, path);
  if (existsSync(source)) files.set(path, readFileSync(source, 'utf8'));
}

function write(path: string, text: string, force: boolean): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    throw new UserError(`${path} can't be written: ${(cause as Error).message}`, {
      mend: 'Check the folder and its rights, or name another folder.',
      cause,
    });
  }
}

const notes: Record<string, string> = {
  'scenarios/my-scenario.yaml': 'what a run does',
  'scenarios/scenario.schema.json': 'lets editors complete and check scenarios',
  'agents/my-culture.yaml': 'who can speak',
  'topics/my-topics.yaml': 'what they talk about',
  'topics/my-topic.csv': 'the answers to one of these topics',
  '.env.example': 'keys: copy it to .env',
};

/** The files for the eye: the prompts as one line. */
function described(files: Map<string, string>): string[] {
  const own = [...files.keys()].filter((file) => file in notes);
  const prompts = `what the models are told (${files.size - own.length} files); delete those you keep as they are`;
  return [...own.map((file) => [file, notes[file] as string]), ['agents/prompts/', prompts]].map(
    ([file, note]) => `  ${file?.padEnd(32)}${note}`,
  );
}
