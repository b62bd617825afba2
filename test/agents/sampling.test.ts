import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cultureIds, loadCulture } from '../../src/agents/load.ts';
import { samplePersonas, type PersonaPlan } from '../../src/agents/personas.ts';
import { systematicSample } from '../../src/agents/sampling.ts';
import { ageBands, genders, type Culture, type Persona } from '../../src/agents/types.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { cellKey } from '../../src/ids.ts';
import { mixture } from '../../src/survey/mixture.ts';
import type { Topic } from '../../src/survey/types.ts';

const survey = loadSurvey();
const topics = [...survey.topics.values()];
const cultures = cultureIds().map(loadCulture);
const cultureOf = (id: string): Culture => cultures.find((culture) => culture.id === id) as Culture;

function draw(culture: Culture, topic: Topic, more: Partial<PersonaPlan> = {}): Persona[] | null {
  const plan = {
    runId: 'run',
    seed: 1,
    culture,
    topic,
    group: 'main delegate 0',
    n: 1,
    language: 'en',
    ...more,
  };
  return samplePersonas(survey, plan);
}

const codeOf = (persona: Persona, topic: Topic): number => persona.stances.get(topic.id) as number;

/** The survey's share of each answer, or null where nobody was asked. */
function shares(culture: Culture, topic: Topic): Map<number, number> | null {
  const mixed = mixture(survey, culture.countries, topic.id);
  if (!mixed) return null;
  const byCode = new Map<number, number>();
  for (const { code, share } of mixed.parts) byCode.set(code, (byCode.get(code) ?? 0) + share);
  return byCode;
}

const tally = <T>(items: readonly T[]): Map<T, number> => {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
};

describe.each(cultures.map((culture) => [culture.id, culture] as const))('%s', (_, culture) => {
  test.each([1, 2, 3, 4, 7, 10, 50])(
    'of %i personas on any topic each answer is held by its share of them, rounded up or down',
    (n) => {
      for (const topic of topics) {
        const expected = shares(culture, topic);
        const personas = draw(culture, topic, { n, seed: n });
        expect(personas?.length, topic.id).toBe(expected ? n : undefined);
        if (!personas || !expected) continue;
        const held = tally(personas.map((persona) => codeOf(persona, topic)));
        const wrong = [...expected].filter(([code, share]) => {
          const count = held.get(code) ?? 0;
          return count < Math.floor(n * share - 1e-9) || count > Math.ceil(n * share + 1e-9);
        });
        expect(wrong, topic.id).toEqual([]);
      }
    },
  );

  test('every persona holds an answer that somebody in its country gave, on the scale shown there', () => {
    for (const topic of topics) {
      const invented = (draw(culture, topic, { n: 20, seed: 7 }) ?? []).filter((persona) => {
        const cell = survey.cells.get(cellKey(topic.id, persona.country));
        const at = cell?.scale.options.findIndex(({ code }) => code === codeOf(persona, topic)) ?? -1;
        return !((cell?.counts[at] ?? 0) > 0);
      });
      expect(invented, topic.id).toEqual([]);
    }
  });
});

test('where nobody was asked there are no personas, and no stance is invented', () => {
  const left = topics.filter((topic) => draw(cultureOf('chinese'), topic) === null);
  expect(left).toHaveLength(18);
});

test('answers that nobody gave are never drawn', () => {
  // In Iraq nobody disagreed with Q27, in Lebanon nobody answered Q136 with 1.
  for (const [topicId, country, code] of [
    ['Q27', 'IRQ', 3],
    ['Q27', 'IRQ', 4],
    ['Q136', 'LBN', 1],
  ] as const) {
    const topic = survey.topics.get(topicId) as Topic;
    const arabic = cultureOf('arabic');
    const alone = { ...arabic, countries: arabic.countries.filter((one) => one.code === country) };
    for (let seed = 0; seed < 200; seed += 1)
      for (const persona of draw(alone, topic, { n: 7, seed }) ?? [])
        expect(codeOf(persona, topic)).not.toBe(code);
  }
});

