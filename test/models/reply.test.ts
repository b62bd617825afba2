import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Finish } from '../../src/models/port.ts';
import { cachedSchema, judge, replySchema } from '../../src/models/reply.ts';

const usage = { input: 1, cachedInput: 0, output: 1 };
const schema = replySchema('answer', z.strictObject({ answer: z.literal([1, 2]), why: z.string() }));
const judged = (text: string, more: { finish?: Finish; object?: boolean } = {}) =>
  judge({ text, finish: more.finish ?? 'stop', usage }, more.object ? schema : undefined);

describe('text', () => {
  test.each<[string, string, Finish, string]>([
    ['words', 'I think so.', 'stop', 'ok'],
    ['words with blanks around', ' I think so.\n', 'stop', 'ok'],
    ['nothing', '', 'stop', 'empty'],
    ['blanks', ' \n\t ', 'stop', 'empty'],
    ['cut off', 'I think', 'length', 'truncated'],
    ['cut off before the first word', '', 'length', 'truncated'],
    ['filtered', '', 'refusal', 'refused'],
    ['a refusal', "I'm sorry, but I can't help with that.", 'stop', 'refused'],
    ['a refusal without apology', 'I cannot assist with this request.', 'stop', 'refused'],
    ['sorrow about something else', "I'm sorry for those who can't pay, and I say so.", 'stop', 'ok'],
    ['an inability within', 'My mother says: I cannot help but laugh.', 'stop', 'ok'],
  ])('%s', (_, text, finish, status) => {
    expect(judged(text, { finish })).toEqual({ status, text });
  });
});

describe('an object', () => {
  const good = '{"answer": 2, "why": "so"}';

  test.each<[string, string]>([
    ['plain', good],
    ['in a fence', `\`\`\`json\n${good}\n\`\`\``],
    ['in a fence of no language', `\n\`\`\`\n${good}\n\`\`\`\n`],
  ])('%s: its JSON, normalised', (_, text) => {
    expect(judged(text, { object: true })).toEqual({ status: 'ok', text: '{"answer":2,"why":"so"}' });
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', 'Sure! Here it is.', /^not JSON: /],
    ['words around it', `Here: ${good}`, /^not JSON: /],
    ['half of it', good.slice(0, 12), /^not JSON: /],
    ['a wrong value', '{"answer": 3, "why": "so"}', /answer/],
    ['a missing key', '{"answer": 2}', /why/],
    ['a key too many', '{"answer": 2, "why": "so", "more": 1}', /more/],
    ['null', 'null', /expected object/],
    ['an array', '[]', /expected object/],
  ])('%s: malformed, and the model can be told why', (_, text, fault) => {
    expect(judged(text, { object: true })).toEqual({
      status: 'malformed',
      text,
      fault: expect.stringMatching(fault),
    });
  });

  test.each<[Finish, string]>([
    ['length', 'truncated'],
    ['refusal', 'refused'],
  ])('that ended by %s is %s, also where it happens to be whole', (finish, status) => {
    expect(judged(good, { object: true, finish }).status).toBe(status);
  });

  test('empty and refused ones are not asked to be mended', () => {
    expect(judged('', { object: true }).status).toBe('empty');
    expect(judged("I'm sorry, I can't do that.", { object: true }).status).toBe('refused');
  });
});

test('a schema is built once for its values', () => {
  let built = 0;
  const build = () => {
    built += 1;
    return z.strictObject({ n: z.literal([1, 2]) });
  };
  const one = cachedSchema('test-n', [1, 2], build);
  expect(cachedSchema('test-n', [1, 2], build)).toBe(one);
  expect(cachedSchema('test-n', [12], build)).not.toBe(one);
  expect(built).toBe(2);
  expect(one.schema.schema).toMatchObject({ type: 'object', additionalProperties: false });
});
