import type { Opinion, VerdictValue } from './types.ts';

/** Two judges gave different verdicts. */
export const DISAGREE = 'judges disagree';

/**
 * What one or two judges came to: their common verdict, that they disagree, or null where one of them gave none. A
 * judge's verdicts are kept whatever comes of the vote.
 */
export function vote(
  verdicts: readonly VerdictValue[],
  judges: number,
): VerdictValue | typeof DISAGREE | null {
  const [first] = verdicts;
  if (first === undefined || verdicts.length < judges) return null;
  return verdicts.every((verdict) => verdict === first) ? first : DISAGREE;
}

/** What was found about an opinion. */
export interface Facts {
  /** What the judges came to: see `vote`. */
  verdict: VerdictValue | typeof DISAGREE | null;
  /** False where no stance is claimed: then no verdict is needed. */
  hasStance: boolean;
  /** Null where it did not reach the deduplication. */
  representative: boolean | null;
  selected: boolean | null;
  /** Why it was not selected. */
  leftOut?: string | null;
  includeRewritten: boolean;
}

export interface Decision {
  status: 'accepted' | 'dropped' | 'candidate';
  /** Why it was kept or dropped. */
  reason: string | null;
}

const dropped = (reason: string): Decision => ({ status: 'dropped', reason });

/** Whether an opinion goes into the samples, and why not: a pure function of what the stages found. */
export function decide(opinion: Pick<Opinion, 'quote' | 'rewriteOf'>, facts: Facts): Decision {
  const before = screen(opinion, facts);
  if (before) return before;
  if (facts.representative === false) return dropped('duplicate');
  if (facts.selected === false) return dropped(facts.leftOut ?? 'quota is full');
  if (facts.representative === null || facts.selected === null) return { status: 'candidate', reason: null };
  return {
    status: 'accepted',
    reason: !facts.hasStance
      ? 'grounded; no stance claimed'
      : opinion.rewriteOf !== null
        ? 'rewrite entails the stance'
        : 'grounded; entails the stance',
  };
}

/** Why an opinion never comes to the deduplication; undefined for one that does. */
export function screen(
  opinion: Pick<Opinion, 'quote' | 'rewriteOf'>,
  facts: Pick<Facts, 'verdict' | 'hasStance' | 'includeRewritten'>,
): Decision | undefined {
  if (opinion.quote === null) return dropped('ungrounded');
  if (!facts.hasStance) return undefined;
  if (facts.verdict === null) return dropped('no verdict');
  if (facts.verdict !== 'entail') return dropped(facts.verdict);
  if (opinion.rewriteOf !== null && !facts.includeRewritten) return dropped('rewritten');
  return undefined;
}
