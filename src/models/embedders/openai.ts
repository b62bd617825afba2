import { isCount, leanFetch, oneTry, type OpenAiSetting } from '../openai.ts';
import type { Embedded, Embedder } from './embedder.ts';

/** Texts a request: what most servers take. */
const BATCH = 64;

/** An embedding model behind an OpenAI-compatible endpoint: `POST /embeddings`. */
export function openAiEmbedder({ model, baseUrl, apiKey, timeouts }: OpenAiSetting): Embedder {
  const fetch = leanFetch(timeouts);
  return {
    provider: new URL(baseUrl).origin,
    model,
    free: false,
    batch: BATCH,
    embed: (texts, callerSignal) =>
      oneTry(timeouts, callerSignal, async (signal) => {
        const response = await fetch(`${baseUrl}/embeddings`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
          body: JSON.stringify({ model, input: texts, encoding_format: 'float' }),
          signal,
        });
        if (response.ok) return toEmbedded((await response.json()) as Reply);
        const { status, headers } = response;
        const text = await response.text();
        throw Object.assign(new Error(messageIn(text)), { status, headers, error: errorIn(text) });
      }),
  };
}

interface Reply {
  data: { index?: number; embedding: number[] }[];
  usage?: { prompt_tokens?: unknown; total_tokens?: unknown };
}

/** Numbers that are none (JSON writes NaN as null) stay none. A TypeError for a reply that is none. */
function toEmbedded({ data, usage }: Reply): Embedded {
  const vectors = [...data]
    .sort((a, b) => (a.index ?? 0) - (b.index ?? 0))
    .map(({ embedding }) => embedding.map((number) => (typeof number === 'number' ? number : NaN)));
  const input = usage?.prompt_tokens ?? usage?.total_tokens;
  return isCount(input) && input > 0
    ? { vectors, usage: { input, cachedInput: 0, output: 0 } }
    : { vectors, usage: { input: 0, cachedInput: 0, output: 0 }, uncounted: true };
}

interface ErrorBody {
  message?: string;
  code?: string;
  type?: string;
}

function errorIn(text: string): ErrorBody | undefined {
  try {
    return (JSON.parse(text) as { error?: ErrorBody }).error;
  } catch {
    return undefined;
  }
}

const messageIn = (text: string): string => errorIn(text)?.message ?? text.slice(0, 300);
