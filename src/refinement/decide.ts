import type { Mark, Opinion, VerdictValue } from './types.ts';

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
  /** Irrelevant opinions that extend the topic are kept, as a kind of their own. */
  keepExtends?: boolean;
  /** Why the dialogue gate keeps the opinion out; null where it passes, or where the gate only notes. */
  gateFault?: string | null;
  /** The text is in another language than the dialogue. */
  otherLanguage?: boolean;
  /** What a person said last; it wins over all else. */
  review?: Exclude<Mark, 'clear'> | undefined;
}

export interface Decision {
  status: 'accepted' | 'dropped' | 'candidate';
  /** Why it was kept or dropped. */
  reason: string | null;
}

/** The reason of those that are kept beside the opinions about the statement: samples of their own kind. */
export const EXTENDS = 'grounded; extends the topic' as const;

/** How a person's mark ends an opinion. */
export const reviewed: Record<Exclude<Mark, 'clear'>, Decision> = {
  accept: { status: 'accepted', reason: 'accepted by a person' },
  edit: { status: 'accepted', reason: 'edited by a person' },
  reject: { status: 'dropped', reason: 'rejected by a person' },
};

const dropped = (reason: string): Decision => ({ status: 'dropped', reason });

type Judged = Pick<Opinion, 'quote' | 'rewriteOf'> & Partial<Pick<Opinion, 'extendsTopic'>>;

/** Whether an opinion goes into the samples, and why not: a pure function of what the stages found, and of what people say. */
export function decide(opinion: Judged, facts: Facts): Decision {
  if (facts.review) return reviewed[facts.review];
  const before = screen(opinion, facts);
  if (before) return before;
  if (facts.representative === false) return dropped('duplicate');
  if (facts.selected === false) return dropped(facts.leftOut ?? 'quota is full');
  if (facts.representative === null || facts.selected === null) return { status: 'candidate', reason: null };
  return {
    status: 'accepted',
    reason: !facts.hasStance
      ? 'grounded; no stance claimed'
      : isExtension(opinion, facts)
        ? EXTENDS
        : opinion.rewriteOf !== null
          ? 'rewrite entails the stance'
          : 'grounded; entails the stance',
  };
}

/** Why an opinion never comes to the deduplication; undefined for one that does. */
export function screen(
  opinion: Judged,
  facts: Omit<Facts, 'representative' | 'selected'>,
): Decision | undefined {
  // What a person accepts has its place among the near-duplicates; what is rejected leaves it to another.
  if (facts.review) return facts.review === 'reject' ? reviewed.reject : undefined;
  if (opinion.quote === null) return dropped('ungrounded');
  if (facts.otherLanguage) return dropped('another language');
  if (facts.gateFault) return dropped(facts.gateFault);
  if (!facts.hasStance) return undefined;
  if (facts.verdict === null) return dropped('no verdict');
  if (facts.verdict !== 'entail' && !isExtension(opinion, facts)) return dropped(facts.verdict);
  if (opinion.rewriteOf !== null && !facts.includeRewritten) return dropped('rewritten');
  return undefined;
}

/** Says nothing about the statement but brings in something of its own: the diversity of the talk. */
export const isExtension = (
  opinion: Judged,
  { verdict, hasStance, keepExtends }: Pick<Facts, 'verdict' | 'hasStance' | 'keepExtends'>,
): boolean =>
  keepExtends === true &&
  hasStance &&
  verdict === 'irrelevant' &&
  opinion.extendsTopic === true &&
  opinion.rewriteOf === null;
