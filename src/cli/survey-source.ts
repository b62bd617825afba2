import { existsSync } from 'node:fs';
import type { Imported, SurveyRecord } from '../store/surveys.ts';
import type { Reader } from '../store/store.ts';
import type { Topic } from '../survey/types.ts';

/** The database that is looked at when none is named, if it is there. */
const DEFAULT = 'db/culturepark.db';

/** Reads imported surveys from the database that was named, or from the default one if it is there; else gives `without`. */
export async function reading<T>(
  db: string | undefined,
  without: T,
  read: (reader: Reader) => Promise<T>,
): Promise<T> {
  if (db === undefined && !existsSync(DEFAULT)) return without;
  const { openStore } = await import('../store/store.ts');
  const store = openStore(db ?? DEFAULT, { readonly: true });
  try {
    return await read(store.read);
  } finally {
    await store.close();
  }
}

/** The imported surveys, and their topics that are not shipped. */
export const importsIn = (db: string | undefined) =>
  reading<{ surveys: SurveyRecord[]; topics: Topic[] }>(db, { surveys: [], topics: [] }, async (reader) => {
    const { importedSurveys, importedTopics } = await import('../store/surveys.ts');
    return { surveys: await importedSurveys(reader), topics: await importedTopics(reader) };
  });

/** What a run would take from the database for some words of `topics`; null without imports. */
export const importedIn = (db: string | undefined, words: readonly string[]) =>
  reading<Imported | null>(db, null, async (reader) => {
    const { importedSurvey } = await import('../store/surveys.ts');
    return importedSurvey(reader, words);
  });
