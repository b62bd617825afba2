import { expect, test } from 'vitest';
import { pick, uniform } from '../../src/ids.ts';
import { decide } from '../../src/refinement/decide.ts';
import { applyExtract } from '../../src/refinement/extract.ts';
import { first } from '../dialogue/staged.ts';
import { from, sceneOf } from './scenes.ts';

const REPLIES = 10_000;

/** Sentences in scripts with and without spaces, from both directions, with marks that models like to change. */
const sentences = [
  'My parents gave up a lot, and I want them to be proud of me.',
  'Trust is earned – slowly; “one lie” is enough to lose it.',
  'In Café Zoë nobody asks how much a neighbour earns.',
  'Wer viel arbeitet, soll auch gut leben können.',
  'Ailem için çalışmak bana doğru geliyor, değil mi?',
  'أعتقد أن الأسرة تأتي قبل كل شيء في حياتنا اليومية.',
  '我认为家庭比工作更重要，因为家人一直支持我。',
  '가족이 무엇보다 중요하다고 생각합니다.',
  'আমার কাছে পরিবার সবচেয়ে গুরুত্বপূর্ণ বিষয়।',
  'La gente de mi pueblo vota aunque llueva, y eso se nota.',
  'Quem promete e não cumpre perde o meu voto para sempre.',
  'We eat late on Fridays, all of us at one long table.',
];

/** Ways in which a reply copies words and changes their looks. */
const looks: ((words: string) => string)[] = [
  (words) => words,
  (words) => words.normalize('NFD'),
  (words) => words.replaceAll(' ', '  '),
  (words) => `"${words}"`,
  (words) => words.replace(/[“”]/g, '"'),
  (words) => `… ${words} …`,
];

const plain = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/["'“”„‟«»‘’]/gu, '')
    .replace(/\s+/gu, ' ')
    .trim()
    .toLowerCase();

/** A different count of edits than the code under test: Levenshtein over all stretches, in full. */
function fewestEdits(text: string, quote: string): number {
  const [there, wanted] = [Array.from(text), Array.from(quote)];
  let row = there.map(() => 0).concat(0);
  wanted.forEach((point, i) => {
    const below = [i + 1];
    there.forEach((other, j) =>
      below.push(
        Math.min(
          (row[j] as number) + Number(point !== other),
          (row[j + 1] as number) + 1,
          (below[j] as number) + 1,
        ),
      ),
    );
    row = below;
  });
  return Math.min(...row);
}

test('of 10,000 replies of which a third invent quotes, no opinion is accepted whose quote is not in its turn', () => {
  const dialogue = first('cultures: [turkish]\ntopics: [Q27]\nturns: 4');
  let invented = 0;
  let accepted = 0;
  let lost = 0;
  for (let n = 0; n < REPLIES; n += 1) {
    const said = [0, 1, 2].map((at) => pick(sentences, 'turn', n, at));
    const turn = said.join(pick([' ', '\n', '  '], 'gap', n));
    const scene = sceneOf(dialogue, ['What do you think?', turn]);
    const invents = uniform('invent', n) < 1 / 3;
    // Another sentence, or one of the turn of which half is replaced.
    const other = sentences.filter((sentence) => !said.includes(sentence));
    const [one, two] = [pick(other, 'a', n), pick(said, 'b', n)];
    const madeUp = uniform('mix', n) < 0.5 ? one : two.slice(0, two.length / 2) + one.slice(one.length / 2);
    const quote = invents ? madeUp : pick(looks, 'looks', n)(pick(said, 'quote', n));
    const reply = { opinions: [{ turn: 1, quote, opinion: 'x', polarity: 'agree', class: 'belief' }] };
    const [opinion] = applyExtract(scene, JSON.stringify(reply), from);
    const { status } = decide(opinion!, {
      ...{
        verdict: 'entail',
        hasStance: true,
        representative: true,
        selected: true,
        includeRewritten: false,
      },
    });
    if (invents) invented += 1;
    if (status !== 'accepted') {
      expect(opinion?.quote).toBeNull();
      if (!invents) lost += 1;
      continue;
    }
    accepted += 1;
    const { quote: words, quoteStart, quoteEnd, alignment } = opinion!;
    // The stored words are those of the turn, where it says they stand, and the reply's quote is what they are.
    expect(turn.slice(quoteStart!, quoteEnd!)).toBe(words);
    expect(alignment).toBeGreaterThanOrEqual(0.85);
    if (plain(turn).includes(plain(quote).replace(/^… | …$/g, ''))) expect(alignment).toBe(1);
    else expect(fewestEdits(plain(turn), plain(quote)) / Array.from(plain(quote)).length).toBeLessThan(0.17);
    expect(invents, `${quote} in ${turn}`).toBe(false);
  }
  expect(invented).toBeGreaterThan(REPLIES / 3 - 200);
  expect(invented).toBeLessThan(REPLIES / 3 + 200);
  // And none that was said is lost.
  expect([accepted, lost]).toEqual([REPLIES - invented, 0]);
}, 120_000);
