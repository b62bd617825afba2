import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { suggestion } from '../nearest.ts';
import { packageRoot } from '../paths.ts';
import { readYaml } from '../yaml-file.ts';
import type { Scale, Survey, Topic } from './types.ts';

const text = z.string().min(1);
const textsSchema = z.strictObject({
  language: text,
  review: z.enum(['author-written', 'author-translated', 'reviewed']),
  system: z.array(text).min(1),
  question: z.array(text).min(1),
  free_question: z.array(text).min(1),
  answer: text,
  answer_unlabelled: text,
  statements: z.record(z.string(), text).default({}),
  scales: z.record(z.string(), z.record(z.string(), text)).default({}),
});

/** The survey's words in one language: templates of training rows, statements and labels. */
export interface SurveyTexts {
  language: string;
  /** Who stands for the words. */
  review: 'author-written' | 'author-translated' | 'reviewed';
  system: readonly string[];
  question: readonly string[];
  freeQuestion: readonly string[];
  answer: string;
  answerUnlabelled: string;
  /** By topic id. */
  statements: ReadonlyMap<string, string>;
  /** By scale id, then code. */
  labels: ReadonlyMap<string, ReadonlyMap<number, string>>;
}

const folder = join(packageRoot, 'db', 'survey', 'texts');

function textLanguages(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -5))
    .sort();
}

/** The words of a language (ISO 639-1); a UserError for one that we have no words in. */
export function loadTexts(language: string, survey: Survey): SurveyTexts {
  if (!textLanguages().includes(language)) {
    throw new UserError(
      `There are no survey texts in the language "${language}": ${suggestion(language, textLanguages())}`,
      {
        mend: 'Use `language: english` in the scenario.',
      },
    );
  }
  const { value } = readYaml(join(folder, `${language}.yaml`), textsSchema);
  const english = language === 'en';
  return {
    language,
    review: value.review,
    system: value.system,
    question: value.question,
    freeQuestion: value.free_question,
    answer: value.answer,
    answerUnlabelled: value.answer_unlabelled,
    statements: english
      ? new Map([...survey.topics.values()].map((topic) => [topic.id, topic.statement]))
      : new Map(Object.entries(value.statements)),
    labels: english
      ? new Map([...survey.scales.values()].map((scale) => [scale.id, scaleLabels(scale)]))
      : new Map(
          Object.entries(value.scales).map(([id, labels]) => [
            id,
            new Map(Object.entries(labels).map(([code, label]) => [Number(code), label])),
          ]),
        ),
  };
}

function scaleLabels(scale: Scale): Map<number, string> {
  return new Map(
    scale.options.filter((option) => option.label !== '').map((option) => [option.code, option.label]),
  );
}

/** A topic's statement in the language, or a UserError: languages are never mixed silently. */
export function statementIn(texts: SurveyTexts, topic: Topic): string {
  const statement = texts.statements.get(topic.id);
  if (statement === undefined) {
    throw new UserError(`The topic ${topic.id} has no statement in the language "${texts.language}".`, {
      mend: `Add it under \`texts: {${texts.language}: …}\` in its topic file, or use \`language: english\`.`,
    });
  }
  return statement;
}

const displayNames = new Map<string, Intl.DisplayNames>();

/** A country's everyday name in a language, from the region's ISO 3166 alpha-2 code. */
export function countryName(region: string, language: string): string {
  const names = displayNames.get(language) ?? new Intl.DisplayNames([language], { type: 'region' });
  displayNames.set(language, names);
  return names.of(region) ?? region;
}
