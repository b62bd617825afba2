import { dirname, resolve } from 'node:path';
import Papa from 'papaparse';
import { z } from 'zod';
import { readText, readYaml, type YamlFile } from '../yaml-file.ts';
import { suggestion } from '../nearest.ts';
import { cellKey } from '../ids.ts';
import type { Cell, Scale, Survey } from './types.ts';

const counts = z.record(
  z.string().regex(/^[A-Z]{3}$/, 'a three-letter country code'),
  z.record(z.string().regex(/^-?\d+$/, 'an answer code'), z.number().nonnegative()),
);

/** A file of topics of one's own; each brings a distribution (a CSV file, or inline) or says `stance: none`. */
const topicFileSchema = z.strictObject({
  survey: z.string().min(1).describe('name of your survey, for the rows'),
  topics: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z][\w-]*$/, 'letters, digits, - and _'),
        theme: z.string().min(1),
        statement: z.string().min(1),
        texts: z
          .record(z.string().regex(/^[a-z]{2}$/), z.string().min(1))
          .default({})
          .describe('the statement in other languages'),
        stance: z.literal('none').optional().describe('no answers exist: no fidelity is claimed'),
        scale: z
          .union([
            z.string(),
            z
              .array(
                z.strictObject({
                  code: z.number().int(),
                  label: z.string(),
                  agreement: z.number().min(0).max(1),
                }),
              )
              .min(2),
          ])
          .optional(),
        distribution: z
          .union([z.string(), counts])
          .optional()
          .describe('a CSV file (country,code,count), or counts by country and code'),
      }),
    )
    .min(1),
});

type TopicEntry = z.output<typeof topicFileSchema>['topics'][number];

/** The survey with the topics of a user's file beside the shipped ones, and the file's statements in other languages. */
export function addTopicFile(
  survey: Survey,
  path: string,
): { survey: Survey; statements: Map<string, Map<string, string>> } {
  const file = readYaml(path, topicFileSchema);
  const topics = new Map(survey.topics);
  const scales = new Map(survey.scales);
  const cells = new Map(survey.cells);
  const statements = new Map<string, Map<string, string>>();
  file.value.topics.forEach((entry, at) => {
    if (topics.has(entry.id))
      throw file.fault(['topics', at, 'id'], `the topic "${entry.id}" exists already`, 'Give it another id.');
    const scale = scaleOf(file, entry, at, scales);
    topics.set(entry.id, {
      id: entry.id,
      survey: file.value.survey,
      theme: entry.theme,
      statement: entry.statement,
      scale: scale?.id ?? null,
    });
    statements.set(entry.id, new Map([['en', entry.statement], ...Object.entries(entry.texts)]));
    if (scale)
      for (const cell of cellsOf(file, entry, at, scale)) cells.set(cellKey(entry.id, cell.country), cell);
  });
  return { survey: { topics, scales, cells }, statements };
}

function scaleOf(
  file: YamlFile<unknown>,
  entry: TopicEntry,
  at: number,
  scales: Map<string, Scale>,
): Scale | null {
  const here = (key: string) => ['topics', at, key];
  if (entry.stance === 'none') {
    if (entry.distribution !== undefined)
      throw file.fault(
        here('stance'),
        'a topic with a distribution has stances',
        'Leave one of the two out.',
      );
    return null;
  }
  if (entry.distribution === undefined) {
    throw file.fault(
      ['topics', at],
      `${entry.id} brings no distribution`,
      'Add `distribution:`, or say `stance: none`.',
    );
  }
  if (entry.scale === undefined)
    throw file.fault(
      ['topics', at],
      `${entry.id} names no scale`,
      'Add `scale:`, a name or a list of answers.',
    );
  if (typeof entry.scale === 'string') {
    const known = scales.get(entry.scale);
    if (!known)
      throw file.fault(
        here('scale'),
        `there is no scale "${entry.scale}"; ${suggestion(entry.scale, [...scales.keys()])}`,
      );
    return known;
  }
  if (scales.has(entry.id))
    throw file.fault(here('id'), `"${entry.id}" is the name of a scale`, 'Give the topic another id.');
  const scale = { id: entry.id, options: [...entry.scale].sort((a, b) => a.code - b.code) };
  const twice = scale.options.find(({ code }, n) => code === scale.options[n - 1]?.code);
  if (twice)
    throw file.fault(
      here('scale'),
      `the code ${twice.code} stands there twice`,
      'Give each answer a code of its own.',
    );
  if (scale.options[0]?.label === '' || scale.options.at(-1)?.label === '') {
    throw file.fault(
      here('scale'),
      'the first and the last answer need a label',
      'Only answers between them may go without.',
    );
  }
  scales.set(scale.id, scale);
  return scale;
}

function cellsOf(file: YamlFile<unknown>, entry: TopicEntry, at: number, scale: Scale): Cell[] {
  const path = ['topics', at, 'distribution'];
  const byCountry =
    typeof entry.distribution === 'string'
      ? readCounts(file, path, entry.distribution)
      : (entry.distribution ?? {});
  return Object.entries(byCountry).map(([country, byCode]) => {
    for (const code of Object.keys(byCode)) {
      if (!scale.options.some((option) => option.code === Number(code))) {
        throw file.fault(
          [...path, country, code],
          `${code} is no answer of the scale (${scale.options.map((o) => o.code).join(', ')})`,
        );
      }
    }
    const cellCounts = scale.options.map((option) => byCode[String(option.code)] ?? 0);
    return {
      topicId: entry.id,
      country,
      scale,
      counts: cellCounts,
      weighted: null,
      validN: cellCounts.reduce((sum, count) => sum + count, 0),
      missingN: 0,
    };
  });
}

const WHOLE = /^\s*-?\d+\s*$/;
const NUMBER = /^\s*\d+(\.\d+)?\s*$/;

/** Reads `country,code,count`; negative codes are missing answers and no answers. */
function readCounts(
  file: YamlFile<unknown>,
  path: (string | number)[],
  name: string,
): Record<string, Record<string, number>> {
  const csv = resolve(dirname(file.file), name);
  const { data, meta } = Papa.parse<Record<string, string>>(readText(csv), {
    header: true,
    transformHeader: (name) => name.trim(),
  });
  for (const column of ['country', 'code', 'count']) {
    if (!meta.fields?.includes(column))
      throw file.fault(path, `${csv} has no column "${column}"`, 'The columns are country, code, count.');
  }
  const byCountry: Record<string, Record<string, number>> = {};
  data.forEach((row, line) => {
    const { country = '', code = '', count = '' } = row;
    if (Object.values(row).every((value) => value === '')) return;
    const here = `${csv}:${line + 2}`;
    if (!/^[A-Z]{3}$/.test(country) || !WHOLE.test(code) || !NUMBER.test(count)) {
      throw file.fault(
        path,
        `${here}: expected a three-letter country, a whole code and a count of 0 or more, found ${JSON.stringify(row).slice(0, 120)}`,
      );
    }
    if (Number(code) < 0) return;
    const counted = (byCountry[country] ??= {});
    const key = String(Number(code));
    if (key in counted)
      throw file.fault(
        path,
        `${here}: the answer ${key} of ${country} is counted twice`,
        'Leave one of the two lines.',
      );
    counted[key] = Number(count);
  });
  return byCountry;
}
