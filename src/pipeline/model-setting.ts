import { z } from 'zod';
import { chatRoles, secondVerifier } from '../dialogue/types.ts';

const positive = z.number().int().positive();

/** What a map under `models` may say of a model, beside its name. No key: only where one is found. */
const settings = {
  base_url: z
    .string()
    .regex(
      /^https?:\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/i,
      'an address like http://127.0.0.1:8000/v1 without user, password or query',
    )
    .optional()
    .describe('OpenAI-compatible address of this model alone, for openai:NAME'),
  api_key_env: z
    .string()
    .regex(
      /^(?![A-Z0-9]{20,}$)[A-Z_][A-Z0-9_]*$/,
      'the name of an environment variable in capitals, such as MY_PROVIDER_KEY; a key itself stands in no file: put it into the environment or into .env',
    )
    .optional()
    .describe('name of the environment variable that holds the key; never a key'),
  temperature: z.number().min(0).max(2).optional().describe("instead of the scenario's, or of a stage's 0"),
  top_p: z.number().gt(0).max(1).optional(),
  concurrency: positive.max(10_000).optional().describe('calls in flight, of this role'),
  requests_per_minute: positive.optional(),
  tokens_per_minute: positive.optional(),
  timeout: z.number().positive().max(86_400).optional().describe('seconds that a reply may take'),
};

const name = z.string().describe('openai:NAME, PROVIDER:NAME, local, local:FILE.gguf or scripted');

const fallback = z.strictObject({ model: name, ...settings });

const setting = z.strictObject({
  model: name.optional(),
  ...settings,
  fallback: z
    .union([name, fallback])
    .optional()
    .describe('model that answers the calls that this one gives up on'),
});

const { temperature: _, top_p: __, ...address } = settings;

/** `embedder` of a scenario: its name, or a map of what belongs to it. */
export const embedderSchema = z.union([
  z.string().describe('openai:NAME, local:FILE.gguf or none'),
  z.strictObject({ model: z.string().describe('openai:NAME or local:FILE.gguf'), ...address }),
]);

/** The plain settings of one model, as a scenario writes them. */
export type FallbackSetting = z.output<typeof fallback>;
export type ModelSetting = z.output<typeof setting>;

const value = z.union([name, setting]).meta({ id: 'model' });

/** Entries of `models` that are no map of further entries. */
const modelNames = ['default', ...chatRoles, secondVerifier, 'second_delegate'] as const;

/** `models` of a scenario: by role, a model's name or a map of what belongs to it. */
export const modelsSchema = z.strictObject({
  ...(Object.fromEntries(modelNames.map((key) => [key, value.optional()])) as Record<
    (typeof modelNames)[number],
    z.ZodOptional<typeof value>
  >),
  delegates: z
    .record(z.string(), value)
    .optional()
    .describe('by culture, the model of its delegates; delegate speaks for the others'),
});
