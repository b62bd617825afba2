// Made-up survey files in the published layouts, for tests and benchmarks: the same options give the same bytes. Nobody
// said any of it. The counts of the shipped countries come out as the shipped ones, so that a comparison finds no difference.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

const folder = new URL('../../db/survey/', import.meta.url);
const rowsOf = (name) =>
  readFileSync(new URL(name, folder), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));

/** Topic ids, in order. */
export const topics = rowsOf('wvs7_items.csv').map(([id]) => id);
const scaleOf = new Map(rowsOf('wvs7_items.csv').map(([id, , scale]) => [id, scale]));
const codesOf = new Map();
for (const [scale, code] of rowsOf('wvs7_scales.csv'))
  codesOf.set(scale, [...(codesOf.get(scale) ?? []), Number(code)]);

/** Scales of the countries that were shown others. */
const otherScales = new Map(
  rowsOf('wvs7_scale_exceptions.csv').map(([country, topic, scale]) => [`${country} ${topic}`, scale]),
);

/** `${country} ${topic}` -> { counts: Map(code -> n), missing } */
const shipped = new Map();
for (const [country, topic, code, count, , missing] of rowsOf('wvs7_marginals.csv')) {
  const cell = shipped.get(`${country} ${topic}`) ?? { counts: new Map(), missing: Number(missing) };
  cell.counts.set(Number(code), Number(count));
  shipped.set(`${country} ${topic}`, cell);
}

