import { uniform } from '../ids.ts';

/** How texts are signed, the same for every block: `bands` bands of `rows` values, from passes of BINS values each. */
export interface Plan {
  bands: number;
  rows: number;
  /** Length of a signature. */
  values: number;
  /** One a pass. */
  seeds: Int32Array;
  /** One a pass, odd. */
  factors: Int32Array;
  /** For each pass and bin an order of all bins. */
  donors: Uint8Array;
}

const BINS = 16;
const MAX_VALUES = 192;
const MAX_MISS = 0.003;
const EMPTY = 0x7fffffff;

/**
 * How to find candidates at a threshold: MinHash (Broder 1997) by one-permutation hashing (Li, Owen & Zhang 2012) with
 * optimal densification (Shrivastava 2017), in passes of 16 bins, so that short texts fill their bins; then LSH banding
 * (Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4), cut so that a pair right at the threshold is missed
 * with probability 0.003 or less. Throws RangeError when the threshold is not in [0.2, 1].
 */
export function planFor(threshold: number): Plan {
  if (!(threshold >= 0.2 && threshold <= 1))
    throw new RangeError(`threshold must be between 0.2 and 1, not ${threshold}`);
  const { bands, rows } = bandsFor(threshold);
  const passes = Math.ceil((bands * rows) / BINS);
  return {
    bands,
    rows,
    values: passes * BINS,
    seeds: Int32Array.from({ length: passes }, (_, pass) => randomBits('seed', pass)),
    factors: Int32Array.from({ length: passes }, (_, pass) => randomBits('factor', pass) | 1),
    donors: donorOrder(passes),
  };
}

/** The most rows a band (fewest false candidates) for which enough bands to miss at most MAX_MISS still fit. */
function bandsFor(threshold: number): { bands: number; rows: number } {
  for (let rows = 16; ; rows--) {
    const miss = 1 - threshold ** rows;
    const bands = miss > 0 ? Math.ceil(Math.log(MAX_MISS) / Math.log(miss)) : 1;
    if (bands * rows <= MAX_VALUES || rows === 1) return { bands, rows };
  }
}

/**
 * Writes one key a band at `at` for the shingle set `hashes[from..to]`; sets that agree in a whole band have equal keys
 * there. `signature` is room for `plan.values` numbers.
 */
export function bandKeys(
  plan: Plan,
  hashes: Uint32Array,
  from: number,
  to: number,
  signature: Int32Array,
  keys: Uint32Array,
  at: number,
): void {
  const { bands, rows, seeds, factors, donors } = plan;
  const passes = seeds.length;
  signature.fill(EMPTY);
  for (let pass = 0; pass < passes; pass++) {
    sign(hashes, from, to, seeds[pass] as number, factors[pass] as number, signature, pass * BINS);
    if (to > from) densify(signature, pass * BINS, donors);
  }
  for (let band = 0, value = 0; band < bands; band++) {
    // An empty text resembles nothing, and there is only one: its key may be any.
    let key = band;
    for (let row = 0; row < rows; row++, value++) {
      // Neighbouring values come from different passes, so that a band doesn't hold one shingle's bin twice.
      const place = (value % passes) * BINS + Math.floor(value / passes);
      key = Math.imul(key ^ (signature[place] as number), 0x85ebca6b);
      key ^= key >>> 15;
    }
    key = Math.imul(key, 0xc2b2ae35);
    keys[at + band] = key ^ (key >>> 15);
  }
}

/** One pass of one-permutation hashing: the top 4 bits of a shingle's hash choose its bin, each bin keeps the least. */
function sign(
  hashes: Uint32Array,
  from: number,
  to: number,
  seed: number,
  factor: number,
  signature: Int32Array,
  base: number,
): void {
  for (let i = from; i < to; i++) {
    let hash = Math.imul((hashes[i] as number) ^ seed, factor);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x2c1b3c6d);
    hash ^= hash >>> 13;
    const bin = base + (hash >>> 28);
    const value = hash & 0x0fffffff;
    if (value < (signature[bin] as number)) signature[bin] = value;
  }
}

/** Each empty bin takes the value of the first bin in its own fixed order that had one before densification. */
function densify(signature: Int32Array, base: number, donors: Uint8Array): void {
  let empty = 0;
  for (let bin = 0; bin < BINS; bin++) if (signature[base + bin] === EMPTY) empty |= 1 << bin;
  if (empty === 0) return;
  for (let bin = 0; bin < BINS; bin++) {
    if (!(empty & (1 << bin))) continue;
    let at = base * BINS + bin * BINS;
    while (empty & (1 << (donors[at] as number))) at++;
    signature[base + bin] = signature[base + (donors[at] as number)] as number;
  }
}

/** For each pass and bin an order of all bins, drawn once and for all. */
function donorOrder(passes: number): Uint8Array {
  const orders = new Uint8Array(passes * BINS * BINS);
  for (let from = 0; from < orders.length; from += BINS) {
    for (let i = 0; i < BINS; i++) {
      const j = Math.floor(uniform('minhash', 'donor', from, i) * (i + 1));
      orders[from + i] = orders[from + j] as number;
      orders[from + j] = i;
    }
  }
  return orders;
}

function randomBits(what: string, pass: number): number {
  return Math.floor(uniform('minhash', what, pass) * 2 ** 32) | 0;
}
