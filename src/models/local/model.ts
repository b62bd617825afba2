import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type * as NodeLlamaCpp from 'node-llama-cpp';
import type { Token } from 'node-llama-cpp';
import { UserError } from '../../errors.ts';
import { ModelFault, type ChatModel, type ChatReply, type ChatRequest, type Message } from '../port.ts';
import { jsonGrammar, sentenceEnd, sentenceGrammar, sentenceTokens } from './grammar.ts';

/** Conversations whose evaluated tokens are kept at once: two sides of one dialogue, and two that judge it. */
const sequences = 4;
/** Tokens of one sequence; a token takes 23 kB of memory in the default model and 128 kB in one of 8B. */
const contextSize = 2048;

/**
 * Opens a GGUF file as a chat model in this process, on the CPU or on a GPU build of node-llama-cpp where one is
 * installed. Requests are evaluated one after the other. The same request gives the same reply: its seed comes from
 * its messages, and on a CPU the default model's logits do not depend on what was evaluated before.
 *
 * @throws UserError when node-llama-cpp is missing, or the file is no GGUF, is cut short or does not fit in memory.
 */
export async function openLocalModel(file: string, options: { threads?: number } = {}): Promise<ChatModel> {
  const { sha256, bytes } = await fingerprint(file);
  // Up to about a billion parameters a model needs a short rein; a larger one is better without.
  const small = bytes < 1e9;
  const lib = await importLibrary();
  // llama.cpp's threads wait for each other in a busy loop: where they outnumber the free cores a token takes seconds
  // (measured on 2 cores: 50 tokens a second with 1 thread, 42 with 2, 4 with 2 beside another busy process).
  const threads = options.threads ?? Math.max(1, Math.min(availableParallelism() - 1, small ? 4 : 8));
  const llama = await lib
    .getLlama({
      gpu: 'auto',
      build: 'never',
      maxThreads: threads,
      progressLogs: false,
      logLevel: lib.LlamaLogLevel.disabled,
    })
    .catch((cause: unknown) => {
      throw new UserError('node-llama-cpp has no build for this machine.', { mend: installHint, cause });
    });
  // Below 64 rows llama.cpp's flash attention gives the same bits however a prompt was split (measured: at 64 rows a
  // logit moved by 0.4): small batches make a reply a function of its request, for a tenth of the prompt speed.
  const batchSize = llama.gpu === false ? 32 : 512;
  const opened = await loadModel().catch(async (cause: unknown) => {
    await llama.dispose();
    throw cause instanceof UserError ? cause : unreadable(file, cause);
  });
  const { model, context, wrapper } = opened;
  const slots = Array.from({ length: context.totalSequences }, () => ({
    sequence: context.getSequence(),
    usedAt: 0,
  }));
  const stops = ['.', '!', '?', '。', '؟', '।'].flatMap((mark) => {
    const tokens = model.tokenize(mark);
    return tokens.length === 1 ? tokens : [];
  });
  const closing = new AbortController();
  let queue: Promise<unknown> = Promise.resolve();
  let clock = 0;

  async function loadModel() {
    const model = await llama.loadModel({ modelPath: file });
    if (/bert|t5|clip/.test(model.fileInfo.metadata.general.architecture)) {
      throw new UserError(
        `${file} is a ${model.fileInfo.metadata.general.architecture} model, which cannot chat.`,
        {
          mend: 'Name a model whose file says "instruct" or "chat".',
        },
      );
    }
    const wrapper = lib.resolveChatWrapper(model, {
      warningLogs: false,
      customWrapperSettings: { qwen: { thoughts: 'discourage' } },
    });
    const size = Math.min(contextSize, model.trainContextSize);
    const context = await model.createContext({ sequences, contextSize: size, batchSize, threads });
    return { model, wrapper, context };
  }

  function tokensOf(messages: readonly Message[]): Token[] {
    const chatHistory = messages.map((message): NodeLlamaCpp.ChatHistoryItem =>
      message.role === 'assistant'
        ? { type: 'model', response: [message.text] }
        : { type: message.role, text: message.text },
    );
    const { contextText } = wrapper.generateContextState({
      chatHistory: [...chatHistory, { type: 'model', response: [''] }],
    });
    const tokens = contextText.tokenize(model.tokenizer);
    // SmolLM2's beginning-of-sequence token is the template's own first token: the wrapper writes it twice.
    return tokens[0] === tokens[1] && tokens[0] === model.tokens.bos ? tokens.slice(1) : tokens;
  }

  /** The sequence that shares the longest prefix with the prompt (the one unused for longest among equals), cut back to that prefix. */
  async function sequenceFor(prompt: Token[]): Promise<NodeLlamaCpp.LlamaContextSequence> {
    const shared = slots.map((slot) => {
      const { firstDifferentIndex } = slot.sequence.compareContextTokens(prompt);
      // A few tokens that all prompts of a template begin with are no reason to drop another conversation.
      return firstDifferentIndex < 16 ? 0 : firstDifferentIndex;
    });
    const longest = Math.max(...shared);
    const slot = slots
      .filter((_, i) => shared[i] === longest)
      .reduce((oldest, next) => (next.usedAt < oldest.usedAt ? next : oldest));
    slot.usedAt = ++clock;
    // The prompt's last token is evaluated again: sampling needs its logits.
    const keep = Math.min(longest, prompt.length - 1);
    await slot.sequence.eraseContextTokenRanges([{ start: keep, end: slot.sequence.nextTokenIndex }]);
    return slot.sequence;
  }

  /**
   * The bias before each token. Talk that comes near its limit is drawn to the end of its sentence. With a small model
   * so is a sentence that grows long, and it is kept from saying again what was said: in talk six tokens in a row of
   * anything (without this, a third of its words were copies: measured), in JSON from going in circles within a string.
   */
  function steering(prompt: Token[], output: Token[], limit: number, talk: boolean) {
    let from = 0;
    return () => {
      const bias = lib.TokenBias.for(model);
      const last = model.detokenize(output.slice(-1));
      if (sentenceEnd.test(last) || (!talk && last.includes('"'))) from = output.length;
      const excess = Math.max(small ? output.length - from - 35 : 0, talk ? output.length - limit + 20 : 0);
      if (excess > 0) for (const token of stops) bias.set(token, { logit: Math.min(8, excess / 2) });
      const again = talk ? followers([...prompt, ...output], 6) : followers(output.slice(from), 3);
      if (small && output.length >= 6) for (const token of again) bias.set(token, 'never');
      return bias;
    };
  }

  async function reply(request: ChatRequest, signal: AbortSignal): Promise<ChatReply> {
    const prompt = tokensOf(request.messages);
    const room = context.contextSize - prompt.length - 1;
    if (room < Math.min(request.maxTokens, sentenceTokens)) {
      throw new ModelFault(
        'bad-request',
        `The prompt has ${prompt.length} tokens; ${basename(file)} is opened with room for ${context.contextSize}, the reply included.`,
      );
    }
    const limit = Math.min(request.maxTokens, room);
    const talk = request.schema === undefined;
    const grammar = await llama.createGrammar({
      grammar: request.schema ? jsonGrammar(request.schema.schema, limit, small) : sentenceGrammar(limit),
    });
    const sequence = await sequenceFor(prompt);
    const cachedInput = sequence.nextTokenIndex;
    // In steps of a batch, so that an abort need not wait for the whole prompt.
    for (let at = cachedInput; at < prompt.length - batchSize; at += batchSize) {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(at, at + batchSize));
      signal.throwIfAborted();
    }
    const output: Token[] = [];
    let finish: ChatReply['finish'] = 'stop';
    const tokens = sequence.evaluate(prompt.slice(sequence.nextTokenIndex), {
      temperature: request.sampling.temperature,
      ...(request.sampling.topP !== undefined && { topP: request.sampling.topP }),
      minP: 0.05,
      seed: seedOf(request),
      grammarEvaluationState: new lib.LlamaGrammarEvaluationState({ model, grammar }),
      ...(talk && { repeatPenalty: { penalty: 1.1, punishTokens: () => output.slice(-64) } }),
      ...((talk || small) && { tokenBias: steering(prompt, output, limit, talk) }),
    });
    for await (const token of tokens) {
      signal.throwIfAborted();
      output.push(token);
      if (output.length >= limit) {
        finish = 'length';
        break;
      }
      const left = limit - output.length;
      if (talk && left < sentenceTokens && sentenceEnd.test(model.detokenize([token]))) break;
    }
    return {
      text: model.detokenize(output, false, prompt.slice(-4)).trim(),
      finish,
      usage: { input: prompt.length, cachedInput, output: output.length },
    };
  }

  return {
    provider: `sha256:${sha256}`,
    model: basename(file),
    scripted: false,
    free: true,
    ...(basename(file).startsWith('SmolLM2-135M') && { languages: ['en'] }),
    async chat(request, callerSignal) {
      const signal = AbortSignal.any([callerSignal, closing.signal]);
      const mine = queue.then(() => {
        signal.throwIfAborted();
        return reply(request, signal);
      });
      queue = mine.catch(() => undefined);
      return untilAborted(mine, signal).catch((cause: unknown) => {
        if (cause instanceof ModelFault) throw cause;
        if (signal.aborted) throw new ModelFault('aborted', 'The request was aborted.', { cause });
        throw new ModelFault('server', `${basename(file)} failed: ${messageOf(cause)}`, { cause });
      });
    },
    async dispose() {
      closing.abort();
      await queue;
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
}

export const installHint =
  'Run `npm install node-llama-cpp` in the project, or choose another model (--model).';

export async function importLibrary(): Promise<typeof NodeLlamaCpp> {
  return import('node-llama-cpp').catch((cause: unknown) => {
    throw new UserError('Local models need the package node-llama-cpp, which is not installed.', {
      mend: installHint,
      cause,
    });
  });
}

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

export function unreadable(file: string, cause: unknown): UserError {
  return messageOf(cause).includes('memory')
    ? new UserError(`There is not enough memory for ${file}.`, {
        mend: 'Choose a smaller model or quantization.',
        cause,
      })
    : new UserError(
        `${file} cannot be read as a model: it is cut short or of a kind that this llama.cpp does not know.`,
        {
          mend: 'Fetch the file again, or update node-llama-cpp.',
          cause,
        },
      );
}

/** SHA-256 of the file; kept in `FILE.sha256` with the file's size and time, since hashing 5 GB takes seconds. */
export async function fingerprint(file: string): Promise<{ sha256: string; bytes: number }> {
  const info = await stat(file).catch((cause: unknown) => {
    throw new UserError(`There is no model file ${file}.`, { mend: 'Check the path.', cause });
  });
  const handle = info.isFile() ? await open(file) : undefined;
  const magic = await handle?.read(Buffer.alloc(4), 0, 4, 0).finally(() => handle.close());
  if (magic?.buffer.toString('latin1') !== 'GGUF') {
    throw new UserError(`${file} is no GGUF file.`, { mend: 'Name a model file that ends in .gguf.' });
  }
  const note = `${file}.sha256`;
  const stamp = `${info.size} ${info.mtimeMs}`;
  const kept = await readFile(note, 'utf8').catch(() => undefined);
  const [, hash, of] = /^([0-9a-f]{64}) (\d+ [\d.]+)\n$/.exec(kept ?? '') ?? [];
  if (hash && of === stamp) return { sha256: hash, bytes: info.size };
  const digest = createHash('sha256');
  await pipeline(createReadStream(file), digest);
  const sha256 = digest.digest('hex');
  // A note of another form is the user's own; a folder that we may not write to costs us the hashing next time.
  if (kept === undefined || hash) await writeFile(note, `${sha256} ${stamp}\n`).catch(() => undefined);
  return { sha256, bytes: info.size };
}

function seedOf({ messages, schema, sampling, rehearsal }: ChatRequest): number {
  return createHash('sha256')
    .update(JSON.stringify([messages, schema?.schema, sampling, rehearsal?.seed]))
    .digest()
    .readUInt32LE();
}

/** The promise's outcome, or the abort as soon as it comes: a caller never waits for another caller's request to end. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** What followed the last `run` tokens wherever they stood before. */
function followers(tokens: readonly Token[], run: number): Token[] {
  const last = tokens.slice(-run);
  return tokens.slice(run).filter((_, i) => last.every((token, k) => tokens[i + k] === token));
}
