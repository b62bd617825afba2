import { calibrationFigures, readingShares } from '../evaluation/calibration.ts';
import { contentHash, shortId } from '../ids.ts';
import { createBudget } from '../models/budget.ts';
import type { CallEvent } from '../models/call-events.ts';
import { createCaller, type Outcome } from '../models/caller.ts';
import type { ChatModel, ChatRequest } from '../models/port.ts';
import { costOf, priceOf } from '../models/prices.ts';
import { defaultRetry, type RetrySetting } from '../models/retry.ts';
import { RunStopped } from '../errors.ts';
import {
  answersOf,
  saveAnswer,
  saveCalibration,
  type Answered,
  type CalibrationRow,
} from '../store/calibrations.ts';
import { ledgerOf, saveCalls } from '../store/calls.ts';
import type { Store } from '../store/store.ts';
import type { JudgeRole, Question, Questions } from './calibration-pairs.ts';
import { concurrently } from './concurrently.ts';
import { weigh } from './load.ts';

export interface CalibrateSetting {
  store: Store;
  model: ChatModel;
  concurrency: number;
  maxCalls?: number | undefined;
  maxCost?: number | undefined;
  retry?: RetrySetting | undefined;
  /** Aborts: no new calls, those in flight finish. */
  stop?: AbortSignal | undefined;
  /** Aborts: everything ends now. */
  abort?: AbortSignal | undefined;
  say: (line: string) => void;
  watch?: ((event: CallEvent) => void) | undefined;
}

/** What a calibration will ask for. */
export interface CalibrationEstimate {
  /** Questions that the judge has not been asked yet: a call each where its reply can be used. */
  calls: number;
  answered: number;
  tokens: { input: number; output: number };
  /** Null where the price is unknown. */
  cost_usd: number | null;
}

export interface CalibrationResult {
  status: 'finished' | 'stopped';
  stop: RunStopped | null;
  calls: { made: number; reused: number };
  cost_usd: number | null;
  /** Those that came to their end, in the order of asking. */
  calibrations: CalibrationRow[];
}

/** How often something is asked: as the stages do, an unusable reply is asked for once more. */
const TRIES = 2;
/** Tokens of a verdict or reading as JSON. */
const REPLY = 25;

const judgeId = (role: JudgeRole, { provider, model }: ChatModel): string =>
  shortId('judge', role, provider, model);

/** Between the least and the most that an estimate of a run counts. */
function tokensIn(request: ChatRequest): number {
  const none = { low: 0, high: 0 };
  const { low, high } = weigh(request, [], { public: none, private: none }).base;
  return (low + high) / 2;
}

const isOpen = (answered: Answered | undefined): boolean =>
  !answered || (answered.answer === null && answered.tries < TRIES);

/**
 * Says how many calls are left and what they may cost, before any is made.
 * @param store with the answers of before, where there is a database
 */
export async function estimateCalibration(
  store: Store | undefined,
  model: ChatModel,
  sets: readonly Questions[],
): Promise<CalibrationEstimate> {
  const known = new Map<JudgeRole, Map<string, Answered>>();
  for (const { role } of sets)
    if (store && !known.has(role)) known.set(role, await answersOf(store.read, judgeId(role, model)));
  const all = sets.flatMap(({ role, questions }) =>
    questions.map((question) => ({ question, answered: known.get(role)?.get(question.item) })),
  );
  const open = all.filter(({ answered }) => isOpen(answered));
  const tokens = {
    input: Math.round(open.reduce((sum, { question }) => sum + tokensIn(question.request), 0)),
    output: open.length * REPLY,
  };
  return {
    calls: open.length,
    answered: all.length - open.length,
    tokens,
    cost_usd: costOf(priceOf(model), { ...tokens, cachedInput: 0 }),
  };
}

/**
 * Asks a judge all questions that it has not answered yet and stores what it is worth, a row a role and language. Each
 * answer is stored with its call: what was asked once is never paid again, whether a calibration was interrupted or not.
 */
export async function calibrate(
  setting: CalibrateSetting,
  sets: readonly Questions[],
): Promise<CalibrationResult> {
  const { store, model } = setting;
  const result: CalibrationResult = {
    status: 'finished',
    stop: null,
    calls: { made: 0, reused: 0 },
    cost_usd: 0,
    calibrations: [],
  };
  const tally = ({ calls, uses }: Outcome): void => {
    result.calls.made += calls.length;
    result.calls.reused += uses.filter(({ reused }) => reused).length;
    for (const { costUsd } of calls)
      result.cost_usd = costUsd === null || result.cost_usd === null ? null : result.cost_usd + costUsd;
  };
  const ask = asker(setting, tally);
  try {
    for (const set of sets) {
      const judge = judgeId(set.role, model);
      const known = await answersOf(store.read, judge);
      await concurrently(
        set.questions.filter(({ item }) => isOpen(known.get(item))),
        setting.concurrency,
        (question) => ask(set, question, known.get(question.item)?.tries ?? 0),
      );
      const row = rowOf(set, model, await answersOf(store.read, judge));
      await store.write((trx) => saveCalibration(trx, row));
      result.calibrations.push(row);
    }
    return result;
  } catch (error) {
    if (error instanceof RunStopped) return { ...result, status: 'stopped', stop: error };
    if (!setting.abort?.aborted) throw error;
    return { ...result, status: 'stopped', stop: interrupted('The calibration was stopped at once.') };
  }
}

