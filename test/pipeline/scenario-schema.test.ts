import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { packageRoot } from '../../src/paths.ts';
import { scenarioSchema } from '../../src/pipeline/scenario.ts';

const file = join(packageRoot, 'scenarios', 'scenario.schema.json');

// After a change of the scenario: npm run build && node scripts/scenario-schema.mjs, or UPDATE_SCHEMA=1 with this test.
test('the shipped JSON schema is the one of the code', () => {
  const schema = z.toJSONSchema(scenarioSchema, { io: 'input' });
  if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(schema);
  expect(readFileSync(file, 'utf8')).toBe(`${JSON.stringify(schema, null, 2)}\n`);
});

test('an editor is told of every key, and that there are no others', () => {
  const schema = JSON.parse(readFileSync(file, 'utf8')) as {
    properties: object;
    additionalProperties: boolean;
    required: string[];
  };
  expect(Object.keys(schema.properties)).toEqual(Object.keys(scenarioSchema.shape));
  expect(schema.additionalProperties).toBe(false);
  expect(schema.required).toEqual(['cultures', 'topics']);
});
