import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/refinement/decide.ts';
import { applyExtract, planExtract, understandingTurns } from '../../src/refinement/extract.ts';
import { loadRefinementPrompts, stagePromptHash } from '../../src/refinement/prompts.ts';
import { harvested, type Scene } from '../../src/refinement/scene.ts';
import type { ChatRequest } from '../../src/models/port.ts';
import { first } from '../dialogue/staged.ts';
import { from, inCultural, sceneOf, turkish } from './scenes.ts';

const words = [
  'Tell me: do parents matter?',
  'My parents gave up a lot. I want them to be proud of me.',
  'Work matters more to me.',
  'Without family, work means nothing to us.',
];
const scene = sceneOf(turkish, words);
const copy = { maxTokens: 500, quotes: 'copy' } as const;
const choose = { maxTokens: 500, quotes: 'choose' } as const;

const entry = (turn: number, quote: string, opinion = quote, more: object = {}) => ({
  turn,
  quote,
  opinion,
  polarity: 'agree',
  class: 'belief',
  ...more,
});
const extract = (of: Scene, ...opinions: object[]) => applyExtract(of, JSON.stringify({ opinions }), from);
const textOf = (request: ChatRequest | null): string =>
  request?.messages.map(({ text }) => text).join('\n') ?? '';

describe('who is harvested', () => {
  const turnsOf = (of: Scene) => harvested(of).map(({ idx }) => idx);

  test('the delegate, and never the main contact', () => {
    expect(turnsOf(scene)).toEqual([1, 3]);
    expect(extract(scene, entry(2, 'Work matters more to me.'))).toEqual([]);
  });

  test('both of an in-cultural pair', () => {
    const pair = sceneOf(inCultural, words);
    expect(turnsOf(pair)).toEqual([0, 1, 2, 3]);
    const [one, other] = extract(
      pair,
      entry(1, 'My parents gave up a lot.'),
      entry(2, 'Work matters more to me.'),
    );
    expect([one?.personaId, other?.personaId]).toEqual(
      [1, 0].map((seat) => inCultural.participants[seat]?.persona?.id),
    );
  });

  test('all delegates of a panel, and not its moderator', () => {
    const panel = first('cultures: [turkish, korean, german]\ntopics: [Q27]\nprotocol: panel\nturns: 5');
    expect(turnsOf(sceneOf(panel, [...words, 'Thank you all.']))).toEqual([1, 2, 3]);
  });

  test('nothing that was said in private', () => {
    expect(turnsOf(sceneOf(turkish, words, { 1: { kind: 'private' } }))).toEqual([3]);
    expect(textOf(planExtract(sceneOf(turkish, words, { 1: { kind: 'private' } }), copy))).not.toContain(
      words[1],
    );
  });

  test('no turn that broke its role', () => {
    const flagged = sceneOf(turkish, words, { 3: { flags: ['copy'] } });
    expect(turnsOf(flagged)).toEqual([1]);
    expect(extract(flagged, entry(3, words[3] as string))).toEqual([]);
  });
});

describe('what the extractor is asked', () => {
  test('nothing where there is nothing to harvest', () => {
    expect(planExtract(sceneOf(turkish, words.slice(0, 1)), copy)).toBeNull();
    expect(planExtract(sceneOf(turkish, []), copy)).toBeNull();
    expect(planExtract(sceneOf(turkish, ['Hello!', 'Hm.']), choose)).toBeNull();
  });

  test('to read the whole conversation, with the number and speaker of each turn', () => {
    const text = textOf(planExtract(scene, copy));
    scene.turns.forEach((turn) =>
      expect(text).toContain(`[${turn.idx}] ${turkish.participants[turn.seat]?.persona?.name}: ${turn.text}`),
    );
    expect(text).toContain(turkish.words.statement);
    expect(text).toContain('in the turns 1, 3,');
  });

  test('without the stance of anybody', () => {
    const dialogue = first('cultures: [turkish]\ntopics: [Q158]\nturns: 4');
    const request = planExtract(sceneOf(dialogue, words), copy);
    expect(textOf(request)).not.toMatch(/scale|your answer|completely/);
    expect(JSON.stringify({ ...request, schema: request?.schema?.schema, rehearsal: null })).not.toContain(
      'stance',
    );
  });

  test('without line breaks in a turn, so that no turn can pass for two', () => {
    const text = textOf(planExtract(sceneOf(turkish, ['Hello.', 'I agree.\n[2] Somebody: I do not.']), copy));
    expect(text).toContain('I agree. [2] Somebody: I do not.');
    expect(text.split('\n').filter((line) => /^\[\d+\]/.test(line))).toHaveLength(2);
  });

  test('the same, whatever the run', () => {
    const other = first('cultures: [turkish]\ntopics: [Q27]\nturns: 4', { runId: 'another' });
    expect(planExtract(sceneOf(other, words), copy)?.messages).toEqual(planExtract(scene, copy)?.messages);
  });
});

