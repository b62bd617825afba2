// All pairs of vectors within blocks: speed, and recall against a plain loop.
// Usage: npm run build && node bench/refinement/embeddings.mjs [opinions=100000] [dimensions=384]
// Reference: 100,000 opinions of 384 dimensions in at most 15 s on 2 cores, recall 1.
import process from 'node:process';
import { nearDuplicates } from '../../dist/refinement/near-duplicates.js';
import { draws, madeOpinions } from './opinions.mjs';

const count = Number(process.argv[2] ?? 100_000);
const dimensions = Number(process.argv[3] ?? 384);
const THRESHOLD = 0.8;
const { opinions } = madeOpinions(count);
const blocks = opinions.map(({ culture, topicId, polarity }) => `${culture} ${topicId} ${polarity}`);
const below = draws(3);
const values = new Float32Array(new SharedArrayBuffer(count * dimensions * 4));
for (let i = 0; i < count; i++) {
  // One in five lies near an earlier one.
  const near = i > 0 && below(5) === 0 ? below(i) : -1;
  if (near >= 0) blocks[i] = blocks[near];
  let length = 0;
  for (let d = 0; d < dimensions; d++) {
    const noise = below(2001) / 1000 - 1;
    const value = near >= 0 ? values[near * dimensions + d] + (noise * 0.6) / Math.sqrt(dimensions) : noise;
    values[i * dimensions + d] = value;
    length += value * value;
  }
  for (let d = 0; d < dimensions; d++) values[i * dimensions + d] /= Math.sqrt(length);
}
const of = async (indexes) => {
  const own = new Float32Array(new SharedArrayBuffer(indexes.length * dimensions * 4));
  indexes.forEach((index, at) =>
    own.set(values.subarray(index * dimensions, (index + 1) * dimensions), at * dimensions),
  );
  return { values: own, dimensions };
};
const texts = opinions.map((_, i) => `${i}`);
const begin = performance.now();
const used = process.cpuUsage();
const pairs = await nearDuplicates(texts, { threshold: 1, blocks, vectors: { threshold: THRESHOLD, of } });
const seconds = (performance.now() - begin) / 1000;
const { user, system } = process.cpuUsage(used);
const members = new Map();
blocks.forEach((block, i) => {
  if (members.has(block)) members.get(block).push(i);
  else members.set(block, [i]);
});
const all = [...members.values()].reduce((sum, { length }) => sum + (length * (length - 1)) / 2, 0);
console.log(
  `${count} opinions, ${dimensions} dimensions, ${members.size} blocks, ${(all / 1e6).toFixed(1)} million pairs: ${seconds.toFixed(1)} s (${((user + system) / 1e6 / seconds).toFixed(1)} cores), ${pairs.length} links`,
);
const found = new Set(pairs.map(({ a, b }) => a * count + b));
let [expected, right] = [0, 0];
for (const own of [...members.values()].slice(0, 300))
  own.forEach((b, at) => {
    for (const a of own.slice(0, at)) {
      let sum = 0;
      for (let d = 0; d < dimensions; d++) sum += values[a * dimensions + d] * values[b * dimensions + d];
      if (sum < THRESHOLD) continue;
      expected++;
      if (found.has(a * count + b)) right++;
    }
  });
console.log(`recall ${(right / expected).toFixed(4)} of ${expected} pairs in 300 blocks, by a plain loop`);
