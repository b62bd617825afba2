import { z } from 'zod';
import { shortId } from '../ids.ts';
import type { ChatRequest } from '../models/port.ts';
import { cachedSchema, replySchema } from '../models/reply.ts';
import { fill } from '../fill.ts';
import { ground } from './ground.ts';
import type { ExtractAsk } from './prompts.ts';
import { harvested, hasSides, languageName, nameOf, transcriptOf, type Scene } from './scene.ts';
import { opinionClasses, opinionFlags, subtypes, type Opinion, type OpinionFlag } from './types.ts';

const MAX_A_TURN = 3;
const polarities = ['agree', 'middle', 'disagree', 'unknown'] as const;

/** How quotes are given: copied from the turn, or chosen among its sentences. */
export type QuoteMode = 'copy' | 'choose';

const allSubtypes = [...new Set(Object.values(subtypes).flat())] as [string, ...string[]];

/** `optional`: a reply that leaves out what is asked beside the words is of use too; what it does not say stays unknown. */
function copiedShape(turns: readonly number[], asks: readonly ExtractAsk[], optional: boolean) {
  const turn = z.literal(turns as [number, ...number[]]);
  const beside = <T extends z.ZodType>(ask: ExtractAsk, type: T) =>
    asks.includes(ask) ? { [ask]: optional ? type.optional() : type } : {};
  const opinion = z.strictObject({
    turn,
    quote: z.string().max(1000),
    opinion: z.string().max(1000),
    polarity: z.enum(polarities),
    class: z.enum(opinionClasses),
    ...beside('subtype', z.enum(allSubtypes)),
    ...beside('extends', z.boolean()),
    ...beside('flags', z.array(z.enum(opinionFlags)).max(opinionFlags.length)),
  });
  return z.strictObject({
    opinions: z.array(opinion).max(turns.length * MAX_A_TURN),
    ...beside('understanding', z.array(turn).max(turns.length)),
  });
}

const copied = (turns: readonly number[], asks: readonly ExtractAsk[]) =>
  cachedSchema(
    'opinions',
    [...turns, ...asks],
    () => copiedShape(turns, asks, false),
    () => copiedShape(turns, asks, true),
  );

const chosen = (sentences: readonly string[], turns: number) => {
  const opinion = z.strictObject({
    quote: z.enum(sentences as [string, ...string[]]),
    polarity: z.enum(polarities),
    class: z.enum(opinionClasses),
  });
  return replySchema('opinions', z.strictObject({ opinions: z.array(opinion).min(1).max(turns) }));
};

/** Sentences of the harvested turns that can carry an opinion, each once, with the turn that they stand in. */
function sentencesOf(scene: Scene): Map<string, number> {
  const segmenter = new Intl.Segmenter(scene.dialogue.language, { granularity: 'sentence' });
  const found = new Map<string, number>();
  for (const turn of harvested(scene)) {
    for (const { segment } of segmenter.segment(turn.text)) {
      const sentence = segment.trim();
      // In bytes: a sentence of 12 Latin letters says little, one of 12 in Han says much.
      if (Buffer.byteLength(sentence) < 12 || /[?？؟]\p{P}*$/u.test(sentence)) continue;
      if (!found.has(sentence)) found.set(sentence, turn.idx);
    }
  }
  return found;
}

/** An entry of a reply, checked against its schema when it came; where a sentence was chosen it is the opinion, and tells its turn. */
interface Extracted {
  turn?: number;
  quote: string;
  opinion?: string;
  polarity: (typeof polarities)[number];
  class: (typeof opinionClasses)[number];
  subtype?: string;
  extends?: boolean;
  flags?: OpinionFlag[];
}

/** The subtypes as the prompt names them. */
const subtypeWords = opinionClasses.map((name) => `${subtypes[name].join(', ')} (${name})`).join('; ');

