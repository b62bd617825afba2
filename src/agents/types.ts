export const genders = ['female', 'male'] as const;
export type Gender = (typeof genders)[number];
export const ageBands = ['18-29', '30-44', '45-59', '60+'] as const;
export type AgeBand = (typeof ageBands)[number];

export const educations = ['lower', 'middle', 'higher'] as const;
export type Education = (typeof educations)[number];

type Names = Record<Gender, Record<AgeBand, readonly string[]>>;

/** One country that stands for a culture. */
export interface CultureCountry {
  /** ISO 3166 alpha-3, as in the survey. */
  code: string;
  /** ISO 3166 alpha-2: the country's name in any language comes from Intl.DisplayNames. */
  region: string;
  /** Share of the culture, any positive number; normalised over the countries that have answers. */
  weight: number;
  /** Given names by gender and age band, in Latin script. */
  names: Names;
  /** The same names in the culture's own script. */
  namesOwn: Names;
}

/** A group that shares language and customs: `agents/<culture>.yaml`. */
export interface Culture {
  /** The file's name without `.yaml`; the id that scenarios use. */
  id: string;
  /** Display name in English ("Turkish") and in its own language ("Türk"). */
  name: { en: string; own: string };
  /** ISO 639-1. */
  language: string;
  countries: readonly CultureCountry[];
  weightsSource: string;
}

/** One simulated person. */
export interface Persona {
  id: string;
  key: string;
  culture: string;
  country: string;
  name: string;
  ageBand: AgeBand;
  gender: Gender;
  /** Stances by topic id: an answer code of the scale shown in the persona's country. */
  stances: ReadonlyMap<string, number>;
  /** Where it stands for a respondent who told it. */
  education?: Education;
  /** Whom it stands for, where a scenario draws respondents; the user's database alone knows. */
  respondent?: { surveyId: string; number: number };
}
