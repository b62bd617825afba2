import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { loadCulture } from '../../src/agents/load.ts';
import { packageRoot } from '../../src/paths.ts';
import { temporaryFolder } from '../helpers/run.ts';
import { block, terminal } from '../helpers/terminal.ts';

const cwd = process.cwd();
afterEach(() => process.chdir(cwd));

/** The shipped figures, read apart from the code under test: no field of these two files has a comma or a quote. */
const marginals = readFileSync(join(packageRoot, 'db/survey/wvs7_marginals.csv'), 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split(','))
  .map(([country, topic, code, count, valid, missing]) => ({
    country,
    topic,
    code: Number(code),
    count: Number(count),
    valid: Number(valid),
    missing: Number(missing),
  }));
const answered = (topic: string, country: string) =>
  marginals.filter((row) => row.topic === topic && row.country === country);

describe('survey list', () => {
  test('every topic, or those of a theme', async () => {
    const all = (await terminal('survey', 'list', '--json')).json<{
      topics: { id: string; theme: string }[];
    }>();
    expect(all.topics.map(({ id }) => id)).toEqual(
      [...new Set(marginals.map(({ topic }) => topic))].sort(
        (a, b) => all.topics.findIndex((t) => t.id === a) - all.topics.findIndex((t) => t.id === b),
      ),
    );
    expect(all.topics).toHaveLength(50);
    const some = await terminal('survey', 'list', '--theme', 'science');
    expect(some.out).toContain('Q158');
    expect(some.out).not.toContain('Q27 ');
    expect(some.out).toContain(`${all.topics.filter(({ theme }) => theme === 'science').length} topics`);
  });

  test('an unknown theme is told the nearest', async () => {
    const { code, err } = await terminal('survey', 'list', '--theme', 'scienze');
    expect(code).toBe(1);
    expect(err).toContain('did you mean "science"?');
  });
});

describe('survey show', () => {
  test('shares and counts are those of the file, in every country', async () => {
    const { out, code } = await terminal('survey', 'show', 'Q27');
    expect(code).toBe(0);
    for (const country of new Set(marginals.map((row) => row.country as string))) {
      const text = block(out, country);
      expect(text).toContain('respondents, unweighted, n = ');
      for (const { code: answer, count, valid } of answered('Q27', country)) {
        const line = text.split('\n').find((one) => one.startsWith(`   ${answer} `));
        expect(line).toContain(`${((100 * count) / valid).toFixed(1)}%`);
        expect(line).toContain(` ${count.toLocaleString('en')} `);
      }
    }
  });

  test('the longest bar is the most frequent answer', async () => {
    const { out } = await terminal('survey', 'show', 'Q27', '--country', 'TUR');
    const bars = answered('Q27', 'TUR').map(({ code, count }) => ({
      count,
      length:
        /█*/.exec(
          block(out, 'TUR')
            .split('\n')
            .find((line) => line.startsWith(`   ${code} `))
            ?.replace(/^[^█]*/, '') ?? '',
        )?.[0].length ?? 0,
    }));
    const top = bars.reduce((a, b) => (b.count > a.count ? b : a));
    expect(Math.max(...bars.map(({ length }) => length))).toBe(top.length);
    expect(top.length).toBe(Math.round((30 * top.count) / (answered('Q27', 'TUR')[0]?.valid ?? 0)));
  });

  test('an exceptional scale is shown with its own answers', async () => {
    const { out } = await terminal('survey', 'show', 'Q36', '--country', 'ARG', '--country', 'DEU');
    expect(block(out, 'ARG')).toContain('agree3of5');
    expect(block(out, 'ARG')).not.toContain('strongly agree');
    expect(block(out, 'DEU')).toContain('strongly agree');
  });

  test('a country that was not asked gets no figure', async () => {
    const { out } = await terminal('survey', 'show', 'Q225', '--country', 'chn');
    expect(block(out, 'CHN')).toBe('CHN China: not asked (no valid answer of 3,036 respondents).');
  });

  test('many missing answers are flagged, few are not', async () => {
    const { out } = await terminal('survey', 'show', 'Q225', '--country', 'BRA,DEU');
    const { valid, missing } = answered('Q225', 'BRA')[0] as { valid: number; missing: number };
    expect(block(out, 'BRA')).toContain(
      `! ${((100 * missing) / (valid + missing)).toFixed(1)}% without a valid answer`,
    );
    expect(block(out, 'DEU')).not.toContain('!');
  });

  test('a culture of several countries has their weighted mixture', async () => {
    const shown = (await terminal('survey', 'show', 'Q36', '--culture', 'spanish', '--json')).json<{
      figures: string;
      mixture: { valid_n: number; answers: { code: number; share: number }[] };
    }>();
    const { countries } = loadCulture('spanish');
    const weights = countries.reduce((sum, { weight }) => sum + weight, 0);
    expect(shown.figures).toBe('respondents, unweighted');
    expect(shown.mixture.answers.map(({ code }) => code)).toEqual([1, 2, 3, 4, 5]);
    for (const { code, share } of shown.mixture.answers) {
      const expected = countries.map(({ code: country, weight }) => {
        const row = answered('Q36', country).find((one) => one.code === code);
        return ((row?.count ?? 0) / (answered('Q36', country)[0]?.valid ?? 1)) * (weight / weights);
      });
      expect(share).toBeCloseTo(
        expected.reduce((a, b) => a + b),
        12,
      );
    }
    const { out } = await terminal('survey', 'show', 'Q36', '--culture', 'spanish');
    expect(block(out, 'spanish')).toContain('scales differ: ARG agree3of5, MEX agree5');
    expect(block(out, 'spanish')).toContain('respondents, unweighted');
  });

  test('the mixture leaves out who was not asked, and says so', async () => {
    const { out } = await terminal('survey', 'show', 'Q226', '--culture', 'arabic');
    expect(block(out, 'arabic')).toContain('not asked in EGY, IRQ, JOR, LBN');
    expect((await terminal('survey', 'show', 'Q225', '--culture', 'chinese')).out).toContain(
      'not asked in any of them; no persona gets a stance',
    );
  });

  test('in another language', async () => {
    const { out } = await terminal('survey', 'show', 'Q27', '--country', 'TUR', '--language', 'tr');
    expect(out).toContain('annemle babamın benimle gurur duyabilmesidir');
    expect(block(out, 'TUR')).not.toContain('agree');
    expect((await terminal('survey', 'show', 'Q27', '--language', 'xx')).code).toBe(1);
  });

  test.each([
    [['Q272'], 'did you mean "Q27"?'],
    [['Q27', '--country', 'DEW'], 'did you mean "DEU"?'],
    [['Q27', '--country', 'Brasil'], 'did you mean "BRA"?'],
    [['Q27', '--country', 'Switzerland'], 'DEU Germany'],
    [['Q27', '--culture', 'turkisch'], 'did you mean "turkish"?'],
    [['Q27', '--culture', 'turkish', '--culture', 'german'], 'was given 2 times'],
  ])('%j is refused', async (argv, message) => {
    const { code, err, out } = await terminal('survey', 'show', ...argv);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(out).toBe('');
  });

  test("a file's control characters don't reach the terminal", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'agents'));
    const spanish = readFileSync(join(packageRoot, 'agents/spanish.yaml'), 'utf8');
    writeFileSync(
      join(folder, 'agents/mine.yaml'),
      spanish.replace(/weights_source:.*/, 'weights_source: "made\\e[2J up\\u202e"'),
    );
    process.chdir(folder);
    const { out } = await terminal('survey', 'show', 'Q27', '--culture', 'mine');
    expect(out).toContain('(made up)');
    // eslint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\u001b\u202e]/);
  });
});

