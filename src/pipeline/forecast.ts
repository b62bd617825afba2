import { secondVerifier } from '../dialogue/types.ts';
import type { Usage } from '../models/port.ts';
import { cellOf, type CellKey, type Load, type Part, type Range } from './load.ts';
import { CHECKS } from './profile-readings.ts';
import type { Tally } from './tally.ts';

/** What a cell still needs, between the least and the most that is likely. */
export interface Need {
  calls: Range;
  low: Usage;
  high: Usage;
}

/** How the calls of a cell compare with what the profile expected. */
interface Rate {
  /** Calls, tokens of a prompt's own words and tokens of a reply, as multiples of the expected mean. */
  calls: number;
  base: number;
  said: number;
  /** Share of the input that the provider had in its cache. */
  cached: number;
  /** Few dialogues have ended: most turns are first ones. */
  early: boolean;
  /** Turns, or dialogues of a stage, that this rests on; how much their replies differ; and what they can't tell. */
  units: number;
  spread: number;
  doubt: number;
}

/** What was learnt of a run's calls; another run with the same models may be forecast with it. */
export interface Learnt {
  calls: number;
  rates: ReadonlyMap<CellKey, Rate>;
  /** Length of the turns that were said, as a multiple of the expected mean. */
  turns: number | undefined;
}

/** Dialogues that have ended from which their later turns are known too. */
export const SOME = 5;
/** Calls from which a mean says more than the profile. */
const ENOUGH = 3;
/** What is always uncertain: the survey's statements differ, models drift. */
const FLOOR = 0.02;
/** What the first turns say too little of: how the later ones are. It goes as dialogues end. */
const DRIFT = 0.25;
/** Replies of one dialogue are alike, so the usual two standard errors are too few. */
const ERRORS = 3;
/** Least spread of replies that is believed. */
const SPREAD = 0.15;
/** The widest range. */
const WIDEST: Range = { low: 0.6, high: 1 };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
const isTalk = (cell: CellKey): boolean => cell.startsWith('dialogue ');

function mean({ low, high }: Part): Load {
  const middle = (of: keyof Load): number => Math.max(0, (low[of] + high[of]) / 2);
  return {
    calls: middle('calls'),
    base: middle('base'),
    heard: middle('heard'),
    said: middle('said'),
    repeated: middle('repeated'),
    cached: middle('cached'),
  };
}

/** How the calls so far compare with what was expected of them, by stage and role. */
export function learn(tally: Tally): Learnt {
  const turns = turnsOf(tally);
  const rates = new Map<CellKey, Rate>();
  let calls = 0;
  for (const [key, cell] of tally.settled) {
    calls += cell.made;
    const { units, part } = tally.done(key);
    const load = mean(part);
    if (cell.made < ENOUGH || units < 1 || load.said <= 0 || cell.output <= 0) continue;
    const again = cell.made / load.calls;
    const squares = (cell.outputSquares * units) / cell.output ** 2 - 1;
    rates.set(key, {
      calls: again,
      base: clamp((cell.input / again - (turns ?? 1) * load.heard) / load.base, 0.05, 5),
      said: cell.output / (again * load.said),
      cached: cell.input > 0 ? Math.min(1, cell.cachedInput / cell.input) : 0,
      early: tally.ended < SOME,
      units,
      spread: Math.sqrt(Math.max(SPREAD ** 2, squares)),
      doubt: FLOOR + (isTalk(key) ? DRIFT / (1 + tally.ended) : 0),
    });
  }
  return { calls, rates, turns };
}

/** How long the turns were, as a multiple of what was expected; undefined before there are some. */
function turnsOf(tally: Tally): number | undefined {
  let [made, expected, calls] = [0, 0, 0];
  for (const [key, cell] of tally.settled) {
    if (!isTalk(key) || key === CHECKS) continue;
    const load = mean(tally.done(key).part);
    made += cell.output;
    calls += cell.made;
    expected += load.calls > 0 ? (load.said * cell.made) / load.calls : 0;
  }
  return calls < ENOUGH || expected <= 0 ? undefined : made / expected;
}

/** What the calls of a cell that are to go need. `other` is what another run taught, for cells that this one has not begun. */
export function needOf(key: CellKey, tally: Tally, learnt: Learnt, other?: Learnt): Need {
  const { units, part } = tally.left(key);
  const rate = learnt.rates.get(key) ?? widened(other?.rates.get(key));
  const turns = learnt.turns ?? other?.turns;
  const need = rate ? measured(key, tally, rate, turns ?? 1) : expected(key, part, tally, learnt, turns);
  return bounded(need, {
    // What is over but not settled stands in both: in what was spent, and in what is to go.
    low: leastOf(key, tally) * (units > 0 ? Math.max(0, 1 - tally.pending(key) / units) : 0),
    high: units > 0 ? mostOf(key, tally) * (tally.cells.has(key) ? oneMore(need) : 1) : 0,
  });
}

/** Another scenario is not this one. */
const widened = (rate: Rate | undefined): Rate | undefined => rate && { ...rate, doubt: rate.doubt + 0.15 };

