/**
 * What a user does: packs the package, installs the tarball in an empty folder with the npm at hand, and runs the
 * quickstart there with the scripted model. Where no prebuilt SQLite can be had, compiling it takes two minutes.
 *
 *     npm run check:install
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));
const user = realpathSync(mkdtempSync(join(tmpdir(), 'culturepark-install-')));

/** Runs a command; gives what it printed, or ends the check with that. */
function run(command, args, cwd = user) {
  const started = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`);
  return { stdout, stderr, seconds: Math.round((performance.now() - started) / 1000) };
}

/** npm is a script of Node's; Windows can't start its .cmd without a shell. */
function npm(args, cwd) {
  const beside = join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const script = [process.env.npm_execpath, beside].find((file) => file?.endsWith('.js') && existsSync(file));
  return script ? run(process.execPath, [script, ...args], cwd) : run('npm', args, cwd);
}

try {
  console.log(`node ${process.version}, npm ${npm(['--version']).stdout.trim()}`);
  npm(['pack', '--pack-destination', user], repository);
  const tarball = readdirSync(user).find((name) => name.endsWith('.tgz'));

  // npm 12 runs only the install scripts that the user's own package.json names.
  writeFileSync(
    join(user, 'package.json'),
    JSON.stringify({ private: true, allowScripts: { 'better-sqlite3': true } }),
  );
  const installed = npm(['install', '--no-audit', '--no-fund', `./${tarball}`]);
  console.log(`npm install ${tarball}: ${installed.seconds} s`);
  if (installed.stderr) console.log(installed.stderr.trim());
  console.log(`culturepark ${npm(['exec', '--no', '--', 'culturepark', '--version']).stdout.trim()}`);

  const args = ['run', 'quickstart', '--model', 'scripted', '--include-scripted', '--json'];
  const { stdout } = run(process.execPath, [join('node_modules', 'culturepark', 'dist', 'cli.js'), ...args]);
  const { status, samples, exports } = JSON.parse(stdout.trim().split('\n').at(-1));
  if (status !== 'finished' || exports.length === 0 || !exports.every((path) => existsSync(path)))
    throw new Error(stdout);
  console.log(`quickstart ${status}: ${samples} samples, ${exports.length} exports`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(user, { recursive: true, force: true });
}
