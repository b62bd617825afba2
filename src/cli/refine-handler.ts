import { refineRun } from '../pipeline/run.ts';
import { openStore } from '../store/store.ts';
import { observe } from '../telemetry/observe.ts';
import { checkCap } from './cap.ts';
import { modelEnvironment } from './environment.ts';
import { err, out } from './output.ts';
import { createReporter } from './reporter.ts';

/** Refines a finished run again and says how its opinions ended. */
export async function refineFromFlags(flags: {
  run: string | undefined;
  db: string;
  set: string[];
  maxCalls: number | undefined;
  maxCost: number | undefined;
  json: boolean;
  verbose: boolean;
}): Promise<number> {
  const reporter = createReporter(flags.json ? process.stderr : process.stdout, { verbose: flags.verbose });
  const observed = await observe(
    { ...reporter, approve: ({ routes }) => checkCap(routes, flags.maxCost) },
    {
      database: flags.db,
      verbose: flags.verbose,
      flags: { set: flags.set, maxCalls: flags.maxCalls, maxCost: flags.maxCost },
      warn: reporter.say,
    },
  );
  const store = openStore(flags.db, { existing: true });
  try {
    const result = await refineRun(
      {
        store,
        out: '',
        maxCalls: flags.maxCalls,
        maxCost: flags.maxCost,
        model: modelEnvironment(undefined),
        watch: observed.watch,
      },
      flags.run,
      flags.set,
    );
    reporter.close();
    const { opinions, run_id: id } = result;
    if (flags.json) out(JSON.stringify(result));
    else
      out(
        `Run ${id}: ${opinions.extracted} opinions extracted, ${opinions.duplicate} said before, ${opinions.accepted} accepted. Export them again: culturepark export ${id}`,
      );
    return 0;
  } catch (error) {
    reporter.close();
    if (observed.logFile) err(`Log: ${observed.logFile}`);
    throw error;
  } finally {
    reporter.close();
    await observed.close();
    await store.close();
  }
}