function measured(key: CellKey, tally: Tally, rate: Rate, turns: number): Need {
  const { units, part } = tally.left(key);
  const load = mean(part);
  const error = ERRORS * rate.spread * Math.sqrt(1 / rate.units + 1 / Math.max(1, units)) + rate.doubt;
  const input = rate.base * load.base + turns * load.heard;
  const end = (calls: number, cached: number): Usage => ({
    input: input * calls,
    cachedInput: input * calls * cached,
    output: rate.said * load.said * calls,
  });
  const low = rate.calls * (1 - Math.min(WIDEST.low, error));
  const high = rate.calls * (1 + Math.min(WIDEST.high, error)) * onTheirWay(key, tally);
  return {
    calls: { low: load.calls * low, high: load.calls * high },
    // The first prompts are short: that the provider cached none of them says nothing of the later ones.
    low: end(low, Math.max(rate.cached, rate.early ? shareOf(part, 'repeated') : 0)),
    high: end(high, rate.cached),
  };
}

/**
 * Dialogues of which a stage asks nothing are done at once, so those on their way are of the other sort: by how much the
 * calls to come may be more than those so far tell.
 */
function onTheirWay(key: CellKey, tally: Tally): number {
  const { units } = tally.done(key);
  const left = tally.left(key).units;
  const made = tally.settled.get(key)?.made ?? 0;
  const more = Math.min(tally.inFlight + tally.pending(key), left);
  if (isTalk(key) || made === 0 || more === 0 || units === 0) return 1;
  const share = (made + more) / (units + more);
  return Math.max(1, (more * Math.max(1, share) + (left - more) * share) / ((left * made) / units));
}

const shareOf = ({ low }: Part, of: 'repeated' | 'cached'): number =>
  low[of] > 0 ? clamp(low[of] / (low.base + low.heard), 0, 1) : 0;

/** What a stage that has not begun is expected to need, as far as the turns and the stage before it tell. */
function expected(key: CellKey, part: Part, tally: Tally, learnt: Learnt, turns: number | undefined): Need {
  const before = teller[key];
  const rate = before === undefined ? undefined : learnt.rates.get(before);
  const at = (of: 'calls' | 'said'): Range => {
    if (!before || !rate) return { low: 0, high: 1 };
    const { low, high } = tally.done(before).part;
    const share = (more: number): number => {
      const made = rate.calls * more * (of === 'said' ? rate.said : 1) * mean({ low, high })[of];
      return (made - low[of]) / (high[of] - low[of]);
    };
    return {
      low: clamp(share(1) - 0.2, 0, 0.8),
      high: clamp(share(onTheirWay(before, tally)) + 0.2, 0.2, 1),
    };
  };
  const [calls, said] = [at('calls'), at('said')];
  const between = (of: keyof Load, share: number): number =>
    Math.max(0, part.low[of] + share * (part.high[of] - part.low[of]));
  const input = (end: keyof Range, sway: number): number =>
    between('base', Math[end === 'low' ? 'min' : 'max'](calls[end], said[end])) +
    (turns === undefined ? between('heard', said[end]) : turns * sway * mean(part).heard);
  const low = input('low', 0.85);
  return {
    calls: { low: between('calls', calls.low), high: between('calls', calls.high) },
    low: { input: low, cachedInput: low * shareOf(part, 'cached'), output: between('said', said.low) },
    high: { input: input('high', 1.15), cachedInput: 0, output: between('said', said.high) },
  };
}

/** The stage whose replies tell how much another one will have to do. */
const teller: Record<CellKey, CellKey> = {
  [cellOf('verify', 'verifier')]: cellOf('extract', 'extractor'),
  [cellOf('verify', secondVerifier)]: cellOf('extract', 'extractor'),
  [cellOf('verify_rewrite', 'verifier')]: cellOf('rewrite', 'extractor'),
  [cellOf('verify_rewrite', secondVerifier)]: cellOf('rewrite', 'extractor'),
};

/** There may always be one more reply that has to be repaired, and asked for again. */
const oneMore = ({ calls }: Need): number => (calls.high > 0 ? (calls.high + 2) / calls.high : 1);

/** By how much the least is less: dialogues may end early, and replies may be there already. */
function leastOf(key: CellKey, tally: Tally): number {
  if (tally.reused > 0 && madeIn(tally) === 0) return 0;
  if (asksSeldom(key, tally)) return 0;
  if (!isTalk(key) || tally.lost === 0) return 1;
  const turns = tally
    .keys()
    .filter(isTalk)
    .reduce((sum, one) => sum + tally.done(one).units, 0);
  return (turns / (turns + tally.lost)) ** 2;
}

/** By how much the most is more, where replies were there already: whether there are more of them nobody knows. */
function mostOf(key: CellKey, tally: Tally): number {
  // At most three in so many, at 95% (the rule of three).
  if (asksSeldom(key, tally)) return Math.min(1, 3 / tally.done(key).units);
  const made = madeIn(tally);
  return made === 0 ? 1 : (made + tally.reused) / made;
}

/** A stage that has looked at some dialogues and asked nothing of them. */
const asksSeldom = (key: CellKey, tally: Tally): boolean =>
  !tally.cells.has(key) && tally.done(key).units >= ENOUGH && tally.reused === 0 && tally.inFlight === 0;

const madeIn = (tally: Tally): number => [...tally.cells.values()].reduce((sum, { made }) => sum + made, 0);

function bounded({ calls, low, high }: Need, by: Range): Need {
  const scaled = ({ input, cachedInput, output }: Usage, n: number): Usage => ({
    input: input * n,
    cachedInput: cachedInput * n,
    output: output * n,
  });
  return {
    calls: { low: calls.low * by.low, high: calls.high * by.high },
    low: scaled(low, by.low),
    high: scaled(high, by.high),
  };
}