describe('over 10,000 seeds the survey comes back', () => {
  const SEEDS = 10_000;
  test.each([
    ['arabic', 'Q28', 1],
    ['arabic', 'Q28', 4],
    ['spanish', 'Q33', 1],
    ['spanish', 'Q33', 4],
    ['korean', 'Q158', 1],
    ['korean', 'Q158', 4],
  ] as const)('%s on %s with n = %i', (id, topicId, n) => {
    const culture = cultureOf(id);
    const topic = survey.topics.get(topicId) as Topic;
    const counts = new Map<number, number>();
    for (let seed = 0; seed < SEEDS; seed += 1)
      for (const persona of draw(culture, topic, { n, seed }) ?? [])
        counts.set(codeOf(persona, topic), (counts.get(codeOf(persona, topic)) ?? 0) + 1);
    for (const [code, share] of shares(culture, topic) as Map<number, number>) {
      // The count of one draw is floor or ceiling, so its variance is that of the fraction alone.
      const fraction = n * share - Math.floor(n * share);
      const error = Math.sqrt(fraction * (1 - fraction)) / n / Math.sqrt(SEEDS);
      const found = (counts.get(code) ?? 0) / (n * SEEDS);
      expect(Math.abs(found - share), `${code}: ${found} for ${share}`).toBeLessThan(4 * error + 1e-9);
    }
  });
});

/** Correlation of two lists of numbers. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  const dot = (x: readonly number[], mx: number, y: readonly number[], my: number) =>
    x.reduce((sum, value, at) => sum + (value - mx) * ((y[at] as number) - my), 0);
  return dot(a, ma, b, mb) / Math.sqrt(dot(a, ma, a, ma) * dot(b, mb, b, mb));
}

describe('who is drawn for one topic tells nothing', () => {
  const SEEDS = 3_000;
  const codes = (cultureId: string, topicId: string, group = 'main delegate 0') => {
    const topic = survey.topics.get(topicId) as Topic;
    const culture = cultureOf(cultureId);
    return Array.from({ length: SEEDS }, (_, seed) =>
      codeOf((draw(culture, topic, { seed, group }) as Persona[])[0] as Persona, topic),
    );
  };
  const bound = 4 / Math.sqrt(SEEDS);
  const first = codes('german', 'Q28');

  test.each([
    ['of another topic', () => codes('german', 'Q29')],
    ['of another culture', () => codes('korean', 'Q28')],
    ['of another role or arm', () => codes('german', 'Q28', 'main main_contact 0')],
  ])('%s', (_, other) => {
    expect(Math.abs(correlation(first, other()))).toBeLessThan(bound);
  });
});

/** Pearson's chi-squared of a table of pairs. */
function chiSquared(pairs: readonly (readonly [string | number, string | number])[]): number {
  const rows = tally(pairs.map(([row]) => row));
  const columns = tally(pairs.map(([, column]) => column));
  const cells = tally(pairs.map((pair) => pair.join(' ')));
  let sum = 0;
  for (const [row, inRow] of rows)
    for (const [column, inColumn] of columns) {
      const expected = (inRow * inColumn) / pairs.length;
      sum += ((cells.get(`${row} ${column}`) ?? 0) - expected) ** 2 / expected;
    }
  return sum;
}

describe('the stance tells nothing', () => {
  const topic = survey.topics.get('Q29') as Topic;
  const people = Array.from({ length: 2_000 }, (_, seed) =>
    (draw(cultureOf('turkish'), topic, { n: 4, seed }) as Persona[]).map((persona, k) => ({ persona, k })),
  ).flat();
  // Bounds: 99.99% quantiles of chi-squared with 3 and 9 degrees of freedom.
  test.each([
    ['of the gender', (persona: Persona) => persona.gender, 21.1],
    ['of the age', (persona: Persona) => persona.ageBand, 33.7],
  ])('%s', (_, trait, bound) => {
    const pairs = people.map(({ persona }) => [codeOf(persona, topic), trait(persona)] as const);
    expect(chiSquared(pairs)).toBeLessThan(bound);
  });

  test('of the place in the row: the first persona of four is as any other', () => {
    expect(chiSquared(people.map(({ persona, k }) => [codeOf(persona, topic), k] as const))).toBeLessThan(
      33.7,
    );
  });

  test('and all genders and ages occur alike', () => {
    const n = people.length;
    for (const count of tally(people.map(({ persona }) => persona.gender)).values())
      expect(Math.abs(count / n - 1 / genders.length)).toBeLessThan(4 * Math.sqrt(0.25 / n));
    for (const count of tally(people.map(({ persona }) => persona.ageBand)).values())
      expect(Math.abs(count / n - 1 / ageBands.length)).toBeLessThan(4 * Math.sqrt(0.1875 / n));
  });
});