/** One structured call for a dialogue, or a window of it; null where nothing is to be harvested. The extractor never sees a stance. */
export function planExtract(
  scene: Scene,
  settings: { maxTokens: number; quotes: QuoteMode },
): ChatRequest | null {
  const turns = harvested(scene);
  const choose = settings.quotes === 'choose';
  const sentences = choose ? [...sentencesOf(scene).keys()] : [];
  if (turns.length === 0 || (choose && sentences.length === 0)) return null;
  const { dialogue } = scene;
  const prompts = choose ? scene.prompts.extract_by_choice : scene.prompts.extract;
  const asks = (!choose && scene.prompts.extract.asks) || [];
  const user = fill(prompts.user, {
    statement: dialogue.words.statement,
    transcript: transcriptOf(scene),
    speakers: [...new Set(turns.map((turn) => nameOf(scene, turn.seat)))].join(', '),
    turns: turns.map((turn) => turn.idx).join(', '),
    language: languageName(dialogue.language),
    subtypes: subtypeWords,
  });
  return {
    messages: [
      { role: 'system', text: prompts.system },
      { role: 'user', text: user },
    ],
    schema: choose
      ? chosen(sentences, turns.length)
      : copied(
          turns.map((turn) => turn.idx),
          asks,
        ).schema,
    sampling: { temperature: 0 },
    maxTokens: settings.maxTokens,
    rehearsal: {
      kind: 'extract',
      choices: choose ? sentences : null,
      asks,
      subtypes,
      seed: dialogue.key,
      turns: turns.map(({ idx, text }) => ({ idx, text })),
      language: dialogue.language,
      statement: dialogue.words.statement,
    },
  };
}

/**
 * The opinions of a reply, each grounded in its turn: the quote becomes the true span of the turn's words, or null where
 * they do not stand there. Equal opinions of one turn are one, the first that is grounded.
 */
export function applyExtract(
  scene: Scene,
  reply: string,
  from: { callId: string; stageRunId: string; stageKey: string },
): Opinion[] {
  const turns = new Map(harvested(scene).map((turn) => [turn.idx, turn]));
  const sentences = sentencesOf(scene);
  const sides = hasSides(scene);
  const opinions = (JSON.parse(reply) as { opinions: Extracted[] }).opinions.map((one) => ({
    ...one,
    turn: one.turn ?? sentences.get(one.quote) ?? -1,
    opinion: one.opinion ?? one.quote,
  }));
  const found = new Map<string, Opinion>();
  for (const one of opinions) {
    const { turn: idx, quote, opinion, polarity, class: kind } = one;
    const turn = turns.get(idx);
    const text = opinion.replace(/\s+/g, ' ').trim();
    if (!turn?.personaId || text === '') continue;
    const span = ground(turn.text, quote);
    const key = shortId(scene.dialogue.key, 'opinion', from.stageKey, idx, text);
    if (found.has(key) && (found.get(key)?.quote !== null || !span)) continue;
    found.set(key, {
      id: shortId(from.stageRunId, key),
      key,
      dialogueId: scene.dialogue.id,
      turnIdx: idx,
      personaId: turn.personaId,
      text,
      quote: span ? turn.text.slice(span.start, span.end) : null,
      quoteStart: span?.start ?? null,
      quoteEnd: span?.end ?? null,
      alignment: span?.score ?? null,
      class: kind,
      // One that belongs to another class says nothing.
      subtype: (subtypes[kind] as readonly string[]).find((name) => name === one.subtype) ?? null,
      extendsTopic: one.extends ?? null,
      flags: one.flags ? opinionFlags.filter((flag) => one.flags?.includes(flag)) : null,
      polarity: sides ? polarity : 'unknown',
      rewriteOf: null,
      callId: from.callId,
      stageRunId: from.stageRunId,
    });
  }
  return [...found.values()];
}

/** The harvested turns that show understanding of another culture, by a reply's own word; none where all are of one culture. */
export function understandingTurns(scene: Scene, reply: string): number[] {
  const { understanding = [] } = JSON.parse(reply) as { understanding?: number[] };
  const cultures = new Set(scene.dialogue.participants.flatMap(({ persona }) => persona?.culture ?? []));
  if (cultures.size < 2) return [];
  const listed = new Set(understanding);
  return harvested(scene)
    .map(({ idx }) => idx)
    .filter((idx) => listed.has(idx));
}
