import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formats } from '../../src/export/formats.ts';
import { renderSample, type SampleSource } from '../../src/export/sample.ts';
import { testTopics } from '../../src/export/split.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { loadTexts } from '../../src/survey/texts.ts';

const survey = loadSurvey();
const english = loadTexts('en', survey);
const scale = survey.scales.get([...survey.cells.values()][0]?.scale.id ?? '')!;

const source = (more: Partial<SampleSource> = {}): SampleSource => ({
  ...{ kind: 'opinion', edited: false, flags: [] },
  ...{ id: 'i', key: 'k', opinionId: 'o', dialogueId: 'd', runId: 'r', culture: 'german', country: 'DEU' },
  ...{ countryName: 'Germany', language: 'en', topicId: 'Q1', statement: 'Work comes first.' },
  ...{ opinion: 'I work to live.', rewritten: false, status: 'unverified', scripted: false },
  stance: { code: scale.options[0]?.code ?? 0, scale },
  ...more,
});
interface Line {
  messages: { role: string; content: string }[];
}
const lineOf = (more: Partial<SampleSource> = {}): string =>
  formats['openai-chat'].line(renderSample(source(more), english, 'train'));

describe('openai-chat', () => {
  test('system, question with all answers, and the answer with its opinion', () => {
    const { messages } = JSON.parse(lineOf()) as Line;
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
    expect(messages[0]?.content).toContain('Germany');
    expect(messages[1]?.content).toContain('Work comes first.');
    for (const { code, label } of scale.options)
      expect(messages[1]?.content).toContain(`${code}. ${label}`.trimEnd());
    expect(messages[2]?.content).toContain('I work to live.');
    expect(messages[2]?.content).toContain(String(scale.options[0]?.code));
  });

  test('without a stance no answer is claimed', () => {
    const { messages } = JSON.parse(lineOf({ stance: null, status: 'no-stance' })) as Line;
    expect(messages[2]?.content).toBe('I work to live.');
    for (const { label } of scale.options) if (label) expect(messages[1]?.content).not.toContain(label);
  });

  test('whatever the texts hold, a row is one line of ASCII-safe breaks that parses back', () => {
    const nasty = fc.string({
      unit: fc.oneof(
        fc.constantFrom(
          '\u2028',
          '\u2029',
          '\u0085',
          '\n',
          '\r',
          '\t',
          '\u0000',
          '\u001b',
          '"',
          '\\',
          '</script>',
        ),
        fc.constantFrom('\u202e', '\u200f', '\ufeff', '\ud800', '😀', '{{country}}', '$&', '|'),
        fc.string({ unit: 'grapheme', maxLength: 3 }),
      ),
      maxLength: 40,
    });
    fc.assert(
      fc.property(nasty, nasty, (opinion, statement) => {
        const line = lineOf({ opinion, statement, stance: null });
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\u0000-\u001f\u0085\u2028\u2029]/);
        const { messages } = JSON.parse(line) as Line;
        expect(messages[2]?.content).toBe(opinion);
        expect(messages[1]?.content).toContain(statement);
      }),
    );
  });
});

describe('a row', () => {
  test('depends on its key alone: the same words again, from whatever run', () => {
    expect(lineOf({ id: 'other', runId: 'other', opinionId: 'other', dialogueId: 'other' })).toBe(lineOf());
  });

  test('lists the answers from either end in half of the rows each', () => {
    const rows = Array.from({ length: 2000 }, (_, at) => lineOf({ key: `k${at}` }));
    const [low, high] = [scale.options[0]?.code, scale.options.at(-1)?.code].map((code) => `\\n${code}. `);
    const up = rows.filter((row) => row.indexOf(low as string) < row.indexOf(high as string)).length;
    expect(up).toBeGreaterThan(900);
    expect(up).toBeLessThan(1100);
  });
});

describe('the topics for testing', () => {
  const ids = Array.from({ length: 50 }, (_, at) => `Q${at}`);

  test('are as many as the share asks, the same for every order and however many rows there are', () => {
    const chosen = testTopics(ids, 0.1);
    expect(chosen.size).toBe(5);
    expect(testTopics([...ids].reverse(), 0.1)).toEqual(chosen);
  });

  test('are none where no share or fewer than three topics are', () => {
    expect(testTopics(ids, 0).size).toBe(0);
    expect(testTopics(['Q1', 'Q2'], 0.5).size).toBe(0);
    expect(testTopics(['Q1', 'Q2', 'Q3'], 0.01).size).toBe(1);
  });

  test('never are all', () => {
    for (const n of [3, 4, 5, 7]) expect(testTopics(ids.slice(0, n), 0.9).size).toBeLessThan(n);
  });
});
