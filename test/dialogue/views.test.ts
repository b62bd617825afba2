import { describe, expect, test } from 'vitest';
import { cultureIds, loadCulture } from '../../src/agents/load.ts';
import { loadDialoguePrompts } from '../../src/dialogue/prompts.ts';
import type { Dialogue, Participant, StepRequest } from '../../src/dialogue/types.ts';
import type { Message } from '../../src/models/port.ts';
import { fill } from '../../src/fill.ts';
import { temporaryFolder } from '../helpers/run.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codesOf, first, hold, staged } from './staged.ts';

const protocolLines: Record<string, string> = {
  'self-guidance': 'protocol: self-guidance\nturns: 7',
  'in-cultural': 'protocol: self-guidance\npairing: in-cultural\nturns: 6',
  'free-chat': 'protocol: free-chat\nturns: 6',
  debate: 'protocol: debate\nturns: 6',
  direct: 'protocol: direct\nturns: 4',
};
const three = 'cultures: [turkish, korean, german]\ntopics: [Q27]\n';
const panel = `${three}protocol: panel\nturns: 13`;

/** The seat that a request is for. */
const seatOf = (dialogue: Dialogue, request: StepRequest): number => {
  const idx = Number(request.subject.split('/')[1]);
  return hold(dialogue).turns[idx]?.seat as number;
};

const textOf = (messages: readonly Message[]): string => messages.map(({ text }) => text).join('\n');

/** The prompts of each seat, in order. */
function bySeat(dialogue: Dialogue): Map<number, (readonly Message[])[]> {
  const { turns, requests } = hold(dialogue);
  const prompts = new Map<number, (readonly Message[])[]>();
  requests.forEach(({ request }, idx) => {
    const seat = turns[idx]?.seat as number;
    prompts.set(seat, [...(prompts.get(seat) ?? []), request.messages]);
  });
  return prompts;
}

describe.each([
  ...Object.entries(protocolLines).map(([name, lines]) => [name, `${three}${lines}`] as const),
  ['panel', panel] as const,
  ['self-guidance in Korean', 'cultures: [korean]\ntopics: [Q27]\nlanguage: own\nturns: 6'] as const,
])('%s', (_, yaml) => {
  const dialogue = first(yaml);
  const { turns } = hold(dialogue);

  test("a speaker's prompt is the one before it, grown at its end: what it said, and what it is told next", () => {
    for (const [seat, prompts] of bySeat(dialogue)) {
      const said = turns.filter((turn) => turn.seat === seat).map(({ text }) => text);
      prompts.slice(1).forEach((prompt, at) => {
        const before = prompts[at] as readonly Message[];
        expect(prompt.slice(0, before.length)).toEqual(before);
        expect(prompt.slice(before.length).map(({ role }) => role)).toEqual(['assistant', 'user']);
        expect(prompt[before.length]?.text).toBe(said[at]);
      });
    }
  });

  test('it begins with one system line and then changes between user and assistant', () => {
    for (const prompts of bySeat(dialogue).values())
      for (const prompt of prompts)
        expect(prompt.map(({ role }) => role)).toEqual(
          prompt.map((__, at) => (at === 0 ? 'system' : at % 2 ? 'user' : 'assistant')),
        );
  });

  test('every user message reminds a persona of its name, country and answer', () => {
    for (const [seat, prompts] of bySeat(dialogue)) {
      const { persona, country, role } = dialogue.participants[seat] as Participant;
      if (role === 'moderator') continue;
      const answer = dialogue.words.labels
        .get('agree4')
        ?.get(persona?.stances.get('Q27') as number) as string;
      const anchor = fill(dialogue.prompts.anchor, {
        name: persona?.name as string,
        country,
        answer: fill(dialogue.prompts.answer, { label: answer }),
      });
      const asked = (prompts.at(-1) as readonly Message[]).filter(({ role: by }) => by === 'user');
      expect(asked.length).toBeGreaterThan(0);
      for (const { text } of asked) expect(text.endsWith(anchor), text).toBe(true);
    }
  });

  test('a speaker hears everything that was said aloud since its last turn, once and in order', () => {
    const aloud = turns.filter(({ kind }) => kind === 'public');
    for (const [seat, prompts] of bySeat(dialogue)) {
      const last = turns.findLastIndex((turn) => turn.seat === seat);
      const heard = aloud.filter((turn) => turn.seat !== seat && turn.idx < last).map(({ text }) => text);
      const users = textOf((prompts.at(-1) as readonly Message[]).filter(({ role }) => role === 'user'));
      const places = heard.map((text) => users.indexOf(text));
      expect(places).not.toContain(-1);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      for (const text of heard) expect(users.split(text)).toHaveLength(2);
    }
  });

  test('the statement stands in what the first speaker is told', () => {
    expect(textOf(hold(dialogue).requests[0]?.request.messages ?? [])).toContain(dialogue.words.statement);
  });
});

