import type { CommandModule } from 'yargs';
import { stageNames, type StageName } from '../refinement/types.ts';
import type { Context } from './program.ts';
import { dbOption, jsonOption, numeric, several, single } from './options.ts';
import { embedderOf, runOptions } from './run.ts';

/** The stages that a refinement can begin with; quotes are grounded as opinions are extracted. */
const startStages = stageNames.filter((name) => !/^(read_|ground)/.test(name));

export const refineCommand = (context: Context): CommandModule => ({
  command: 'refine [run]',
  describe: "Refine a finished run's opinions again with other settings; what is unchanged is not paid again",
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', describe: 'Id of the run; the newest when left out' })
      .options({
        db: dbOption,
        set: {
          type: 'string',
          describe: 'Change a key of the scenario: path=value (may be repeated)',
          requiresArg: true,
        },
        from: {
          type: 'string',
          choices: startStages,
          describe: 'Begin with this stage: those before it are taken as they stand',
          requiresArg: true,
        },
        diff: {
          type: 'boolean',
          describe: 'Say what would change, and what it would cost; change nothing',
          default: false,
        },
        embedder: {
          type: 'string',
          describe: 'Make the clusters anew with this embedder: openai:NAME, local:FILE.gguf or none',
          requiresArg: true,
        },
        'max-calls': runOptions['max-calls'],
        'max-cost': runOptions['max-cost'],
        json: jsonOption,
      })
      .example('$0 refine --set refinement.threshold=0.85', 'Merge only what is nearly the same')
      .example('$0 refine abc123 --set refinement.include_rewritten=true', 'Let verified rewrites in')
      .example(
        '$0 refine abc123 --from deduplicate --set refinement.threshold=0.85 --diff',
        'What that would change',
      ),
  handler: async (argv) => {
    const { refineFromFlags } = await import('./refine-handler.ts');
    context.exitCode = await refineFromFlags({
      run: argv['run'] as string | undefined,
      db: single('db', argv['db']) as string,
      set: [...several(argv['set']), ...embedderOf(argv['embedder'])],
      from: single('from', argv['from']) as StageName | undefined,
      diff: argv['diff'] === true,
      maxCalls: numeric('max-calls', argv['maxCalls'], { least: 0 }),
      maxCost: numeric('max-cost', argv['maxCost'], { whole: false, least: 0 }),
      json: argv['json'] === true,
      verbose: argv['verbose'] === true,
    });
  },
});
