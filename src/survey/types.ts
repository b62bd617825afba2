/** One answer that people were offered. `agreement` is 0 (against the statement) to 1 (for it). */
export interface Option {
  code: number;
  /** English label; empty where the scale labels its ends only. */
  label: string;
  agreement: number;
}

/** An ordered answer scale, by code. */
export interface Scale {
  id: string;
  options: readonly Option[];
}

/** A survey question in our own words. */
export interface Topic {
  id: string;
  /** `wvs7`, or the name of a user's own survey. */
  survey: string;
  theme: string;
  statement: string;
  /** Id of its answer scale; null for a user's topic with `stance: none`, about which no fidelity is claimed. */
  scale: string | null;
}

/** How many people of one country chose each answer. */
export interface Cell {
  topicId: string;
  country: string;
  /** The scale that people there were shown. */
  scale: Scale;
  /** One count a scale option, in the scale's order. */
  counts: readonly number[];
  /** Weighted counts, once the official file was loaded; null before. */
  weighted: readonly number[] | null;
  validN: number;
  missingN: number;
}

/** Topics and cells by id; what `loadSurvey` gives. */
export interface Survey {
  topics: ReadonlyMap<string, Topic>;
  scales: ReadonlyMap<string, Scale>;
  /** Key: `${topicId} ${country}`. A cell with no valid answers is present with validN = 0. */
  cells: ReadonlyMap<string, Cell>;
}

/** Which side of the statement an answer or a text takes. */
export type Polarity = 'agree' | 'middle' | 'disagree' | 'unknown';
