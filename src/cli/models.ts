import type { CommandModule } from 'yargs';
import { calibrateCommand } from './calibrate.ts';
import { jsonOption } from './options.ts';
import type { Context } from './program.ts';

export const modelsCommand = (context: Context): CommandModule => ({
  command: 'models',
  describe: 'Show the models that can be named, fetch a local one, or calibrate a judge',
  builder: (yargs) =>
    yargs
      .command(list)
      .command(fetch)
      .command(calibrateCommand(context))
      .demandCommand(1, 'Name what to do with the models: list, fetch or calibrate.')
      .example('$0 models list', 'Local models, how to name others, and prices'),
  handler: () => {},
});

const list: CommandModule = {
  command: 'list',
  describe: 'Local models by size, how to name API models, and the price table',
  builder: (yargs) => yargs.options({ json: jsonOption }).example('$0 models list', 'What --model can be'),
  handler: async (argv) => {
    const { listModels } = await import('./models-handler.ts');
    await listModels(argv['json'] === true);
  },
};

const fetch: CommandModule = {
  command: 'fetch [name]',
  describe: 'Fetch a local model into the cache and print its file',
  builder: (yargs) =>
    yargs
      .positional('name', {
        type: 'string',
        describe: 'A name of `models list`, or hf:USER/REPO:QUANT; the small default when left out',
      })
      .options({ json: jsonOption })
      .example('$0 models fetch', 'The small default (98 MB)')
      .example('$0 models fetch Qwen2.5-7B-Instruct', 'One of `models list`')
      .example(
        '$0 models fetch hf:bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M',
        'Any GGUF file of the Hugging Face hub',
      ),
  handler: async (argv) => {
    const { fetchModel } = await import('./models-handler.ts');
    await fetchModel((argv['name'] as string | undefined) ?? '', argv['json'] === true);
  },
};
