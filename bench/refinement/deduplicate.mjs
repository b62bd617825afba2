// Near-duplicate speed on synthetic opinions of about 150 characters, one in ten a near copy of an earlier one.
// Usage: npm run build && node bench/refinement/deduplicate.mjs [texts=100000] [blocks=160]   (blocks=0: none)
// Reference: 1,000,000 texts in at most 90 s on 2 cores and in at most 2 GiB, so 5,556 texts/s on one core.
import process from 'node:process';
import { nearDuplicates } from '../../dist/refinement/minhash.js';

const REFERENCE = 1_000_000 / 90 / 2;
const alphabets = [
  'abcdefghijklmnopqrstuvwxyz',
  'ابتثجحخدذرزسشصضطظعغفقكلمنهوي',
  'কখগঘচছজঝটঠডঢণতথদধনপফবভমযরলশষসহািীুূেো',
];
const words = [];
let state = 42;

/** Integer in [0, n): xorshift, so that each run has the same texts. */
function below(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

for (const alphabet of alphabets) {
  words.push(
    Array.from({ length: 4000 }, () =>
      Array.from({ length: 2 + below(9) }, () => alphabet[below(alphabet.length)]).join(''),
    ),
  );
}

function sentence(list) {
  let text = '';
  // The lower of two draws: some words are far more frequent than others, as in real text.
  while (text.length < 145)
    text += (text ? ' ' : '') + list[Math.min(below(list.length), below(list.length))];
  return text;
}

const count = Number(process.argv[2] ?? 100_000);
const blockCount = Number(process.argv[3] ?? 160);
const texts = [];
const blocks = [];
for (let i = 0; i < count; i++) {
  if (i > 0 && below(10) === 0) {
    const original = below(i);
    const at = below(120);
    texts.push(`${texts[original].slice(0, at)}${below(1000)}${texts[original].slice(at + 3)}`);
    blocks.push(blocks[original]);
  } else {
    texts.push(sentence(words[below(3)]));
    blocks.push(String(below(blockCount || 1)));
  }
}

const before = process.memoryUsage.rss();
const begin = performance.now();
let pairs = 0;
for (const _ of nearDuplicates(texts, blockCount ? { threshold: 0.7, blocks } : { threshold: 0.7 })) pairs++;
const seconds = (performance.now() - begin) / 1000;
const rate = Math.round(count / seconds);
console.log(
  `${count} texts, ${blockCount || 'no'} blocks: ${seconds.toFixed(2)} s, ${rate} texts/s, ${pairs} pairs`,
);
console.log(`reference ${Math.round(REFERENCE)} texts/s a core: ${rate >= REFERENCE ? 'reached' : 'MISSED'}`);
console.log(
  `memory: texts ${mebibytes(before)}, peak ${mebibytes(process.resourceUsage().maxRSS * 1024)} of 2048 MiB`,
);

function mebibytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
