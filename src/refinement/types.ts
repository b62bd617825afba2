import type { Polarity } from '../survey/types.ts';

export type VerdictValue = 'entail' | 'contradict' | 'irrelevant';
export const opinionClasses = ['belief', 'norm', 'custom'] as const;
export type OpinionClass = (typeof opinionClasses)[number];

/** What each class is about: six kinds a class, as in the analysis of CulturePark (arXiv 2405.15145); the names are ours. */
export const subtypes = {
  belief: ['religious', 'moral', 'social', 'political', 'economic', 'scientific'],
  norm: ['moral', 'social', 'legal', 'religious', 'family', 'work'],
  custom: ['family', 'religious', 'social', 'work', 'food', 'festival'],
} as const satisfies Record<OpinionClass, readonly string[]>;

/** What a reader of the data should know of an opinion; the extractor's judgement, which nobody has checked. */
export const opinionFlags = ['hateful', 'personal-data', 'stereotype'] as const;
export type OpinionFlag = (typeof opinionFlags)[number];

/** What people say of an opinion; `clear` takes back what was said before. */
export const marks = ['accept', 'reject', 'edit', 'clear'] as const;
export type Mark = (typeof marks)[number];

/** One self-contained claim of a delegate with the verbatim words that carry it. Immutable: a rewrite is an opinion of its own. */
export interface Opinion {
  id: string;
  key: string;
  dialogueId: string;
  turnIdx: number;
  personaId: string;
  text: string;
  /** Verbatim words of the turn; null when they do not stand there. */
  quote: string | null;
  /** UTF-16 offsets of the quote in the turn's text. */
  quoteStart: number | null;
  quoteEnd: number | null;
  /** How closely the quote stands in the turn, 0.85 to 1 (in those words); null without a quote, and for rows from before. */
  alignment: number | null;
  class: OpinionClass | null;
  subtype: string | null;
  /** Whether it brings in what the statement does not speak of; null where the extractor was not asked, as `flags` is. */
  extendsTopic: boolean | null;
  flags: readonly OpinionFlag[] | null;
  polarity: Polarity;
  rewriteOf: string | null;
  callId: string;
  stageRunId: string;
}

export interface Verdict {
  opinionId: string;
  stageRunId: string;
  verdict: VerdictValue;
  model: string;
  callId: string;
}

export const stageNames = [
  'read_turns',
  'extract',
  'ground',
  'verify',
  'rewrite',
  'verify_rewrite',
  'gate',
  'deduplicate',
  'select',
  'read_opinions',
] as const;
export type StageName = (typeof stageNames)[number];
