import type { CommandModule } from 'yargs';
import { dbOption, numeric, several, single } from './options.ts';
import type { Context } from './program.ts';

export const searchCommand = (context: Context): CommandModule => ({
  command: 'search <words..>',
  describe: 'Find turns and opinions that hold all of some words, in any language',
  builder: (yargs) =>
    yargs
      .positional('words', { type: 'string', array: true, describe: 'Words to find', demandOption: true })
      .options({
        limit: { type: 'string', describe: 'Show at most so many', default: '20', requiresArg: true },
        db: dbOption,
        json: { type: 'boolean', describe: 'Print one JSON array', default: false },
      })
      .example('$0 search religion science', 'Texts with both words, best first')
      .example('$0 search 信任 --limit 5', 'Chinese, Korean, Arabic and others too'),
  handler: async (argv) => {
    const { search } = await import('./search-handler.ts');
    context.exitCode = await search({
      words: several(argv['words']).join(' '),
      limit: numeric('limit', argv['limit']) as number,
      db: single('db', argv['db']) as string,
      json: argv['json'] === true,
    });
  },
});