test('a private answer is not heard by the others, and stays in the memory of who gave it', () => {
  const dialogue = first(`${three}protocol: debate\nturns: 4`);
  const { turns, requests } = hold(dialogue);
  const secrets = turns.filter(({ kind }) => kind === 'private');
  expect(secrets).toHaveLength(4);
  requests.forEach(({ request }, idx) => {
    for (const secret of secrets.filter((turn) => turn.idx < idx)) {
      const own = secret.seat === turns[idx]?.seat;
      expect(textOf(request.messages).includes(secret.text), `${secret.idx} in ${idx}`).toBe(own);
    }
  });
});

test('in a panel every line that is heard bears the name of its speaker', () => {
  const dialogue = first(panel);
  const { turns, requests } = hold(dialogue);
  const last = textOf(requests.at(-1)?.request.messages ?? []);
  for (const { seat, text } of turns.filter((turn) => turn.seat !== 0))
    expect(last).toContain(`${dialogue.participants[seat]?.persona?.name}: ${text}`);
  expect(textOf(requests.at(-2)?.request.messages ?? [])).toContain(`Moderator: ${turns[0]?.text}`);
});

test('the moderator of a panel has no stance, and names its guests', () => {
  const dialogue = first(panel);
  const [{ request, role }] = hold(dialogue).requests as [StepRequest];
  expect(role).toBe('moderator');
  expect(textOf(request.messages)).not.toContain('your answer is');
  for (const { persona, country } of dialogue.participants.slice(1))
    expect(textOf(request.messages)).toContain(`${persona?.name} (${country})`);
});

