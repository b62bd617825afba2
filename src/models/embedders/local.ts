import { basename } from 'node:path';
import { fingerprint, importLibrary, installHint, messageOf, unreadable } from '../local/model.ts';
import { ModelFault } from '../port.ts';
import { UserError } from '../../errors.ts';
import type { Embedder } from './embedder.ts';

/** Texts a request: they are evaluated one after the other, and stored together. */
const BATCH = 64;

/**
 * Opens a GGUF file as an embedding model in this process. One thread is quickest: two that wait for each other take
 * twice as long a sentence on two cores. A text beyond the model's context is cut off there.
 *
 * @throws UserError when node-llama-cpp is missing, or the file is no GGUF or can't be read as a model.
 */
export async function openLocalEmbedder(file: string): Promise<Embedder> {
  const { sha256 } = await fingerprint(file);
  const lib = await importLibrary();
  const llama = await lib
    .getLlama({
      gpu: 'auto',
      build: 'never',
      maxThreads: 1,
      progressLogs: false,
      logLevel: lib.LlamaLogLevel.disabled,
    })
    .catch((cause: unknown) => {
      throw new UserError('node-llama-cpp has no build for this machine.', { mend: installHint, cause });
    });
  const opened = await open().catch(async (cause: unknown) => {
    await llama.dispose();
    throw unreadable(file, cause);
  });
  const { model, context, most } = opened;

  async function open() {
    const model = await llama.loadModel({ modelPath: file });
    const size = Math.min(512, model.trainContextSize);
    const context = await model.createEmbeddingContext({ contextSize: size, threads: 1 });
    // Room for what the context puts around a text.
    return { model, context, most: size - 8 };
  }

  return {
    provider: `sha256:${sha256}`,
    model: basename(file),
    free: true,
    batch: BATCH,
    async embed(texts, signal) {
      const vectors: (readonly number[])[] = [];
      let input = 0;
      for (const text of texts) {
        if (signal.aborted) throw new ModelFault('aborted', 'The request was aborted.');
        const tokens = model.tokenize(text).slice(0, most);
        input += tokens.length;
        const { vector } = await context.getEmbeddingFor(tokens).catch((cause: unknown) => {
          throw new ModelFault('bad-request', `${basename(file)} failed: ${messageOf(cause)}`, { cause });
        });
        vectors.push(vector);
      }
      return { vectors, usage: { input, cachedInput: 0, output: 0 } };
    },
    async dispose() {
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
}
