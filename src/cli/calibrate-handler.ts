import { existsSync } from 'node:fs';
import { duration } from '../duration.ts';
import { UserError } from '../errors.ts';
import { calibrationInWords, type Confusion } from '../evaluation/calibration.ts';
import type { ChatModel } from '../models/port.ts';
import { priceOf } from '../models/prices.ts';
import { defaultSpec, openModel } from '../models/resolve.ts';
import { suggestion } from '../nearest.ts';
import { calibrate, estimateCalibration, type CalibrationEstimate } from '../pipeline/calibrate.ts';
import { calibrateFromReviews } from '../pipeline/calibrate-reviews.ts';
import {
  calibrationLanguages,
  judgeRoles,
  questionsIn,
  type JudgeRole,
  type Questions,
} from '../pipeline/calibration-pairs.ts';
import type { CalibrationRow } from '../store/calibrations.ts';
import { openStore, type Store } from '../store/store.ts';
import { loadSurvey } from '../survey/load.ts';
import { modelEnvironment } from './environment.ts';
import { err, out } from './output.ts';
import { watchSignals } from './run-handler.ts';
import { table } from './table.ts';
import { dollars, paint, printable } from './text.ts';

interface Flags {
  model: string | undefined;
  baseUrl: string | undefined;
  role: string;
  language: string | undefined;
  limit: number | undefined;
  fromReviews: boolean;
  concurrency: number;
  maxCalls: number | undefined;
  maxCost: number | undefined;
  dryRun: boolean;
  db: string;
  json: boolean;
}

/** Calibrates a judge and prints what it is worth; returns the exit code. */
export async function calibrateFromFlags(flags: Flags): Promise<number> {
  const roles = rolesIn(flags.role);
  if (flags.fromReviews) return fromReviews(flags, roles);
  const environment = modelEnvironment(flags.baseUrl);
  const survey = loadSurvey();
  const languages = languagesIn(flags.language ?? 'en', calibrationLanguages());
  const sets = languages.flatMap((language) => questionsIn(language, survey, roles, flags.limit));
  const spec = flags.model ?? environment.named ?? defaultSpec(environment);
  const { chat: model } = await openModel(spec, {
    ...environment,
    // An estimate needs no key.
    apiKey: environment.apiKey ?? (flags.dryRun ? 'none' : undefined),
    say: (line) => err(printable(line)),
    allowFetch: !flags.dryRun,
  });
  try {
    const spoken = sets.filter(({ language }) => speaks(model, language, flags.language));
    const unpriced = flags.maxCost !== undefined && priceOf(model) === null;
    if (unpriced)
      throw new UserError(
        `--max-cost can't hold: the price of ${model.model} at ${model.provider} is unknown.`,
        {
          mend: 'Give its price in a prices.yaml here (see docs/guide.md), or cap the calls with --max-calls.',
        },
      );
    if (flags.dryRun) return await dryRun(model, spoken, flags);
    const store = openStore(flags.db);
    try {
      return await calibrateWith(store, model, spoken, flags);
    } finally {
      await store.close();
    }
  } finally {
    await model.dispose?.();
  }
}

function rolesIn(role: string): readonly JudgeRole[] {
  if (role === 'both') return judgeRoles;
  const found = judgeRoles.find((one) => one === role);
  if (found) return [found];
  throw new UserError(`--role ${role}: ${suggestion(role, [...judgeRoles, 'both'])}`);
}

const languagesIn = (text: string, all: readonly string[]): readonly string[] =>
  text === 'all' ? all : [...new Set(text.split(',').map((one) => one.trim()))];

/** With `all`, languages that the model is known not to speak are left out; named ones are refused. */
function speaks(model: ChatModel, language: string, asked: string | undefined): boolean {
  if (!model.languages || model.languages.includes(language)) return true;
  if (asked === 'all') return false;
  throw new UserError(`The model ${model.model} does not speak ${language}.`, {
    mend: `Leave it out, or use --language all: it takes what the model speaks (${model.languages.join(', ')}).`,
  });
}

/** Says what it would ask; a database is not made for it. */
async function dryRun(model: ChatModel, sets: readonly Questions[], { db, json }: Flags): Promise<number> {
  const say = json ? err : out;
  const store = existsSync(db) ? openStore(db, { readonly: true }) : undefined;
  try {
    const estimate = await estimateCalibration(store, model, sets);
    say(`${model.model} (${model.provider}): ${estimateInWords(estimate)}`);
    say('Nothing was asked, paid or stored.');
    if (json) out(JSON.stringify({ dry_run: true, ...estimate }));
    return 0;
  } finally {
    await store?.close();
  }
}

