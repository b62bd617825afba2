import type { CommandModule } from 'yargs';
import { dbOption, single } from './options.ts';
import type { Context } from './program.ts';

export const whyCommand = (context: Context): CommandModule => ({
  command: 'why <id>',
  describe: 'Say why a row is there, or why it was dropped: from sample to survey cell',
  builder: (yargs) =>
    yargs
      .positional('id', {
        type: 'string',
        describe: 'Id of a sample, opinion, turn (DIALOGUE/INDEX) or dialogue; four characters are enough',
        demandOption: true,
      })
      .options({ db: dbOption, json: { type: 'boolean', describe: 'Print one JSON object', default: false } })
      .example('$0 why kx2n5w6q', 'The whole chain behind a training row (sample_id in rows.csv)')
      .example('$0 why itx3n4vt/3', 'What came of one turn, and why')
      .example('$0 why itx3n4vt', 'Why a dialogue ended'),
  handler: async (argv) => {
    const { why } = await import('./why-handler.ts');
    context.exitCode = await why({
      id: String(argv['id']),
      db: single('db', argv['db']) as string,
      json: argv['json'] === true,
    });
  },
});
