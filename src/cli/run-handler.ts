import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { secondVerifier } from '../dialogue/types.ts';
import { duration } from '../duration.ts';
import { UserError } from '../errors.ts';
import { judgesIn } from '../pipeline/routes.ts';
import { checkScenario, resumeRun, runScenario } from '../pipeline/run.ts';
import type { Outlook } from '../pipeline/outlook.ts';
import type { NewRun, RunResult, RunSetting } from '../pipeline/run-types.ts';
import { modelInWords, modelsOf } from '../models/route.ts';
import { openStore, type Store } from '../store/store.ts';
import { observe } from '../telemetry/observe.ts';
import { checkCap, unpricedIn } from './cap.ts';
import { dryRun } from './dry-run.ts';
import { modelEnvironment } from './environment.ts';
import { amountText, estimateLine, fallbackText, spentText } from './money.ts';
import { err, out } from './output.ts';
import { createReporter, type Reporter } from './reporter.ts';
import type { flagsOf } from './run.ts';
import { dollars, paint } from './text.ts';

type Flags = ReturnType<typeof flagsOf> &
  (
    | {
        kind: 'run';
        scenario: string;
        model: string | undefined;
        seed: number | undefined;
        set: string[];
        fresh: boolean;
        dryRun: boolean;
        force: boolean;
      }
    | { kind: 'resume'; run: string | undefined }
  );

/** Starts or resumes a run, shows it, prints what came of it; returns the exit code. */
export async function runFromFlags(flags: Flags): Promise<number> {
  const environment = modelEnvironment(flags.baseUrl);
  if (flags.kind === 'run' && flags.dryRun) return dryRun(flags, environment);
  const reporter = createReporter(flags.json ? process.stderr : process.stdout, { verbose: flags.verbose });
  const tell = (line: string): void => reporter.say(`${timeOfDay()} ${line}`);
  const { concurrency, maxCalls, maxCost, retryFailed } = flags;
  const observed = await observe(
    {
      ...reporter,
      say: tell,
      approve: (run) => approve(run, flags),
      started: (run) => {
        introduce(run, reporter, flags);
        if (flags.verbose && observed.logFile) reporter.line(`Log: ${observed.logFile}`);
      },
    },
    {
      database: flags.db,
      verbose: flags.verbose,
      flags: { concurrency, maxCalls, maxCost, retryFailed },
      warn: reporter.say,
    },
  );
  const signals = watchSignals((line) => observed.watch.say(line));
  let store: Store | undefined;
  try {
    // What is wrong with a scenario leaves no new database behind.
    if (flags.kind === 'run' && !existsSync(flags.db)) checkScenario(asked(flags, environment), environment);
    store = openStore(flags.db, {
      existing: flags.kind === 'resume',
      patience: { say: (line) => observed.watch.say(line), signal: signals.abort },
    });
    const setting: RunSetting = {
      store,
      out: flags.out,
      concurrency: flags.concurrency,
      maxCalls: flags.maxCalls,
      maxCost: flags.maxCost,
      retryFailed: flags.retryFailed,
      includeScripted: flags.includeScripted || undefined,
      model: environment,
      stop: signals.stop,
      abort: signals.abort,
      watch: observed.watch,
    };
    const result =
      flags.kind === 'resume'
        ? await resumeRun(setting, flags.run)
        : await runScenario(setting, asked(flags, environment));
    reporter.close();
    conclude(result, flags, observed.logFile);
    return exitCode(result, signals.code());
  } catch (error) {
    reporter.close();
    if (observed.logFile) err(`Log: ${observed.logFile}`);
    throw error;
  } finally {
    reporter.close();
    signals.dispose();
    await observed.close();
    await store?.close();
  }
}

const asked = (
  { scenario, set, seed, model, fresh }: Flags & { kind: 'run' },
  { named }: ReturnType<typeof modelEnvironment>,
): NewRun => ({ scenario, set, seed, modelFlag: model, modelEnvironment: named, fresh });

