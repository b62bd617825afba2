import { existsSync } from 'node:fs';
import yargs from 'yargs';
import { RunStopped, UserError } from '../errors.ts';
import { version } from '../version.ts';
import { dbCommand } from './db.ts';
import { doctorCommand } from './doctor.ts';
import { estimateCommand } from './estimate.ts';
import { exportCommand } from './export.ts';
import { initCommand } from './init.ts';
import { inspectCommand } from './inspect.ts';
import { modelsCommand } from './models.ts';
import { err } from './output.ts';
import { refineCommand } from './refine.ts';
import { reportCommand } from './report.ts';
import { resumeCommand } from './resume.ts';
import { reviewCommand } from './review.ts';
import { runCommand } from './run.ts';
import { runsCommand } from './runs.ts';
import { searchCommand } from './search.ts';
import { surveyCommand } from './survey.ts';
import { paint, printable } from './text.ts';
import { whyCommand } from './why.ts';

/** What the handlers share: the exit code that they end with. */
export interface Context {
  exitCode: number;
}

const commands = [
  initCommand,
  runCommand,
  resumeCommand,
  estimateCommand,
  runsCommand,
  refineCommand,
  reviewCommand,
  exportCommand,
  reportCommand,
  inspectCommand,
  whyCommand,
  searchCommand,
  surveyCommand,
  modelsCommand,
  dbCommand,
  doctorCommand,
];

/** Runs a command line; returns the exit code: 0 done, 1 the user can mend it, 2 our fault, 3 budget or quota, 130 or 143 interrupted. */
export async function main(argv: readonly string[]): Promise<number> {
  const context: Context = { exitCode: 0 };
  try {
    if (existsSync('.env')) process.loadEnvFile('.env');
    const parser = yargs([...argv])
      .scriptName('culturepark')
      .usage('Cultural training data from simulated conversations.\n\n$0 COMMAND')
      .parserConfiguration({
        'greedy-arrays': false,
        'parse-positional-numbers': false,
        'duplicate-arguments-array': true,
        'parse-numbers': false,
        'boolean-negation': false,
      })
      .option('verbose', { type: 'boolean', describe: 'Say more', global: true, default: false })
      .demandCommand(1, 'Name a command.')
      .recommendCommands()
      .strict()
      .help()
      .alias('h', 'help')
      .version(version)
      .wrap(Math.min(110, process.stdout.columns ?? 100))
      .exitProcess(false)
      .fail((message, error) => {
        throw (
          error ?? new UserError(message, { mend: 'See `culturepark --help`, or the --help of the command.' })
        );
      });
    for (const command of commands) parser.command(command(context));
    await parser.parseAsync();
    return context.exitCode;
  } catch (error) {
    return explain(error, argv.includes('--verbose'));
  }
}

/** What nobody caught ends the process; it is said as other errors are, without keys. */
export async function crash(error: unknown): Promise<void> {
  process.exit(await explain(error, process.argv.includes('--verbose')));
}

/** The one place that turns an error into a message and an exit code. */
async function explain(error: unknown, verbose: boolean): Promise<number> {
  const { redact } = await import('../models/secrets.ts');
  const safe = (text: string): string => printable(redact(text));
  if (error instanceof UserError || error instanceof RunStopped) {
    err(`${paint('red', 'Error:', process.stderr)} ${safe(error.message)}`);
    if (error.mend) err(safe(error.mend));
    if (verbose && error.cause instanceof Error) err(safe(error.cause.stack ?? error.cause.message));
    return error instanceof RunStopped && error.reason === 'budget' ? 3 : 1;
  }
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (code === 'EPIPE') return 0;
  if (code === 'ENOSPC') {
    err(
      'Error: there is no room left on the disk.\nFree some space and run the same command again; what is stored stays.',
    );
    return 1;
  }
  if (/^no such (table|column): /.test(message ?? '')) {
    err(
      'Error: the database was written by an older culturepark, and this command only reads.\nBring it up, with a copy beside it: culturepark db upgrade --db FILE',
    );
    if (verbose) err(safe(stack ?? ''));
    return 1;
  }
  err(`This is a fault of culturepark, not yours: ${safe(message ?? String(error))}`);
  err(
    verbose
      ? safe(stack ?? '')
      : 'Run it again with --verbose for the details, and report them. What is stored stays.',
  );
  return 2;
}
