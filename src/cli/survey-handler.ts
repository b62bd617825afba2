import { cultureIds, loadCulture } from '../agents/load.ts';
import type { Culture } from '../agents/types.ts';
import { UserError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import { suggestion } from '../nearest.ts';
import { loadSurvey } from '../survey/load.ts';
import { cellKey } from '../ids.ts';
import type { Survey, Topic } from '../survey/types.ts';
import { out } from './output.ts';
import { table } from './table.ts';
import { paint, wrapped } from './text.ts';

/** Prints the topics of the survey. */
export function listTopics({ theme, json }: { theme: string | undefined; json: boolean }): void {
  const all = [...loadSurvey().topics.values()];
  const themes = [...new Set(all.map((topic) => topic.theme))];
  if (theme !== undefined && !themes.includes(theme)) {
    throw new UserError(`There is no theme "${theme}": ${suggestion(theme, themes)}`, {
      mend: `Name one of ${themes.join(', ')}.`,
    });
  }
  const topics = all.filter((topic) => theme === undefined || topic.theme === theme);
  if (json)
    return out(
      JSON.stringify({
        topics: topics.map(({ id, theme: of, scale, statement }) => ({ id, theme: of, scale, statement })),
      }),
    );
  out(
    table(
      ['topic', 'theme', 'scale', 'statement'],
      topics.map((topic) => [topic.id, topic.theme, topic.scale ?? 'none', topic.statement]),
    ),
  );
  out(
    `\n${topics.length} topics of the World Values Survey, wave 7, in our own words. See one: culturepark survey show ${topics[0]?.id ?? 'TOPIC'}`,
  );
}

/** Whether the people of a culture were asked about a topic: in all of its countries, in some, in none. */
interface Coverage {
  topic: Topic;
  notAsked: string[];
  state: 'all' | 'some' | 'none';
}

const signs = { all: '#', some: '+', none: '.' } as const;

function coverageOf(survey: Survey, culture: Culture): Coverage[] {
  return [...survey.topics.values()].map((topic) => {
    const notAsked = culture.countries
      .map(({ code }) => code)
      .filter((code) => !survey.cells.get(cellKey(topic.id, code))?.validN);
    return {
      topic,
      notAsked,
      state: notAsked.length === 0 ? 'all' : notAsked.length < culture.countries.length ? 'some' : 'none',
    };
  });
}

/** Prints which culture has answers on which topic, and lists the gaps. */
export function showCoverage({ culture, json }: { culture: string | undefined; json: boolean }): void {
  const survey = loadSurvey();
  const rows = (culture === undefined ? cultureIds() : [culture])
    .map(loadCulture)
    .map((one) => ({ culture: one, cells: coverageOf(survey, one) }));
  if (json) return out(JSON.stringify(coverageJson(rows)));
  out(paint('bold', 'Topics with answers (respondents, unweighted), one sign a topic'));
  out(
    '# asked in every country of the culture   + in some of them   . in none: no stance is made up, and no dialogue is held\n',
  );
  const themes = [...groupBy(survey.topics.values(), ({ theme }) => theme).keys()];
  const signsOf = (cells: Coverage[], theme: string) =>
    cells.filter(({ topic }) => topic.theme === theme).map(({ state }) => signs[state]);
  out(
    table(
      ['culture', ...themes, 'with answers'],
      rows.map(({ culture: { id }, cells }) => [
        id,
        ...themes.map((theme) => signsOf(cells, theme).join('')),
        `${cells.filter(({ state }) => state !== 'none').length} of ${cells.length}`,
      ]),
    ),
  );
  for (const { culture: one, cells } of rows) for (const text of gaps(one, cells)) out(`\n${text}`);
  const whole = rows.filter(({ cells }) => cells.every(({ state }) => state === 'all'));
  if (whole.length > 0)
    out(
      `\n${wrapped(`Answers on every topic: ${whole.map(({ culture: one }) => withCountries(one)).join(', ')}.`)}`,
    );
}

const withCountries = ({ id, countries }: Culture): string =>
  `${id} (${countries.map(({ code }) => code).join(', ')})`;

/** The topics that nobody of a culture was asked about, and those that people of some of its countries were not. */
function gaps(culture: Culture, cells: Coverage[]): string[] {
  const ids = (some: Coverage[]): string => some.map(({ topic }) => topic.id).join(', ');
  const none = cells.filter(({ state }) => state === 'none');
  const some = cells.filter(({ state }) => state === 'some');
  const texts: string[] = [];
  if (none.length > 0)
    texts.push(
      `${withCountries(culture)} has no answers on ${none.length} of the ${cells.length} topics:\n${wrapped(ids(none), 96, '  ')}`,
    );
  const countries = culture.countries.flatMap(({ code }) => {
    const missing = some.filter(({ notAsked }) => notAsked.includes(code));
    return missing.length > 0 ? [wrapped(`${code} on ${missing.length}: ${ids(missing)}`, 96, '  ')] : [];
  });
  if (countries.length > 0)
    texts.push(
      [
        `${withCountries(culture)}: in some countries there are no answers; its others stand in:`,
        ...countries,
      ].join('\n'),
    );
  return texts;
}

function coverageJson(rows: readonly { culture: Culture; cells: Coverage[] }[]) {
  return {
    figures: 'respondents, unweighted',
    cultures: rows.map(({ culture, cells }) => ({
      culture: culture.id,
      countries: culture.countries.map(({ code }) => code),
      topics: cells.length,
      with_answers: cells.filter(({ state }) => state !== 'none').length,
      no_answers: cells.filter(({ state }) => state === 'none').map(({ topic }) => topic.id),
      in_some_countries: cells
        .filter(({ state }) => state === 'some')
        .map(({ topic, notAsked }) => ({ topic: topic.id, not_asked: notAsked })),
    })),
  };
}