describe('the stance is told in words', () => {
  test('by the label of the answer, in system line and reminder', () => {
    for (const dialogue of staged(`${three}dialogues_per_cell: 6\nturns: 2`)) {
      const { requests } = hold(dialogue);
      for (const request of requests) {
        const { persona, scale } = dialogue.participants[seatOf(dialogue, request)] as Participant;
        const label = scale?.options.find(({ code }) => code === persona?.stances.get('Q27'))?.label;
        expect(request.request.messages[0]?.text).toContain(`your answer is: "${label}"`);
        expect(request.request.messages.at(-1)?.text).toContain(`your answer is "${label}"`);
      }
    }
  });

  test('on a ten-point scale by the number between the two labels, and no label is invented', () => {
    const dialogues = staged('cultures: [turkish]\ntopics: [Q158]\ndialogues_per_cell: 20\nturns: 2');
    const codes = new Set<number>();
    for (const dialogue of dialogues) {
      const [, request] = hold(dialogue).requests as [StepRequest, StepRequest];
      const code = dialogue.participants[1]?.persona?.stances.get('Q158') as number;
      codes.add(code);
      const answer = `${code} on a scale from 1 (completely disagree) to 10 (completely agree)`;
      expect(request.request.messages[0]?.text).toContain(`your answer is: ${answer}.`);
      expect(textOf(request.request.messages)).not.toMatch(/"(strongly |completely )?(dis)?agree"/);
    }
    expect(codes.size).toBeGreaterThan(4);
  });

  test('on the scale that was shown in the country: three answers in Argentina, five in Mexico', () => {
    const seen = new Set<string>();
    for (const dialogue of staged(
      'cultures: [spanish]\ntopics: [Q33]\nprotocol: debate\nturns: 2\ndialogues_per_cell: 12',
    )) {
      const requests = hold(dialogue).requests;
      const country = dialogue.participants[1]?.persona?.country as string;
      const expected = country === 'ARG' ? [2, 3, 4] : [1, 2, 3, 4, 5];
      expect(codesOf(requests[1] as StepRequest)).toEqual(expected);
      const options = textOf(requests[1]?.request.messages ?? []);
      expect(options.includes('1 = strongly agree')).toBe(country === 'MEX');
      expect(options).toContain('2 = agree, 3 = neither agree nor disagree, 4 = disagree');
      seen.add(country);
    }
    expect(seen).toEqual(new Set(['ARG', 'MEX']));
  });

  test('a persona without a stance is told who it is and no answer', () => {
    const folder = temporaryFolder();
    writeFileSync(
      join(folder, 'mine.yaml'),
      'survey: mine\ntopics: [{ id: tea, theme: food, statement: Tea is good., stance: none }]\n',
    );
    const dialogue = first('cultures: [turkish]\ntopics: [tea]\ntopic_files: [mine.yaml]\nturns: 2', {
      folder,
    });
    for (const { request } of hold(dialogue).requests) {
      expect(textOf(request.messages)).not.toContain('your answer');
      expect(request.messages.at(-1)?.text).toMatch(/Remember: you are .+ from .+\.$/);
      expect(textOf(request.messages)).not.toMatch(/\{\{|undefined|null/);
    }
  });

  test('a main contact from a country that was not asked has no stance, and the delegate keeps its own', () => {
    const folder = temporaryFolder();
    writeFileSync(
      join(folder, 'mine.yaml'),
      'survey: mine\ntopics: [{ id: tea, theme: food, statement: Tea is good., scale: agree4, distribution: { TUR: { 1: 5 } } }]\n',
    );
    const dialogue = first(
      'cultures: [turkish]\ntopics: [tea]\ntopic_files: [mine.yaml]\nprotocol: debate\nturns: 2',
      {
        folder,
      },
    );
    const { requests, turns } = hold(dialogue);
    expect(turns.map(({ kind, seat }) => `${kind} ${seat}`)).toEqual([
      'private 1',
      'public 0',
      'public 1',
      'private 1',
    ]);
    expect(textOf(requests[1]?.request.messages ?? [])).not.toContain('your answer');
    expect(requests[2]?.request.messages[0]?.text).toContain('your answer is: "strongly agree"');
  });
});

describe('in their own language', () => {
  const foreign = cultureIds()
    .map(loadCulture)
    .filter(({ language }) => language !== 'en');
  const english = loadDialoguePrompts('en', 'standard').prompts;
  const sentences = JSON.stringify(english)
    .replace(/\{\{\w+\}\}/g, '§')
    .split(/["§.:,?\\]+/)
    .map((part) => part.trim())
    .filter((part) => part.split(' ').length >= 3);

  test.each(foreign.map(({ id, language }) => [id, language] as const))(
    '%s speakers are told nothing in English',
    (id, language) => {
      for (const protocol of ['self-guidance', 'in-cultural', 'free-chat', 'debate', 'direct']) {
        const yaml = `cultures: [${id}]\ntopics: [Q28, Q33, Q158]\nlanguage: own\n${protocolLines[protocol]}`;
        for (const dialogue of staged(yaml)) {
          expect(dialogue.language).toBe(language);
          for (const { request } of hold(dialogue).requests) {
            // The main contact's name stays as it is written at home.
            const names = dialogue.participants.map(({ persona }) => persona?.name as string);
            const own = names.reduce((text, name) => text.replaceAll(name, ''), textOf(request.messages));
            expect(sentences.filter((sentence) => own.includes(sentence))).toEqual([]);
            expect(own).not.toMatch(/\{\{|undefined|null/);
            if (['ar', 'bn', 'ko', 'zh'].includes(language))
              expect(own.replace(/SECRET/g, '')).not.toMatch(/\p{Script=Latin}/u);
          }
        }
      }
    },
  );

  test('the delegate bears its name, and both countries are called, in that language', () => {
    const { participants } = first('cultures: [chinese]\ntopics: [Q27]\nlanguage: own');
    expect(participants.map(({ country }) => country)).toEqual(['美国', '中国']);
    expect(participants[1]?.persona?.name).toMatch(/^\p{Script=Han}+$/u);
  });
});

test('every prompt file tells the same things as the English one: the same places in each of its texts', () => {
  const places = (value: unknown): unknown =>
    typeof value === 'string'
      ? [...new Set([...value.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name))].sort()
      : value !== null && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, places(inner)]))
        : null;
  const english = places({ ...loadDialoguePrompts('en', 'standard').prompts, version: 1, language: '' });
  for (const language of ['ar', 'bn', 'de', 'es', 'ko', 'pt', 'tr', 'zh']) {
    const { prompts } = loadDialoguePrompts(language, 'standard');
    expect(places({ ...prompts, version: 1, language: '' }), language).toEqual(english);
    expect(prompts.language).toBe(language);
  }
});
