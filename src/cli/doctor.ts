import type { CommandModule } from 'yargs';
import { dbOption, jsonOption, outOption, single } from './options.ts';
import type { Context } from './program.ts';

export const doctorCommand = (context: Context): CommandModule => ({
  command: 'doctor',
  describe: 'Check this machine, the database and the way to the models, and say how to mend what is wrong',
  builder: (yargs) =>
    yargs
      .options({
        db: dbOption,
        out: outOption,
        'base-url': {
          type: 'string',
          describe: 'OpenAI-compatible endpoint (else OPENAI_BASE_URL)',
          requiresArg: true,
        },
        json: jsonOption,
      })
      .example('$0 doctor', 'Everything; ends with 1 when something failed')
      .example('$0 doctor --base-url http://127.0.0.1:11434/v1', 'Is the server there?'),
  handler: async (argv) => {
    const { doctor } = await import('./doctor-handler.ts');
    context.exitCode = await doctor({
      db: single('db', argv['db']) as string,
      out: single('out', argv['out']) as string,
      baseUrl: single('base-url', argv['baseUrl']),
      json: argv['json'] === true,
    });
  },
});
