import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { pick, uniform } from '../ids.ts';
import { packageRoot } from '../paths.ts';
import { fill } from '../fill.ts';
import type { Option } from '../survey/types.ts';
import { readYaml } from '../yaml-file.ts';
import type { ChatModel } from './port.ts';
import { polarityOf, type Answered, type Rehearsal } from './rehearsal.ts';

const lines = z.array(z.string().min(1)).min(1);
const levels = ['strong_agree', 'agree', 'middle', 'disagree', 'strong_disagree'] as const;
type Level = (typeof levels)[number];

const phrasesSchema = z.strictObject({
  language: z.string(),
  position: z.strictObject(
    Object.fromEntries(levels.map((level) => [level, lines])) as Record<Level, typeof lines>,
  ),
  choice: lines,
  reasons: z.record(z.string(), lines),
  reply_agree: lines,
  reply_differ: lines,
  moderator: lines,
});

type Phrases = z.output<typeof phrasesSchema>;

const loaded = new Map<string, Phrases>();

function phrasesIn(language: string): Phrases {
  let phrases = loaded.get(language);
  if (!phrases) {
    const file = join(packageRoot, 'agents', 'rehearsal', `${language}.yaml`);
    phrases = readYaml(
      existsSync(file) ? file : join(packageRoot, 'agents', 'rehearsal', 'en.yaml'),
      phrasesSchema,
    ).value;
    loaded.set(language, phrases);
  }
  return phrases;
}

/** Shares of a rehearsal's opinions that go wrong, so that every path of the refinement is rehearsed. */
const faulty = { quote: 0.03, contradict: 0.04, irrelevant: 0.04, extends: 0.3, flag: 0.02 };

/**
 * The scripted model: deterministic phrases that carry the persona's stance from the survey. For tests and rehearsals;
 * it does not read its messages, and every row that it makes says so.
 */
export function scriptedModel(): ChatModel {
  return {
    provider: 'scripted',
    model: 'scripted-1',
    scripted: true,
    free: true,
    chat: async (request) => {
      const input = Math.ceil(request.messages.reduce((sum, { text }) => sum + text.length, 0) / 4);
      const text = request.rehearsal ? perform(request.rehearsal) : '';
      return { text, finish: 'stop', usage: { input, cachedInput: 0, output: Math.ceil(text.length / 4) } };
    },
  };
}

const flagNames = ['hateful', 'personal-data', 'stereotype'];

type Play<K extends Rehearsal['kind']> = (cue: Extract<Rehearsal, { kind: K }>) => string;

