import { join } from 'node:path';
import { z } from 'zod';
import { findFile, packageRoot } from '../paths.ts';
import { readYaml } from '../yaml-file.ts';
import type { ChatModel, Usage } from './port.ts';

const price = z.strictObject({
  provider: z.string().describe('origin of the base URL'),
  model: z.string().describe('name, or a prefix that ends in *'),
  input: z.number().nonnegative().describe('USD per million input tokens'),
  cached_input: z.number().nonnegative().optional(),
  output: z.number().nonnegative().describe('USD per million output tokens'),
  batch_factor: z.number().positive().max(1).optional(),
});

/** The dated price table, and a user's `prices.yaml`. */
export const priceFileSchema = z.strictObject({
  checked: z.iso.date().or(z.string().regex(/^\d{4}-\d{2}(-\d{2})?$/)),
  source: z.string().min(1),
  prices: z.array(price),
});

/** USD per million tokens. */
export interface Price {
  input: number;
  cachedInput: number;
  output: number;
}

type Entry = z.output<typeof price>;

let table: Entry[] | undefined;

/** The user's own `prices.yaml` in the working folder comes before the shipped table. */
function entries(): Entry[] {
  if (!table) {
    const own = findFile('prices.yaml');
    const shipped = readYaml(join(packageRoot, 'db', 'prices.yaml'), priceFileSchema).value.prices;
    table = own ? [...readYaml(own, priceFileSchema).value.prices, ...shipped] : shipped;
  }
  return table;
}

/** What a model costs; free ones cost 0, and an unknown price is null, never a guess. */
export function priceOf(model: ChatModel): Price | null {
  if (model.free) return { input: 0, cachedInput: 0, output: 0 };
  const entry = entries().find(
    ({ provider, model: name }) => provider === model.provider && matches(name, model.model),
  );
  return entry
    ? { input: entry.input, cachedInput: entry.cached_input ?? entry.input, output: entry.output }
    : null;
}

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

/** USD for the tokens used; null for an unknown price. */
export function costOf(known: Price | null, usage: Usage): number | null {
  if (!known) return null;
  return (
    ((usage.input - usage.cachedInput) * known.input +
      usage.cachedInput * known.cachedInput +
      usage.output * known.output) /
    1e6
  );
}