async function calibrateWith(
  store: Store,
  model: ChatModel,
  sets: readonly Questions[],
  flags: Flags,
): Promise<number> {
  const say = flags.json ? err : out;
  const estimate = await estimateCalibration(store, model, sets);
  say(`${model.model} (${model.provider}): ${estimateInWords(estimate)}`);
  const signals = watchSignals((line) => say(line));
  const started = performance.now();
  let done = 0;
  let shownAt = started;
  try {
    const result = await calibrate(
      {
        store,
        model,
        concurrency: flags.concurrency,
        maxCalls: flags.maxCalls,
        maxCost: flags.maxCost,
        stop: signals.stop,
        abort: signals.abort,
        say: (line) => say(printable(line)),
        watch(event) {
          if (event.kind !== 'done') return;
          done += 1;
          if (performance.now() - shownAt < 10_000) return;
          shownAt = performance.now();
          err(`${done} of about ${estimate.calls} calls`);
        },
      },
      sets,
    );
    const { calibrations, calls, cost_usd, stop } = result;
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    for (const row of calibrations) say(`\n${calibrationText(row)}`);
    say(`\n${calls.made} calls made, ${dollars(cost_usd)}, ${duration(seconds)}.`);
    if (stop) {
      say(`${paint('yellow', 'Stopped:')} ${printable(stop.message)}`);
      if (stop.mend) say(stop.mend);
    }
    if (flags.json)
      out(
        JSON.stringify({
          status: result.status,
          stop_reason: stop?.reason ?? null,
          calls,
          cost_usd,
          seconds,
          calibrations: calibrations.map(plain),
        }),
      );
    if (!stop) return 0;
    return stop.reason === 'interrupted' ? signals.code() || 130 : stop.reason === 'provider' ? 1 : 3;
  } finally {
    signals.dispose();
  }
}

function estimateInWords({ calls, answered, tokens, cost_usd }: CalibrationEstimate): string {
  const before = answered > 0 ? ` (${answered} pairs were answered before, and are not asked again)` : '';
  if (calls === 0) return `no call is needed${before}.`;
  const cost =
    cost_usd === 0 ? 'costs nothing' : cost_usd === null ? 'price unknown' : `about ${dollars(cost_usd)}`;
  return `${calls} calls${before}, about ${tokens.input} input and ${tokens.output} output tokens, ${cost}.`;
}

async function fromReviews(flags: Flags, roles: readonly JudgeRole[]): Promise<number> {
  if (!roles.includes('verifier'))
    throw new UserError("People's marks say nothing of the reader.", { mend: 'Leave out --role reader.' });
  const store = openStore(flags.db, { existing: true });
  try {
    const named = flags.language === undefined || flags.language === 'all' ? undefined : flags.language;
    const found = await calibrateFromReviews(store, named === undefined ? undefined : languagesIn(named, []));
    if (found.calibrations.length === 0)
      throw new UserError(
        found.marked === 0
          ? `No opinion${named ? ` of a dialogue in ${named}` : ''} in ${store.path} has both a verdict and a person's mark.`
          : `Reviewers disagree about all ${found.marked} marked opinions.`,
        {
          mend: 'Mark opinions as accept or reject first, or calibrate on labelled pairs: leave out --from-reviews.',
        },
      );
    const say = flags.json ? err : out;
    say(
      `${found.marked} marked opinions have a verdict${found.disputed > 0 ? `; ${found.disputed} are left out, since their reviewers disagree` : ''}.`,
    );
    for (const row of found.calibrations) say(`\n${calibrationText(row)}`);
    if (flags.json)
      out(JSON.stringify({ status: 'finished', ...found, calibrations: found.calibrations.map(plain) }));
    return 0;
  } finally {
    await store.close();
  }
}

/** A calibration with its confusion table, true categories by line. */
function calibrationText(row: CalibrationRow): string {
  const { labels, counts } = JSON.parse(row.confusion) as Confusion;
  const lines = labels.flatMap((label, at) => {
    const own = counts[at] as readonly number[];
    return own.some((count) => count > 0) ? [[label, ...own]] : [];
  });
  const more = [
    `accuracy ${row.accuracy.toFixed(2)}`,
    row.kappa === null ? 'kappa not defined' : `kappa ${row.kappa.toFixed(2)}`,
    ...(row.exact === null || row.within_one === null
      ? []
      : [`the exact answer ${row.exact.toFixed(2)}`, `it or its neighbour ${row.within_one.toFixed(2)}`]),
  ];
  return [
    `${paint('bold', `${row.role}, ${row.language}`)}: ${printable(row.model)} (${printable(row.provider)})`,
    `  ${printable(calibrationInWords(row))}`,
    `  ${more.join(', ')}`,
    ...(row.scripted === 1
      ? ['  The scripted rehearsal model is no judge: it knows its own phrases only.']
      : []),
    ...table(['true \\ judged', ...labels], lines)
      .split('\n')
      .map((line) => `  ${line}`),
  ].join('\n');
}

const plain = ({ confusion, ...row }: CalibrationRow): Record<string, unknown> => ({
  ...row,
  confusion: JSON.parse(confusion) as Confusion,
  in_words: calibrationInWords(row),
});