describe('a persona', () => {
  const turkish = cultureOf('turkish');
  const arabic = cultureOf('arabic');
  const topic = survey.topics.get('Q27') as Topic;

  test('is the same for the same seed, and of another run has another id but the same key', () => {
    const one = draw(turkish, topic, { n: 5 }) as Persona[];
    expect(draw(turkish, topic, { n: 5 })).toEqual(one);
    const other = draw(turkish, topic, { n: 5, runId: 'another' }) as Persona[];
    expect(other.map(({ key }) => key)).toEqual(one.map(({ key }) => key));
    expect(other.map(({ id }) => id)).not.toEqual(one.map(({ id }) => id));
    expect(new Set([...one, ...other].map(({ id }) => id)).size).toBe(10);
  });

  test('bears a name of its country, gender and age', () => {
    for (const persona of draw(arabic, topic, { n: 60 }) as Persona[]) {
      const country = arabic.countries.find(({ code }) => code === persona.country);
      expect(country?.names[persona.gender][persona.ageBand]).toContain(persona.name);
    }
  });

  test('bears it in its own script where its own language is spoken', () => {
    for (const { name } of draw(arabic, topic, { n: 20, language: 'ar' }) as Persona[])
      expect(name).toMatch(/^[\p{Script=Arabic}\s]+$/u);
    for (const { name } of draw(arabic, topic, { n: 20, language: 'de' }) as Persona[])
      expect(name).toMatch(/^\p{Script=Latin}/u);
  });

  test('on a topic without stance comes from the countries by their weight', () => {
    const none = { ...topic, id: 'tea', scale: null };
    const total = arabic.countries.reduce((sum, { weight }) => sum + weight, 0);
    const people = draw(arabic, none, { n: 50 }) as Persona[];
    expect(people.every(({ stances }) => stances.size === 0)).toBe(true);
    const counts = tally(people.map(({ country }) => country));
    for (const { code, weight } of arabic.countries) {
      expect(counts.get(code) ?? 0).toBeGreaterThanOrEqual(Math.floor((50 * weight) / total));
      expect(counts.get(code) ?? 0).toBeLessThanOrEqual(Math.ceil((50 * weight) / total));
    }
  });

  test('has the gender that is asked for', () => {
    const people = draw(turkish, topic, { n: 6, gender: (k) => (k % 2 ? 'male' : 'female') }) as Persona[];
    expect(people.map(({ gender }) => gender)).toEqual([
      'female',
      'male',
      'female',
      'male',
      'female',
      'male',
    ]);
  });
});

describe('a systematic sample', () => {
  const weights = fc
    .array(fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e6, noNaN: true })), {
      minLength: 1,
      maxLength: 12,
    })
    .filter((list) => list.some((weight) => weight > 0));
  const start = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  test('has n items in order, each by its share rounded up or down, never one of weight 0', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 60 }), start, (list, n, at) => {
        const drawn = systematicSample(list, n, at);
        expect(drawn).toHaveLength(n);
        expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
        const total = list.reduce((sum, weight) => sum + weight, 0);
        list.forEach((weight, item) => {
          const count = drawn.filter((one) => one === item).length;
          if (weight === 0) expect(count).toBe(0);
          expect(count).toBeGreaterThanOrEqual(Math.floor((n * weight) / total - 1e-6));
          expect(count).toBeLessThanOrEqual(Math.ceil((n * weight) / total + 1e-6));
        });
      }),
    );
  });

  test.each([0, 0.5, 1 - 2 ** -50])(
    'never gives an item of weight 0 at the start %d, wherever it stands',
    (at) => {
      expect(systematicSample([0, 3, 0, 0, 1, 0], 4, at)).toEqual([1, 1, 1, 4]);
      expect(systematicSample([0, 0, 1], 3, at)).toEqual([2, 2, 2]);
      expect(systematicSample([1, 0, 0], 3, at)).toEqual([0, 0, 0]);
    },
  );

  test('the unit of the weights makes no difference', () => {
    expect(systematicSample([1, 2, 5], 8, 0.3)).toEqual(systematicSample([0.125, 0.25, 0.625], 8, 0.3));
  });

  test.each([[[]], [[0, 0]], [[NaN, 1]]])('of the weights %j is refused', (list) => {
    expect(() => systematicSample(list, 1, 0)).toThrow(RangeError);
  });
});
