import { secondVerifier, type ChatRole } from '../dialogue/types.ts';
import type { Usage } from '../models/port.ts';
import { costOf, priceOf, type Asking, type Priced } from '../models/prices.ts';
import type { Speaker } from '../models/route.ts';
import { learn, needOf, SOME, type Learnt, type Need } from './forecast.ts';
import type { Prepared } from './prepare.ts';
import { profileOf, type Profile } from './profile.ts';
import type { CellKey, Range } from './load.ts';
import { judgesIn } from './routes.ts';
import { createTally, type Tally } from './tally.ts';

/** Calls, tokens and price, as a range. */
export interface Amount {
  calls: Range;
  tokens: { input: Range; output: Range };
  /** US dollars; null where the price of a model is unknown. */
  cost_usd: Range | null;
}

/** What a run asks for from its beginning to its end. */
export interface Estimate extends Amount {
  dialogues: number;
  /** Debates whose personas also answer with no talk between; their calls, two each at most, are not among `calls`. */
  controls: number;
  /** Those of the calls that ask the reader. */
  readings: Range;
  /** What it rests on: the plan alone, the calls of this run so far, or those of another run with the same models. */
  basis: 'plan' | 'run' | 'other run';
  /** The same in words, and why the range is as wide as it is. */
  reason: string;
  /** What this run has spent; `cost_usd` is null where a call's price is unknown. */
  spent: {
    calls: number;
    tokens: { input: number; cached_input: number; output: number };
    cost_usd: number | null;
  };
  to_go: Amount;
  /** Date of the oldest price that was used. */
  prices_checked: string | null;
}

/**
 * The model of a role, and of a delegate where they have models of their own, as far as its price goes; undefined for a
 * second judge where there is none.
 */
export type ModelFor = (role: ChatRole, speaker?: Speaker) => Priced | undefined;

/** What another run taught. */
export interface Other {
  runId: string;
  learnt: Learnt;
}

/** What a scenario will ask for before anything is paid. */
export function estimate(prepared: Prepared, modelFor: ModelFor, seed: number): Estimate {
  const profile = profileOf(prepared, seed);
  return forecast(profile, createTally(profile), modelFor);
}

/**
 * What a run asks for: what it has spent, and what is to go by what was measured, or by the plan where nothing was yet.
 * A fallback is not counted: nobody knows how often it will answer. Further rounds for quotas are counted at the high end.
 * @param asking `batch` for the prices of a provider's batch mode
 */
export function forecast(
  profile: Profile,
  tally: Tally,
  modelFor: ModelFor,
  { other, asking = 'now' }: { other?: Other | undefined; asking?: Asking } = {},
): Estimate {
  const learnt = learn(tally);
  const judges: readonly string[] = judgesIn(modelFor);
  const keys = tally
    .keys()
    .filter((key) => roleOf(key) !== secondVerifier || judges.includes(secondVerifier));
  const rounds = Math.max(0, profile.most / profile.dialogues - 1 - tally.further / profile.dialogues);
  const needs = new Map(
    keys.map((key) => {
      const need = needOf(key, tally, learnt, other?.learnt);
      return [key, rounds > 0 ? withRounds(need, wholeOf(key, profile, learnt, other), rounds) : need];
    }),
  );
  const costs = costsBy(profile, tally, modelFor, asking);
  const toGo = amountOf(needs, costs);
  const cells = [...tally.cells.values()];
  const sum = (of: (cell: (typeof cells)[number]) => number): number =>
    cells.reduce((total, cell) => total + of(cell), 0);
  const spent = {
    calls: sum((cell) => cell.made),
    tokens: {
      input: sum((cell) => cell.input),
      cached_input: sum((cell) => cell.cachedInput),
      output: sum((cell) => cell.output),
    },
    cost_usd: sum((cell) => cell.unpriced) > 0 ? null : sum((cell) => cell.costUsd),
  };
  const paid = paidSoFar(tally);
  const more = ({ low, high }: Range, before: number): Range => ({ low: before + low, high: before + high });
  return {
    dialogues: profile.dialogues,
    controls: profile.controls,
    readings: readingsIn(needs, tally),
    calls: more(toGo.calls, spent.calls),
    tokens: {
      input: more(toGo.tokens.input, spent.tokens.input),
      output: more(toGo.tokens.output, spent.tokens.output),
    },
    cost_usd:
      toGo.cost_usd && paid
        ? { low: paid.low + toGo.cost_usd.low, high: paid.high + toGo.cost_usd.high }
        : null,
    ...basisOf(tally, learnt, other),
    spent,
    to_go: toGo,
    prices_checked: oldest(
      [...needs.keys()].flatMap((key) =>
        speakersIn(key, profile).map(
          ({ speaker }) => priceOf(modelFor(roleOf(key), speaker) as Priced)?.checked ?? null,
        ),
      ),
    ),
  };
}

/** Calls of the reader, made and to come. */
function readingsIn(needs: ReadonlyMap<CellKey, Need>, { cells }: Tally): Range {
  const isReader = (key: CellKey): boolean => roleOf(key) === 'reader';
  const made = [...cells].reduce((sum, [key, cell]) => sum + (isReader(key) ? cell.made : 0), 0);
  const toCome = [...needs].filter(([key]) => isReader(key)).map(([, { calls }]) => calls);
  return whole({
    low: toCome.reduce((sum, { low }) => sum + low, made),
    high: toCome.reduce((sum, { high }) => sum + high, made),
  });
}