describe('survey coverage', () => {
  const notAsked = [...new Set(marginals.map(({ topic }) => topic as string))].filter((topic) =>
    answered(topic, 'CHN').every(({ valid }) => valid === 0),
  );

  test('what was not asked in China', async () => {
    expect(notAsked).toHaveLength(18);
    const { out } = await terminal('survey', 'coverage', '--culture', 'chinese');
    expect(out).toContain('chinese (CHN) has no answers on 18 of the 50 topics');
    expect(out).toContain('32 of 50');
    for (const topic of notAsked) expect(out).toContain(topic);
  });

  test('every culture has a row of one sign a topic', async () => {
    const { out } = await terminal('survey', 'coverage');
    for (const culture of [
      'arabic',
      'bengali',
      'chinese',
      'english',
      'german',
      'korean',
      'portuguese',
      'spanish',
      'turkish',
    ]) {
      const row = out.split('\n').find((line) => line.startsWith(`${culture} `)) as string;
      expect(row.replace(/\d+ of \d+/, '').match(/[#+.]/g)).toHaveLength(50);
    }
    expect(
      out
        .split('\n')
        .find((line) => line.startsWith('chinese '))
        ?.match(/\./g),
    ).toHaveLength(18);
    expect(out).toContain('Answers on every topic:');
  });

  test('as JSON', async () => {
    const { cultures } = (await terminal('survey', 'coverage', '--json')).json<{
      cultures: {
        culture: string;
        no_answers: string[];
        with_answers: number;
        in_some_countries: { topic: string; not_asked: string[] }[];
      }[];
    }>();
    expect(cultures.find(({ culture }) => culture === 'chinese')).toMatchObject({
      no_answers: notAsked,
      with_answers: 32,
    });
    const arabic = cultures.find(({ culture }) => culture === 'arabic');
    expect(arabic?.in_some_countries.find(({ topic }) => topic === 'Q36')?.not_asked).toEqual([
      'EGY',
      'IRQ',
      'JOR',
      'LBN',
      'MAR',
      'TUN',
    ]);
  });
});

test('each help has examples', async () => {
  for (const argv of [['survey'], ['survey', 'list'], ['survey', 'show'], ['survey', 'coverage']])
    expect((await terminal(...argv, '--help')).out).toContain('Examples:');
});
