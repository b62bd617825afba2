import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { calibrationInWords } from '../../src/evaluation/calibration.ts';
import { pick } from '../../src/ids.ts';
import type { ChatModel } from '../../src/models/port.ts';
import { calibrate, estimateCalibration, type CalibrateSetting } from '../../src/pipeline/calibrate.ts';
import { calibrationLanguages, questionsIn, type Question } from '../../src/pipeline/calibration-pairs.ts';
import { calibrationOf, type CalibrationRow } from '../../src/store/calibrations.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { impatient, modelAt } from '../helpers/calls.ts';
import { start, type ChatBody, type FaultServer } from '../helpers/fault-server.ts';
import { temporaryFolder } from '../helpers/run.ts';

const survey = loadSurvey();
const [verifier, reader] = questionsIn('en', survey, ['verifier', 'reader'], 30) as [
  ReturnType<typeof questionsIn>[number],
  ReturnType<typeof questionsIn>[number],
];
const asked = new Map<string, Question>(
  [...verifier.questions, ...reader.questions].map((question) => [
    promptOf(question.request.messages),
    question,
  ]),
);

function promptOf(messages: readonly { role: string; text?: string; content?: string }[]): string {
  const first = messages.find(({ role }) => role === 'user');
  return first?.text ?? first?.content ?? '';
}

type Judge = (question: Question) => string;
const verdict = (value: string) => ({ verdicts: [{ opinion: 1, verdict: value }] });

/** The object that says this answer, in the words of the request. */
function objectFor(question: Question, answer: string): unknown {
  if (!question.request.schema?.name.startsWith('readings')) return verdict(answer);
  const { properties } = question.request.schema.schema as {
    properties: { opinion_1: { enum: string[] } };
  };
  const letter = properties.opinion_1.enum.find(
    (one) => question.answerIn(JSON.stringify({ opinion_1: one })) === answer,
  );
  return { opinion_1: letter };
}

let server: FaultServer;
let model: ChatModel;
let store: Store;
let judge: Judge;
beforeEach(async () => {
  judge = ({ expected }) => expected;
  server = await start({
    object(body) {
      const question = questionOf(body);
      return JSON.stringify(objectFor(question, judge(question)));
    },
  });
  model = await modelAt(server.baseUrl);
  store = openStore(join(temporaryFolder(), 'test.db'));
});
afterEach(async () => {
  await store.close();
  await server.stop();
});

const questionOf = ({ messages }: ChatBody): Question => asked.get(promptOf(messages)) as Question;
const run = (more: Partial<CalibrateSetting> = {}, sets = [verifier, reader]) =>
  calibrate({ store, model, concurrency: 8, retry: impatient, say: () => {}, ...more }, sets);
const stored = () =>
  sql<CalibrationRow>`SELECT * FROM calibrations ORDER BY role DESC, created_at`.execute(store.read);

