import type { CommandModule } from 'yargs';
import { dbOption, jsonOption, single } from './options.ts';
import type { Context } from './program.ts';

export const dbCommand = (_context: Context): CommandModule => ({
  command: 'db',
  describe: 'Look after the database',
  builder: (yargs) =>
    yargs
      .command(backup)
      .command(upgrade)
      .demandCommand(1, 'Name what to do with the database: backup or upgrade.')
      .example('$0 db backup backups/monday.db', 'A checked copy'),
  handler: () => {},
});

const backup: CommandModule = {
  command: 'backup <file>',
  describe: 'Copy the whole database into a new file, also while a run goes on, and check the copy',
  builder: (yargs) =>
    yargs
      .positional('file', {
        type: 'string',
        describe: 'The new file; one that exists is never overwritten',
        demandOption: true,
      })
      .options({ db: dbOption, json: jsonOption })
      .example('$0 db backup backups/monday.db', 'Copy db/culturepark.db')
      .example('$0 db backup copy.db --db other.db', 'Copy another database'),
  handler: async (argv) => {
    const { backupDatabase } = await import('./db-handler.ts');
    await backupDatabase({
      db: single('db', argv['db']) as string,
      file: String(argv['file']),
      json: argv['json'] === true,
    });
  },
};

const upgrade: CommandModule = {
  command: 'upgrade',
  describe:
    'Bring the database of an older culturepark up to this one, with a copy beside it; runs do so by themselves',
  builder: (yargs) => yargs.options({ db: dbOption }),
  handler: async (argv) => {
    const { upgradeDatabase } = await import('./db-handler.ts');
    await upgradeDatabase(single('db', argv['db']) as string);
  },
};
