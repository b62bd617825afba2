import type { CommandModule } from 'yargs';
import { dbOption, jsonOption, numeric, single } from './options.ts';
import type { Context } from './program.ts';

export const calibrateCommand = (context: Context): CommandModule => ({
  command: 'calibrate',
  describe: 'Measure how far a model can be trusted as verifier and reader',
  builder: (yargs) =>
    yargs
      .options({
        model: {
          type: 'string',
          describe: 'The judge: openai:NAME, PROVIDER:NAME, local, local:FILE.gguf, scripted',
          requiresArg: true,
        },
        'base-url': {
          type: 'string',
          describe: 'OpenAI-compatible endpoint (else OPENAI_BASE_URL)',
          requiresArg: true,
        },
        role: { type: 'string', describe: 'verifier, reader or both', default: 'both', requiresArg: true },
        language: {
          type: 'string',
          describe: 'Languages of the dialogues, as en,tr, or all [default: en; with --from-reviews all]',
          requiresArg: true,
        },
        limit: { type: 'string', describe: 'At most so many pairs a language', requiresArg: true },
        'from-reviews': {
          type: 'boolean',
          describe: "Use people's marks on opinions instead of labelled pairs; asks no model",
          default: false,
        },
        concurrency: { type: 'string', describe: 'Calls in flight', default: '16', requiresArg: true },
        'max-calls': { type: 'string', describe: 'Stop before call N + 1 (resumable)', requiresArg: true },
        'max-cost': {
          type: 'string',
          describe: 'Stop before this many US dollars are passed (resumable)',
          requiresArg: true,
        },
        'dry-run': {
          type: 'boolean',
          describe: 'Say what it would ask and may cost; pay nothing',
          default: false,
        },
        db: dbOption,
        json: jsonOption,
      })
      .example('$0 models calibrate --model openai:gpt-4o-mini --dry-run', 'How many calls, at what price')
      .example(
        '$0 models calibrate --model openai:gpt-4o-mini --role verifier --language en,tr --max-cost 1',
        'The judge of English and Turkish dialogues',
      )
      .example('$0 models calibrate --from-reviews', "By people's marks"),
  handler: async (argv) => {
    const { calibrateFromFlags } = await import('./calibrate-handler.ts');
    context.exitCode = await calibrateFromFlags({
      model: single('model', argv['model']),
      baseUrl: single('base-url', argv['baseUrl']),
      role: single('role', argv['role']) as string,
      language: single('language', argv['language']),
      limit: numeric('limit', argv['limit']),
      fromReviews: argv['fromReviews'] === true,
      concurrency: numeric('concurrency', argv['concurrency']) as number,
      maxCalls: numeric('max-calls', argv['maxCalls'], { least: 0 }),
      maxCost: numeric('max-cost', argv['maxCost'], { whole: false, least: 0 }),
      dryRun: argv['dryRun'] === true,
      db: single('db', argv['db']) as string,
      json: argv['json'] === true,
    });
  },
});