const interrupted = (message: string): RunStopped =>
  new RunStopped('interrupted', message, { mend: 'The same command continues it; nothing is paid twice.' });

/** Asks one question until its reply can be used, at most so often as the stages do. */
function asker(
  setting: CalibrateSetting,
  tally: (outcome: Outcome) => void,
): (set: Questions, question: Question, tries: number) => Promise<void> {
  const { store, model, stop } = setting;
  const caller = createCaller({
    runId: 'calibration',
    ledger: ledgerOf(store),
    routeFor: () => ({ model }),
    keep: (calls) => store.write((trx) => saveCalls(trx, 'calibration', calls, [])),
    limits: { concurrency: setting.concurrency },
    retry: setting.retry ?? defaultRetry,
    budget: createBudget({
      maxCalls: setting.maxCalls ?? null,
      maxCostUsd: setting.maxCost ?? null,
      calls: 0,
      spentUsd: 0,
    }),
    signal: setting.abort ?? new AbortController().signal,
    say: setting.say,
    watch: (event) => setting.watch?.(event),
  });
  const halt = (): void =>
    caller.stop(interrupted('The calibration was stopped; the calls in flight were finished and stored.'));
  if (stop?.aborted) halt();
  stop?.addEventListener('abort', halt, { once: true });
  return async ({ role }, question, tries) => {
    const { request, item, pair, expected } = question;
    const judge = judgeId(role, model);
    for (let n = tries; n < TRIES; n += 1) {
      const last = n === TRIES - 1;
      const asked = { role, request, stage: 'calibrate', subject: pair, replicate: [0, n], last };
      const settled = await caller.call(asked, async (outcome) => {
        tally(outcome);
        const read = outcome.status === 'ok' ? question.answerIn(outcome.text) : null;
        // A verifier's reply that passes the opinion over is not asked for again, a reader's is: as the stages do it.
        const answer = read ?? (outcome.status === 'ok' && role === 'verifier' ? 'passed over' : null);
        const lost = outcome.status === 'failed' && !refused(outcome);
        await store.write(async (trx) => {
          await saveCalls(trx, 'calibration', outcome.calls, []);
          if (!lost)
            await saveAnswer(trx, { judge, item, try: n, pair, expected, answer, call_id: outcome.callId });
        });
        if (lost)
          throw new RunStopped('provider', `${model.provider} (${model.model}) gave no reply on ${pair}.`, {
            mend: 'Run the same command again later; nothing is paid twice.',
          });
        return answer !== null;
      });
      if (settled) return;
    }
  };
}

/** Whether the provider declines this very request: the stages have no verdict then either. */
const refused = ({ calls }: Outcome): boolean => calls.at(-1)?.tries.at(-1)?.status === 'bad-request';

function rowOf(
  { role, language, prompt, provenance, labels, questions }: Questions,
  { provider, model, scripted }: ChatModel,
  answers: ReadonlyMap<string, Answered>,
): CalibrationRow {
  const items = questions.map((question) => ({
    question,
    answer: answers.get(question.item)?.answer ?? null,
  }));
  const figures = calibrationFigures(
    items.map(({ question, answer }) => ({
      truth: question.categoryOf(question.expected),
      given: answer === null ? null : question.categoryOf(answer),
    })),
    labels,
  );
  if (!figures) throw new Error('a calibration needs a question');
  const shares =
    role === 'reader'
      ? readingShares(
          items.map(({ question, answer }) => ({
            truth: question.placeOf(question.expected),
            given: answer === null ? undefined : question.placeOf(answer),
          })),
        )
      : { exact: null, within_one: null };
  const pairs = contentHash(...questions.map(({ item, expected }) => `${item} ${expected}`).sort());
  return {
    id: shortId('calibration', role, provider, model, prompt, language, 'pairs', pairs),
    role,
    provider,
    model,
    prompt_hash: prompt,
    language,
    source: 'pairs',
    provenance,
    pairs_hash: pairs,
    ...figures,
    ...shares,
    confusion: JSON.stringify(figures.confusion),
    scripted: scripted ? 1 : 0,
    created_at: Date.now(),
  };
}