/** Integer in [0, 1) by two numbers alone. */
function draw(a, b) {
  let x = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

const technical = [
  ['version', 'Version of Data File'],
  ['doi', 'Digital Object Identifier'],
  ['A_WAVE', 'Wave'],
  ['A_YEAR', 'Year of survey'],
  ['A_STUDY', 'Study'],
  ['B_COUNTRY', 'ISO 3166-1 numeric country code'],
  ['B_COUNTRY_ALPHA', 'ISO 3166-1 alpha-3 country code'],
  ['C_COW_NUM', 'CoW country code numeric'],
  ['C_COW_ALPHA', 'CoW country code alpha'],
  ['D_INTERVIEW', 'Interview ID'],
  ['J_INTDATE', 'Date of interview'],
  ['N_REGION_ISO', 'Region ISO 3166-2'],
  ['N_TOWN', 'Settlement name'],
  ['O1_LONGITUDE', 'Longitude'],
  ['W_WEIGHT', 'Weight'],
  ['S018', 'Equilibrated weight-1000'],
];
const last = [
  ['Q260', 'Sex'],
  ['Q262', 'Age'],
  ['Q275', 'Highest educational level'],
  ['Q275R', 'Highest educational level (3 groups)'],
  ['X003R', 'Age recoded (6 intervals)'],
];

/** Column names and labels of a file with so many columns. */
export function wvs7Columns(columns = 300) {
  const questions = new Set(topics);
  for (let q = 1; technical.length + questions.size + last.length < columns; q += 1)
    if (q < 260 || q > 290) questions.add(`Q${q}`);
  const sorted = [...questions].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
  return [...technical, ...sorted.map((name) => [name, `Question ${name.slice(1)}`]), ...last];
}

/** The countries of the shipped figures, with the number of their respondents. */
export const shippedCountries = new Map(
  [...shipped].map(([key, { counts, missing }]) => [
    key.slice(0, 3),
    missing + [...counts.values()].reduce((sum, n) => sum + n, 0),
  ]),
);

/** The answers to a topic of the people of a country, in the order of the people. */
function answersOf(country, topic, people) {
  const cell = shipped.get(`${country} ${topic}`);
  if (!cell) {
    const codes = codesOf.get(scaleOf.get(topic));
    const seed = topics.indexOf(topic) + country.charCodeAt(0) * 31 + country.charCodeAt(1);
    return Array.from({ length: people }, (_, i) =>
      draw(i, seed) < 0.05 ? -1 - (i % 5) : codes[Math.floor(draw(i, seed + 1000) * codes.length)],
    );
  }
  const listed = [...cell.counts].flatMap(([code, n]) => Array.from({ length: n }, () => code));
  const asked = listed.length > 0;
  const all = [...listed, ...Array.from({ length: cell.missing }, (_, i) => (asked ? -1 - (i % 2) : -4))];
  // Everybody at another place on each topic.
  const seed = topics.indexOf(topic);
  return all
    .map((code, i) => [draw(i, seed), code])
    .sort(([a], [b]) => a - b)
    .map(([, code]) => code);
}

/**
 * Writes a file in the layout of World Values Survey wave 7.
 * @returns the weighted counts that it holds: `${topic} ${country}` -> Map(code -> sum of weights)
 */
export function writeWvs7(path, options = {}) {
  const {
    countries = ['TUR', 'DEU'],
    respondents = undefined,
    columns = 300,
    delimiter = ',',
    labels = false,
    quotes = false,
    bom = false,
    newline = '\n',
    town = 'Someplace',
    decimalComma = false,
    header = (names) => names,
    row = (fields) => fields,
  } = options;
  const described = wvs7Columns(columns);
  const names = described.map(([name]) => name);
  const written = described.map(([name, label]) => (labels ? `${name}: ${label}` : name));
  const field = quotes
    ? (value) => `"${String(value).replaceAll('"', '""')}"`
    : (value) => (String(value).includes(delimiter) ? `"${value}"` : String(value));
  const line = (fields) => fields.map(field).join(delimiter) + newline;
  const expected = new Map();
  const file = openSync(path, 'w');
  let text = `${bom ? '\ufeff' : ''}${line(header(written))}`;
  let number = 0;
  const people = countries.map((country) => [country, shippedCountries.get(country) ?? 1000]);
  const sum = people.reduce((all, [, n]) => all + n, 0);
  // Made-up countries until there are enough.
  for (let rest = (respondents ?? sum) - sum, at = 0; rest > 0; rest -= 1500, at += 1)
    people.push([
      `X${String.fromCharCode(65 + (at % 26))}${String.fromCharCode(65 + Math.floor(at / 26))}`,
      Math.min(1500, rest),
    ]);
  for (const [country, n] of people) {
    const answers = new Map(topics.map((topic) => [topic, answersOf(country, topic, n)]));
    for (let i = 0; i < n; i += 1) {
      number += 1;
      const weight = (30 + ((number * 7) % 141)) / 100;
      for (const topic of topics) {
        const code = answers.get(topic)[i];
        if (code < 0) continue;
        const cell = expected.get(`${topic} ${country}`) ?? new Map();
        cell.set(code, (cell.get(code) ?? 0) + weight);
        expected.set(`${topic} ${country}`, cell);
      }
      const known = {
        version: '6-0-0 (made up)',
        doi: 'doi.org/10.0000/made.up',
        A_WAVE: 7,
        A_YEAR: 2018,
        B_COUNTRY_ALPHA: country,
        C_COW_ALPHA: country,
        D_INTERVIEW: 700_000_000 + number,
        N_TOWN: town,
        W_WEIGHT: decimalComma ? String(weight).replace('.', ',') : weight,
        Q260: draw(number, 1) < 0.01 ? -2 : 1 + (number % 2),
        Q262: draw(number, 2) < 0.01 ? -2 : 17 + (number % 70),
        Q275: number % 9,
        Q275R: number % 9 < 3 ? 1 : number % 9 < 5 ? 2 : 3,
        X003R: 1 + (number % 6),
      };
      const fields = names.map(
        (name, column) =>
          answers.get(name)?.[i] ??
          known[name] ??
          (draw(number, column) < 0.1 ? -4 : 1 + ((number + column) % 4)),
      );
      text += line(row(fields, number, names));
      if (text.length > 1 << 20) {
        writeSync(file, text);
        text = '';
      }
    }
  }
  writeSync(file, text);
  closeSync(file);
  return expected;
}

/** A number of the standard normal distribution by two numbers alone. */
const normal = (a, b) =>
  Math.sqrt(-2 * Math.log(1 - draw(a, b))) * Math.cos(2 * Math.PI * draw(a, b + 500_000));

/**
 * For `row` of `writeWvs7`: people whose answers go together. Each leans one way or the other, more so with age and
 * education, and all answers follow that by `loading` (two answers then correlate by about its square); up to 20 in a
 * hundred answers are missing, more of some topics than of others, and weights are between 0.2 and 3.
 */
export function correlatedRow(loading = 0.65) {
  const places = new Map();
  return (fields, number, names) => {
    if (places.size === 0) names.forEach((name, at) => places.set(name, at));
    const country = fields[places.get('B_COUNTRY_ALPHA')];
    const set = (name, value) => (fields[places.get(name)] = value);
    const [age, education] = [18 + Math.floor(draw(number, 11) * 70), 1 + Math.floor(draw(number, 12) * 3)];
    set('Q262', age);
    set('Q275R', education);
    set('W_WEIGHT', Math.round(100 * Math.min(3, 0.2 + 0.5 * Math.exp(0.6 * normal(number, 13)))) / 100);
    const leaning = 0.8 * normal(number, 14) + (age - 50) / 60 - (education - 2) / 3;
    topics.forEach((topic, at) => {
      const asked = shipped.get(`${country} ${topic}`);
      const codes = codesOf.get(otherScales.get(`${country} ${topic}`) ?? scaleOf.get(topic));
      const isAsked = !asked || [...asked.counts.values()].some((n) => n > 0);
      const own = loading * leaning + Math.sqrt(1 - loading * loading) * normal(number, 100 + at);
      // The middle of the answers is at another place for each topic.
      const share = 1 / (1 + Math.exp(-1.7 * (own + ((at % 7) - 3) / 3)));
      const missing = !isAsked || draw(number, 300 + at) < 0.01 + (0.19 * (at % 10)) / 9;
      set(topic, missing ? -1 : codes[Math.min(codes.length - 1, Math.floor(share * codes.length))]);
    });
    return fields;
  };
}

/** A value as Python prints it. */
export function python(value) {
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, one]) => `${python(key)}: ${python(one)}`)
      .join(', ')}}`;
  const text = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}

/**
 * Writes a file in the layout of GlobalOpinionQA. A question is { question, options, selections, source }; a text given for
 * options or selections stands there as it is.
 */
export function writeGlobalOpinions(path, questions) {
  const field = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const raw = (value, wrap) => (typeof value === 'string' ? value : wrap(python(value)));
  const file = openSync(path, 'w');
  writeSync(file, 'question,selections,options,source\n');
  for (const { question, options, selections, source } of questions) {
    const fields = [
      question,
      raw(selections, (text) => `defaultdict(<class 'list'>, ${text})`),
      raw(options, (text) => text),
      source,
    ];
    writeSync(file, `${fields.map(field).join(',')}\n`);
  }
  closeSync(file);
}
