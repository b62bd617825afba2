import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cultureIds, loadCulture, loadMainContact } from '../../src/agents/load.ts';
import { ageBands, genders } from '../../src/agents/types.ts';
import { UserError } from '../../src/errors.ts';
import { packageRoot } from '../../src/paths.ts';
import { loadSurvey } from '../../src/survey/load.ts';

const shipped = [
  'arabic',
  'bengali',
  'chinese',
  'english',
  'german',
  'korean',
  'portuguese',
  'spanish',
  'turkish',
];

test('nine cultures are shipped', () => {
  expect(cultureIds()).toEqual(shipped);
});

test('every country of a culture is in the survey, and each of its 17 countries but Greece stands for one', () => {
  const surveyed = new Set([...loadSurvey().cells.values()].map(({ country }) => country));
  const standing = shipped.flatMap((id) => loadCulture(id).countries.map(({ code }) => code));
  expect(standing.filter((code) => !surveyed.has(code))).toEqual([]);
  expect([...surveyed].filter((code) => !standing.includes(code))).toEqual(['GRC']);
  expect(new Set(standing).size).toBe(standing.length);
});

describe.each(shipped)('%s', (id) => {
  const culture = loadCulture(id);

  test('it has a language, a source of its weights and names for every gender and age', () => {
    expect(culture.language).toMatch(/^[a-z]{2}$/);
    expect(culture.weightsSource).not.toBe('');
    for (const { names, namesOwn, weight } of culture.countries) {
      expect(weight).toBeGreaterThan(0);
      for (const gender of genders)
        for (const band of ageBands) {
          expect(names[gender][band].length).toBeGreaterThan(0);
          expect(namesOwn[gender][band].length).toBeGreaterThan(0);
          for (const name of names[gender][band]) expect(name).toMatch(/^\p{Script=Latin}/u);
        }
    }
  });

  test('no name is a woman’s and a man’s at once', () => {
    for (const { names } of culture.countries) {
      const female = new Set(Object.values(names.female).flat());
      expect(
        Object.values(names.male)
          .flat()
          .filter((name) => female.has(name)),
      ).toEqual([]);
    }
  });
});

test('the main contact is English, and German for an English delegate', () => {
  expect(loadMainContact()).toEqual({ culture: 'english', instead: 'german' });
});

test.each([
  ['turkisch', 'did you mean "turkish"?'],
  ['Arabic', 'did you mean "arabic"?'],
  ['klingon', 'valid: arabic, bengali'],
  ['../secret', 'valid: arabic, bengali'],
  ['main-contact', 'valid: arabic, bengali'],
  ['', 'valid: arabic, bengali'],
])('the unknown culture "%s" is refused with what is near', (id, near) => {
  expect(() => loadCulture(id)).toThrow(UserError);
  expect(() => loadCulture(id)).toThrow(near);
});

describe("a user's own agent file", () => {
  const turkish = readFileSync(join(packageRoot, 'agents', 'turkish.yaml'), 'utf8');
  const cwd = process.cwd();
  beforeEach(() => {
    process.chdir(mkdtempSync(join(tmpdir(), 'culturepark-agents-')));
    mkdirSync('agents');
  });
  afterEach(() => process.chdir(cwd));

  /** Loads the Turkish file with a change. */
  const load = (from: string | RegExp, to: string) => {
    const text = turkish.replace(from, to);
    expect(text).not.toBe(turkish);
    writeFileSync(join('agents', 'mine.yaml'), text);
    return () => loadCulture('mine');
  };

  test('makes a culture of its own beside the shipped ones', () => {
    expect(load(/en: Turkish/, 'en: Mine')().name.en).toBe('Mine');
    expect(cultureIds()).toEqual([...shipped, 'mine'].sort());
  });

  test('comes before the shipped one of that name', () => {
    writeFileSync(join('agents', 'turkish.yaml'), turkish.replace(/en: Turkish/, 'en: Mine'));
    expect(loadCulture('turkish').name.en).toBe('Mine');
  });

  test('may leave out the names in its own script', () => {
    writeFileSync(join('agents', 'mine.yaml'), turkish);
    const [country] = loadCulture('mine').countries;
    expect(country?.namesOwn).toEqual(country?.names);
  });

  test.each([
    [
      'an unknown key',
      /^language:/m,
      'langauge: tr\nlanguage:',
      /mine\.yaml:\d+:\d+: langauge: unknown key; did you mean "language"\?/,
    ],
    [
      'a language in words',
      /^language: tr/m,
      'language: Turkish',
      /mine\.yaml:\d+:\d+: language: .*two-letter.*"Turkish"/,
    ],
    [
      'a country in words',
      /code: TUR/,
      'code: Turkey',
      /mine\.yaml:\d+:\d+: countries\.0\.code: .*three-letter.*"Turkey"/,
    ],
    ['a weight of 0', /weight: [\d.]+/, 'weight: 0', /mine\.yaml:\d+:\d+: countries\.0\.weight: .*found 0/],
    [
      'a missing age',
      / +30-44:.*\n/,
      '',
      /mine\.yaml:\d+:\d+: countries\.0\.names\.female\.30-44: is missing/,
    ],
    [
      'no source of the weights',
      /^weights_source:.*\n/m,
      '',
      /mine\.yaml:\d+:\d+: weights_source: is missing/,
    ],
    ['broken YAML', /^language:/m, ' language:', /mine\.yaml:\d+:\d+: this is not YAML/],
  ])('with %s is refused by file, line and path', (_, from, to, message) => {
    expect(load(from, to)).toThrow(UserError);
    expect(load(from, to)).toThrow(message);
  });

  test('names the line of the fault', () => {
    const line = turkish.split('\n').findIndex((text) => text.includes('code: TUR')) + 1;
    expect(load(/code: TUR/, 'code: Turkey')).toThrow(`mine.yaml:${line}:`);
  });
});
