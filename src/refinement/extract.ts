import { z } from 'zod';
import { shortId } from '../ids.ts';
import type { ChatRequest } from '../models/port.ts';
import { cachedSchema } from '../models/reply.ts';
import { fill } from '../survey/texts.ts';
import { ground } from './ground.ts';
import { harvested, languageName, type Scene } from './scene.ts';
import { opinionClasses, type Opinion } from './types.ts';

const MAX_A_TURN = 3;

const shapeFor = (turns: readonly number[]) =>
  cachedSchema('opinions', turns, () =>
    z.strictObject({
      opinions: z
        .array(
          z.strictObject({
            turn: z.literal(turns as [number, ...number[]]),
            quote: z.string().max(1000),
            opinion: z.string().max(1000),
            polarity: z.enum(['agree', 'middle', 'disagree', 'unknown']),
            class: z.enum(opinionClasses),
          }),
        )
        .max(turns.length * MAX_A_TURN),
    }),
  );

/** One structured call for a dialogue; null where nothing is to be harvested. The extractor never sees a stance. */
export function planExtract(scene: Scene, limits: { maxTokens: number }): ChatRequest | null {
  const turns = harvested(scene);
  if (turns.length === 0) return null;
  const { dialogue, prompts } = scene;
  const nameOf = (seat: number): string =>
    dialogue.participants[seat]?.persona?.name ?? dialogue.prompts.moderator_name;
  const transcript = scene.turns
    .filter((turn) => turn.kind === 'public')
    .map((turn) => `[${turn.idx}] ${nameOf(turn.seat)}: ${turn.text.replace(/\s+/g, ' ')}`)
    .join('\n');
  const user = fill(prompts.extract.user, {
    statement: dialogue.words.statement,
    transcript,
    speakers: [...new Set(turns.map((turn) => nameOf(turn.seat)))].join(', '),
    turns: turns.map((turn) => turn.idx).join(', '),
    language: languageName(dialogue.language),
  });
  return {
    messages: [
      { role: 'system', text: prompts.extract.system },
      { role: 'user', text: user },
    ],
    schema: shapeFor(turns.map((turn) => turn.idx)).schema,
    sampling: { temperature: 0 },
    maxTokens: limits.maxTokens,
    rehearsal: {
      kind: 'extract',
      seed: dialogue.key,
      turns: turns.map(({ idx, text }) => ({ idx, text })),
      language: dialogue.language,
      statement: dialogue.words.statement,
    },
  };
}

/**
 * The opinions of a reply, each grounded in its turn: the quote becomes the true span of the turn's words, or null where
 * they do not stand there. Equal opinions of one turn are one.
 */
export function applyExtract(
  scene: Scene,
  reply: string,
  from: { callId: string; stageRunId: string; stageKey: string },
): Opinion[] {
  const turns = new Map(harvested(scene).map((turn) => [turn.idx, turn]));
  const { opinions } = shapeFor([...turns.keys()]).shape.parse(JSON.parse(reply));
  const found = new Map<string, Opinion>();
  for (const { turn: idx, quote, opinion, polarity, class: kind } of opinions) {
    const turn = turns.get(idx);
    const text = opinion.replace(/\s+/g, ' ').trim();
    if (!turn?.personaId || text === '') continue;
    const span = ground(turn.text, quote);
    const key = shortId(scene.dialogue.key, 'opinion', from.stageKey, idx, text);
    if (found.has(key)) continue;
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
      class: kind,
      subtype: null,
      polarity,
      rewriteOf: null,
      callId: from.callId,
      stageRunId: from.stageRunId,
    });
  }
  return [...found.values()];
}
