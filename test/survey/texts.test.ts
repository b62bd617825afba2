import { describe, expect, test } from 'vitest';
import { cultureIds, loadCulture } from '../../src/agents/load.ts';
import { UserError } from '../../src/errors.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { countryName, loadTexts, statementIn } from '../../src/survey/texts.ts';
import { fill } from '../../src/fill.ts';

const survey = loadSurvey();
const english = loadTexts('en', survey);
const languages = ['ar', 'bn', 'de', 'en', 'es', 'ko', 'pt', 'tr', 'zh'];

/** Scripts of their own: not one Latin letter belongs into their words. */
const scripts: Record<string, RegExp> = {
  ar: /\p{Script=Arabic}/u,
  bn: /\p{Script=Bengali}/u,
  ko: /\p{Script=Hangul}/u,
  zh: /\p{Script=Han}/u,
};

test('there are words in the languages of all nine cultures', () => {
  expect(
    cultureIds()
      .map((id) => loadCulture(id).language)
      .sort(),
  ).toEqual(languages);
});

describe.each(languages)('%s', (language) => {
  const texts = loadTexts(language, survey);
  const templates = [...texts.system, ...texts.question, ...texts.freeQuestion];
  const own = language === 'en' ? undefined : scripts[language];

  test('it has all 50 statements, each different from the others', () => {
    expect([...texts.statements.keys()].sort()).toEqual([...survey.topics.keys()].sort());
    expect(new Set(texts.statements.values()).size).toBe(50);
    for (const topic of survey.topics.values())
      expect(statementIn(texts, topic)).toBe(texts.statements.get(topic.id));
  });

  test('it labels exactly the answers that the scale labels, none the same as another', () => {
    expect([...texts.labels.keys()].sort()).toEqual([...survey.scales.keys()].sort());
    for (const { id, options } of survey.scales.values()) {
      const labelled = options.filter(({ label }) => label !== '').map(({ code }) => code);
      const labels = texts.labels.get(id) as ReadonlyMap<number, string>;
      expect(
        [...labels.keys()].sort((a, b) => a - b),
        id,
      ).toEqual(labelled);
      expect(new Set(labels.values()).size, id).toBe(labelled.length);
    }
  });

  test('its templates carry their places and no others', () => {
    const places = (template: string) =>
      [...template.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();
    for (const template of texts.system) expect(places(template), template).toEqual(['country']);
    for (const template of texts.question)
      expect(places(template), template).toEqual(['options', 'statement']);
    for (const template of texts.freeQuestion) expect(places(template), template).toEqual(['statement']);
    expect(places(texts.answer)).toEqual(['code', 'label', 'opinion']);
    expect(places(texts.answerUnlabelled)).toEqual(['code', 'opinion']);
    for (const template of [...templates, texts.answer, texts.answerUnlabelled])
      expect(template.replace(/\{\{\w+\}\}/g, ''), template).not.toMatch(/[{}]/);
  });

  if (language !== 'en')
    test('no English is left in it', () => {
      for (const [id, statement] of texts.statements) expect(statement).not.toBe(english.statements.get(id));
      for (const [scale, labels] of texts.labels)
        for (const [code, label] of labels) expect(label).not.toBe(english.labels.get(scale)?.get(code));
      const labels = [...texts.labels.values()].flatMap((scale) => [...scale.values()]);
      for (const words of [...texts.statements.values(), ...labels, ...templates]) {
        const plain = words.replace(/\{\{\w+\}\}/g, '');
        expect(plain).not.toMatch(/\b(the|and|should|you|your|with|agree|statement|this)\b/i);
        if (own) {
          expect(plain).toMatch(own);
          expect(plain).not.toMatch(/\p{Script=Latin}/u);
        }
      }
    });

  test('it names the countries that speak it in that language', () => {
    const cultures = cultureIds()
      .map(loadCulture)
      .filter((culture) => culture.language === language);
    for (const { region } of cultures.flatMap(({ countries }) => countries)) {
      const name = countryName(region, language);
      expect(name).not.toBe(region);
      if (own) expect(name).toMatch(own);
    }
  });
});

test.each([
  ['DE', 'de', 'Deutschland'],
  ['BR', 'pt', 'Brasil'],
  ['MX', 'es', 'México'],
  ['KR', 'ko', '대한민국'],
  ['CN', 'zh', '中国'],
  ['EG', 'ar', 'مصر'],
  ['BD', 'bn', 'বাংলাদেশ'],
  ['US', 'de', 'Vereinigte Staaten'],
])('%s is called in %s what people there call it', (region, language, name) => {
  expect(countryName(region, language)).toBe(name);
});

test('a language without words is refused with those that there are', () => {
  expect(() => loadTexts('fr', survey)).toThrow(UserError);
  expect(() => loadTexts('fr', survey)).toThrow(/"fr".*valid: ar, bn, de, en/);
});

test('a topic without a statement in the language is refused: languages are never mixed', () => {
  const topic = { id: 'tea', survey: 'mine', theme: 'food', statement: 'Tea is good.', scale: null };
  expect(() => statementIn(loadTexts('de', survey), topic)).toThrow(/tea.*"de"/);
});

test('fill replaces every place, numbers too, and leaves the values as they are', () => {
  expect(fill('{{a}} and {{b}} and {{a}}', { a: 1, b: '{{c}} $& $1' })).toBe('1 and {{c}} $& $1 and 1');
  expect(fill('{{a}}', { a: 0 })).toBe('0');
});

test('fill refuses an unknown place and says which ones there are', () => {
  const refused = (() => {
    try {
      return fill('Hello {{nmae}}', { name: 'x', country: 'y' });
    } catch (error) {
      return error;
    }
  })();
  expect(refused).toBeInstanceOf(UserError);
  expect(refused).toMatchObject({
    message: expect.stringContaining('{{nmae}}'),
    mend: 'Known: name, country.',
  });
});