const roleOf = (key: CellKey): ChatRole => key.split(' ')[1] as ChatRole;

/** What all planned dialogues together need of a cell, as if none had begun. */
function wholeOf(
  key: CellKey,
  profile: Profile,
  { calls, rates, turns }: Learnt,
  other: Other | undefined,
): Need {
  const rate = rates.get(key);
  const own = { calls, turns, rates: new Map(rate ? [[key, rate]] : []) };
  return needOf(key, createTally(profile), own, other?.learnt);
}

/** Quotas may take further rounds, up to the cap on dialogues, or none. */
const withRounds = (need: Need, whole: Need, rounds: number): Need => ({
  low: need.low,
  calls: { low: need.calls.low, high: need.calls.high + rounds * whole.calls.high },
  high: {
    input: need.high.input + rounds * whole.high.input,
    cachedInput: need.high.cachedInput + rounds * whole.high.cachedInput,
    output: need.high.output + rounds * whole.high.output,
  },
});

type CostOf = (key: CellKey, usage: Usage, end: keyof Range) => number | null;

const speakersIn = (key: CellKey, { speakers }: Profile): readonly { speaker?: Speaker; share: number }[] =>
  speakers.get(key) ?? [{ share: 1 }];

/**
 * What the tokens of a cell cost: each speaker's share at the price of their model. Whose turns are left of a talk that
 * has begun is not kept: then it is the cheapest at the low end and the dearest at the high one.
 */
function costsBy(profile: Profile, tally: Tally, modelFor: ModelFor, asking: Asking): CostOf {
  return (key, usage, end) => {
    const speakers = speakersIn(key, profile);
    const costs = speakers.map(({ speaker }) =>
      costOf(priceOf(modelFor(roleOf(key), speaker) as Priced), usage, asking),
    );
    const known = costs.filter((cost) => cost !== null);
    if (known.length < costs.length) return null;
    if (tally.done(key).units > 0) return Math[end === 'low' ? 'min' : 'max'](...known);
    return known.reduce((sum, cost, at) => sum + cost * (speakers[at]?.share ?? 0), 0);
  };
}

function amountOf(needs: ReadonlyMap<CellKey, Need>, costs: CostOf): Amount {
  const all = [...needs].filter(([, need]) => need.calls.high > 0);
  const sum = (of: (need: Need) => number): number => all.reduce((total, [, need]) => total + of(need), 0);
  const cost = (end: 'low' | 'high'): number | null => {
    let total = 0;
    for (const [key, need] of all) {
      const usd = costs(key, need[end], end);
      if (usd === null) return null;
      total += usd;
    }
    return total;
  };
  const tokens = (of: (usage: Usage) => number): Range =>
    whole({ low: sum(({ low }) => of(low)), high: sum(({ high }) => of(high)) });
  const [low, high] = [cost('low'), cost('high')];
  return {
    calls: whole({ low: sum(({ calls }) => calls.low), high: sum(({ calls }) => calls.high) }),
    tokens: { input: tokens(({ input }) => input), output: tokens(({ output }) => output) },
    cost_usd: low === null || high === null ? null : { low, high },
  };
}

/** Rounded outwards, but for what the sums of many parts are off by. */
const whole = ({ low, high }: Range): Range => ({
  low: Math.floor(low + 1e-6),
  high: Math.max(0, Math.ceil(high - 1e-6)),
});

/** What was paid; replies that told no tokens cost between nothing and twice what the others did. Null where no price is known. */
function paidSoFar({ cells }: Tally): Range | null {
  const paid = { low: 0, high: 0 };
  for (const { made, costUsd, unpriced } of cells.values()) {
    if (unpriced === made && made > 0) return null;
    paid.low += costUsd;
    paid.high += costUsd + (unpriced > 0 ? (2 * unpriced * costUsd) / (made - unpriced) : 0);
  }
  return paid;
}

function basisOf(
  tally: Tally,
  { calls, rates }: Learnt,
  other: Other | undefined,
): Pick<Estimate, 'basis' | 'reason'> {
  if (rates.size > 0) {
    const begun = `measured on ${calls} calls of this run`;
    const wide = tally.ended < SOME ? `; wide while only ${tally.ended} of its dialogues have ended` : '';
    const rest = restsOn(tally, rates, other) ? `; what it has not begun as in run ${other?.runId}` : '';
    return { basis: 'run', reason: `${begun}${wide}${rest}` };
  }
  if (other)
    return {
      basis: 'other run',
      reason: `measured on ${other.learnt.calls} calls of run ${other.runId} with the same models, not on this one`,
    };
  return {
    basis: 'plan',
    reason: 'from the plan alone: replies may be short or long; it narrows as calls are made',
  };
}

/** Whether something that this run has not begun is taken from another one. */
const restsOn = (tally: Tally, rates: Learnt['rates'], other: Other | undefined): boolean =>
  tally.keys().some((key) => !rates.has(key) && tally.left(key).units > 0 && other?.learnt.rates.has(key));

function oldest(dates: readonly (string | null)[]): string | null {
  return dates.reduce((old, date) => (old === null || (date !== null && date < old) ? date : old), null);
}
