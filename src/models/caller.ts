// Longer than most files: one call's way through ledger, limits, budget, tries and record, each a few lines.
import { setMaxListeners } from 'node:events';
import { cleanText } from '../clean-text.ts';
import { RunStopped } from '../errors.ts';
import { shortId } from '../ids.ts';
import { askingOf, type Asking, type Paid } from './asking.ts';
import type { Budget, Reservation } from './budget.ts';
import type { CallEvent, CallFault } from './call-events.ts';
import { callKey } from './call-key.ts';
import type { Say } from './circuit.ts';
import { askInTurn, type Answer } from './fallback.ts';
import { createGates } from './gates.ts';
import type { Call, CallStatus, Ledger, Try } from './ledger.ts';
import type { LimiterSetting } from './limiter.ts';
import { ModelFault, type ChatModel, type ChatReply, type ChatRequest, type Usage } from './port.ts';
import { costOf, priceOf } from './prices.ts';
import { judge } from './reply.ts';
import { backoffMs, isFinal, isPassing, isPushback, mayBePaid, pause, type RetrySetting } from './retry.ts';
import { modelInWords, type RoleModel, type Route, type Speaker } from './route.ts';
import { redact } from './secrets.ts';

/** One request to a model with what it is for. */
export interface CallRequest {
  role: string;
  /** Who speaks, where delegates may differ. */
  speaker?: Speaker | undefined;
  stage: string;
  /** What the call is for: a dialogue and turn, or the like. */
  subject: string;
  replicate: readonly (string | number)[];
  request: ChatRequest;
  /** False where a reply that can't be used is asked for again: until then a fallback is not asked for such a reply. */
  last?: boolean | undefined;
}

/** That a run used a call. */
export interface CallUse {
  callId: string;
  stage: string;
  role: string;
  subject: string;
  reused: boolean;
}

/** What came of a request: to be committed together with the row that it makes. */
export interface Outcome {
  callId: string;
  status: Exclude<CallStatus, 'superseded'>;
  /** The reply, or the JSON of the object. */
  text: string;
  /** By property of the object, how probable its value was, where the provider tells it. */
  probabilities?: Readonly<Record<string, number>>;
  model: string;
  /** The calls to store (two where a malformed object was asked for again); empty for a stored reply. */
  calls: readonly Call[];
  uses: readonly CallUse[];
}

export interface CallerSetting {
  runId: string;
  ledger: Ledger;
  routeFor: (role: string, speaker?: Speaker) => Route;
  /** Stores calls that make no row: the run was stopped, and a reply was paid for, or may have been though it was lost. */
  keep: (calls: readonly Call[], uses: readonly CallUse[]) => Promise<void>;
  limits: LimiterSetting;
  retry: RetrySetting;
  budget: Budget;
  /** Aborts waiting and calls in flight. */
  signal: AbortSignal;
  say: Say;
  /** While what comes can't be stored: resolves when it can again. Nothing is sent meanwhile. */
  blocked?: () => Promise<void> | undefined;
  /** Told of each try, for the progress line, the log and the traces. */
  watch?: (event: CallEvent) => void;
}

/** Asks a model, unless the ledger has the reply; `save` commits the outcome before an equal call may look for it. */
export interface Caller {
  call<T>(request: CallRequest, save: (outcome: Outcome) => Promise<T>): Promise<T>;
  /** After this no new call is sent; those in flight finish. */
  stop(reason: RunStopped): void;
  readonly stopped: RunStopped | undefined;
  readonly inFlight: number;
}

/** The one repair try of a malformed object: the model sees its own reply and what is wrong with it. */
export function repairOf(asked: CallRequest, reply: string, fault: string): CallRequest {
  const messages = [
    ...asked.request.messages,
    { role: 'assistant' as const, text: reply },
    {
      role: 'user' as const,
      text: `That is not the object asked for: ${fault}\nGive the whole object again, as JSON and nothing else.`,
    },
  ];
  return { ...asked, request: { ...asked.request, messages } };
}

