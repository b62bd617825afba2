import { loadCulture } from '../agents/load.ts';
import type { Culture } from '../agents/types.ts';
import { loadSurvey } from '../survey/load.ts';
import { cellKey } from '../ids.ts';
import { mixture } from '../survey/mixture.ts';
import { loadTexts, statementIn, type SurveyTexts } from '../survey/texts.ts';
import type { Cell, Scale, Survey, Topic } from '../survey/types.ts';
import { out } from './output.ts';
import { countriesOf, countryOf, nameOf, topicOf } from './survey-words.ts';
import { oneLine, paint, printable, wrapped } from './text.ts';

/** Above this share without a valid answer a figure is flagged. */
const MUCH_MISSING = 0.2;
const BAR = 30;

interface Show {
  topic: string;
  countries: readonly string[];
  culture: string | undefined;
  language: string | undefined;
  json: boolean;
}

interface Answer {
  code: number;
  label: string;
  /** Respondents; null in a mixture of countries. */
  n: number | null;
  share: number;
}

/** Prints what the people of some countries answered on a topic, and the mixture of a culture. */
export function showTopic({ topic: id, countries, culture: cultureId, language, json }: Show): void {
  const survey = loadSurvey();
  const topic = topicOf(survey, id);
  const culture = cultureId === undefined ? undefined : loadCulture(cultureId);
  const words = loadTexts(language ?? 'en', survey);
  const wanted = new Set([
    ...(culture?.countries.map(({ code }) => code) ?? []),
    ...countries.map((code) => countryOf(survey, code)),
  ]);
  const shown = wanted.size > 0 ? [...wanted] : countriesOf(survey);
  const figures = shown.map((country) => ({
    country,
    name: nameOf(country),
    cell: survey.cells.get(cellKey(topic.id, country)),
  }));
  if (json) return out(JSON.stringify(asJson(survey, topic, words, figures, culture)));
  out(
    `${paint('bold', topic.id)}, ${topic.theme}, World Values Survey wave 7; figures are respondents, unweighted\n`,
  );
  out(wrapped(`“${statementIn(words, topic)}”`));
  const scale = survey.scales.get(topic.scale as string) as Scale;
  out(
    `\nScale ${scale.id}: ${scale.options.map(({ code }) => `${code} ${labelOf(words, scale, code)}`.trim()).join(', ')}`,
  );
  for (const { country, name, cell } of figures)
    out(`\n${countryText(topic, words, `${country}${name ? ` ${name}` : ''}`, cell)}`);
  if (culture) out(`\n${mixtureText(survey, topic, words, culture)}`);
}

function countryText(topic: Topic, words: SurveyTexts, title: string, cell: Cell | undefined): string {
  if (!cell) return `${paint('bold', title)}: not among the survey's figures.`;
  if (cell.validN === 0)
    return `${paint('bold', title)}: not asked (no valid answer of ${number(cell.missingN)} respondents).`;
  const lines = [
    `${paint('bold', title)}: respondents, unweighted, n = ${number(cell.validN)} valid${missingText(cell.missingN / (cell.validN + cell.missingN))}`,
  ];
  if (cell.scale.id !== topic.scale)
    lines.push(`  people there were shown another scale, ${cell.scale.id}: these answers only`);
  return [...lines, ...answersOf(words, cell).map(bar)].join('\n');
}

