import { request } from 'undici';
import { UserError } from '../errors.ts';
import { langChainModel, openAiBaseUrl, openAiModel, timeoutsOf, type Timeouts } from './openai.ts';
import type { ChatModel } from './port.ts';
import { scriptedModel } from './scripted.ts';
import { redact } from './secrets.ts';

/** Where model names are looked up: the flags and the environment. */
export interface ModelContext {
  /** `--base-url`, or OPENAI_BASE_URL. */
  baseUrl: string | undefined;
  apiKey: string | undefined;
  say: (line: string) => void;
  progress?: (done: number, total: number | null) => void;
  /** False: nothing is fetched (dry runs, estimates). */
  allowFetch: boolean;
  /** How long a reply may take before it is asked for again. */
  timeouts?: Timeouts;
  /** True where another model answers while this one's server is not there: then that is said, and no error. */
  mayBeDown?: boolean;
}

/** What stands behind a name, as it is stored with the run: enough to open the same model again. */
export interface ResolvedModel {
  spec: string;
  provider: string;
  model: string;
  scripted: boolean;
  baseUrl: string | null;
}

export interface OpenedModel {
  resolved: ResolvedModel;
  chat: ChatModel;
}

/** The model to take when nobody named one: OpenAI where a key or base URL is set, else the local one. */
export function defaultSpec({ baseUrl, apiKey }: Pick<ModelContext, 'baseUrl' | 'apiKey'>): string {
  return baseUrl || apiKey ? 'openai' : 'local';
}

/** A base URL without query and trailing slash: fit to be stored. Throws a UserError for none, and for credentials in it. */
export function cleanBaseUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UserError(`"${redact(text)}" is not a base URL.`, {
      mend: 'Give one like http://127.0.0.1:11434/v1 (OPENAI_BASE_URL or --base-url).',
    });
  }
  if (!/^https?:$/.test(url.protocol))
    throw new UserError(`"${redact(text)}" is not an http(s) base URL.`, {
      mend: 'Give one like http://127.0.0.1:11434/v1.',
    });
  if (url.username !== '' || url.password !== '')
    throw new UserError(
      `The base URL of ${url.host} has a user name or password in it, and neither is sent or stored.`,
      {
        mend: 'Take them out of the address, and put the key into OPENAI_API_KEY, or into the variable that `api_key_env` of the model names in the scenario.',
      },
    );
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/**
 * Opens the model that a name stands for: `openai[:NAME]`, `PROVIDER:NAME`, `local[:FILE.gguf|:hf:USER/REPO:QUANT]`,
 * `scripted`. Throws a UserError for a name that is none, a missing key or an endpoint that is not there.
 */
export async function openModel(spec: string, context: ModelContext): Promise<OpenedModel> {
  const [kind = '', ...rest] = spec.split(':');
  const name = rest.join(':');
  if (kind === 'scripted' && name === '') return opened(spec, scriptedModel(), null);
  if (kind === 'local') return openLocal(name, context);
  if (kind === 'openai') return openOpenAi(spec, name, context);
  if (kind === '' || name === '') {
    throw new UserError(`"${spec}" is not the name of a model.`, {
      mend: 'Use openai:NAME, PROVIDER:NAME, local, local:FILE.gguf, local:hf:USER/REPO:QUANT or scripted.',
    });
  }
  return opened(spec, await langChainModel(kind, name, context.timeouts ?? timeoutsOf()), null);
}

const opened = (spec: string, chat: ChatModel, baseUrl: string | null): OpenedModel => ({
  resolved: { spec, provider: chat.provider, model: chat.model, scripted: chat.scripted, baseUrl },
  chat,
});

async function openOpenAi(
  spec: string,
  name: string,
  { baseUrl, apiKey, allowFetch, timeouts, mayBeDown, say }: ModelContext,
): Promise<OpenedModel> {
  const url = cleanBaseUrl(baseUrl ?? openAiBaseUrl);
  if (!baseUrl && !apiKey) {
    throw new UserError(`The model "${spec}" needs a key, and OPENAI_API_KEY is not set.`, {
      mend: 'Set it in the environment or in a .env file, set OPENAI_BASE_URL for a server of your own, or use --model local.',
    });
  }
  if (allowFetch && name !== '')
    await checkReachable(url).catch((error: Error) => {
      if (!mayBeDown) throw error;
      say(error.message);
    });
  const model = name !== '' ? name : baseUrl ? await onlyModel(url, apiKey) : 'gpt-4o-mini';
  const chat = await openAiModel({
    model,
    baseUrl: url,
    apiKey: apiKey ?? 'none',
    timeouts: timeouts ?? timeoutsOf(),
  });
  return opened(`openai:${model}`, chat, url);
}

/** A server that nobody listens at is better named now than by a run that waits for it; what it answers does not matter. */
export async function checkReachable(baseUrl: string): Promise<void> {
  try {
    const { body } = await request(`${baseUrl}/models`, { headersTimeout: 10_000, bodyTimeout: 10_000 });
    await body.dump();
  } catch (cause) {
    const { code, message } = cause as Error & { code?: string };
    if (/TIMEOUT/.test(code ?? '')) return;
    throw new UserError(`${baseUrl} can't be reached (${redact(message || code || String(cause))}).`, {
      mend: 'Check the network, that the server runs, and the base URL (OPENAI_BASE_URL or --base-url).',
      cause,
    });
  }
}

/** The single entry of an endpoint's `/models`. */
async function onlyModel(baseUrl: string, apiKey: string | undefined): Promise<string> {
  const mend =
    'Check that the server runs and that the base URL ends as its documentation says (usually /v1), or name the model: --model openai:NAME.';
  let names: string[];
  try {
    const { statusCode, body } = await request(`${baseUrl}/models`, {
      headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {},
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
    const { data } = JSON.parse(text) as { data?: { id?: unknown }[] };
    names = (data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  } catch (cause) {
    const why = redact(
      (cause as Error & { code?: string }).message || String((cause as { code?: string }).code),
    );
    throw new UserError(`${baseUrl}/models can't be read (${why}), and no model is named.`, { mend, cause });
  }
  if (names.length !== 1) {
    throw new UserError(
      `${baseUrl} offers ${names.length === 0 ? 'no models' : `${names.length} models: ${names.slice(0, 20).join(', ')}`}.`,
      { mend: 'Name one: --model openai:NAME.' },
    );
  }
  return names[0] as string;
}

async function openLocal(name: string, { say, progress, allowFetch }: ModelContext): Promise<OpenedModel> {
  const { resolveLocalModel } = await import('./local/fetch.ts');
  const found = await resolveLocalModel(name, { say, allowFetch, ...(progress ? { progress } : {}) });
  if ('unavailable' in found) {
    throw new LocalUnavailable(`The local model can't be had: ${found.unavailable}`, {
      mend: 'Get it on a machine with a network (`culturepark models fetch`), name a file (--model local:FILE.gguf), or use --model scripted.',
    });
  }
  const { openLocalModel } = await import('./local/model.ts');
  return opened(`local:${found.file}`, await openLocalModel(found.file, {}), null);
}

/** The default local model is not there and can't be fetched: a run without a named model falls back to the scripted one. */
export class LocalUnavailable extends UserError {
  override name = 'LocalUnavailable';
}