/** Hours and minutes of the clock on the wall: who looks in the morning wants to know when. */
const timeOfDay = (): string => new Date().toTimeString().slice(0, 5);

function exitCode(result: RunResult, signalCode: number): number {
  if (result.status === 'finished') return 0;
  if (result.stop_reason === 'interrupted') return signalCode || 130;
  return result.stop_reason === 'provider' ? 1 : 3;
}

/** First signal: no new calls, those in flight finish. Second: now. A hang-up comes more than once, and is never the second. */
export function watchSignals(say: (line: string) => void): {
  stop: AbortSignal;
  abort: AbortSignal;
  code(): number;
  dispose(): void;
} {
  const stop = new AbortController();
  const abort = new AbortController();
  let code = 0;
  const on = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP' && stop.signal.aborted) return;
    code = 128 + constants.signals[signal];
    if (stop.signal.aborted) {
      say('Stopping now.');
      abort.abort(new Error('interrupted'));
    } else {
      say('Stopping: no new calls; those in flight are finished and stored. Ctrl-C again stops now.');
      stop.abort();
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, on);
  return {
    stop: stop.signal,
    abort: abort.signal,
    code: () => code,
    dispose() {
      for (const signal of signals) process.off(signal, on);
    },
  };
}

type Started = Parameters<NonNullable<RunSetting['watch']['started']>>[0];

type Approved = Pick<Started, 'prepared' | 'routes'>;

/** Refuses, before anything is stored, a language that the model does not speak and a cap that can't hold. */
function approve(run: Approved, flags: Flags): void {
  if (flags.kind === 'run' && !flags.force) checkLanguages(run);
  checkCap(run.routes, flags.maxCost);
}

/** Says what begins: run, provider, model, estimate, and what the model is worth. */
function introduce(run: Started, reporter: Reporter, flags: Flags): void {
  const { prepared, routes, models } = run;
  const names = [
    ...new Set(
      Object.values(models).map(
        ({ provider, model, baseUrl }) => `${model} (${baseUrl ?? provider.slice(0, 19)})`,
      ),
    ),
  ];
  const { scenario } = prepared.props;
  const fallbacks = [...new Set([...routes.values()].flatMap(({ fallback }) => fallback ?? []))];
  const others = [...new Set(fallbacks.map(({ model }) => modelInWords(model)))].join(', ');
  reporter.line(
    `${run.continued ? 'Continuing run' : 'Run'} ${paint('bold', run.id)} of ${prepared.loaded.name} with ${names.join(', ')}${others && `; where a model gives up, ${others}`}`,
  );
  if (run.outlook) introduceMoney(run.outlook, reporter, fallbacks.length > 0);
  const maxCost = flags.maxCost ?? scenario.max_cost;
  const unpriced = unpricedIn(routes);
  if (maxCost !== undefined && unpriced !== '') {
    const calls = flags.maxCalls ?? scenario.max_calls;
    const holds =
      calls === undefined
        ? ' Set max_calls, or give the price in a prices.yaml here (see docs/guide.md).'
        : ` The cap of ${calls} calls does.`;
    reporter.say(
      `The price of ${unpriced} is unknown: the scenario's max_cost of $${maxCost} can't hold.${holds}`,
    );
  }
  for (const line of worth(run)) reporter.say(line);
}

/** What the run was spent on before and what it will come to; the progress line goes on with it. */
function introduceMoney(outlook: Outlook, reporter: Reporter, fallback: boolean): void {
  const estimate = outlook.estimate();
  const { spent, to_go: toGo, reason } = estimate;
  reporter.line(
    spent.calls > 0
      ? `${spentText(estimate)} spent; ${amountText(toGo)} to go (${reason})${fallbackText(fallback)}`
      : `Estimate: ${estimateLine(estimate, fallback)}`,
  );
  reporter.follow(outlook);
}