export function createCaller(setting: CallerSetting): Caller {
  const { ledger, budget, signal } = setting;
  const underway = new Map<string, Promise<unknown>>();
  const gates = createGates(setting.limits, setting.retry, setting.say, setting.watch);
  /** Models that will answer no call of this run, and that have a fallback. */
  const gone = new Set<ChatModel>();
  /** Models of which was said that their fallback answers. */
  const toldOf = new Set<ChatModel>();
  let stopped: RunStopped | undefined;
  let inFlight = 0;
  const halt = new AbortController();
  /** Ends all waiting, at an abort or a stop; calls in flight know of the abort alone. */
  const waiting = AbortSignal.any([signal, halt.signal]);
  // Any number of calls may wait; Node warns from the eleventh on.
  setMaxListeners(0, waiting, signal);
  const stop = (reason: RunStopped): RunStopped => {
    stopped ??= reason;
    halt.abort(stopped);
    return stopped;
  };

  const check = (): void => waiting.throwIfAborted();

  async function call<T>(asked: CallRequest, save: (outcome: Outcome) => Promise<T>): Promise<T> {
    const route = setting.routeFor(asked.role, asked.speaker);
    const own = askingOf(asked, route);
    const other = route.fallback && askingOf(asked, route.fallback);
    const busy = (): Promise<unknown> | undefined =>
      underway.get(own.key) ?? (other && underway.get(other.key));
    for (let before = busy(); before; before = busy()) await before.catch(() => undefined);
    const work = (other ? inTurn(own, other) : answer(own)).then(save);
    underway.set(own.key, work);
    if (other) underway.set(other.key, work);
    try {
      return await work;
    } finally {
      underway.delete(own.key);
      if (other) underway.delete(other.key);
    }
  }

  function inTurn(own: Asking, other: Asking): Promise<Outcome> {
    const { maxTokens } = own.asked.request;
    return askInTurn({
      last: own.asked.last !== false,
      ask(which, patient, made) {
        if (which === 'model') return answer({ ...own, made, patient, fallback: other.route });
        const { model } = own.route;
        if (gates.of(model.provider).circuit.open) sayInstead(model, other.route.model);
        return answer({ ...other, made, patient, instead: model });
      },
      answeredBefore: () => ledger.hasUsed(other.key, maxTokens, setting.runId),
      wait: () => pause(backoffMs(setting.retry, 3, undefined), waiting),
      keep: setting.keep,
    });
  }

  /** Says once that a fallback speaks while its model's provider is down. */
  function sayInstead(model: ChatModel, fallback: ChatModel): void {
    if (toldOf.has(model)) return;
    toldOf.add(model);
    setting.say(`Until ${modelInWords(model)} answers again, ${modelInWords(fallback)} answers its calls.`);
  }

  /** The model refuses the run as a whole: it is asked no more, and its fallback answers instead. */
  function abandon(own: RoleModel, { model: fallback }: RoleModel, fault: ModelFault): void {
    if (gone.has(own.model)) return;
    gone.add(own.model);
    const { message, mend } = finalStop(own, fault);
    setting.say(`${message}. From here on ${modelInWords(fallback)} answers its calls. ${mend}`);
  }

  async function answer(asking: Asking): Promise<Answer> {
    const { asked } = asking;
    const first = await one(asking);
    if (first.status !== 'malformed' || first.fault === undefined) return first;
    const again = repairOf(asked, first.text, first.fault);
    try {
      const key = callKey(asking.route.model, again.request, asked.replicate);
      const second = await one({ ...asking, asked: again, key });
      return { ...second, calls: [...first.calls, ...second.calls], uses: [...first.uses, ...second.uses] };
    } catch (error) {
      // Stopped before the repair: what is paid is stored, and the next call says why it stops.
      if (first.calls.length > 0 && (error instanceof RunStopped || signal.aborted)) return first;
      throw error;
    }
  }

  async function one(asking: Asking): Promise<Answer> {
    const { asked, key, made } = asking;
    const { model } = asking.route;
    const use = { stage: asked.stage, role: asked.role, subject: asked.subject };
    const { stored, known } = await ledger.find(key, asked.request.maxTokens, setting.runId);
    if (stored) {
      setting.watch?.({ kind: 'reused', callId: stored.callId, ...use });
      const judged = judge({ text: stored.reply, finish: 'stop', usage: noUsage }, asked.request.schema);
      const status = stored.status === 'ok' ? judged.status : (stored.status as Outcome['status']);
      return {
        callId: stored.callId,
        status,
        text: status === 'ok' ? judged.text : stored.reply,
        ...(stored.probabilities ? { probabilities: stored.probabilities } : {}),
        model: model.model,
        calls: [],
        uses: [{ ...use, callId: stored.callId, reused: true }],
        ...(judged.fault === undefined ? {} : { fault: judged.fault }),
      };
    }
    const before = made.length === 0 ? 0 : made.filter((one) => one.key === key).length;
    const { call: sent, ...rest } = await paid(asking, known + before);
    return {
      callId: sent?.id ?? '',
      status: sent ? (sent.status as Outcome['status']) : 'failed',
      ...(sent?.probabilities ? { probabilities: sent.probabilities } : {}),
      model: model.model,
      calls: sent ? [sent] : [],
      uses: sent ? [{ ...use, callId: sent.id, reused: false }] : [],
      ...rest,
    };
  }

  async function paid(asking: Asking, known: number): Promise<Paid> {
    const { asked, route, key, instead } = asking;
    const { model } = route;
    check();
    const { limiter, circuit, streak } = gates.of(model.provider);
    if (gone.has(model) && asking.fallback) return { text: '' };
    if (!asking.patient && circuit.down) return { text: '', passing: true, down: true };
    const price = priceOf(model);
    const inputTokens = roughTokens(asked.request);
    const highest = costOf(price, { input: inputTokens, cachedInput: 0, output: asked.request.maxTokens });
    const started = performance.now();
    const tries: Try[] = [];
    const spent: Usage = { input: 0, cachedInput: 0, output: 0 };
    const record = (status: CallStatus, text: string | null, reply?: ChatReply): Call => {
      const costs = tries.map((one) => one.costUsd);
      const call: Call = {
        id: shortId(setting.runId, 'call', key, known),
        key,
        provider: model.provider,
        model: model.model,
        scripted: model.scripted,
        status,
        messages: asked.request.messages,
        parameters: {
          ...asked.request.sampling,
          max_tokens: asked.request.maxTokens,
          replicate: asked.replicate,
          ...(asked.request.schema ? { schema: asked.request.schema.name } : {}),
          ...(instead ? { instead_of: `${instead.provider} ${instead.model}` } : {}),
        },
        reply: text,
        usage: spent,
        costUsd: costs.includes(null) ? null : costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0),
        ms: Math.round(performance.now() - started),
        createdAt: Date.now(),
        tries,
      };
      setting.watch?.({
        kind: 'done',
        status,
        usage: spent,
        costUsd: call.costUsd,
        role: asked.role,
        stage: asked.stage,
        subject: asked.subject,
        call,
        ...(reply ? { finish: reply.finish } : {}),
        ...(reply?.model === undefined ? {} : { answeredBy: reply.model }),
      });
      // What is in flight, this one too, is stored all the same.
      const enough = asking.fallback ? undefined : streak(call.id, status);
      if (enough) stop(enough);
      return call;
    };
    const failing = (error: ModelFault, after: CallFault['after'], waitMs: number | null = null): void => {
      const { role, stage, subject } = asked;
      const { provider, model: name } = model;
      const { n, ms, error: message } = tries.at(-1) as Try;
      const fault = { fault: error.kind, message: message ?? '', n, ms, after, waitMs };
      setting.watch?.({ kind: 'fault', role, stage, subject, provider, model: name, ...fault });
    };

    /** Ends the call by an error; what it may have cost all the same is on record. */
    const cutOff = async (error: unknown): Promise<never> => {
      const { stage, role, subject } = asked;
      if (tries.some(({ heldUsd }) => heldUsd)) {
        const call = record('failed', null);
        await setting.keep([call], [{ callId: call.id, stage, role, subject, reused: false }]);
      }
      throw error;
    };

    /** Tries that a model may have worked on, so that they may be paid. */
    let strikes = 0;
    for (let n = 1; ; n += 1) {
      let reservation: Reservation | undefined;
      let release: (() => void) | undefined;
      let leave: (() => void) | undefined;
      let at = performance.now();
      try {
        release = await gates.admit(route, inputTokens + asked.request.maxTokens, waiting);
        leave = asking.patient ? await circuit.enter(waiting) : circuit.attempt();
        if (!leave)
          return {
            ...(tries.length > 0 ? { call: record('failed', null) } : {}),
            text: '',
            passing: true,
            down: true,
          };
        await setting.blocked?.();
        check();
        reservation = await budget.reserve(highest, waiting);
        check();
        at = performance.now();
        setting.watch?.({ kind: n === 1 ? 'sent' : 'retried' });
        inFlight += 1;
        const reply = await model.chat(asked.request, signal).finally(() => (inFlight -= 1));
        limiter.succeeded();
        circuit.succeeded(at);
        const clean: ChatReply = { ...reply, text: cleanText(redact(reply.text)) };
        const judged = judge(clean, asked.request.schema);
        // Tokens that nobody counted have no price, and the budget holds on to the highest.
        const costUsd = reply.uncounted && !model.free ? null : costOf(price, reply.usage);
        reservation.settle(costUsd);
        reservation = undefined;
        spent.input += reply.usage.input;
        spent.cachedInput += reply.usage.cachedInput;
        spent.output += reply.usage.output;
        tries.push({
          n,
          status: judged.status,
          usage: reply.uncounted ? null : reply.usage,
          costUsd,
          heldUsd: costUsd === null ? highest : null,
          ms: Math.round(performance.now() - at),
          error: judged.fault?.slice(0, 500) ?? null,
        });
        return {
          call: {
            ...record(judged.status, clean.text, reply),
            ...(reply.probabilities ? { probabilities: reply.probabilities } : {}),
          },
          text: judged.text,
          ...(judged.fault === undefined ? {} : { fault: judged.fault }),
        };
      } catch (error) {
        if (!(error instanceof ModelFault)) return await cutOff(error);
        // What was sent and never answered may have been paid for, for all that anybody knows.
        const held = reservation && mayBePaid(error) && !model.free ? highest : null;
        reservation?.settle(held === null ? 0 : null);
        reservation = undefined;
        tries.push({
          n,
          status: error.kind,
          usage: null,
          costUsd: 0,
          heldUsd: held,
          ms: Math.round(performance.now() - at),
          error: redact(error.message).slice(0, 500),
        });
        if (isFinal(error)) {
          if (!asking.fallback) {
            failing(error, 'stop');
            return await cutOff(stop(finalStop(route, error)));
          }
          abandon(route, asking.fallback, error);
        }
        if (error.kind === 'aborted') return await cutOff(signal.aborted ? signal.reason : error);
        if (isPushback(error)) limiter.throttled(at);
        if (isPassing(error)) circuit.failed(error, at);
        // Who refuses a request is there.
        else circuit.succeeded(at);
        // While the provider is down a call has more patience, but not for ever: it may be what the provider fails at. One
        // that can go elsewhere has none.
        const patience = setting.retry.tries * (circuit.open ? PATIENCE : 1);
        const tired = !error.unseen && (strikes += 1) >= patience;
        const leaves = !asking.patient && (circuit.open || n >= setting.retry.tries);
        if (!isPassing(error) || tired || leaves) {
          failing(error, 'fail');
          const call = record('failed', null);
          return { call, text: '', passing: isPassing(error), down: circuit.open };
        }
        release?.();
        release = undefined;
        const waitMs = circuit.open ? null : backoffMs(setting.retry, n, error.retryAfterMs);
        failing(error, waitMs === null ? 'pause' : 'retry', waitMs);
        if (waitMs !== null) await pause(waitMs, waiting).catch(cutOff);
      } finally {
        reservation?.settle(0);
        release?.();
        leave?.();
      }
    }
  }

  return {
    call,
    stop: (reason) => void stop(reason),
    get stopped() {
      return stopped;
    },
    get inFlight() {
      return inFlight;
    },
  };
}