describe('the questions', () => {
  test('are there for nine languages, each with the same shares, and no prompt twice', () => {
    expect(calibrationLanguages()).toEqual(['ar', 'bn', 'de', 'en', 'es', 'ko', 'pt', 'tr', 'zh']);
    for (const language of calibrationLanguages()) {
      const [set] = questionsIn(language, survey, ['verifier']);
      expect(set?.questions.length).toBeGreaterThanOrEqual(200);
      expect(new Set(set?.questions.map(({ item }) => item)).size).toBe(set?.questions.length);
    }
  });

  test('are in the words of the language, one pair each, and say neither verdict nor kind', () => {
    const [set] = questionsIn('tr', survey, ['verifier'], 3);
    const text = promptOf(set?.questions[0]?.request.messages ?? []);
    expect(text).toMatch(/[ğışçöü]/);
    expect(text.match(/^\d+\. \(the person's answer/gm)).toHaveLength(1);
    expect(text).not.toMatch(/off-topic|hedged|negated/);
  });

  test('a few of them hold each verdict as often', () => {
    const counts = new Map<string, number>();
    for (const { expected } of verifier.questions) counts.set(expected, (counts.get(expected) ?? 0) + 1);
    expect([...counts.values()]).toEqual([10, 10, 10]);
  });
});

describe('a judge', () => {
  test('that is always right is worth 1, and a second calibration asks nothing', async () => {
    const before = await estimateCalibration(store, model, [verifier, reader]);
    expect(before).toMatchObject({ calls: 60, answered: 0, cost_usd: null });
    const { status, calls, calibrations } = await run();
    expect(status).toBe('finished');
    expect(calls).toEqual({ made: 60, reused: 0 });
    for (const row of calibrations)
      expect(row).toMatchObject({ n: 30, accuracy: 1, balanced_accuracy: 1, kappa: 1, scripted: 0 });
    expect(calibrations[1]).toMatchObject({ role: 'reader', exact: 1, within_one: 1 });
    const paid = server.counts.requests;
    const again = await run();
    expect(again.calls).toEqual({ made: 0, reused: 0 });
    expect(server.counts.requests).toBe(paid);
    expect((await stored()).rows).toHaveLength(2);
    expect(await estimateCalibration(store, model, [verifier, reader])).toMatchObject({
      calls: 0,
      answered: 60,
    });
  });

  test.each(['entail', 'irrelevant'])('that always says %s is no better than chance', async (always) => {
    judge = () => always;
    const [row] = (await run({}, [verifier])).calibrations;
    expect(row).toMatchObject({ n: 30, classes: 3, kappa: 0 });
    expect(row?.balanced_accuracy).toBeCloseTo(1 / 3, 12);
    expect(calibrationInWords(row)).toMatch(/^no better than chance/);
  });

  test('that guesses has the figures that its own answers give', async () => {
    const verdicts = ['entail', 'contradict', 'irrelevant'];
    judge = ({ pair }) => pick(verdicts, pair);
    const [row] = (await run({}, [verifier])).calibrations;
    const right = (of: readonly Question[]) =>
      of.filter((question) => pick(verdicts, question.pair) === question.expected).length;
    expect(row?.accuracy).toBeCloseTo(right(verifier.questions) / 30, 12);
    const recalls = verdicts.map(
      (value) => right(verifier.questions.filter(({ expected }) => expected === value)) / 10,
    );
    expect(row?.balanced_accuracy).toBeCloseTo(recalls.reduce((sum, one) => sum + one, 0) / 3, 12);
  });

  test('whose replies cannot be used is wrong there: nothing is left out, and nothing asked again', async () => {
    const broken = new Set(verifier.questions.slice(0, 6).map(({ pair }) => pair));
    server.options.choose = ({ body }) => (broken.has(questionOf(body).pair) ? 'malformed' : undefined);
    const [row] = (await run({}, [verifier])).calibrations;
    expect(row?.n).toBe(30);
    expect(row?.accuracy).toBeCloseTo(24 / 30, 12);
    expect(JSON.parse(row?.confusion ?? '').labels).toContain('unusable');
    const paid = server.counts.requests;
    expect((await run({}, [verifier])).calls.made).toBe(0);
    expect(server.counts.requests).toBe(paid);
  });

  test('that passes opinions over is wrong there too', async () => {
    server.options.object = () => '{"verdicts":[]}';
    const [row] = (await run({}, [verifier])).calibrations;
    expect(row).toMatchObject({ n: 30, accuracy: 0, balanced_accuracy: 0 });
    expect(server.counts.requests).toBe(30);
  });
});

describe('a calibration that is stopped', () => {
  test('at its budget stores no figures, and the next one pays for the rest alone', async () => {
    const first = await run({ maxCalls: 17 });
    expect(first).toMatchObject({ status: 'stopped', stop: { reason: 'budget' }, calibrations: [] });
    expect((await stored()).rows).toHaveLength(0);
    expect(server.counts.paid).toBe(17);
    const second = await run();
    expect(second.status).toBe('finished');
    expect(server.counts.paid).toBe(60);
    expect([...server.counts.byHash.values()].every(({ paid }) => paid === 1)).toBe(true);
  });

  test('by the user goes on where it was', async () => {
    const stop = new AbortController();
    let done = 0;
    const first = await run({
      stop: stop.signal,
      watch: ({ kind }) => kind === 'done' && (done += 1) === 5 && stop.abort(),
    });
    expect(first).toMatchObject({ status: 'stopped', stop: { reason: 'interrupted' } });
    expect(server.counts.paid).toBeLessThan(60);
    await run();
    expect(server.counts.paid).toBe(60);
  });

  test('by a provider that does not answer blames no judge', async () => {
    server.options.choose = () => '500';
    const lost = await run({ concurrency: 1 }, [verifier]);
    expect(lost).toMatchObject({ status: 'stopped', stop: { reason: 'provider' }, calibrations: [] });
    delete server.options.choose;
    expect((await run({}, [verifier])).calibrations[0]).toMatchObject({ n: 30, accuracy: 1 });
  });
});

test('the queries of docs/calibration.md answer', async () => {
  judge = () => 'entail';
  await run({}, [verifier]);
  const queries = [...readFileSync('docs/calibration.md', 'utf8').matchAll(/```sql\n([\s\S]*?)```/g)];
  const rows = await Promise.all(
    queries.map(async ([, query]) => (await sql.raw(query as string).execute(store.read)).rows.length),
  );
  expect(rows).toEqual([20, 1]);
});

test('a calibration holds for its model, prompt, role and language only; the newest one counts', async () => {
  const [whole] = (await run({}, [verifier])).calibrations as [CalibrationRow];
  const key = {
    ...({ role: 'verifier', provider: model.provider, model: model.model } as const),
    ...{ prompt: whole.prompt_hash, language: 'en' },
  };
  expect((await calibrationOf(store.read, key))?.id).toBe(whole.id);
  for (const other of [
    { role: 'reader' },
    { model: 'tiny-2' },
    { prompt: 'another' },
    { language: 'tr' },
  ] as const)
    expect(await calibrationOf(store.read, { ...key, ...other })).toBeUndefined();
  await new Promise((resolve) => setTimeout(resolve, 2));
  const few = { ...verifier, questions: verifier.questions.slice(0, 6) };
  await run({}, [few]);
  expect((await calibrationOf(store.read, key))?.n).toBe(6);
});
