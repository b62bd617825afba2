import { contentHash } from '../ids.ts';
import type { ChatModel, ChatRequest } from './port.ts';

/**
 * A call's identity: provider, model, sampling (without max_tokens), messages, schema and replicate. Nothing of our own
 * code, timeouts or credentials: a stored good reply with this key is never paid for again.
 */
export function callKey(
  model: ChatModel,
  request: ChatRequest,
  replicate: readonly (string | number)[],
): string {
  const { sampling, messages, schema } = request;
  return contentHash(
    model.provider,
    model.model,
    JSON.stringify([sampling.temperature, sampling.topP ?? null]),
    JSON.stringify(messages.map(({ role, text }) => [role, text])),
    schema ? JSON.stringify(sortedKeys(schema.schema)) : '',
    JSON.stringify(replicate),
  );
}

/** The value with every object's keys in order, so that a schema's hash does not depend on how it was written. */
function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortedKeys(inner)]),
  );
}
