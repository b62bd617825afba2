// Opinions to measure with: collages of the words of our own labelled opinions in nine languages, 150 characters on
// average, 20% of them near-duplicates of another one (up to three words changed, left out or doubled) and 2% in the
// words of another one on the other side; 9 cultures x 50 topics x 3 sides, skewed: the largest block is 2% of all.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const folder = join(import.meta.dirname, '..', '..', 'db', 'calibration');
const CULTURES = 9;
const TOPICS = 50;
const rest = { quote: '', rewriteOf: null, class: null, subtype: null, confidence: 1, language: 'en' };
const sides = ['agree', 'middle', 'disagree'];

/** Integers in [0, n): xorshift, so that each run has the same texts. */
export function draws(seed) {
  let state = seed;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/** Labelled opinions by language: lists of words, or of characters where words are written together. */
function sources() {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => {
      const pairs = ['.', 'duplicates'].flatMap(
        (part) => parse(readFileSync(join(folder, part, name), 'utf8')).pairs,
      );
      const texts = pairs.flatMap(({ opinion, a, b }) => [opinion, a, b].filter(Boolean));
      const joint = name === 'zh.yaml' ? '' : ' ';
      return { joint, lists: texts.map((text) => text.split(joint)) };
    });
}

/** As a database gives it: one string, not the pieces that it was put together from. */
const whole = (text) => Buffer.from(text).toString();

function collage({ joint, lists }, below) {
  // 150 on average, in Chinese too: between 40 and 260.
  const length = 40 + below(110) + below(110);
  let text = '';
  while (text.length < length) {
    const list = lists[below(lists.length)];
    const at = below(list.length);
    text += (text ? joint : '') + list.slice(at, at + (joint ? 1 + below(3) : 2 + below(5))).join(joint);
  }
  return text;
}

function change(text, { joint, lists }, below) {
  const words = text.split(joint);
  for (let edits = 1 + below(3); edits > 0; edits--) {
    const at = below(words.length);
    const list = lists[below(lists.length)];
    const kind = below(3);
    if (kind === 0) words.splice(at, 1);
    else words.splice(at, kind === 1 ? 1 : 0, list[below(list.length)]);
  }
  return words.join(joint);
}

/** @returns {{ opinions: object[], planted: number }} */
export function madeOpinions(count) {
  const below = draws(42);
  const languages = sources();
  const blockCount = CULTURES * TOPICS * sides.length;
  // Shares that fall as 1 / (rank + 10.4): the first one is 2%.
  const ends = [];
  let sum = 0;
  for (let rank = 0; rank < blockCount; rank++) ends.push((sum += 1 / (rank + 10.4)));
  const blockAt = () => {
    const at = (below(2 ** 30) / 2 ** 30) * sum;
    let [low, high] = [0, blockCount - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const opinions = [];
  let planted = 0;
  for (let i = 0; i < count; i++) {
    const kind = i === 0 ? 99 : below(100);
    if (kind < 22) {
      const other = opinions[below(i)];
      const language = languages[other.at];
      planted += kind < 20 ? 1 : 0;
      opinions.push({
        ...other,
        text: whole(change(other.text, language, below)),
        polarity: kind < 20 ? other.polarity : sides[(sides.indexOf(other.polarity) + 1) % sides.length],
      });
    } else {
      const block = blockAt();
      const at = block % CULTURES;
      const topic = Math.floor(block / CULTURES);
      opinions.push({
        at,
        ...rest,
        culture: `culture ${at}`,
        topicId: `Q${topic % TOPICS}`,
        polarity: sides[Math.floor(topic / TOPICS)],
        text: whole(collage(languages[at], below)),
      });
    }
  }
  opinions.forEach((one, i) => {
    Object.assign(one, { id: `o${i}`, key: String(i).padStart(8, '0') });
  });
  return { planted, opinions };
}
