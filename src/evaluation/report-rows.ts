/** Delegates' seats by what the survey assigned to them; the code is null where no stance is claimed. */
export interface SeatRow {
  culture: string;
  topic: string;
  country: string;
  code: number | null;
  seats: number;
}

/** Opinions by how they ended and which answer their persona was assigned. */
export interface EndRow {
  culture: string;
  topic: string;
  country: string;
  code: number | null;
  status: string;
  reason: string | null;
  /** True for rewrites. */
  rewritten: boolean;
  opinions: number;
}

/** An opinion of the refinement that stands, as far as a report counts it; flags are 0 or 1. */
export interface OpinionRow {
  /** The dialogue's key. */
  dialogue: string;
  dialogueId: string;
  topic: string;
  /** The speaker's id, culture, country and assigned answer. */
  persona: string;
  culture: string;
  country: string;
  code: number | null;
  status: string;
  reason: string | null;
  class: string | null;
  rewritten: number;
  /** Whether a reading stands, and the answer that it found. */
  read: number;
  readCode: number | null;
  /** Who spoke the turn. */
  model: string;
  provider: string;
}

/** Accepted opinions of one dialogue and country by the answer that was read from their text. */
export interface ReadRow {
  dialogue: string;
  culture: string;
  topic: string;
  country: string;
  /** False where no reading stands; then the code is null too. */
  read: boolean;
  /** Null: the text takes no position, or nobody read it. */
  code: number | null;
  rows: number;
}

/** Accepted opinions of a culture in a class; null where the extractor gave none. */
export interface ClassRow {
  culture: string;
  class: string | null;
  opinions: number;
}

/** The one that most accepted opinions come from. */
export interface Largest {
  of: 'model' | 'persona' | 'dialogue';
  name: string;
  opinions: number;
  /** Accepted opinions of the run. */
  all: number;
}

/** Some texts of a culture on a topic; `kind` tells accepted opinions from the other side's turns. */
export interface TextRow {
  kind: 'opinion' | 'main contact';
  culture: string;
  topic: string;
  language: string;
  text: string;
}

/** A stage that judges or reads, with a model that it asked. */
export interface JudgeRow {
  stage: string;
  model: string;
  /** Hash of the words that it was asked in. */
  prompt: string;
  finished: boolean;
  /** Dialogues whose replies were unusable, in whole or in part. */
  notes: number;
}

/** What a stage judges as. */
export const judgeRole = (stage: string): 'verifier' | 'reader' =>
  stage === 'verify' ? 'verifier' : 'reader';

/** What a stage and role paid; the cost is null where a price is unknown. */
export interface CostLine {
  stage: string;
  role: string;
  model: string;
  paid_calls: number;
  reused_calls: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number | null;
}

export interface LeftOut {
  culture: string;
  topic: string;
  reason: string;
}
