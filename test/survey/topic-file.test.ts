import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { cellKey } from '../../src/ids.ts';
import { mixture } from '../../src/survey/mixture.ts';
import { addTopicFile } from '../../src/survey/topic-file.ts';

const survey = loadSurvey();

/** A topic file with these lines under its one topic, and a CSV file beside it. */
function write(lines: string, csv = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'culturepark-topics-'));
  writeFileSync(join(folder, 'tea.csv'), csv);
  const file = join(folder, 'mine.yaml');
  const head = 'survey: mine\ntopics:\n  - id: tea\n    theme: food\n    statement: Tea is good.\n';
  writeFileSync(file, `${head}${lines.replace(/^/gm, '    ')}\n`);
  return file;
}

const add = (lines: string, csv?: string) => addTopicFile(survey, write(lines, csv));

/** What the user is told: message and mend. */
function fault(lines: string, csv?: string): { message: string; mend: string | undefined } {
  const file = write(lines, csv);
  try {
    addTopicFile(survey, file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return {
      message: error.message.replaceAll(file, 'mine.yaml').replace(/\S+(?=tea\.csv)/, ''),
      mend: error.mend,
    };
  }
  throw new Error('nothing was refused');
}

describe('a topic', () => {
  test('with a distribution in the file becomes a topic with cells, beside the shipped ones', () => {
    const { survey: added } = add('scale: agree4\ndistribution: { TUR: { 1: 30, 2: 10 }, KOR: { 4: 5 } }');
    expect(added.topics.size).toBe(51);
    expect(added.topics.get('tea')).toMatchObject({ survey: 'mine', theme: 'food', scale: 'agree4' });
    expect(added.cells.get(cellKey('tea', 'TUR'))).toMatchObject({ counts: [30, 10, 0, 0], validN: 40 });
    expect(added.cells.get(cellKey('tea', 'KOR'))).toMatchObject({ counts: [0, 0, 0, 5], validN: 5 });
    expect(survey.topics.size).toBe(50);
  });

  test('with a CSV file reads it from the folder of the topic file', () => {
    const csv = 'country,code,count\nTUR,1,30\nTUR,2,10.5\n\nKOR,4,5\n';
    const { survey: added } = add('scale: agree4\ndistribution: tea.csv', csv);
    expect(added.cells.get(cellKey('tea', 'TUR'))).toMatchObject({ counts: [30, 10.5, 0, 0] });
    expect(added.cells.get(cellKey('tea', 'KOR'))).toMatchObject({ counts: [0, 0, 0, 5] });
  });

  test('may come from a spreadsheet: byte order mark, CRLF, spaces after the commas, columns in any order', () => {
    const csv = '\ufeffcount, code, country\r\n30,1,TUR\r\n10, 2,TUR\r\n';
    const { survey: added } = add('scale: agree4\ndistribution: tea.csv', csv);
    expect(added.cells.get(cellKey('tea', 'TUR'))?.counts).toEqual([30, 10, 0, 0]);
  });

  test('takes negative codes for missing answers, which are no answers', () => {
    const { survey: added } = add(
      'scale: agree4\ndistribution: tea.csv',
      'country,code,count\nTUR,1,3\nTUR,-1,7\n',
    );
    expect(added.cells.get(cellKey('tea', 'TUR'))).toMatchObject({ counts: [3, 0, 0, 0], validN: 3 });
  });

  test('that nobody answered gives no mixture and so no stance', () => {
    const { survey: added } = add('scale: agree4\ndistribution: { TUR: { 1: 0 } }');
    expect(mixture(added, [{ code: 'TUR', weight: 1 }], 'tea')).toBeNull();
  });

  test('without stance has no scale and no cells', () => {
    const { survey: added } = add('stance: none');
    expect(added.topics.get('tea')?.scale).toBeNull();
    expect(added.cells.size).toBe(survey.cells.size);
  });

  test('may bring a scale of its own, in any order', () => {
    const { survey: added } = add(
      'scale:\n  - { code: 2, label: yes, agreement: 1 }\n  - { code: 1, label: no, agreement: 0 }\ndistribution: { TUR: { 2: 3 } }',
    );
    const cell = added.cells.get(cellKey('tea', 'TUR'));
    expect(cell?.scale.options.map(({ code }) => code)).toEqual([1, 2]);
    expect(cell?.counts).toEqual([0, 3]);
  });

  test('brings its statement in other languages', () => {
    const { statements } = add('stance: none\ntexts: { de: Tee ist gut., tr: Çay iyidir. }');
    expect(Object.fromEntries(statements.get('tea') ?? [])).toEqual({
      en: 'Tea is good.',
      de: 'Tee ist gut.',
      tr: 'Çay iyidir.',
    });
  });
});

const own = (first: string, second: string): string =>
  `scale:\n  - { ${first} }\n  - { ${second} }\ndistribution: { TUR: { 1: 3 } }`;

describe('a fault names file, line and path, and how to mend it', () => {
  test.each([
    [
      'an unknown scale',
      'scale: agre4\ndistribution: { TUR: { 1: 5 } }',
      /^mine.yaml:6:12: topics\.0\.scale: .*"agre4"; did you mean "agree4"\?/,
    ],
    [
      'a code outside the scale',
      'scale: agree4\ndistribution: { TUR: { 9: 5 } }',
      /^mine.yaml:7:\d+: topics\.0\.distribution\.TUR\.9: .*\(1, 2, 3, 4\)/,
    ],
    [
      'a country by its name',
      'scale: agree4\ndistribution: { Turkey: { 1: 5 } }',
      /^mine.yaml:7:\d+: topics\.0\.distribution\.Turkey: expected a three-letter country code, found "Turkey"/,
    ],
    [
      'an answer by its label',
      'scale: agree4\ndistribution: { TUR: { agree: 5 } }',
      /^mine.yaml:7:\d+: topics\.0\.distribution\.TUR\.agree: expected an answer code, found "agree"/,
    ],
    [
      'a count below 0',
      'scale: agree4\ndistribution: { TUR: { 1: -5 } }',
      /^mine.yaml:7:\d+: topics\.0\.distribution\.TUR\.1: .*found -5/,
    ],
    [
      'neither distribution nor stance: none',
      'scale: agree4',
      /^mine.yaml:3:5: topics\.0: tea brings no distribution/,
    ],
    [
      'a distribution without scale',
      'distribution: { TUR: { 1: 5 } }',
      /^mine.yaml:3:5: topics\.0: tea names no scale/,
    ],
    [
      'a distribution and stance: none',
      'stance: none\ndistribution: { TUR: { 1: 5 } }',
      /^mine.yaml:6:13: topics\.0\.stance: /,
    ],
    [
      'another stance than none',
      'stance: nne',
      /^mine.yaml:6:13: topics\.0\.stance: "nne".*did you mean "none"\?/,
    ],
    [
      'an unknown key',
      'stance: none\ntheem: food',
      /^mine.yaml:7:\d+: topics\.0\.theem: unknown key; did you mean "theme"\?/,
    ],
    [
      'an unknown key inside a scale',
      own('code: 1, label: no, agreement: 0', 'code: 2, label: yes, agrement: 1'),
      /topics\.0\.scale\.1\.agrement: unknown key; did you mean "agreement"\?/,
    ],
    [
      'two answers of one code',
      own('code: 1, label: no, agreement: 0', 'code: 1, label: yes, agreement: 1'),
      /topics\.0\.scale: the code 1 stands there twice/,
    ],
    [
      'a scale without labels at its ends',
      own('code: 1, label: no, agreement: 0', 'code: 2, label: "", agreement: 1'),
      /topics\.0\.scale: .*need a label/,
    ],
    [
      'a language that is no code',
      'stance: none\ntexts: { german: Tee ist gut. }',
      /topics\.0\.texts\.german: /,
    ],
  ])('%s', (_, lines, message) => {
    const found = fault(lines);
    expect(found.message).toMatch(message);
    expect(found.mend).toBeTruthy();
  });

  test.each([
    ['a missing column', 'country,code\nTUR,1\n', /tea\.csv has no column "count"/],
    [
      'a country by its name',
      'country,code,count\nTUR,1,2\nTurkey,1,6\n',
      /tea\.csv:3: expected a three-letter country/,
    ],
    ['the line, even after an empty one', 'country,code,count\n\nTUR,1,2\nTurkey,1,6\n', /tea\.csv:4: /],
    [
      'a code that is left out, which is not the answer 0',
      'country,code,count\nTUR,,6\n',
      /tea\.csv:2: .*a whole code/,
    ],
    [
      'a count that is left out, which is not 0',
      'country,code,count\nTUR,1,\n',
      /tea\.csv:2: .*count of 0 or more/,
    ],
    ['a count without end', 'country,code,count\nTUR,1,Infinity\n', /tea\.csv:2: /],
    ['a count in words', 'country,code,count\nTUR,1,many\n', /tea\.csv:2: /],
    [
      'a code that is no answer',
      'country,code,count\nTUR,9,6\n',
      /9 is no answer of the scale \(1, 2, 3, 4\)/,
    ],
    [
      'an answer that is counted twice',
      'country,code,count\nTUR,1,6\nTUR,1,7\n',
      /tea\.csv:3: the answer 1 of TUR is counted twice/,
    ],
  ])('in a CSV file: %s', (_, csv, message) => {
    const found = fault('scale: agree4\ndistribution: tea.csv', csv);
    expect(found.message).toMatch(/^mine\.yaml:7:\d+: topics\.0\.distribution/);
    expect(found.message).toMatch(message);
    expect(found.mend).toBeTruthy();
  });

  test('a CSV file that is not there', () => {
    const found = fault('scale: agree4\ndistribution: nope.csv');
    expect(found.message).toMatch(/nope\.csv can't be read/);
    expect(found.mend).toBeTruthy();
  });
});

test.each([
  ['twice in the file', 'tea', /topics\.1\.id: the topic "tea" exists already/],
  ['of a shipped topic', 'Q27', /topics\.1\.id: the topic "Q27" exists already/],
  ['with a space', '"my tea"', /topics\.1\.id: expected letters, digits, - and _, found "my tea"/],
])('an id %s is refused', (_, id, message) => {
  const second = `stance: none\n  - { id: ${id}, theme: food, statement: More tea., stance: none }`;
  const file = write('');
  writeFileSync(
    file,
    `survey: mine\ntopics:\n  - id: tea\n    theme: food\n    statement: Tea.\n    ${second}\n`,
  );
  expect(() => addTopicFile(survey, file)).toThrow(message);
});

test('a topic with a scale of its own cannot take the name of a shipped scale, whose labels it would change', () => {
  const file = write('');
  const scale = '[{ code: 1, label: no, agreement: 0 }, { code: 2, label: yes, agreement: 1 }]';
  writeFileSync(
    file,
    `survey: mine\ntopics:\n  - { id: agree4, theme: food, statement: Tea., scale: ${scale}, distribution: { TUR: { 1: 1 } } }\n`,
  );
  expect(() => addTopicFile(survey, file)).toThrow(/topics\.0\.id: "agree4" is the name of a scale/);
});
