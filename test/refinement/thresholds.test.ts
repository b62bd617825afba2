import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openEmbedder } from '../../src/models/embedders/open.ts';
import { packageRoot } from '../../src/paths.ts';
import { scenarioSchema } from '../../src/pipeline/scenario.ts';
import { normalise } from '../../src/refinement/normalise.ts';
import { jaccard, shingleAll } from '../../src/refinement/shingles.ts';
import { readYaml } from '../../src/yaml-file.ts';

const folder = join(packageRoot, 'db', 'calibration', 'duplicates');
const pair = z.looseObject({
  kind: z.enum(['same', 'paraphrase', 'opposite', 'different']),
  a: z.string(),
  b: z.string(),
  polarity_a: z.string(),
  polarity_b: z.string(),
});
const pairsOf = (name: string) =>
  readYaml(join(folder, name), z.looseObject({ pairs: z.array(pair) })).value.pairs;
const { refinement } = scenarioSchema.parse({ cultures: 'all', topics: 'all' });

/** Precision of what is merged on one side, and recall of the same words with small changes. */
function worth(pairs: readonly z.output<typeof pair>[], merged: readonly boolean[]) {
  const on = pairs.filter((one, at) => merged[at] && one.polarity_a === one.polarity_b);
  const right = on.filter(({ kind }) => kind === 'same' || kind === 'paraphrase').length;
  const same = pairs.filter(({ kind }) => kind === 'same').length;
  return {
    precision: right / on.length,
    recall: pairs.filter(({ kind }, at) => kind === 'same' && merged[at]).length / same,
  };
}

const ngrams = (pairs: readonly z.output<typeof pair>[]) =>
  pairs.map(({ a, b }) => jaccard(shingleAll([normalise(a), normalise(b)]), 0, 1, 0) >= refinement.threshold);

describe('the default threshold of character n-grams, on the labelled pairs', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

  test.each(files)('%s: merges nothing different, and most of the same words', (name) => {
    const pairs = pairsOf(name);
    const { precision, recall } = worth(pairs, ngrams(pairs));
    expect(precision).toBe(1);
    expect(recall).toBeGreaterThanOrEqual(0.75);
  });

  test('over all languages: recall of the same words of 0.94 or more', () => {
    const pairs = files.flatMap(pairsOf);
    expect(worth(pairs, ngrams(pairs)).recall).toBeGreaterThanOrEqual(0.94);
  });
});

const embedder = [
  process.env.CULTUREPARK_TEST_EMBEDDER,
  resolve(packageRoot, '..', 'shared', 'models', 'all-MiniLM-L6-v2-Q8_0.gguf'),
].find((file) => file && existsSync(file));
const why = embedder ? '' : ': skipped, no embedding model here (CULTUREPARK_TEST_EMBEDDER)';

describe.skipIf(why !== '')(`the default threshold of an embedder, in English${why}`, () => {
  test('merges nothing different, and all of the same words; of opposites its cosine alone would merge most', async () => {
    const model = await openEmbedder(`local:${embedder}`, {
      say: () => undefined,
      allowFetch: false,
      baseUrl: undefined,
      apiKey: undefined,
    });
    const pairs = pairsOf('en.yaml');
    const request = model.requestFor(pairs.flatMap(({ a, b }) => [a, b]));
    await model.model.chat(request, new AbortController().signal);
    const came = model.vectorsOf(request);
    await model.model.dispose?.();
    if (!came || 'fault' in came) throw new Error(came?.fault);
    const merged = pairs.map((_, at) => {
      const [a, b] = [came.vectors[2 * at], came.vectors[2 * at + 1]] as [Float32Array, Float32Array];
      return a.reduce((sum, x, d) => sum + x * (b[d] as number), 0) >= refinement.embedding_threshold;
    });
    expect(worth(pairs, merged)).toEqual({ precision: 1, recall: 1 });
    const opposite = pairs.filter(({ kind }) => kind === 'opposite');
    const close = pairs.filter(({ kind }, at) => kind === 'opposite' && merged[at]);
    // Why the side of an opinion decides, and not its words.
    expect(close.length).toBeGreaterThan(opposite.length / 2);
  });
});
