import { cellKey } from '../ids.ts';
import type { Cell, Survey, Topic } from './types.ts';

/** One answer of one country, with its share of the culture (all shares of a culture and topic sum to 1). */
interface MixturePart {
  code: number;
  country: string;
  share: number;
}

/** What the people of a culture answered on a topic: the weighted mixture of its countries that were asked. */
export interface Mixture {
  /** Ordered by answer code, then country: any answer is one contiguous group. */
  parts: readonly MixturePart[];
  /** The countries that have answers. */
  countries: readonly string[];
  /** Countries of the culture that have none. */
  notAsked: readonly string[];
  validN: number;
  /** Share of the respondents without a valid answer, over the countries that were asked, unweighted. */
  missingShare: number;
}

interface WeightedCountry {
  code: string;
  weight: number;
}

/** Null when nobody of the culture was asked, or nobody answered. */
export function mixture(
  survey: Survey,
  countries: readonly WeightedCountry[],
  topicId: string,
): Mixture | null {
  const asked = countries.flatMap((country) => {
    const cell = survey.cells.get(cellKey(topicId, country.code));
    return cell && cell.validN > 0 ? [{ ...country, cell }] : [];
  });
  if (asked.length === 0) return null;
  const total = asked.reduce((sum, { weight }) => sum + weight, 0);
  const parts = asked
    .flatMap(({ code: country, weight, cell }) =>
      answers(cell).map(({ code, share }) => ({ code, country, share: (share * weight) / total })),
    )
    .sort((a, b) => a.code - b.code || (a.country < b.country ? -1 : 1));
  const validN = asked.reduce((sum, { cell }) => sum + cell.validN, 0);
  const missingN = asked.reduce((sum, { cell }) => sum + cell.missingN, 0);
  const names = new Set(asked.map(({ code }) => code));
  return {
    parts,
    countries: [...names],
    notAsked: countries.filter(({ code }) => !names.has(code)).map(({ code }) => code),
    validN,
    missingShare: missingN / (validN + missingN),
  };
}

/** The answers of a culture on a topic with their shares; a topic without answers has its countries with their weights. */
export function answerShares(
  survey: Survey,
  countries: readonly WeightedCountry[],
  topic: Pick<Topic, 'id' | 'scale'>,
): { country: string; code: number | null; share: number }[] {
  if (topic.scale !== null) return [...(mixture(survey, countries, topic.id)?.parts ?? [])];
  const total = countries.reduce((sum, { weight }) => sum + weight, 0);
  return countries.map(({ code: country, weight }) => ({ country, code: null, share: weight / total }));
}

/** The shares of a cell's answers, in the scale's order; weighted where weighted counts are at hand. */
function answers(cell: Cell): { code: number; share: number }[] {
  const counts = cell.weighted ?? cell.counts;
  const total = counts.reduce((sum, count) => sum + count, 0);
  return cell.scale.options.map((option, at) => ({ code: option.code, share: (counts[at] ?? 0) / total }));
}
