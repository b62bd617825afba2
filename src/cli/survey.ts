import type { CommandModule } from 'yargs';
import { jsonOption, several, single } from './options.ts';
import type { Context } from './program.ts';

export const surveyCommand = (_context: Context): CommandModule => ({
  command: 'survey',
  describe: 'Look at the survey: its topics, what people answered, and what was not asked',
  builder: (yargs) =>
    yargs
      .command(list)
      .command(show)
      .command(coverage)
      .demandCommand(1, 'Name what to see of the survey: list, show or coverage.')
      .example('$0 survey show Q27 --culture turkish', 'What people in Turkey answered')
      .example('$0 survey coverage', 'Which culture was not asked what'),
  handler: () => {},
});

const list: CommandModule = {
  command: 'list',
  describe: 'The topics',
  builder: (yargs) =>
    yargs
      .options({
        theme: { type: 'string', describe: 'Topics of one theme only', requiresArg: true },
        json: jsonOption,
      })
      .example('$0 survey list', 'All topics')
      .example('$0 survey list --theme migration', 'Those on migration'),
  handler: async (argv) => {
    const { listTopics } = await import('./survey-handler.ts');
    listTopics({ theme: single('theme', argv['theme']), json: argv['json'] === true });
  },
};

const show: CommandModule = {
  command: 'show <topic>',
  describe: 'What people answered on a topic (respondents, unweighted)',
  builder: (yargs) =>
    yargs
      .positional('topic', {
        type: 'string',
        describe: 'Id of a topic, as in `survey list`',
        demandOption: true,
      })
      .options({
        country: {
          type: 'string',
          describe: 'Three-letter code of a country (may be repeated); all when left out',
          requiresArg: true,
        },
        culture: {
          type: 'string',
          describe: 'The countries of a culture, and their mixture',
          requiresArg: true,
        },
        language: {
          type: 'string',
          describe: 'Statement and answers in a language (two letters)',
          requiresArg: true,
        },
        json: jsonOption,
      })
      .example('$0 survey show Q27', 'Every country')
      .example('$0 survey show Q27 --country TUR --country DEU', 'Two of them')
      .example(
        '$0 survey show Q36 --culture arabic --language ar',
        'A culture and its mixture, in its language',
      ),
  handler: async (argv) => {
    const { showTopic } = await import('./survey-show.ts');
    showTopic({
      topic: String(argv['topic']),
      countries: several(argv['country']).flatMap((codes) => codes.split(',').filter((code) => code !== '')),
      culture: single('culture', argv['culture']),
      language: single('language', argv['language']),
      json: argv['json'] === true,
    });
  },
};

const coverage: CommandModule = {
  command: 'coverage',
  describe: 'Which cultures have answers on which topics',
  builder: (yargs) =>
    yargs
      .options({
        culture: { type: 'string', describe: 'One culture only', requiresArg: true },
        json: jsonOption,
      })
      .example('$0 survey coverage', 'All cultures')
      .example('$0 survey coverage --culture chinese', 'What was not asked in China'),
  handler: async (argv) => {
    const { showCoverage } = await import('./survey-handler.ts');
    showCoverage({ culture: single('culture', argv['culture']), json: argv['json'] === true });
  },
};
