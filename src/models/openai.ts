import type { AIMessage, BaseMessage } from '@langchain/core/messages';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { ChatOpenAICallOptions } from '@langchain/openai';
import { Agent, request as undiciRequest } from 'undici';
import type { IncomingHttpHeaders } from 'node:http';
import { UserError } from '../errors.ts';
import { afterAwake } from './awake.ts';
import {
  ModelFault,
  type ChatModel,
  type ChatReply,
  type ChatRequest,
  type Finish,
  type ReplySchema,
} from './port.ts';
import { LARGEST, toFault } from './openai-faults.ts';
import { valueProbabilities, type TokenProbability } from './probabilities.ts';
import { redact } from './secrets.ts';

/** Milliseconds; a provider that takes longer is asked again. */
export interface Timeouts {
  connect: number;
  firstByte: number;
  total: number;
}

/** The time-outs of replies that may take so many seconds: a reply that is not streamed begins when it is ready. */
export const timeoutsOf = (replySeconds = 300): Timeouts => ({
  connect: 10_000,
  firstByte: replySeconds * 1000,
  total: replySeconds * 1000,
});

export interface OpenAiSetting {
  model: string;
  baseUrl: string;
  apiKey: string;
  timeouts: Timeouts;
}

export const openAiBaseUrl = 'https://api.openai.com/v1';

type Invoke = (request: ChatRequest, signal: AbortSignal) => Promise<AIMessage>;

/** A model behind an OpenAI-compatible endpoint, through LangChain's ChatOpenAI with a lean fetch and no retries of its own. */
export async function openAiModel(setting: OpenAiSetting): Promise<ChatModel> {
  const { ChatOpenAI } = await import('@langchain/openai');
  const fetch = leanFetch(setting.timeouts);
  const instances = new Map<string, InstanceType<typeof ChatOpenAI>>();
  const instanceFor = (
    { sampling, maxTokens }: ChatRequest,
    logprobs: boolean,
  ): InstanceType<typeof ChatOpenAI> => {
    const key = JSON.stringify([sampling, maxTokens, logprobs]);
    let instance = instances.get(key);
    if (!instance) {
      instance = new ChatOpenAI({
        model: setting.model,
        apiKey: setting.apiKey,
        temperature: sampling.temperature,
        ...(sampling.topP === undefined ? {} : { topP: sampling.topP }),
        maxTokens,
        ...(logprobs ? { logprobs } : {}),
        maxRetries: 0,
        useResponsesApi: false,
        configuration: { baseURL: setting.baseUrl, fetch, maxRetries: 0 },
        // For the refusal, which LangChain leaves out of its message.
        __includeRawResponse: true,
      });
      instances.set(key, instance);
    }
    return instance;
  };
  let tellsProbabilities = true;
  const invoke: Invoke = async (request, signal) => {
    const { schema } = request;
    const messages = await toLangChain(request);
    const options = schema ? { signal, response_format: sentOnly(schema) } : { signal };
    const wanted = request.probabilities === true && tellsProbabilities;
    try {
      return await instanceFor(request, wanted).invoke(messages, options);
    } catch (error) {
      // Some models refuse a request that wants probabilities; others leave them out.
      if (!wanted || !/logprob/i.test((error as Error).message) || toFault(error).kind !== 'bad-request')
        throw error;
      tellsProbabilities = false;
      return instanceFor(request, false).invoke(messages, options);
    }
  };
  return chatModel(new URL(setting.baseUrl).origin, setting.model, setting.timeouts, invoke);
}

type ResponseFormat = NonNullable<ChatOpenAICallOptions['response_format']>;

/**
 * A schema that shows only when the request is written: where the client knows of one it parses the reply itself, and
 * turns what was cut off, filtered or is no JSON into an error without text and usage, though it is paid for.
 */
function sentOnly({ name, schema }: ReplySchema): ResponseFormat {
  const format = { type: 'json_schema', json_schema: { name, schema, strict: true } };
  return { toJSON: () => format } as unknown as ResponseFormat;
}

/** Any other `PROVIDER:NAME` that LangChain's initChatModel knows, when its package is installed. */
export async function langChainModel(
  provider: string,
  model: string,
  timeouts: Timeouts,
): Promise<ChatModel> {
  const { initChatModel } = await import('langchain');
  const instances = new Map<string, BaseChatModel>();
  const instanceFor = async ({ sampling, maxTokens }: ChatRequest): Promise<BaseChatModel> => {
    const key = JSON.stringify([sampling, maxTokens]);
    let instance = instances.get(key);
    if (!instance) {
      instance = (await initChatModel(model, {
        modelProvider: provider,
        temperature: sampling.temperature,
        ...(sampling.topP === undefined ? {} : { topP: sampling.topP }),
        maxTokens,
        maxRetries: 0,
      })) as unknown as BaseChatModel;
      instances.set(key, instance);
    }
    return instance;
  };
  try {
    await instanceFor({ messages: [], sampling: { temperature: 0 }, maxTokens: 1 });
  } catch (cause) {
    throw new UserError(
      `The model "${provider}:${model}" can't be used: ${redact((cause as Error).message).split('\n')[0]}`,
      {
        mend: `Install the provider's LangChain package and set its key, or use openai:NAME, local or scripted.`,
        cause,
      },
    );
  }
  const invoke: Invoke = async (request, signal) => {
    const instance = await instanceFor(request);
    const messages = await toLangChain(request);
    if (!request.schema) return (await instance.invoke(messages, { signal })) as AIMessage;
    const { raw } = (await instance
      .withStructuredOutput(request.schema.schema, { name: request.schema.name, includeRaw: true })
      .invoke(messages, { signal })) as { raw: AIMessage };
    const called = raw.tool_calls?.[0];
    if (called) raw.content = JSON.stringify(called.args);
    return raw;
  };
  return chatModel(provider, model, timeouts, invoke);
}

