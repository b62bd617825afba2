import type { CommandModule } from 'yargs';
import { UserError } from '../errors.ts';
import { opinionFlags, type OpinionFlag } from '../refinement/types.ts';
import { dbOption, jsonOption, outOption, shareOf, single } from './options.ts';
import type { Context } from './program.ts';

/** The flags of a comma-separated list; `none` is the empty one. */
function flagsOf(list: string | undefined): OpinionFlag[] | undefined {
  if (list === undefined) return undefined;
  const names = list.split(',').map((name) => name.trim());
  if (names.length === 1 && names[0] === 'none') return [];
  return names.map((name) => {
    const flag = opinionFlags.find((known) => known === name);
    if (flag) return flag;
    throw new UserError(`--exclude-flags ${list}: there is no flag "${name}".`, {
      mend: `Known: ${opinionFlags.join(', ')}; or none.`,
    });
  });
}

export const exportCommand = (_context: Context): CommandModule => ({
  command: 'export [runs..]',
  describe: 'Write the training files of one or more runs again',
  builder: (yargs) =>
    yargs
      .positional('runs', { type: 'string', array: true, describe: 'Ids of runs; the newest when left out' })
      .options({
        db: dbOption,
        out: outOption,
        name: {
          type: 'string',
          describe: 'Name of the folder; needed for several runs together',
          requiresArg: true,
        },
        'include-scripted': {
          type: 'boolean',
          describe: 'Export rows of the scripted model too',
          default: false,
        },
        'require-calibrated': {
          type: 'string',
          describe: "Refuse unless each culture's verifier has this lower 95% bound (0 to 1) in its language",
          requiresArg: true,
        },
        'exclude-flags': {
          type: 'string',
          describe: `Leave out rows flagged so, as hateful,stereotype, or none [default: the scenario's export.exclude_flags]`,
          requiresArg: true,
        },
        json: jsonOption,
      })
      .example('$0 export', 'The newest run')
      .example('$0 export abc123 def456 --name both', 'Two runs in one folder')
      .example('$0 export --require-calibrated 0.7', 'Only what a calibrated judge let in'),
  handler: async (argv) => {
    const { exportRuns } = await import('../pipeline/export-runs.ts');
    const { openStore } = await import('../store/store.ts');
    const { getRun } = await import('../store/runs.ts');
    const { out } = await import('./output.ts');
    const least = shareOf('require-calibrated', argv['requireCalibrated']);
    const excludeFlags = flagsOf(single('exclude-flags', argv['excludeFlags']));
    const store = openStore(single('db', argv['db']) as string, { existing: true });
    try {
      const ids = (argv['runs'] as string[] | undefined) ?? [];
      const runs =
        ids.length === 0 ? [await getRun(store)] : await Promise.all(ids.map((id) => getRun(store, id)));
      const exported = await exportRuns({
        store,
        runs,
        out: single('out', argv['out']) as string,
        name: single('name', argv['name']),
        requireCalibrated: least,
        excludeFlags,
        ...(argv['includeScripted'] === true ? { includeScripted: true } : {}),
      });
      if (argv['json'] === true) out(JSON.stringify(exported));
      else {
        out(`${exported.rows} rows in ${exported.folder}`);
        if (exported.scriptedLeftOut > 0)
          out(
            `${exported.scriptedLeftOut} rows of the scripted model were left out; --include-scripted takes them in.`,
          );
        if (exported.flaggedLeftOut > 0)
          out(`${exported.flaggedLeftOut} rows were left out for their flags.`);
        for (const { culture, reason } of exported.empty) out(`${culture} has no rows: ${reason}.`);
      }
    } finally {
      await store.close();
    }
  },
});