const plays: { [K in Rehearsal['kind']]: Play<K> } = {
  turn: (cue) => {
    const phrases = phrasesIn(cue.language);
    const position = opinionSentence(cue.language, cue.statement, cue.answer, cue.seed);
    const reasons = reasonsFor(phrases, cue.theme, cue.seed, cue.country);
    const agreement = cue.answer && agreementIn(cue.answer);
    const agrees =
      cue.otherAgreement !== null &&
      agreement !== null &&
      polarityOf(cue.otherAgreement) === polarityOf(agreement);
    const reply =
      cue.otherAgreement === null
        ? []
        : [pick(agrees ? phrases.reply_agree : phrases.reply_differ, cue.seed, 'reply')];
    return [...reply, position, ...reasons].slice(0, Math.max(3, cue.sentences)).join(' ');
  },
  moderator: (cue) =>
    fill(pick(phrasesIn(cue.language).moderator, cue.seed), { statement: bare(cue.statement) }),
  private: (cue) => {
    const reason = opinionSentence(cue.language, cue.statement, cue.answer, cue.seed);
    return JSON.stringify(cue.answer ? { answer: cue.answer.code, reason } : { reason });
  },
  extract: (cue) => {
    const phrases = phrasesIn(cue.language);
    const asks = (field: string): boolean => cue.asks.includes(field);
    const opinions = cue.turns.flatMap(({ idx, text }) => {
      const position = positionIn(phrases, text);
      const rest = position && text.slice(position.start).trim();
      const quote = cue.choices
        ? cue.choices.find((choice) => position && text.includes(choice) && positionIn(phrases, choice))
        : rest;
      if (!position || !quote) return [];
      const invented = !cue.choices && uniform(cue.seed, idx, 'quote') < faulty.quote;
      const kind = pick(['belief', 'norm', 'custom'], cue.seed, idx);
      const chance = (of: string): number => uniform(cue.seed, idx, of);
      return [
        {
          ...(cue.choices ? {} : { turn: idx }),
          quote: invented ? `${quote.slice(0, 12)} (${cue.seed})` : quote,
          ...(cue.choices ? {} : { opinion: rest }),
          polarity: position.level ? polarityOf(agreementOf[position.level]) : 'unknown',
          class: kind,
          ...(asks('subtype') ? { subtype: pick(cue.subtypes[kind] ?? [], cue.seed, idx, 'subtype') } : {}),
          ...(asks('extends') ? { extends: chance('extends') < faulty.extends } : {}),
          ...(asks('flags') ? { flags: flagNames.filter((flag) => chance(flag) < faulty.flag) } : {}),
        },
      ];
    });
    const understood = cue.turns.map(({ idx }) => idx).filter((idx) => uniform(cue.seed, idx, 'heard') < 0.5);
    return JSON.stringify({ opinions, ...(asks('understanding') ? { understanding: understood } : {}) });
  },
  verify: (cue) => {
    const phrases = phrasesIn(cue.language);
    const verdicts = cue.opinions.map(({ text, rewritten }, at) => {
      const position = positionIn(phrases, text);
      if (!position) return 'irrelevant';
      const luck = rewritten ? 1 : uniform(cue.seed, text, at);
      if (luck < faulty.contradict) return 'contradict';
      if (luck < faulty.contradict + faulty.irrelevant) return 'irrelevant';
      const agreement = cue.agreements[at] ?? null;
      if (agreement === null || !position.level) return 'entail';
      return polarityOf(agreementOf[position.level]) === polarityOf(agreement) ? 'entail' : 'contradict';
    });
    return JSON.stringify({ verdicts: verdicts.map((verdict, at) => ({ opinion: at + 1, verdict })) });
  },
  gate: (cue) => {
    const luck = uniform(cue.seed, 'gate');
    const shown = luck < 0.06 ? 'stated' : luck < 0.08 ? 'absent' : 'shown';
    const consistent = uniform(cue.seed, 'consistent') >= 0.05;
    return JSON.stringify({ shown, consistent, reason: 'Rehearsed: nobody has judged this.' });
  },
  read: (cue) => {
    const phrases = phrasesIn(cue.language);
    const letterOf = (text: string): string => {
      const position = positionIn(phrases, text);
      return (position && optionIn(cue.options, position)?.letter) ?? 'none';
    };
    return JSON.stringify(Object.fromEntries(cue.texts.map(({ name, text }) => [name, letterOf(text)])));
  },
  rewrite: (cue) => {
    const rewrites = cue.opinions.map((_, at) => {
      const seed = `${cue.seed} rewrite ${at}`;
      const sentence = opinionSentence(cue.language, cue.statement, cue.answers[at] ?? null, seed);
      return {
        opinion: at + 1,
        text: `${sentence} ${reasonsFor(phrasesIn(cue.language), cue.theme, seed, '')[0] ?? ''}`,
      };
    });
    return JSON.stringify({ rewrites });
  },
};

function perform(cue: Rehearsal): string {
  return (plays[cue.kind] as Play<Rehearsal['kind']>)(cue as never);
}

const agreementOf: Record<Level, number> = {
  strong_agree: 1,
  agree: 0.7,
  middle: 0.5,
  disagree: 0.3,
  strong_disagree: 0,
};

function levelOf(agreement: number): Level {
  if (agreement === 0.5) return 'middle';
  if (agreement > 0.5) return agreement > 0.85 ? 'strong_agree' : 'agree';
  return agreement < 0.15 ? 'strong_disagree' : 'disagree';
}

const bare = (statement: string): string => statement.replace(/[.。।]$/u, '');

type Placed = Pick<Option, 'code' | 'agreement'>;

const agreementIn = ({ code, options }: Answered): number | null =>
  options.find((option) => option.code === code)?.agreement ?? null;

/** The answers from the one most against the statement to the one most for it; null where they have no order. */
function inOrder<T extends Placed>(options: readonly T[]): (T & { agreement: number })[] | null {
  const placed = options.filter((one): one is T & { agreement: number } => one.agreement !== null);
  if (placed.length < options.length) return null;
  return placed.toSorted((a, b) => a.agreement - b.agreement || a.code - b.code);
}