/** A model that is known to speak some languages only is refused others, unless --force says that it is meant. */
function checkLanguages({ prepared, routes }: Approved): void {
  const spoken =
    prepared.props.scenario.language === 'own'
      ? prepared.config.cultures.map(({ language }) => language)
      : ['en'];
  for (const model of modelsOf(routes.values())) {
    const foreign = [...new Set(spoken)].filter(
      (language) => model.languages && !model.languages.includes(language),
    );
    if (foreign.length > 0) {
      throw new UserError(`The model ${model.model} does not speak ${foreign.join(', ')}.`, {
        mend: 'Use `--set language=english`, another model, or --force if you mean it.',
      });
    }
  }
}

/** What the models at work are worth, in plain words. */
function worth({ fellBack, routes }: Pick<Started, 'fellBack' | 'routes'>): string[] {
  const lines: string[] = [];
  if (fellBack) {
    const bar = '='.repeat(78);
    lines.push(
      `${bar}\nNO LANGUAGE MODEL IS AT HAND. The scripted rehearsal model speaks instead: fixed\nphrases, no language model. Nothing that it says is training data, and the\nexports leave its rows out.\n${bar}`,
    );
  } else if (modelsOf(routes.values()).some(({ scripted }) => scripted)) {
    lines.push(
      'The scripted rehearsal model is no language model: its rows say so, and exports leave them out unless --include-scripted is given.',
    );
  }
  if (routes.has(secondVerifier) && judgesIn((role) => routes.get(role)?.model).length === 1)
    lines.push('The second judge is the same model as the first: it has no vote.');
  if (modelsOf(routes.values()).some((model) => /^SmolLM2-135M/i.test(model.model))) {
    lines.push(
      'The small local model shows the whole thing at work; it is not one to train on. Its turns are bland and often beside the point, and its verdicts are no better than chance.',
    );
  }
  return lines;
}

/** What came of the run, and what to do next. */
function conclude(result: RunResult, flags: Flags, log: string | undefined): void {
  const say = flags.json ? err : out;
  const { dialogues, controls, calls, opinions, readings } = result;
  if (result.left_alone)
    say(`Run ${result.run_id} with these settings is finished already; --new starts another.`);
  if (result.status === 'stopped') {
    say(`\n${paint('yellow', 'Stopped:')} ${result.message}`);
    if (result.mend) say(result.mend);
    if (log) say(`Log: ${log}`);
  }
  say(
    `\nRun ${result.run_id}: ${dialogues.finished} of ${dialogues.planned} dialogues finished${dialogues.flagged ? `, ${dialogues.flagged} flagged` : ''}${controls.planned ? ` + ${controls.finished} of ${controls.planned} controls` : ''}; ` +
      `${calls.made} calls made${calls.retried ? ` (and ${calls.retried} tries that had to be repeated)` : ''}, ${calls.reused} reused${calls.fallback ? `, ${calls.fallback} answered by a fallback` : ''}; ${dollars(result.cost_usd)}; ${duration(result.seconds)}.`,
  );
  if (opinions.extracted > 0) {
    say(
      `Opinions: ${opinions.extracted} extracted, ${opinions.ungrounded} with a quote that was not said, ${opinions.entail} agree with the persona's answer, ` +
        `${opinions.contradict} against it, ${opinions.irrelevant} beside the point, ${opinions.disagreed ? `${opinions.disagreed} on which the judges disagree, ` : ''}${opinions.duplicate} said before; ${opinions.accepted} accepted.`,
    );
  }
  if (readings.turns + readings.opinions > 0)
    say(
      `Readings: the answers of ${readings.turns} turns and ${readings.opinions} opinions, ${readings.none} of which take no position; what the reader is worth: culturepark report ${result.run_id}`,
    );
  if (result.status === 'finished') {
    const rows =
      result.samples === 0
        ? 'No samples.'
        : `${result.samples} samples, seen by no person; what their judge is worth stands in their README.md.`;
    say(`${rows}${result.exports[0] ? ` Files: ${result.exports[0]}` : ''}`);
    say(`Next: culturepark inspect run ${result.run_id}`);
  }
  if (flags.json) {
    const { message: _, mend: __, left_alone: ___, ...object } = result;
    out(JSON.stringify(object));
  }
}
