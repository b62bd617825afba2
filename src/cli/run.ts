import type { CommandModule } from 'yargs';
import { dbOption, jsonOption, numeric, outOption, several, single } from './options.ts';
import type { Context } from './program.ts';

/** Options of `run` that `resume` has too. */
export const runOptions = {
  'base-url': {
    type: 'string',
    describe: 'OpenAI-compatible endpoint (else OPENAI_BASE_URL)',
    requiresArg: true,
  },
  db: dbOption,
  out: outOption,
  concurrency: { type: 'string', describe: 'Calls in flight', requiresArg: true },
  'max-calls': { type: 'string', describe: 'Stop before call N + 1 (resumable)', requiresArg: true },
  'max-cost': {
    type: 'string',
    describe: 'Stop before this many US dollars are passed (resumable)',
    requiresArg: true,
  },
  'retry-failed': { type: 'boolean', describe: 'Hold flagged and failed dialogues again', default: false },
  'include-scripted': { type: 'boolean', describe: 'Export rows of the scripted model too', default: false },
  json: jsonOption,
} as const;

export const runCommand = (context: Context): CommandModule => ({
  command: 'run <scenario>',
  describe: 'Simulate, refine and export a scenario (or continue it)',
  builder: (yargs) =>
    yargs
      .positional('scenario', {
        type: 'string',
        describe: 'A path, or the name of a shipped scenario',
        demandOption: true,
      })
      .options({
        model: {
          type: 'string',
          describe: 'Model for every chat role: openai:NAME, PROVIDER:NAME, local, local:FILE.gguf, scripted',
          requiresArg: true,
        },
        embedder: {
          type: 'string',
          describe:
            'Finds opinions that say the same in other words: openai:NAME, local:FILE.gguf or none (the default)',
          requiresArg: true,
        },
        seed: { type: 'string', describe: 'Fixes every draw', requiresArg: true },
        set: {
          type: 'string',
          describe: 'Change a key of the scenario: path=value (may be repeated)',
          requiresArg: true,
        },
        new: {
          type: 'boolean',
          describe: 'Start another run even where one with the same settings is there',
          default: false,
        },
        'dry-run': {
          type: 'boolean',
          describe: 'Show the cells, the first prompts and the estimate; pay nothing',
          default: false,
        },
        force: {
          type: 'boolean',
          describe: 'Run although the model does not speak the language',
          default: false,
        },
        ...runOptions,
      })
      .example('$0 run quickstart', 'A small run with the model that is at hand')
      .example(
        '$0 run culturepark --model openai:gpt-4o-mini --max-cost 5',
        'The published set-up, with a cap',
      )
      .example(
        '$0 run debate --set dialogues_per_cell=3 --dry-run',
        'What would be asked, and what it may cost',
      ),
  handler: async (argv) => {
    const { runFromFlags } = await import('./run-handler.ts');
    context.exitCode = await runFromFlags({
      ...flagsOf(argv),
      kind: 'run',
      scenario: String(argv['scenario']),
      model: single('model', argv['model']),
      seed: numeric('seed', argv['seed'], { least: 0 }),
      set: [...several(argv['set']), ...embedderOf(argv['embedder'])],
      fresh: argv['new'] === true,
      dryRun: argv['dryRun'] === true,
      force: argv['force'] === true,
    });
  },
});

/** `--embedder` as a change of the scenario. */
export function embedderOf(value: unknown): string[] {
  const embedder = single('embedder', value);
  return embedder === undefined ? [] : [`embedder=${embedder}`];
}

/** The flags that `run` and `resume` share, checked. */
export function flagsOf(argv: Record<string, unknown>) {
  return {
    baseUrl: single('base-url', argv['baseUrl']),
    db: single('db', argv['db']) as string,
    out: single('out', argv['out']) as string,
    concurrency: numeric('concurrency', argv['concurrency']),
    maxCalls: numeric('max-calls', argv['maxCalls'], { least: 0 }),
    maxCost: numeric('max-cost', argv['maxCost'], { whole: false, least: 0 }),
    retryFailed: argv['retryFailed'] === true,
    includeScripted: argv['includeScripted'] === true,
    json: argv['json'] === true,
    verbose: argv['verbose'] === true,
  };
}
