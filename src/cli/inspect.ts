import type { CommandModule } from 'yargs';
import { dbOption, single } from './options.ts';
import type { Context } from './program.ts';

export const inspectCommand = (context: Context): CommandModule => ({
  command: 'inspect <kind> <id>',
  describe: 'Show a run, dialogue, turn, opinion, cluster, sample, call or persona',
  builder: (yargs) =>
    yargs
      .positional('kind', {
        type: 'string',
        describe: 'run, dialogue, turn, opinion, cluster, sample, call or persona',
        demandOption: true,
      })
      .positional('id', {
        type: 'string',
        describe: 'Its id, or the first four characters or more; a turn is DIALOGUE/INDEX',
        demandOption: true,
      })
      .options({ db: dbOption, json: { type: 'boolean', describe: 'Print one JSON object', default: false } })
      .example('$0 inspect run 7mqk', 'Figures, money and first dialogues of a run')
      .example('$0 inspect dialogue itx3n4vt', 'Read a conversation, with what was taken from it')
      .example('$0 inspect turn itx3n4vt/3', 'One turn, and the call that made it')
      .example('$0 inspect call uas4rxqt --json', 'The exact messages of a request, for scripts'),
  handler: async (argv) => {
    const { inspect } = await import('./inspect-handler.ts');
    context.exitCode = await inspect({
      kind: String(argv['kind']),
      id: String(argv['id']),
      db: single('db', argv['db']) as string,
      json: argv['json'] === true,
    });
  },
});
