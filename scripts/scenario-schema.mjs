// Writes scenarios/scenario.schema.json, by which editors complete and check scenarios.
// Usage: npm run build && node scripts/scenario-schema.mjs   (test/pipeline/scenario-schema.test.ts checks that it was done)
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { scenarioSchema } from '../dist/pipeline/scenario.js';

const schema = z.toJSONSchema(scenarioSchema, { io: 'input' });
writeFileSync(
  new URL('../scenarios/scenario.schema.json', import.meta.url),
  `${JSON.stringify(schema, null, 2)}\n`,
);
