import { diffRun, refineRun } from '../pipeline/run.ts';
import type { StageName } from '../refinement/types.ts';
import { openStore } from '../store/store.ts';
import { observe } from '../telemetry/observe.ts';
import { checkCap } from './cap.ts';
import { modelEnvironment } from './environment.ts';
import { err, out } from './output.ts';
import { diffText } from './refine-diff.ts';
import { createReporter } from './reporter.ts';

/** Refines a finished run again and says how its opinions ended. */
export async function refineFromFlags(flags: {
  run: string | undefined;
  db: string;
  set: string[];
  from: StageName | undefined;
  diff: boolean;
  maxCalls: number | undefined;
  maxCost: number | undefined;
  json: boolean;
  verbose: boolean;
}): Promise<number> {
  if (flags.diff) return showDiff(flags);
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
      flags.from,
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

/** Says what a refinement would change; the database is only read. */
async function showDiff(flags: {
  run: string | undefined;
  db: string;
  set: string[];
  from: StageName | undefined;
  json: boolean;
}): Promise<number> {
  const store = openStore(flags.db, { readonly: true });
  try {
    const diff = await diffRun(
      { store, out: '', model: modelEnvironment(undefined), watch: { say: err } },
      flags.run,
      flags.set,
      flags.from,
    );
    out(flags.json ? JSON.stringify(diff) : diffText(diff));
    return 0;
  } finally {
    await store.close();
  }
}
