// How long a quote is looked for in a turn of 100 kB, at worst. Reference: 2 s each.
// Usage: npm run build && node bench/refinement/ground.mjs
import { ground } from '../../dist/refinement/ground.js';

const sentence = 'People here say that trust takes years and that one lie is enough to lose it. ';
const long = Array.from({ length: 1300 }, (_, i) => `${i}: ${sentence}`).join('');
const cases = [
  ['500 characters, not there', long, 'Nobody knows why the weather was so good. '.repeat(12)],
  ['500 characters, changed', long, long.slice(90_000, 90_500).replaceAll('years', 'yearz')],
  ['one letter over and over', 'a'.repeat(100_000), `${'a'.repeat(250)}bbbbb${'a'.repeat(245)}`],
  ['2,000 characters', 'ab'.repeat(50_000), 'aab'.repeat(666)],
  ['decomposed', 'é'.normalize('NFD').repeat(50_000), 'è'.repeat(500)],
  ['dots', '.'.repeat(100_000), `${'.'.repeat(1000)}x${'.'.repeat(900)}`],
];
for (const [name, turn, quote] of cases) {
  const began = process.cpuUsage();
  const span = ground(turn, quote);
  const { user, system } = process.cpuUsage(began);
  console.log(
    `${name.padEnd(26)} ${((user + system) / 1e6).toFixed(2)} s   ${span ? `score ${span.score.toFixed(3)} at ${span.start} to ${span.end}` : 'not found'}`,
  );
}
