import { readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { suggestion } from '../nearest.ts';
import { findFile, packageRoot } from '../paths.ts';
import { readYaml } from '../yaml-file.ts';
import { ageBands, genders, type Culture } from './types.ts';

const names = z.strictObject(
  Object.fromEntries(
    genders.map((gender) => [
      gender,
      z.strictObject(Object.fromEntries(ageBands.map((band) => [band, z.array(z.string().min(1)).min(1)]))),
    ]),
  ),
) as unknown as z.ZodType<Culture['countries'][number]['names']>;

/** `agents/<culture>.yaml`. */
const cultureSchema = z.strictObject({
  name: z.strictObject({ en: z.string().min(1), own: z.string().min(1) }),
  language: z.string().regex(/^[a-z]{2}$/, 'a two-letter ISO 639-1 code'),
  weights_source: z.string().min(1),
  countries: z
    .array(
      z.strictObject({
        code: z.string().regex(/^[A-Z]{3}$/, 'a three-letter ISO 3166 code'),
        region: z.string().regex(/^[A-Z]{2}$/, 'a two-letter ISO 3166 code'),
        weight: z.number().positive(),
        names,
        names_own: names.optional(),
      }),
    )
    .min(1),
});

const mainContactSchema = z.strictObject({ culture: z.string().min(1), instead: z.string().min(1) });

const ID = /^[a-z0-9][a-z0-9-]*$/;

/** The cultures that can be named: files of `agents/` here and in the package, but for the main contact's. */
export function cultureIds(): string[] {
  const folders = [resolve('agents'), join(packageRoot, 'agents')];
  const files = folders.flatMap((folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  });
  const ids = files
    .filter((file) => file.endsWith('.yaml') && file !== 'main-contact.yaml')
    .map((file) => basename(file, '.yaml'));
  return [...new Set(ids)].sort();
}

/** Loads a culture; the user's `agents/<id>.yaml` comes before the package's. Throws a UserError for an unknown or faulty one. */
export function loadCulture(id: string): Culture {
  const file = ID.test(id) ? findFile('agents', `${id}.yaml`) : undefined;
  if (!file || id === 'main-contact') {
    throw new UserError(`There is no culture "${id}": ${suggestion(id, cultureIds())}`, {
      mend: `Name one of them, or write agents/${ID.test(id) ? id : 'name'}.yaml (\`culturepark init\` gives an example).`,
    });
  }
  const { value } = readYaml(file, cultureSchema);
  return {
    id,
    name: value.name,
    language: value.language,
    weightsSource: value.weights_source,
    countries: value.countries.map(({ names_own, ...country }) => ({
      ...country,
      namesOwn: names_own ?? country.names,
    })),
  };
}

/** The main contact's culture, and the one it has for a delegate of that same culture. */
export function loadMainContact(): { culture: string; instead: string } {
  return readYaml(findFile('agents', 'main-contact.yaml') as string, mainContactSchema).value;
}