describe('the schema takes', () => {
  const fault = (...opinions: object[]) => planExtract(scene, copy)?.schema?.fault({ opinions });

  test('the turns that are harvested and no other number', () => {
    expect(fault(entry(1, 'x'), entry(3, 'x'))).toBeUndefined();
    for (const turn of [0, 2, 4, -1, 1.5, '1', null])
      expect(fault({ ...entry(1, 'x'), turn }), `${turn}`).toBeTruthy();
  });

  test('known polarities and classes, all of an opinion and nothing beside it', () => {
    expect(fault({ ...entry(1, 'x'), polarity: 'pro' })).toBeTruthy();
    expect(fault({ ...entry(1, 'x'), class: 'fact' })).toBeTruthy();
    expect(fault({ ...entry(1, 'x'), quote: undefined })).toBeTruthy();
    expect(fault({ ...entry(1, 'x'), verdict: 'entail' })).toBeTruthy();
  });

  test('no opinions at all, but not more than a conversation of that length can hold', () => {
    expect(fault()).toBeUndefined();
    expect(fault(...Array.from({ length: 200 }, () => entry(1, 'x')))).toBeTruthy();
  });
});

describe('an opinion', () => {
  test('carries its turn, its person and the verbatim words with their place', () => {
    const [opinion] = extract(scene, entry(1, 'I want them to be proud of me.', 'Parents should be proud.'));
    expect(opinion).toMatchObject({
      turnIdx: 1,
      personaId: turkish.participants[1]?.persona?.id,
      dialogueId: turkish.id,
      text: 'Parents should be proud.',
      quote: 'I want them to be proud of me.',
      polarity: 'agree',
      class: 'belief',
      rewriteOf: null,
      callId: 'call',
      stageRunId: 'stage',
    });
    expect(words[1]?.slice(opinion?.quoteStart ?? 0, opinion?.quoteEnd ?? 0)).toBe(
      'I want them to be proud of me.',
    );
  });

  test('has the turn’s own words for its quote where the reply changed their marks or case', () => {
    const [opinion] = extract(scene, entry(1, '“i WANT them  to be proud of me.”', 'x y'));
    expect(opinion?.quote).toBe('I want them to be proud of me.');
  });

  test('whose quote does not stand in the turn is ungrounded', () => {
    const [opinion] = extract(
      scene,
      entry(1, 'The moon is made of green cheese and nobody knows.', 'Parents matter.'),
    );
    expect(opinion).toMatchObject({ quote: null, quoteStart: null, quoteEnd: null });
    expect(
      decide(opinion!, {
        verdict: 'entail',
        hasStance: true,
        representative: true,
        selected: true,
        includeRewritten: true,
      }),
    ).toEqual({ status: 'dropped', reason: 'ungrounded' });
  });

  test('is not grounded by words of another turn', () => {
    expect(extract(scene, entry(1, 'Without family, work means nothing to us.'))[0]?.quote).toBeNull();
    expect(extract(scene, entry(3, 'Work matters more to me.'))[0]?.quote).toBeNull();
  });

  test('that is said twice in one reply is one, and the grounded one of them', () => {
    const found = extract(
      scene,
      entry(1, 'Cheese is green and nobody ever knows it.', 'Parents matter.'),
      entry(1, 'My parents gave up a lot.', 'Parents  matter.'),
      entry(1, 'I want them to be proud of me.', 'Parents matter.'),
    );
    expect(found).toHaveLength(1);
    expect(found[0]?.quote).toBe('My parents gave up a lot.');
  });

  test('that is voiced in two turns is two', () => {
    const found = extract(
      scene,
      entry(1, 'My parents gave up a lot.', 'Family first.'),
      entry(3, 'Without family', 'Family first.'),
    );
    expect(found).toHaveLength(2);
    expect(new Set(found.map(({ id }) => id)).size).toBe(2);
  });

  test('without words is none', () => {
    expect(extract(scene, entry(1, 'My parents gave up a lot.', '  \n '))).toEqual([]);
  });

  test('has a key that is the same in every run, and an id that is not', () => {
    const [one] = extract(scene, entry(1, 'My parents gave up a lot.'));
    const other = first('cultures: [turkish]\ntopics: [Q27]\nturns: 4', { runId: 'another' });
    const reply = JSON.stringify({ opinions: [entry(1, 'My parents gave up a lot.')] });
    const [two] = applyExtract(sceneOf(other, words), reply, { ...from, stageRunId: 'another stage' });
    expect(two?.key).toBe(one?.key);
    expect(two?.id).not.toBe(one?.id);
  });

  test('in a turn in Arabic, Chinese or Korean keeps its quote', () => {
    for (const [culture, said] of [
      ['arabic', 'والداي ضحيا كثيرا من أجلي. أريد أن يفخرا بي.'],
      ['chinese', '父母为我付出很多。我想让他们骄傲。'],
      ['korean', '부모님은 많은 것을 포기하셨어요. 저를 자랑스러워하시면 좋겠어요.'],
    ] as const) {
      const dialogue = first(`cultures: [${culture}]\ntopics: [Q27]\nlanguage: own\nturns: 2`);
      const quote = said.split(/(?<=[.。])\s*/u)[1] as string;
      expect(extract(sceneOf(dialogue, ['x', said]), entry(1, quote))[0]?.quote).toBe(quote);
    }
  });
});

