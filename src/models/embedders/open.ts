import { UserError } from '../../errors.ts';
import { openAiBaseUrl, timeoutsOf } from '../openai.ts';
import { checkReachable, cleanBaseUrl, type ModelContext } from '../resolve.ts';
import { callableEmbedder, type CallableEmbedder, type Embedder } from './embedder.ts';

/** Opens the embedder that a name stands for: `openai[:NAME]` or `local:FILE.gguf`. Throws a UserError for what is none. */
export async function openEmbedder(spec: string, context: ModelContext): Promise<CallableEmbedder> {
  const [kind = '', ...rest] = spec.split(':');
  const name = rest.join(':');
  if (kind === 'openai') return callableEmbedder(await openOpenAi(spec, name, context));
  if (kind === 'local' && name !== '') {
    const { say, allowFetch, progress } = context;
    const { resolveLocalModel } = await import('../local/fetch.ts');
    const found = await resolveLocalModel(name, { say, allowFetch, ...(progress ? { progress } : {}) });
    if ('unavailable' in found)
      throw new UserError(`The embedder can't be had: ${found.unavailable}`, {
        mend: 'Name a file: embedder: local:FILE.gguf',
      });
    const { openLocalEmbedder } = await import('./local.ts');
    return callableEmbedder(await openLocalEmbedder(found.file));
  }
  throw new UserError(`"${spec}" is not the name of an embedder.`, {
    mend: 'Use openai:NAME (any OpenAI-compatible address), local:FILE.gguf or none.',
  });
}

async function openOpenAi(
  spec: string,
  name: string,
  { baseUrl, apiKey, allowFetch, timeouts = timeoutsOf() }: ModelContext,
): Promise<Embedder> {
  if (!baseUrl && !apiKey)
    throw new UserError(`The embedder "${spec}" needs a key, and OPENAI_API_KEY is not set.`, {
      mend: 'Set it, give the embedder a base_url of its own, or use local:FILE.gguf.',
    });
  if (baseUrl && name === '')
    throw new UserError(`The embedder "${spec}" has no name.`, { mend: 'Name it: openai:NAME.' });
  const url = cleanBaseUrl(baseUrl ?? openAiBaseUrl);
  if (allowFetch) await checkReachable(url);
  const { openAiEmbedder } = await import('./openai.ts');
  const model = name || 'text-embedding-3-small';
  return openAiEmbedder({ model, baseUrl: url, apiKey: apiKey ?? 'none', timeouts });
}
