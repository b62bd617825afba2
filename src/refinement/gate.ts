import { z } from 'zod';
import { answerInWords, stanceOf } from '../dialogue/views.ts';
import { fill } from '../fill.ts';
import { contentHash } from '../ids.ts';
import type { ChatRequest } from '../models/port.ts';
import { replySchema } from '../models/reply.ts';
import { findFile } from '../paths.ts';
import { parseYaml, readText } from '../yaml-file.ts';
import { harvested, transcriptOf, type Scene } from './scene.ts';

const text = z.string().min(1);

/** `agents/prompts/gate.yaml`. */
const gatePromptsSchema = z.strictObject({
  version: z.number().int().positive(),
  review: text,
  gate: z.strictObject({ system: text, user: text }),
  person: text,
  answer: text,
});

export type GatePrompts = z.output<typeof gatePromptsSchema>;

export const gatePromptName = 'gate.yaml';

/** Reads the gate's prompts, the user's before the package's; `stored` is the text that a resumed run keeps. */
export function loadGatePrompts(stored?: string): {
  prompts: GatePrompts;
  file: { name: string; version: number; hash: string; text: string };
} {
  const path = findFile('agents', 'prompts', gatePromptName) as string;
  const content = stored ?? readText(path);
  const { value } = parseYaml(content, path, gatePromptsSchema);
  const file = { name: gatePromptName, version: value.version, hash: contentHash(content), text: content };
  return { prompts: value, file };
}

const shape = z.strictObject({
  shown: z.enum(['shown', 'stated', 'absent']),
  consistent: z.boolean(),
  reason: z.string().max(400),
});
const schema = replySchema('gate', shape);

/** What the gate found of a dialogue: whether values are shown, only stated or absent, and whether its people are consistent. */
export type GateResult = z.output<typeof shape>;

/** One call a dialogue: are values shown, consistently, and not merely stated (after CQ-Bench, arXiv 2504.01127)? Null where nothing is harvested. */
export function planGate(
  scene: Scene,
  prompts: GatePrompts,
  limits: { maxTokens: number },
): ChatRequest | null {
  const { dialogue } = scene;
  const seats = [...new Set(harvested(scene).map(({ seat }) => seat))].sort((a, b) => a - b);
  if (seats.length === 0) return null;
  const people = seats.flatMap((seat) => {
    const participant = dialogue.participants[seat];
    if (!participant?.persona) return [];
    const stance = stanceOf(dialogue, participant);
    const answer = stance
      ? fill(prompts.answer, { answer: answerInWords(dialogue, participant, stance) })
      : '';
    return [fill(prompts.person, { name: participant.persona.name, answer })];
  });
  const user = fill(prompts.gate.user, {
    statement: dialogue.words.statement,
    people: people.join('\n'),
    transcript: transcriptOf(scene),
  });
  return {
    messages: [
      { role: 'system', text: prompts.gate.system },
      { role: 'user', text: user },
    ],
    schema,
    sampling: { temperature: 0 },
    maxTokens: limits.maxTokens,
    rehearsal: { kind: 'gate', seed: dialogue.key },
  };
}

export const applyGate = (reply: string): GateResult => {
  const { reason, ...found } = shape.parse(JSON.parse(reply));
  return { ...found, reason: reason.replace(/\s+/g, ' ').trim() };
};

/** Why the gate keeps a dialogue's opinions out; null where it lets them pass. No result is no pass. */
export function gateFault(result: Pick<GateResult, 'shown' | 'consistent'> | undefined): string | null {
  if (!result) return 'no gate result';
  if (result.shown !== 'shown') return result.shown === 'stated' ? 'values only stated' : 'values not shown';
  return result.consistent ? null : 'values inconsistent';
}
