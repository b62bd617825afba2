import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Papa from 'papaparse';
import { cellKey } from '../ids.ts';
import { packageRoot } from '../paths.ts';
import type { Cell, Scale, Survey, Topic } from './types.ts';

type Row = Record<string, string>;

function table(name: string): Row[] {
  const text = readFileSync(join(packageRoot, 'db', 'survey', name), 'utf8');
  return Papa.parse<Row>(text, { header: true, skipEmptyLines: true }).data;
}

/** The shipped figures of World Values Survey wave 7: 50 topics, 17 countries, respondents, unweighted. */
export function loadSurvey(): Survey {
  const scales = loadScales();
  const topics = new Map<string, Topic>(
    table('wvs7_items.csv').map((row) => [
      row['question'] as string,
      {
        id: row['question'] as string,
        survey: 'wvs7',
        theme: row['theme'] as string,
        statement: row['statement'] as string,
        scale: row['scale'] as string,
      },
    ]),
  );
  return { topics, scales, cells: loadCells(topics, scales) };
}

function loadScales(): Map<string, Scale> {
  const scales = new Map<string, { id: string; options: Scale['options'][number][] }>();
  for (const row of table('wvs7_scales.csv')) {
    const id = row['scale'] as string;
    const scale = scales.get(id) ?? { id, options: [] };
    scale.options.push({
      code: Number(row['code']),
      label: row['label'] as string,
      agreement: Number(row['agreement']),
    });
    scales.set(id, scale);
  }
  return scales;
}

function loadCells(topics: Map<string, Topic>, scales: Map<string, Scale>): Map<string, Cell> {
  const exceptions = new Map(
    table('wvs7_scale_exceptions.csv').map((row) => [
      cellKey(row['question'] as string, row['country'] as string),
      row['scale'] as string,
    ]),
  );
  const counted = new Map<
    string,
    { topicId: string; country: string; counts: Map<number, number>; validN: number; missingN: number }
  >();
  for (const row of table('wvs7_marginals.csv')) {
    const key = cellKey(row['question'] as string, row['country'] as string);
    const cell = counted.get(key) ?? {
      topicId: row['question'] as string,
      country: row['country'] as string,
      counts: new Map<number, number>(),
      validN: Number(row['valid_n']),
      missingN: Number(row['missing_n']),
    };
    cell.counts.set(Number(row['code']), Number(row['count']));
    counted.set(key, cell);
  }
  const cells = new Map<string, Cell>();
  for (const [key, { topicId, country, counts, validN, missingN }] of counted) {
    const scale = scales.get(
      exceptions.get(key) ?? ((topics.get(topicId) as Topic).scale as string),
    ) as Scale;
    cells.set(key, {
      topicId,
      country,
      scale,
      counts: scale.options.map((option) => counts.get(option.code) ?? 0),
      weighted: null,
      validN,
      missingN,
    });
  }
  return cells;
}
