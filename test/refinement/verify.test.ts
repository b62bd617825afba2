import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/refinement/decide.ts';
import { applyVerify, planVerify, verifiable } from '../../src/refinement/verify.ts';
import { first } from '../dialogue/staged.ts';
import { temporaryFolder } from '../helpers/run.ts';
import { from, inCultural, opinionOf, sceneOf, turkish } from './scenes.ts';

const scene = sceneOf(turkish, ['Hello.', 'Family first.']);
const [a, b, c] = ['a', 'b', 'c'].map((id) => opinionOf(turkish, id)) as [
  ReturnType<typeof opinionOf>,
  ReturnType<typeof opinionOf>,
  ReturnType<typeof opinionOf>,
];
const verify = (...verdicts: object[]) => applyVerify([a, b, c], JSON.stringify({ verdicts }), from);
const verdict = (opinion: number, value = 'entail') => ({ opinion, verdict: value });

describe('what is verified', () => {
  test('opinions with words in the turn, and rewrites of them', () => {
    const ungrounded = opinionOf(turkish, 'd', { quote: null });
    const rewrite = opinionOf(turkish, 'e', { rewriteOf: 'a' });
    expect(verifiable(scene, [a, ungrounded, rewrite]).map(({ id }) => id)).toEqual(['a', 'e']);
  });

  test('nothing where no stance is claimed', () => {
    const folder = temporaryFolder();
    const topic = '{ id: tea, theme: food, statement: Tea is good., stance: none }';
    writeFileSync(join(folder, 'mine.yaml'), `survey: mine\ntopics: [${topic}]\n`);
    const dialogue = first('cultures: [turkish]\ntopics: [tea]\ntopic_files: [mine.yaml]\nturns: 2', {
      folder,
    });
    expect(verifiable(sceneOf(dialogue, ['Hello.', 'Tea is good.']), [opinionOf(dialogue, 'a')])).toEqual([]);
  });

  test('no opinions, no call', () => {
    expect(planVerify(scene, [], { maxTokens: 9 })).toBeNull();
  });
});

describe('the verifier is told', () => {
  test('the statement, and each opinion under its number with the answer of who voiced it', () => {
    const pair = sceneOf(inCultural, ['One.', 'Two.']);
    const opinions = [opinionOf(inCultural, 'x', { seat: 0 }), opinionOf(inCultural, 'y', { seat: 1 })];
    const text = planVerify(pair, opinions, { maxTokens: 9 })?.messages.at(-1)?.text ?? '';
    expect(text).toContain(inCultural.words.statement);
    opinions.forEach((opinion, seat) => {
      const { persona, scale } = inCultural.participants[seat]!;
      const label = scale?.options.find(({ code }) => code === persona?.stances.get('Q27'))?.label;
      expect(text).toContain(`${seat + 1}. (the person's answer: "${label}") Opinion ${opinion.id}.`);
    });
  });

  test('to judge as alike as it can', () => {
    expect(planVerify(scene, [a], { maxTokens: 9 })).toMatchObject({
      sampling: { temperature: 0 },
      maxTokens: 9,
    });
  });

  test('in a reply that has numbers from 1 to the last opinion, and three verdicts', () => {
    const schema = planVerify(scene, [a, b, c], { maxTokens: 9 })?.schema;
    expect(
      schema?.fault({ verdicts: [verdict(1), verdict(3, 'contradict'), verdict(2, 'irrelevant')] }),
    ).toBeUndefined();
    for (const wrong of [verdict(0), verdict(4), verdict(1.5), verdict(1, 'maybe')])
      expect(schema?.fault({ verdicts: [wrong] }), JSON.stringify(wrong)).toBeTruthy();
  });
});

describe('a verdict', () => {
  test('belongs to the opinion of its number, whatever the order of the reply', () => {
    const found = verify(verdict(3, 'irrelevant'), verdict(1), verdict(2, 'contradict'));
    expect(Object.fromEntries(found.map(({ opinionId, verdict: value }) => [opinionId, value]))).toEqual({
      a: 'entail',
      b: 'contradict',
      c: 'irrelevant',
    });
    expect(found[0]).toMatchObject({ model: 'model', callId: 'call', stageRunId: 'stage' });
  });

  test('that the reply passes over is none, and the opinion is dropped for want of it', () => {
    const found = verify(verdict(2));
    expect(found.map(({ opinionId }) => opinionId)).toEqual(['b']);
    const facts = {
      verdict: null,
      hasStance: true,
      representative: null,
      selected: null,
      includeRewritten: false,
    };
    expect(decide(a, facts)).toEqual({ status: 'dropped', reason: 'no verdict' });
    expect(verify()).toEqual([]);
  });

  test('that is given twice is the first', () => {
    expect(verify(verdict(1, 'contradict'), verdict(1)).map(({ verdict: value }) => value)).toEqual([
      'contradict',
    ]);
  });
});
