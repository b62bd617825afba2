import { UserError } from '../errors.ts';
import type { Caller } from '../models/caller.ts';
import type { CallableEmbedder } from '../models/embedders/embedder.ts';
import { openEmbedder } from '../models/embedders/open.ts';
import type { ModelContext } from '../models/resolve.ts';
import { modelInWords, type Route } from '../models/route.ts';
import type { VectorsOf } from '../refinement/deduplicate.ts';
import { saveCalls } from '../store/calls.ts';
import { dimensionsOf, saveVectors, textHash, vectorsIn } from '../store/embeddings.ts';
import type { Store } from '../store/store.ts';
import { concurrently } from './concurrently.ts';
import { embedderEntry } from './model-entries.ts';
import { contextOf, roleModel } from './routes.ts';
import type { Scenario } from './scenario.ts';

export interface OpenedEmbedder extends CallableEmbedder {
  route: Route;
}

/** Opens the embedder of a scenario; undefined where it has none. */
export async function embedderFor(
  { embedder }: Pick<Scenario, 'embedder'>,
  context: ModelContext,
): Promise<OpenedEmbedder | undefined> {
  if (embedder === 'none') return undefined;
  const entry = embedderEntry(embedder);
  const opened = await openEmbedder(entry.spec, contextOf(entry, 'embedder', context));
  return { ...opened, route: roleModel(opened.model, entry) };
}

interface Embedding {
  store: Store;
  caller: Caller;
  runId: string;
  concurrency: number;
  embedder: OpenedEmbedder;
}

/** What an embedder's vectors are stored under. */
export const embedderKey = ({ model }: CallableEmbedder): string => `${model.provider} ${model.model}`;

/**
 * The vectors of texts: those that the database has from this embedder, and the others by calls, stored with what they
 * cost before they are used. Throws a UserError that names the embedder where a vector can't be one, or has another
 * length than those before it.
 */
export function vectorsFrom({ store, caller, runId, concurrency, embedder }: Embedding): VectorsOf {
  const key = embedderKey(embedder);
  return async (texts) => {
    const byHash = new Map(texts.flatMap((text) => (text === null ? [] : [[textHash(text), text]])));
    const missing = new Set(byHash.keys());
    for await (const { hash } of vectorsIn(store.read, key, [...byHash.keys()])) missing.delete(hash);
    const before = await dimensionsOf(store.read, key);
    if (before !== undefined) embedder.expect(before);
    await concurrently(batches([...missing].sort(), embedder.batch), concurrency, async (hashes) => {
      const request = embedder.requestFor(hashes.map((hash) => byHash.get(hash) as string));
      const asked = { role: 'embedder', request, stage: 'deduplicate', subject: runId };
      for (let n = 0; ; n += 1) {
        const done = await caller.call({ ...asked, replicate: [0, n] }, async ({ calls, uses, callId }) => {
          const came = embedder.vectorsOf(request);
          await store.write(async (trx) => {
            await saveCalls(trx, runId, calls, uses);
            if (!came || 'fault' in came) return;
            const rows = hashes.map((hash, at) => ({ hash, vector: came.vectors[at] as Float32Array }));
            await saveVectors(trx, key, callId, rows);
          });
          if (came && 'fault' in came) throw unusable(embedder, came.fault);
          const failed = calls.at(-1)?.tries.at(-1)?.error;
          if (!came && calls.length > 0) throw unusable(embedder, failed ?? 'no reply');
          // A reply of before that could not be used, or whose vectors are gone, is asked for again.
          return came !== undefined;
        });
        if (done) return;
      }
    });
    return inOneBlock(store, key, texts, (await dimensionsOf(store.read, key)) ?? 0);
  };
}

async function inOneBlock(
  store: Store,
  key: string,
  texts: readonly (string | null)[],
  dimensions: number,
): ReturnType<VectorsOf> {
  const values = new Float32Array(new SharedArrayBuffer(texts.length * dimensions * 4));
  const places = new Map<string, number[]>();
  texts.forEach((text, at) => {
    if (text === null) return;
    const hash = textHash(text);
    places.set(hash, [...(places.get(hash) ?? []), at]);
  });
  for await (const { hash, vector } of vectorsIn(store.read, key, [...places.keys()]))
    for (const at of places.get(hash) ?? []) values.set(vector, at * dimensions);
  return { values, dimensions };
}

function unusable({ model }: CallableEmbedder, fault: string): UserError {
  return new UserError(`The embedder ${modelInWords(model)} gave what can't be used: ${fault}.`, {
    mend: 'Check what the server serves at this name. The run can go on with `--set embedder=none`, or with another embedder; nothing of these texts was stored.',
  });
}

function* batches<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
