import type { CommandModule } from 'yargs';
import { marks, type Mark } from '../refinement/types.ts';
import { dbOption, jsonOption, single } from './options.ts';
import type { Context } from './program.ts';

export const reviewCommand = (context: Context): CommandModule => ({
  command: 'review <mark> <opinion>',
  describe: 'Say of an opinion what the refinement has to keep to: it survives every re-run, and wins',
  builder: (yargs) =>
    yargs
      .positional('mark', {
        type: 'string',
        choices: marks,
        describe: 'accept, reject, edit (with --text), or clear: take back what was said',
        demandOption: true,
      })
      .positional('opinion', {
        type: 'string',
        describe: 'Id of the opinion; four characters are enough',
        demandOption: true,
      })
      .options({
        db: dbOption,
        text: { type: 'string', describe: 'The words to export instead (edit)', requiresArg: true },
        note: { type: 'string', describe: 'Why; `why OPINION` shows it', requiresArg: true },
        reviewer: {
          type: 'string',
          describe: 'Who says so; never exported [default: CULTUREPARK_REVIEWER, else "person"]',
          requiresArg: true,
        },
        json: jsonOption,
      })
      .example('$0 review reject kx2n5w6q --note "Nobody there says this"', 'Keep it out for good')
      .example(
        '$0 review edit kx2n5w6q --text "Parents come first."',
        'Export other words, labelled as edited',
      ),
  handler: async (argv) => {
    const { reviewFromFlags } = await import('./review-handler.ts');
    context.exitCode = await reviewFromFlags({
      mark: argv['mark'] as Mark,
      opinion: String(argv['opinion']),
      db: single('db', argv['db']) as string,
      text: single('text', argv['text']),
      note: single('note', argv['note']),
      reviewer: single('reviewer', argv['reviewer']),
      json: argv['json'] === true,
    });
  },
});
