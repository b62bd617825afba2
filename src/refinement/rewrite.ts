import { z } from 'zod';
import { shortId } from '../ids.ts';
import type { ChatRequest } from '../models/port.ts';
import { cachedSchema } from '../models/reply.ts';
import { fill } from '../fill.ts';
import { answerBehind, languageName, opinionList, type Scene } from './scene.ts';
import type { Opinion } from './types.ts';

const shapeFor = (n: number) =>
  cachedSchema('rewrites', [n], () =>
    z.strictObject({
      rewrites: z
        .array(z.strictObject({ opinion: z.int().min(1).max(n), text: z.string().max(1000) }))
        .max(n),
    }),
  );

/** Asks for minimal rewrites of the contradictions of one dialogue; null where there are none. */
export function planRewrite(
  scene: Scene,
  contradictions: readonly Opinion[],
  limits: { maxTokens: number },
): ChatRequest | null {
  if (contradictions.length === 0) return null;
  const { dialogue, prompts } = scene;
  const user = fill(prompts.rewrite.user, {
    statement: dialogue.words.statement,
    language: languageName(dialogue.language),
    opinions: opinionList(scene, contradictions),
  });
  return {
    messages: [
      { role: 'system', text: prompts.rewrite.system },
      { role: 'user', text: user },
    ],
    schema: shapeFor(contradictions.length).schema,
    sampling: { temperature: 0 },
    maxTokens: limits.maxTokens,
    rehearsal: {
      kind: 'rewrite',
      seed: dialogue.key,
      language: dialogue.language,
      theme: dialogue.topic.theme,
      statement: dialogue.words.statement,
      opinions: contradictions.map(({ text }) => text),
      answers: contradictions.map((opinion) => answerBehind(scene, opinion)),
    },
  };
}

/** Rewrites as opinions of their own: the quote stays the original's, the polarity is unread. */
export function applyRewrite(
  contradictions: readonly Opinion[],
  reply: string,
  from: { callId: string; stageRunId: string; stageKey: string },
): Opinion[] {
  const { rewrites } = shapeFor(contradictions.length).shape.parse(JSON.parse(reply));
  return contradictions.flatMap((original, at) => {
    const text = rewrites
      .find((rewrite) => rewrite.opinion === at + 1)
      ?.text.replace(/\s+/g, ' ')
      .trim();
    if (!text || text === original.text) return [];
    const key = shortId(original.key, 'rewrite', from.stageKey, text);
    return [
      {
        ...original,
        id: shortId(from.stageRunId, key),
        key,
        text,
        polarity: 'unknown' as const,
        rewriteOf: original.id,
        callId: from.callId,
        stageRunId: from.stageRunId,
      },
    ];
  });
}