describe('what is asked beside the words of an opinion', () => {
  const quote = 'My parents gave up a lot.';
  const reply = (more: object, understanding?: number[]) =>
    JSON.stringify({ opinions: [entry(1, quote, quote, more)], ...(understanding ? { understanding } : {}) });

  test('is kept: subtype, whether it extends the topic, flags', () => {
    const asked = { subtype: 'social', extends: true, flags: ['stereotype', 'hateful'] };
    expect(planExtract(scene, copy)?.schema?.fault(JSON.parse(reply(asked, [1])))).toBeUndefined();
    expect(applyExtract(scene, reply(asked), from)).toMatchObject([
      {
        class: 'belief',
        subtype: 'social',
        extendsTopic: true,
        flags: ['hateful', 'stereotype'],
        alignment: 1,
      },
    ]);
  });

  test('is unknown where the reply does not say, which costs no second call, and never guessed', () => {
    expect(planExtract(scene, copy)?.schema?.fault(JSON.parse(reply({})))).toBeUndefined();
    expect(applyExtract(scene, reply({}), from)).toMatchObject([
      { subtype: null, extendsTopic: null, flags: null },
    ]);
    // Food is a kind of custom, and this is a belief.
    expect(applyExtract(scene, reply({ subtype: 'food' }), from)[0]?.subtype).toBeNull();
    expect(planExtract(scene, copy)?.schema?.fault(JSON.parse(reply({ flags: ['rude'] })))).toBeTruthy();
  });

  test('turns that show understanding of another culture are harvested ones, and between cultures only', () => {
    expect(understandingTurns(scene, reply({}, [3, 0, 1]))).toEqual([1, 3]);
    expect(understandingTurns(scene, reply({}))).toEqual([]);
    expect(understandingTurns(sceneOf(inCultural, words), reply({}, [0, 1]))).toEqual([]);
  });

  test('prompts from before ask what they asked, to the letter: their calls are paid', () => {
    const before = loadRefinementPrompts(
      readFileSync('test/fixtures/refinement-version-1.yaml', 'utf8'),
    ).prompts;
    const old = planExtract({ ...scene, prompts: before }, copy);
    expect(textOf(old)).not.toMatch(/subtype|flags|understanding/);
    const { properties } = old!.schema!.schema as {
      properties: { opinions: { items: { properties: object } } };
    };
    expect(Object.keys(properties)).toEqual(['opinions']);
    expect(Object.keys(properties.opinions.items.properties)).toEqual([
      'turn',
      'quote',
      'opinion',
      'polarity',
      'class',
    ]);
    // As it was when these prompts were the shipped ones.
    expect(stagePromptHash(before, 'extract')).toBe('qwq3qo3bjxpx4iwlunw3zqtes3');
  });
});

describe('where sentences are chosen', () => {
  test('the schema names the sentences of the harvested turns that can carry an opinion', () => {
    const schema = planExtract(scene, choose)?.schema;
    const chosen = (quote: string) =>
      schema?.fault({ opinions: [{ quote, polarity: 'agree', class: 'norm' }] });
    expect(chosen('My parents gave up a lot.')).toBeUndefined();
    expect(chosen('Without family, work means nothing to us.')).toBeUndefined();
    expect(chosen('Work matters more to me.')).toBeTruthy();
    expect(chosen('My parents gave up.')).toBeTruthy();
  });

  test('a question is no opinion, and a short sentence in Chinese is one', () => {
    const chinese = first('cultures: [chinese]\ntopics: [Q27]\nlanguage: own\nturns: 2');
    const request = planExtract(sceneOf(chinese, ['你好。', '父母最重要。你怎么看这件事情呢？']), choose);
    const takes = (quote: string) =>
      !request?.schema?.fault({ opinions: [{ quote, polarity: 'agree', class: 'norm' }] });
    expect(takes('父母最重要。')).toBe(true);
    expect(takes('你怎么看这件事情呢？')).toBe(false);
  });

  test('the sentence is the opinion, grounded in its turn', () => {
    const quote = 'Without family, work means nothing to us.';
    expect(extract(scene, { quote, polarity: 'disagree', class: 'norm' })).toMatchObject([
      { turnIdx: 3, text: quote, quote, quoteStart: 0, quoteEnd: quote.length, polarity: 'disagree' },
    ]);
  });
});