/** How many times as many tries a call has whose provider is down. */
const PATIENCE = 5;

const noUsage: Usage = { input: 0, cachedInput: 0, output: 0 };

/** An upper estimate of input tokens: one a byte beyond ASCII, one for two ASCII characters, and some for each message. */
function roughTokens(request: ChatRequest): number {
  const texts = request.messages.map(({ text }) => text);
  if (request.schema) texts.push(JSON.stringify(request.schema.schema));
  const tokens = texts.reduce((sum, text) => {
    const beyond = Buffer.byteLength(text) - text.length;
    return sum + text.length / 2 + beyond * 1.5 + 8;
  }, 0);
  return Math.ceil(tokens);
}

function finalStop({ model, apiKeyEnv = 'OPENAI_API_KEY' }: RoleModel, fault: ModelFault): RunStopped {
  const mends: Partial<Record<ModelFault['kind'], string>> = {
    auth: `Check the key in the environment or in .env (${apiKeyEnv}), and that it may use this model.`,
    'not-found': 'Check the model name and the base URL (`--model`, OPENAI_BASE_URL).',
    exhausted: 'The account has no credit left; top it up, then run the same command again.',
  };
  return new RunStopped('provider', `${model.provider} (${model.model}): ${redact(fault.message)}`, {
    mend: mends[fault.kind] ?? 'Run the same command again later.',
    cause: fault,
  });
}
