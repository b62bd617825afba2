import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

/**
 * Writes one entry of a zip file (stored or deflated, below 4 GB: APPNOTE 4.3) to `target`.
 *
 * @throws Error when the file is no such zip or has no entry of that name.
 */
export async function extractEntry(zip: string, name: string, target: string): Promise<void> {
  const handle = await open(zip);
  try {
    const { size } = await handle.stat();
    const read = async (position: number, length: number) =>
      (await handle.read(Buffer.alloc(length), 0, length, position)).buffer;
    const tail = await read(Math.max(0, size - 65_557), Math.min(size, 65_557));
    const end = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    if (end < 0) throw new Error(`${zip} is no zip file`);
    const directory = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
    for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === 0x02014b50;) {
      const nameLength = directory.readUInt16LE(at + 28);
      const next = at + 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
      if (directory.toString('utf8', at + 46, at + 46 + nameLength) === name) {
        const local = directory.readUInt32LE(at + 42);
        const header = await read(local, 30);
        const start = local + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
        const packed = createReadStream(zip, { start, end: start + directory.readUInt32LE(at + 20) - 1 });
        const out = createWriteStream(target);
        if (directory.readUInt16LE(at + 10) === 0) return await pipeline(packed, out);
        return await pipeline(packed, createInflateRaw(), out);
      }
      at = next;
    }
    throw new Error(`${zip} has no entry ${name}`);
  } finally {
    await handle.close();
  }
}