function mixtureText(survey: Survey, topic: Topic, words: SurveyTexts, culture: Culture): string {
  const title = paint('bold', `${culture.id}, its countries together`);
  const mixed = mixture(survey, culture.countries, topic.id);
  if (!mixed) return `${title}: not asked in any of them; no persona gets a stance.`;
  const weights = culture.countries
    .filter(({ code }) => mixed.countries.includes(code))
    .map(({ code, weight }) => `${code} ${weight}`);
  const scales = new Map(
    mixed.countries.map((code) => [code, (survey.cells.get(cellKey(topic.id, code)) as Cell).scale.id]),
  );
  return [
    `${title}: respondents, unweighted within a country, n = ${number(mixed.validN)} valid${missingText(mixed.missingShare)}`,
    ...(weights.length > 1
      ? [
          wrapped(
            `weights of the countries: ${weights.join(', ')} (${oneLine(culture.weightsSource, 300)})`,
            94,
            '  ',
          ),
        ]
      : []),
    ...(mixed.notAsked.length > 0 ? [`  not asked in ${mixed.notAsked.join(', ')}`] : []),
    ...(new Set(scales.values()).size > 1
      ? [`  scales differ: ${[...scales].map(([code, scale]) => `${code} ${scale}`).join(', ')}`]
      : []),
    ...mixedAnswers(survey, topic, words, culture).map(bar),
  ].join('\n');
}

const missingText = (share: number): string => {
  const text = `${percent(share)} without a valid answer`;
  return share > MUCH_MISSING ? `, ${paint('yellow', `! ${text}`)}` : `, ${text}`;
};

function bar({ code, label, n, share }: Answer): string {
  const drawn = '█'.repeat(Math.round(share * BAR)) || (share > 0 ? '▏' : '');
  return `  ${String(code).padStart(2)}  ${percent(share).padStart(6)}  ${(n === null ? '' : number(n)).padStart(6)}  ${drawn.padEnd(BAR)}  ${oneLine(label)}`.trimEnd();
}

function answersOf(words: SurveyTexts, cell: Cell): Answer[] {
  return cell.scale.options.map(({ code }, at) => {
    const n = cell.counts[at] ?? 0;
    return { code, label: labelOf(words, cell.scale, code), n, share: n / cell.validN };
  });
}

function mixedAnswers(survey: Survey, topic: Topic, words: SurveyTexts, culture: Culture): Answer[] {
  const shares = new Map<number, number>();
  for (const { code, share } of mixture(survey, culture.countries, topic.id)?.parts ?? [])
    shares.set(code, (shares.get(code) ?? 0) + share);
  const scale = survey.scales.get(topic.scale as string) as Scale;
  return [...shares]
    .sort(([a], [b]) => a - b)
    .map(([code, share]) => ({ code, label: labelOf(words, scale, code), n: null, share }));
}

const labelOf = (words: SurveyTexts, scale: Scale, code: number): string =>
  printable(
    words.labels.get(scale.id)?.get(code) ??
      scale.options.find((option) => option.code === code)?.label ??
      '',
  );
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
const number = (n: number): string => n.toLocaleString('en');

function asJson(
  survey: Survey,
  topic: Topic,
  words: SurveyTexts,
  figures: readonly { country: string; name: string; cell: Cell | undefined }[],
  culture: Culture | undefined,
) {
  const mixed = culture && mixture(survey, culture.countries, topic.id);
  return {
    topic: topic.id,
    theme: topic.theme,
    scale: topic.scale,
    language: words.language,
    statement: statementIn(words, topic),
    figures: 'respondents, unweighted',
    countries: figures.map(({ country, name, cell }) => ({
      country,
      name: name || null,
      asked: cell !== undefined && cell.validN > 0,
      scale: cell?.scale.id ?? null,
      valid_n: cell?.validN ?? 0,
      missing_n: cell?.missingN ?? null,
      answers: cell && cell.validN > 0 ? answersOf(words, cell) : [],
    })),
    mixture: culture
      ? {
          culture: culture.id,
          countries: mixed?.countries ?? [],
          not_asked: mixed ? mixed.notAsked : culture.countries.map(({ code }) => code),
          weights_source: culture.weightsSource,
          valid_n: mixed?.validN ?? 0,
          missing_share: mixed?.missingShare ?? null,
          answers: mixedAnswers(survey, topic, words, culture).map(({ code, label, share }) => ({
            code,
            label,
            share,
          })),
        }
      : null,
  };
}
