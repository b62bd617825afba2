import { hash } from 'node:crypto';
import type { Reader, Trx } from './store.ts';

/** How many texts are looked up at once. */
const PAGE = 500;

/** The key of a text's vector. */
export const textHash = (text: string): string => hash('sha256', text, 'hex');

/** The vectors of an embedder that are there, by `textHash`. */
export async function* vectorsIn(
  read: Reader,
  model: string,
  hashes: readonly string[],
): AsyncGenerator<{ hash: string; vector: Float32Array }> {
  for (let at = 0; at < hashes.length; at += PAGE) {
    const rows = await read
      .selectFrom('embeddings')
      .select(['hash', 'vector'])
      .where('model', '=', model)
      .where('hash', 'in', hashes.slice(at, at + PAGE))
      .execute();
    for (const { hash: text, vector } of rows) yield { hash: text, vector: decoded(vector) };
  }
}

/** How many numbers the vectors of an embedder have; undefined where there are none. */
export async function dimensionsOf(read: Reader, model: string): Promise<number | undefined> {
  const row = await read.selectFrom('embeddings').select('dim').where('model', '=', model).executeTakeFirst();
  return row?.dim;
}

export async function saveVectors(
  trx: Trx,
  model: string,
  callId: string,
  rows: readonly { hash: string; vector: Float32Array }[],
): Promise<void> {
  for (const { hash: text, vector } of rows)
    await trx
      .insertInto('embeddings')
      .values({ model, hash: text, dim: vector.length, vector: encoded(vector), call_id: callId })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

function encoded(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((number, at) => bytes.writeFloatLE(number, at * 4));
  return bytes;
}

function decoded(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, at) => view.getFloat32(at * 4, true));
}