/** Whether five levels are enough to tell a scale's answers apart. */
const levelsTell = (ordered: readonly { agreement: number }[]): boolean =>
  new Set(ordered.map(({ agreement }) => levelOf(agreement))).size === ordered.length;

/**
 * A position in words: how strongly the speaker agrees, with its place on a scale whose answers the five levels do not
 * tell apart, as in "(7/10)"; or its choice, where the answers have no order. Without a stance the words are any.
 */
function opinionSentence(language: string, statement: string, answer: Answered | null, seed: string): string {
  const phrases = phrasesIn(language);
  const ordered = answer && inOrder(answer.options);
  if (answer && !ordered) {
    const places = { code: answer.code, answer: bare(answer.label) || answer.code };
    return fill(pick(phrases.choice, seed, 'choice'), places);
  }
  const agreement = (answer && agreementIn(answer)) ?? uniform(seed, 'no stance');
  const text = fill(pick(phrases.position[levelOf(agreement)], seed, 'position'), {
    statement: bare(statement),
  });
  const [, words, end] = /^(.*?)([.。।!?]["”»」』]?)?$/su.exec(text) as unknown as [string, string, string?];
  const place = ordered && ordered.findIndex(({ code }) => code === answer?.code) + 1;
  const mark = place && !levelsTell(ordered) ? ` (${place}/${ordered.length})` : '';
  return `${words}${mark}${end ?? (language === 'zh' ? '。' : language === 'bn' ? '।' : '.')}`;
}

/** Two different reasons, the first telling the opinion from others of its level. */
function reasonsFor(phrases: Phrases, theme: string, seed: string, country: string): string[] {
  const bank = phrases.reasons[theme] ?? Object.values(phrases.reasons).flat();
  const first = Math.floor(uniform(seed, 'reason') * bank.length);
  const second =
    (first + 1 + Math.floor(uniform(seed, 'second reason') * Math.max(1, bank.length - 1))) % bank.length;
  return [...new Set([first, second])].map((at) => (bank[at] as string).replaceAll('{{country}}', country));
}

/** Where a text takes its position, and what it says of it. */
interface Position {
  start: number;
  /** None where it names its choice among answers without an order. */
  level?: Level;
  code?: number;
  /** Place and length of the scale, where the text gives them. */
  place?: readonly [place: number, of: number];
}

/** The position that a text takes, by the fixed words of the phrases. */
function positionIn(phrases: Phrases, text: string): Position | undefined {
  for (const level of levels) {
    for (const template of phrases.position[level]) {
      const [before = '', after = ''] = template.split('{{statement}}');
      const start = text.indexOf(before.trim().length > 3 ? before.trim() : after.trim());
      if (start < 0) continue;
      // The statement may hold such a figure too; the place comes after it.
      const place = [...text.matchAll(/ \((\d+)\/(\d+)\)/g)].at(-1);
      return {
        start: before.trim().length > 3 ? start : 0,
        level,
        ...(place ? { place: [Number(place[1]), Number(place[2])] } : {}),
      };
    }
  }
  for (const template of phrases.choice) {
    const [before = ''] = template.split('{{code}}');
    const start = text.indexOf(before.trim());
    const code = start >= 0 && /^\s*(-?\d+)/.exec(text.slice(start + before.trim().length))?.[1];
    if (code) return { start, code: Number(code) };
  }
  return undefined;
}

/** The answer that a position is, or the nearest on its side; a scale without a middle has none for a position in the middle. */
function optionIn<T extends Placed>(options: readonly T[], { level, code, place }: Position): T | undefined {
  const ordered = inOrder(options);
  if (!ordered) return options.find((option) => option.code === code);
  if (!level) return undefined;
  if (levelsTell(ordered)) {
    const own = ordered.find(({ agreement }) => levelOf(agreement) === level);
    if (own) return own;
  } else if (place?.[1] === ordered.length) return ordered[place[0] - 1];
  const near = ({ agreement }: { agreement: number }): number => Math.abs(agreement - agreementOf[level]);
  return ordered
    .filter(({ agreement }) => polarityOf(agreement) === polarityOf(agreementOf[level]))
    .toSorted((a, b) => near(a) - near(b))[0];
}
