import type { CommandModule } from 'yargs';
import { dbOption, single } from './options.ts';
import type { Context } from './program.ts';

export const runsCommand = (context: Context): CommandModule => ({
  command: 'runs',
  describe: 'List the runs of a database, with their progress and cost',
  builder: (yargs) =>
    yargs
      .options({
        watch: {
          type: 'boolean',
          describe: 'Redraw every 2 seconds until no run is under way',
          default: false,
        },
        costs: { type: 'boolean', describe: 'Show the money by stage and role', default: false },
        db: dbOption,
        json: { type: 'boolean', describe: 'Print one JSON array', default: false },
      })
      .example('$0 runs', 'All runs, the newest first')
      .example('$0 runs --watch', 'Follow a run from a second terminal')
      .example('$0 runs --costs', 'What each stage and role paid')
      .example('$0 runs --watch --json', 'Wait until no run is under way, then print the array'),
  handler: async (argv) => {
    const { runs } = await import('./runs-handler.ts');
    context.exitCode = await runs({
      watch: argv['watch'] === true,
      costs: argv['costs'] === true,
      db: single('db', argv['db']) as string,
      json: argv['json'] === true,
    });
  },
});
