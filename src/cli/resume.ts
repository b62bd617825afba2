import type { CommandModule } from 'yargs';
import type { Context } from './program.ts';
import { flagsOf, runOptions } from './run.ts';

export const resumeCommand = (context: Context): CommandModule => ({
  command: 'resume [run]',
  describe: 'Continue a run with the models and prompts that it began with',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', describe: 'Id of the run; the newest when left out' })
      .options(runOptions)
      .example('$0 resume', 'Continue the newest run')
      .example('$0 resume --retry-failed', 'Hold its flagged dialogues again'),
  handler: async (argv) => {
    const { runFromFlags } = await import('./run-handler.ts');
    context.exitCode = await runFromFlags({
      ...flagsOf(argv),
      kind: 'resume',
      run: argv['run'] as string | undefined,
    });
  },
});
