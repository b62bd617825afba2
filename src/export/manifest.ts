import type { WrittenFile } from './folder.ts';

interface ExportedModel {
  provider: string;
  model: string;
  scripted: boolean;
  /** Where the role has one of its own. */
  temperature?: number;
  top_p?: number;
}

/** One run that an export was made of. */
export interface ExportedRun {
  id: string;
  scenario: string;
  seed: number;
  created_at: string;
  scripted: boolean;
  /** The whole scenario as it ran. */
  config: unknown;
  /** Model by role. */
  models: Record<string, ExportedModel & { fallback?: ExportedModel }>;
  /** Which models answered, by role, with how many replies; the share is of the role's. */
  spoke: readonly (ExportedModel & { role: string; replies: number; share: number })[];
  prompts: readonly { name: string; version: number; hash: string }[];
}

/** What is said of one culture in an export. */
export interface ExportedCulture {
  culture: string;
  countries: readonly { code: string; weight: number }[];
  weights_source: string;
  train: number;
  test: number;
  /** Why there is no row; null where there are rows. */
  no_rows: string | null;
  /** Opinions by how they ended. */
  funnel: Record<string, number>;
}

/** Who judged a culture's opinions, and what that judge is worth in the language of their dialogues. */
export interface ExportedJudge {
  run: string;
  culture: string;
  language: string;
  provider: string;
  model: string;
  /** Plain words, such as "not calibrated". */
  in_words: string;
  calibration: {
    source: string;
    provenance: string;
    n: number;
    accuracy: number;
    balanced_accuracy: number;
    low: number;
    high: number;
    kappa: number | null;
  } | null;
}

/** `manifest.json`: what the data is and where it came from. */
export interface Manifest {
  format_version: 1;
  name: string;
  program: { name: string; version: string };
  made_at: string;
  synthetic: true;
  scripted_rows: number;
  rewritten_rows: number;
  /** Rows whose words a person has changed; left out where there are none. */
  edited_rows?: number;
  /** Rows of kind `extends`; left out where there are none. */
  extending_rows?: number;
  /** Rows by flag, as the extractor saw them, and those that it was not asked about. */
  flagged_rows: Record<string, number>;
  verification: string;
  /** Verifiers whose verdicts let rows in; none where no row claims a stance. */
  judges: readonly ExportedJudge[];
  runs: readonly ExportedRun[];
  cultures: readonly ExportedCulture[];
  test_topics: readonly string[];
  topics: readonly { id: string; survey: string; statement: string; stances: boolean }[];
  left_out: {
    no_answers: readonly { culture: string; topic: string; reason: string }[];
    scripted_rows: number;
    /** Rows of respondents whose text told their persona's name; left out where there are none. */
    named_rows?: number;
    /** Rows with a flag that was excluded; left out where there are none. */
    flagged_rows?: number;
  };
  missing_above_20_percent: readonly { topic: string; country: string; missing_share: number }[];
  survey: { notice: string; citation: string };
  personas: string;
  not_for: readonly string[];
  files: readonly WrittenFile[];
}

export const surveyNotice =
  'Answer figures: World Values Survey wave 7 (2017-2022), respondents, unweighted. Aggregate figures only; non-profit use; cite the source.';
export const surveyCitation =
  'Haerpfer, C., Inglehart, R., Moreno, A., Welzel, C., Kizilova, K., Diez-Medrano, J., Lagos, M., Norris, P., Ponarin, E. & Puranen, B. (eds.): World Values Survey: Round Seven, country-pooled datafile.';
export const personaNotice =
  'Personas are invented. Their stances are drawn from the survey; age, gender and name are drawn apart from the stance and carry no survey information.';
export const respondentNotice =
  'Each persona stands for one respondent of a survey that the user imported: its answers, age band, gender and education go together as that person gave them; its name is invented. The rows tell neither age, gender nor education, sample ids are pseudonyms made for each row alone, and nothing here says which rows are of one person.';
export const notForRespondents = 'to find out who answered the survey, or what else a respondent answered';
export const notFor = [
  'to state what people of a country think: the rows are written by a language model that was told an answer; only the spread of the answers comes from the survey',
  'to profile, score or rank real people or groups',
  'to train a model that is then presented as the voice of a culture',
  'to evaluate models on the questions that stand in its training files',
] as const;
