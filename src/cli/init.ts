import type { CommandModule } from 'yargs';
import type { Context } from './program.ts';

export const initCommand = (_context: Context): CommandModule => ({
  command: 'init [dir]',
  describe: 'Write a scenario, a culture, topics and the prompts to edit',
  builder: (yargs) =>
    yargs
      .positional('dir', { type: 'string', describe: 'Folder to write into', default: '.' })
      .options({ force: { type: 'boolean', describe: 'Overwrite files that are there', default: false } })
      .example('$0 init', 'Into this folder; no file that exists is touched')
      .example('$0 init my-park', 'Into a new folder'),
  handler: async (argv) => {
    const { init } = await import('./init-handler.ts');
    init(String(argv['dir']), { force: argv['force'] === true });
  },
});
