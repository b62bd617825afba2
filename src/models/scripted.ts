import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { pick, uniform } from '../ids.ts';
import { packageRoot } from '../paths.ts';
import { fill } from '../fill.ts';
import { readYaml } from '../yaml-file.ts';
import type { ChatModel } from './port.ts';
import { polarityOf, type Rehearsal } from './rehearsal.ts';

const lines = z.array(z.string().min(1)).min(1);
const levels = ['strong_agree', 'agree', 'middle', 'disagree', 'strong_disagree'] as const;
type Level = (typeof levels)[number];

const phrasesSchema = z.strictObject({
  language: z.string(),
  position: z.strictObject(
    Object.fromEntries(levels.map((level) => [level, lines])) as Record<Level, typeof lines>,
  ),
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
    const position = opinionSentence(
      cue.language,
      cue.statement,
      cue.agreement ?? uniform(cue.seed, 'no stance'),
      cue.seed,
    );
    const reasons = reasonsFor(phrases, cue.theme, cue.seed, cue.country);
    const agrees =
      cue.otherAgreement !== null &&
      cue.agreement !== null &&
      polarityOf(cue.otherAgreement) === polarityOf(cue.agreement);
    const reply =
      cue.otherAgreement === null
        ? []
        : [pick(agrees ? phrases.reply_agree : phrases.reply_differ, cue.seed, 'reply')];
    return [...reply, position, ...reasons].slice(0, Math.max(3, cue.sentences)).join(' ');
  },
  moderator: (cue) =>
    fill(pick(phrasesIn(cue.language).moderator, cue.seed), { statement: bare(cue.statement) }),
  private: (cue) => {
    const reason = opinionSentence(cue.language, cue.statement, cue.agreement ?? 0.5, cue.seed);
    return JSON.stringify(cue.code === null ? { reason } : { answer: cue.code, reason });
  },
  extract: (cue) => {
    const phrases = phrasesIn(cue.language);
    const asks = (field: string): boolean => cue.asks.includes(field);
    const opinions = cue.turns.flatMap(({ idx, text }) => {
      const level = levelIn(phrases, text);
      const rest = level && text.slice(level.start).trim();
      const quote = cue.choices
        ? cue.choices.find((choice) => level && text.includes(choice) && levelIn(phrases, choice))
        : rest;
      if (!level || !quote) return [];
      const invented = !cue.choices && uniform(cue.seed, idx, 'quote') < faulty.quote;
      const kind = pick(['belief', 'norm', 'custom'], cue.seed, idx);
      const chance = (of: string): number => uniform(cue.seed, idx, of);
      return [
        {
          ...(cue.choices ? {} : { turn: idx }),
          quote: invented ? `${quote.slice(0, 12)} (${cue.seed})` : quote,
          ...(cue.choices ? {} : { opinion: rest }),
          polarity: polarityOf(agreementOf[level.name]),
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
      const level = levelIn(phrases, text);
      if (!level) return 'irrelevant';
      const luck = rewritten ? 1 : uniform(cue.seed, text, at);
      if (luck < faulty.contradict) return 'contradict';
      if (luck < faulty.contradict + faulty.irrelevant) return 'irrelevant';
      const agreement = cue.agreements[at] ?? null;
      if (agreement === null) return 'entail';
      return polarityOf(agreementOf[level.name]) === polarityOf(agreement) ? 'entail' : 'contradict';
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
      const level = levelIn(phrases, text);
      const agreement = level && agreementOf[level.name];
      if (agreement === undefined) return 'none';
      // An answer on the phrase's side, the nearest; a scale without a middle has none for a phrase in the middle.
      const distance = (option: { agreement: number | null }): number =>
        option.agreement === null || polarityOf(option.agreement) !== polarityOf(agreement)
          ? Infinity
          : Math.abs(option.agreement - agreement);
      const [nearest] = cue.options.toSorted((a, b) => distance(a) - distance(b));
      return nearest && distance(nearest) < Infinity ? nearest.letter : 'none';
    };
    return JSON.stringify(Object.fromEntries(cue.texts.map(({ name, text }) => [name, letterOf(text)])));
  },
  rewrite: (cue) => {
    const rewrites = cue.opinions.map((_, at) => {
      const seed = `${cue.seed} rewrite ${at}`;
      const sentence = opinionSentence(cue.language, cue.statement, cue.agreements[at] ?? 0.5, seed);
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

function opinionSentence(language: string, statement: string, agreement: number, seed: string): string {
  const template = pick(phrasesIn(language).position[levelOf(agreement)], seed, 'position');
  const text = fill(template, { statement: bare(statement) });
  return /[.。।!?]["”»」』]?$/u.test(text)
    ? text
    : `${text}${language === 'zh' ? '。' : language === 'bn' ? '।' : '.'}`;
}

/** Two different reasons, the first telling the opinion from others of its level. */
function reasonsFor(phrases: Phrases, theme: string, seed: string, country: string): string[] {
  const bank = phrases.reasons[theme] ?? Object.values(phrases.reasons).flat();
  const first = Math.floor(uniform(seed, 'reason') * bank.length);
  const second =
    (first + 1 + Math.floor(uniform(seed, 'second reason') * Math.max(1, bank.length - 1))) % bank.length;
  return [...new Set([first, second])].map((at) => (bank[at] as string).replaceAll('{{country}}', country));
}

/** The level whose fixed words stand in a text, and where they begin. */
function levelIn(phrases: Phrases, text: string): { name: Level; start: number } | undefined {
  for (const name of levels) {
    for (const template of phrases.position[name]) {
      const [before = '', after = ''] = template.split('{{statement}}');
      const start = text.indexOf(before.trim().length > 3 ? before.trim() : after.trim());
      if (start >= 0) return { name, start: before.trim().length > 3 ? start : 0 };
    }
  }
  return undefined;
}
