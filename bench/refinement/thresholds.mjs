// What thresholds of deduplication are worth: precision and recall on our labelled pairs (db/calibration/duplicates),
// by language for character n-grams, and for an embedder in English.
// Usage: npm run build && node bench/refinement/thresholds.mjs [EMBEDDER]
//   EMBEDDER: openai:NAME or local:FILE.gguf; else CULTUREPARK_TEST_EMBEDDER (a file).
// Of each language 17 pairs are the same words with small changes, 17 say the same in other words, 17 say the opposite in
// much the same words, 17 say something else on the same topic. Pairs of two sides are never merged whatever their words:
// "opposite merged" counts what the words alone would do.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parse } from 'yaml';
import { openEmbedder } from '../../dist/models/embedders/open.js';
import { normalise } from '../../dist/refinement/normalise.js';
import { jaccard, shingleAll } from '../../dist/refinement/shingles.js';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'db', 'calibration', 'duplicates');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const pairsOf = (name) => parse(readFileSync(join(folder, name), 'utf8')).pairs;

console.log('Character n-grams (Jaccard), by language');
const all = [];
for (const name of files) {
  const scored = pairsOf(name).map((pair) => {
    const shingles = shingleAll([normalise(pair.a), normalise(pair.b)]);
    return { ...pair, score: jaccard(shingles, 0, 1, 0) };
  });
  all.push(...scored);
  table(name.slice(0, 2), scored, [0.5, 0.6, 0.7, 0.8]);
}
table('all', all, [0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9]);

const file = process.env.CULTUREPARK_TEST_EMBEDDER;
const spec = process.argv[2] ?? (file ? `local:${file}` : undefined);
if (spec) {
  const { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: apiKey } = process.env;
  const embedder = await openEmbedder(spec, { say: console.log, allowFetch: true, baseUrl, apiKey });
  const cosine = async ({ a, b }) => {
    const request = embedder.requestFor([a, b]);
    await embedder.model.chat(request, new AbortController().signal);
    const came = embedder.vectorsOf(request);
    if ('fault' in came) throw new Error(came.fault);
    return came.vectors[0].reduce((sum, number, at) => sum + number * came.vectors[1][at], 0);
  };
  const scored = [];
  for (const pair of pairsOf('en.yaml')) scored.push({ ...pair, score: await cosine(pair) });
  console.log(`\nEmbedder ${embedder.model.model} (cosine), English`);
  table('en', scored, [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]);
  await embedder.model.dispose?.();
} else console.log('\nNo embedder: not measured.');

function table(language, pairs, thresholds) {
  console.log(
    `  ${language}: least score   precision   recall: same words, other words   merged: opposite, else`,
  );
  for (const threshold of thresholds) {
    const merged = pairs.filter(({ score }) => score >= threshold);
    const share = (kind) => {
      const of = pairs.filter((pair) => pair.kind === kind);
      return (merged.filter((pair) => pair.kind === kind).length / of.length).toFixed(2);
    };
    const onOneSide = merged.filter((pair) => pair.polarity_a === pair.polarity_b);
    const right = onOneSide.filter(({ kind }) => kind === 'same' || kind === 'paraphrase').length;
    const precision = onOneSide.length === 0 ? 'none' : (right / onOneSide.length).toFixed(2);
    console.log(
      `      ${threshold.toFixed(2)}           ${precision.padEnd(9)}           ${share('same')}         ${share('paraphrase')}             ${share('opposite')}     ${share('different')}`,
    );
  }
}
