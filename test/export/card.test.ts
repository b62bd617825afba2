import { describe, expect, test } from 'vitest';
import { card } from '../../src/export/card.ts';
import {
  notFor,
  personaNotice,
  surveyCitation,
  surveyNotice,
  type Manifest,
} from '../../src/export/manifest.ts';

const manifest = (more: Partial<Manifest> = {}): Manifest => ({
  ...{ format_version: 1, name: 'one', program: { name: 'culturepark', version: '1.2.3' }, made_at: 'now' },
  ...{
    synthetic: true,
    scripted_rows: 0,
    rewritten_rows: 0,
    flagged_rows: { hateful: 0, 'personal-data': 0, stereotype: 0, not_asked: 0 },
    verification: 'The rows are **unverified**.',
    judges: [],
  },
  runs: [
    {
      ...{ id: 'r1', scenario: 'quickstart', seed: 7, created_at: 'then', scripted: false, config: {} },
      models: { delegate: { provider: 'https://api.example', model: 'm-1', scripted: false } },
      spoke: [
        {
          ...{ role: 'delegate', provider: 'https://api.example', model: 'm-1', scripted: false },
          ...{ replies: 1, share: 1 },
        },
      ],
      prompts: [],
    },
  ],
  cultures: [
    {
      ...{
        culture: 'german',
        countries: [{ code: 'DEU', weight: 1 }],
        weights_source: 'none',
        train: 3,
        test: 1,
      },
      ...{ no_rows: null, funnel: { accepted: 4, duplicate: 2, ungrounded: 5 } },
    },
  ],
  test_topics: ['Q27'],
  topics: [],
  left_out: { no_answers: [], scripted_rows: 0 },
  missing_above_20_percent: [],
  survey: { notice: surveyNotice, citation: surveyCitation },
  ...{ personas: personaNotice, not_for: notFor, files: [] },
  ...more,
});

test('says what the rows are, that they are unverified, where they come from and what they are not for', () => {
  const text = card(manifest());
  expect(text).toMatch(/^# one: synthetic cultural training data\n/);
  expect(text).toContain('4 training rows, made by culturepark 1.2.3');
  expect(text).toContain('**unverified**');
  expect(text).toContain('no person said any of this');
  expect(text).toContain('m-1 (https://api.example)');
  expect(text).toContain('r1 (quickstart, seed 7)');
  expect(text).toContain('| german | 3 | 1 | 4 | ungrounded 5, duplicate 2 |');
  expect(text).toContain(surveyCitation);
  for (const line of notFor) expect(text).toContain(`- ${line}`);
  expect(text).not.toContain('undefined');
  expect(text).not.toContain('scripted rehearsal model');
});

test('a culture without rows has a line that says why', () => {
  const [culture] = manifest().cultures;
  const text = card(
    manifest({
      cultures: [{ ...culture!, train: 0, test: 0, no_rows: 'no opinion was voiced', funnel: {} }],
    }),
  );
  expect(text).toContain('| german | 0 | 0 | 0 | none |');
  expect(text).toContain('- **german has no rows**: no opinion was voiced.');
});

test('scripted and rewritten rows are told', () => {
  const text = card(manifest({ scripted_rows: 4, rewritten_rows: 2 }));
  expect(text).toContain('**4 rows were made by the scripted rehearsal model');
  expect(text).toContain('2 rows are rewritten opinions');
  expect(card(manifest({ left_out: { no_answers: [], scripted_rows: 9 } }))).toContain(
    '- 9 rows of the scripted rehearsal model',
  );
});

test('what was left out, and cells with many missing answers', () => {
  const text = card(
    manifest({
      left_out: {
        no_answers: [{ culture: 'chinese', topic: 'Q33', reason: 'nobody was asked Q33 in CHN' }],
        scripted_rows: 0,
      },
      missing_above_20_percent: [{ topic: 'Q27', country: 'JPN', missing_share: 0.256 }],
    }),
  );
  expect(text).toContain('- chinese × Q33: nobody was asked Q33 in CHN');
  expect(text).toContain('- Q27 in JPN: 26% of the respondents gave no valid answer');
});

describe("texts of somebody else's", () => {
  const hostile =
    '<img src=x onerror=alert(1)> [click](javascript:alert(1)) ![x](http://evil/x.png) | `x` **b** _i_ # h\n\n# Heading\n---\n';

  test('are words, not Markdown or HTML, wherever they stand', () => {
    const [run] = manifest().runs;
    const [culture] = manifest().cultures;
    const text = card(
      manifest({
        name: hostile,
        runs: [
          {
            ...run!,
            scenario: hostile,
            models: { delegate: { provider: hostile, model: hostile, scripted: false } },
            spoke: [
              { role: hostile, provider: hostile, model: hostile, scripted: false, replies: 1, share: 1 },
            ],
          },
        ],
        cultures: [
          {
            ...culture!,
            culture: hostile,
            weights_source: hostile,
            countries: [
              { code: 'DEU', weight: 0.5 },
              { code: 'AUT', weight: 0.5 },
            ],
            no_rows: hostile,
          },
        ],
        test_topics: [hostile],
        left_out: { no_answers: [{ culture: hostile, topic: hostile, reason: hostile }], scripted_rows: 0 },
        missing_above_20_percent: [{ topic: hostile, country: 'DEU', missing_share: 0.5 }],
      }),
    );
    // Every sign that means something stands behind a backslash.
    expect(text).not.toMatch(/(?<!\\)<img/);
    expect(text).not.toMatch(/(?<!\\)\[click(?<!\\)\]/);
    expect(text).not.toMatch(/(?<!\\)!\[x(?<!\\)\]/);
    expect(text).not.toMatch(/^(#+ )?Heading/m);
    expect(text).not.toMatch(/^---$/m);
    const table = text.split('\n').filter((line) => line.startsWith('| \\<img'));
    expect(table).toHaveLength(1);
    expect(table[0]?.match(/(?<!\\)\|/g)).toHaveLength(6);
  });
});