function chatModel(provider: string, model: string, timeouts: Timeouts, invoke: Invoke): ChatModel {
  return {
    provider,
    model,
    scripted: false,
    free: false,
    chat: (request, signal) =>
      oneTry(timeouts, signal, async (either) => toReply(await invoke(request, either))),
  };
}

/** Work on one request, called off by the signal or after the time for a reply; throws a ModelFault. */
export async function oneTry<T>(
  timeouts: Timeouts,
  signal: AbortSignal,
  work: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  // Not AbortSignal.any: in Node 20 a signal that lives long keeps something of each that was joined to it.
  const limit = new AbortController();
  const abort = (): void => limit.abort();
  const callOff = afterAwake(timeouts.total, abort);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await work(limit.signal);
  } catch (error) {
    if (signal.aborted) throw new ModelFault('aborted', 'interrupted', { cause: error });
    if (limit.signal.aborted)
      throw new ModelFault('timeout', `no reply within ${timeouts.total / 1000} s`, { cause: error });
    throw toFault(error);
  } finally {
    signal.removeEventListener('abort', abort);
    callOff();
  }
}

async function toLangChain({ messages }: ChatRequest): Promise<BaseMessage[]> {
  const { AIMessage: Ai, HumanMessage, SystemMessage } = await import('@langchain/core/messages');
  return messages.map(({ role, text }) =>
    role === 'system' ? new SystemMessage(text) : role === 'user' ? new HumanMessage(text) : new Ai(text),
  );
}

const finishes: Record<string, Finish> = {
  length: 'length',
  max_tokens: 'length',
  MAX_TOKENS: 'length',
  content_filter: 'refusal',
  refusal: 'refusal',
  SAFETY: 'refusal',
};

function toReply(message: AIMessage): ChatReply {
  const { usage_metadata: usage, response_metadata: meta, additional_kwargs: extra } = message;
  const raw = extra['__raw_response'] as { choices?: RawChoice[] } | undefined;
  const choice = raw?.choices?.[0];
  const refusal = extra['refusal'] ?? choice?.message?.refusal;
  const tokens = choice?.logprobs?.content;
  const probabilities = tokens && valueProbabilities(textOf(message.content), tokens);
  const refused = typeof refusal === 'string' && refusal !== '';
  const model: unknown = meta['model_name'] ?? meta['model'];
  const reason = String(meta['finish_reason'] ?? meta['stop_reason'] ?? meta['finishReason'] ?? 'stop');
  return {
    text: refused ? refusal : textOf(message.content),
    finish: refused ? 'refusal' : (finishes[reason] ?? 'stop'),
    ...usageOf(usage, textOf(message.content) !== ''),
    ...(typeof model === 'string' ? { model } : {}),
    ...(probabilities ? { probabilities } : {}),
  };
}

/** What LangChain leaves out of its message. */
interface RawChoice {
  message?: { refusal?: unknown };
  logprobs?: { content?: TokenProbability[] | null } | null;
}

/** More tokens than any call has. */
const MANY = 10e6;

export const isCount = (n: unknown): n is number =>
  Number.isSafeInteger(n) && Number(n) >= 0 && Number(n) <= MANY;

/**
 * The tokens that a provider tells. Figures that can't be (negative, no numbers, beyond all limits) would spoil sums and
 * budgets: then nothing is counted. A prompt, or a reply with words, that was free is not counted either.
 */
function usageOf(
  told: AIMessage['usage_metadata'],
  hasWords: boolean,
): Pick<ChatReply, 'usage' | 'uncounted'> {
  const { input_tokens: input = 0, output_tokens: output = 0 } = told ?? {};
  if (!isCount(input) || !isCount(output))
    return { usage: { input: 0, cachedInput: 0, output: 0 }, uncounted: true };
  const cached = told?.input_token_details?.cache_read;
  const usage = { input, cachedInput: isCount(cached) ? Math.min(cached, input) : 0, output };
  return input > 0 && (output > 0 || !hasWords) ? { usage } : { usage, uncounted: true };
}

function textOf(content: AIMessage['content']): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' && 'text' in part ? String(part.text) : '')).join('');
}

/** A fetch on undici's request: a tenth of the CPU of the client's own, with the time-outs. */
export function leanFetch(timeouts: Timeouts): typeof globalThis.fetch {
  const dispatcher = new Agent({
    connect: { timeout: timeouts.connect },
    headersTimeout: timeouts.firstByte,
    bodyTimeout: timeouts.firstByte,
    keepAliveTimeout: 30_000,
    maxResponseSize: LARGEST,
  });
  // The client makes the same headers anew for every call; the first call's serve all.
  let sent: Record<string, string> | undefined;
  return async (input, init) => {
    sent ??= Object.fromEntries(new Headers(init?.headers).entries());
    const { statusCode, headers, body } = await undiciRequest(input as string, {
      method: 'POST',
      headers: sent,
      body: init?.body as string,
      signal: init?.signal ?? undefined,
      dispatcher,
    });
    const text = await body.text();
    return reply(String(input), statusCode, headers, text);
  };
}

/** What the client reads of a Response, without the cost of one: making it and its Headers takes as long as the request. */
function reply(url: string, status: number, headers: IncomingHttpHeaders, text: string): Response {
  return {
    url,
    status,
    statusText: '',
    ok: status >= 200 && status < 300,
    // What is paid is read, whatever its header calls it.
    headers: new Map(
      Object.entries({ ...headers, ...(status === 200 ? { 'content-type': 'application/json' } : {}) }),
    ),
    body: null,
    text: async () => text,
    json: async () => JSON.parse(text) as unknown,
  } as unknown as Response;
}
