import type { AgeBand, Education, Gender } from '../agents/types.ts';
import type { People, Person } from '../agents/respondents.ts';
import type { Reader } from './store.ts';
import { importedSurveys, respondentsOf } from './surveys.ts';

/** The imported respondents of some countries. A country has those of one survey: two imports of it are refused. */
export async function peopleOf(read: Reader, countries: ReadonlySet<string>): Promise<People> {
  const byCountry = new Map<string, Person[]>();
  const items = new Set<string>();
  for (const survey of await importedSurveys(read)) {
    if (!survey.respondents) continue;
    survey.items.forEach((item) => items.add(item));
    for (const country of countries) {
      const people: Person[] = [];
      for await (const { number, weight, age_band, gender, education, answers } of respondentsOf(
        read,
        survey.name,
        country,
      ))
        people.push({
          surveyId: survey.id,
          number,
          country,
          weight,
          answers,
          ageBand: age_band as AgeBand | null,
          gender: gender as Gender | null,
          education: education as Education | null,
        });
      if (people.length > 0) byCountry.set(country, people);
    }
  }
  return { secret: byCountry.size > 0 ? await secretOf(read) : '', byCountry, items };
}

/** Empty in a database that an older program made and that is open for reading alone: nothing is drawn for good from it. */
async function secretOf(read: Reader): Promise<string> {
  const tables = await read.introspection.getTables();
  if (!tables.some(({ name }) => name === 'secrets')) return '';
  const { value } = await read
    .selectFrom('secrets')
    .select('value')
    .where('name', '=', 'respondents')
    .executeTakeFirstOrThrow();
  return value;
}

/** The respondent that a persona stands for; null where its stances were drawn apart. */
export async function respondentOf(
  read: Reader,
  personaId: string,
): Promise<{ survey: string; country: string; number: number } | null> {
  const row = await read
    .selectFrom('persona_respondents as r')
    .innerJoin('surveys as s', 's.id', 'r.survey_id')
    .select(['s.name as survey', 'r.country', 'r.number'])
    .where('r.persona_id', '=', personaId)
    .executeTakeFirst();
  return row ?? null;
}
