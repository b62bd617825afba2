// Deduplication of opinions in nine languages (opinions.mjs): speed, memory, recall and precision.
// Usage: npm run build && node bench/refinement/deduplicate.mjs [opinions=200000] [blocks|none] [threads]
//   blocks: the whole stage, within culture, topic and side; none: the same texts as one block. Both unless named.
// Reference: 1,000,000 in at most 90 s on 2 cores and in at most 2 GiB; recall of pairs with a Jaccard of 0.7 or more
// at least 0.98, precision at least 0.99, no cluster of two sides.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { deduplicate } from '../../dist/refinement/deduplicate.js';
import { nearDuplicates } from '../../dist/refinement/near-duplicates.js';
import { normalise } from '../../dist/refinement/normalise.js';
import { draws, madeOpinions } from './opinions.mjs';

const THRESHOLD = 0.7;
const count = Number(process.argv[2] ?? 200_000);
const mode = process.argv[3];
const threads = process.argv[4] === undefined ? undefined : Number(process.argv[4]);

if (mode === undefined) {
  for (const one of ['blocks', 'none'])
    spawnSync(process.execPath, [import.meta.filename, String(count), one], { stdio: 'inherit' });
  process.exit();
}

const { opinions, planted } = madeOpinions(count);
const mean = opinions.reduce((sum, { text }) => sum + text.length, 0) / count;
console.log(
  `${count} opinions, ${Math.round(mean)} characters on average, ${planted} planted near-duplicates, ${mode === 'none' ? 'no blocks' : 'in blocks'}`,
);
const held = process.memoryUsage.rss();
const used = process.cpuUsage();
const begin = performance.now();
const timed = (what) => {
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(used);
  console.log(
    `  ${seconds.toFixed(1)} s (${Math.round(count / seconds)} opinions a second, ${((user + system) / 1e6 / seconds).toFixed(1)} cores), ${what}`,
  );
  console.log(
    `  memory: ${mebibytes(held)} of opinions before, ${mebibytes(process.resourceUsage().maxRSS * 1024)} at most`,
  );
};

if (mode === 'none') {
  // Only the texts are held from here on.
  const texts = opinions.splice(0).map(({ text }) => normalise(text));
  const links = await nearDuplicates(texts, { threshold: THRESHOLD, links: 'first', threads });
  timed(`${links.length} texts linked to ${new Set(links.map(({ a }) => a)).size} others`);
  await accuracy(
    'a sample of 4,000 texts',
    texts.slice(0, 4000).map((text) => ({ text, block: '' })),
  );
} else {
  const clusters = await deduplicate(opinions, { threshold: THRESHOLD, threads });
  timed(`${clusters.length} clusters`);
  const byId = new Map(opinions.map((one) => [one.id, one]));
  const mixed = clusters.filter(
    ({ members }) =>
      new Set(
        members.map(({ opinionId }) => {
          const { culture, topicId, polarity } = byId.get(opinionId);
          return `${culture} ${topicId} ${polarity}`;
        }),
      ).size > 1,
  );
  const told = clusters.filter(({ alsoIn }) => alsoIn.length > 0).length;
  console.log(
    `  clusters of two sides, topics or cultures: ${mixed.length}; said in other cultures too: ${told}`,
  );
  const blockOf = ({ culture, topicId, polarity }) => `${culture}, ${topicId}, ${polarity}`;
  const blocks = [...new Set(opinions.map(blockOf))];
  const below = draws(7);
  const sample = new Set(Array.from({ length: 12 }, () => blocks[below(blocks.length)]));
  await accuracy(
    `${sample.size} blocks`,
    opinions
      .filter((one) => sample.has(blockOf(one)))
      .slice(0, 6000)
      .map((one) => ({ text: normalise(one.text), block: blockOf(one) })),
  );
}

/** Pairs found against all pairs, compared one by one as sets of strings. */
async function accuracy(what, rows) {
  const found = await nearDuplicates(
    rows.map(({ text }) => text),
    { threshold: THRESHOLD, blocks: rows.map(({ block }) => block) },
  );
  const sets = rows.map(({ text }) => shinglesOf(text));
  const key = ({ a, b }) => a * rows.length + b;
  const pairs = new Set(found.map(key));
  let [expected, right] = [0, 0];
  const first = new Map();
  rows.forEach((row, b) => {
    const text = `${row.block} ${row.text}`;
    if (first.has(text)) {
      expected++;
      right += pairs.has(key({ a: first.get(text), b })) ? 1 : 0;
      return;
    }
    for (const a of first.values()) {
      if (rows[a].block !== row.block || !alike(sets[a], sets[b])) continue;
      expected++;
      right += pairs.has(key({ a, b })) ? 1 : 0;
    }
    first.set(text, b);
  });
  console.log(
    `  ${what} (${rows.length} texts): recall ${(right / expected).toFixed(4)}, precision ${(right / pairs.size).toFixed(4)} of ${expected} pairs`,
  );
}

function alike(one, other) {
  const [small, large] = one.size < other.size ? [one, other] : [other, one];
  if (small.size < THRESHOLD * large.size) return false;
  let shared = 0;
  let left = small.size;
  for (const shingle of small) {
    if (large.has(shingle)) shared++;
    left--;
    if ((shared + left) / (one.size + other.size - shared - left) < THRESHOLD) return false;
  }
  return shared / (one.size + other.size - shared) >= THRESHOLD;
}

function shinglesOf(text) {
  const points = [...text];
  const dense = /[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\u{20000}-\u{3ffff}]/u;
  const set = new Set();
  points.forEach((point, i) => {
    const size = dense.test(point) ? 3 : 5;
    if (i + size <= points.length) set.add(points.slice(i, i + size).join(''));
  });
  return set.size > 0 ? set : new Set([text]);
}

function mebibytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
