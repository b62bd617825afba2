import type { Dialogue, Turn } from '../../src/dialogue/types.ts';
import { loadRefinementPrompts } from '../../src/refinement/prompts.ts';
import type { Scene } from '../../src/refinement/scene.ts';
import type { Opinion } from '../../src/refinement/types.ts';
import { first } from '../dialogue/staged.ts';

const { prompts } = loadRefinementPrompts();

/** A dialogue with these words, seat after seat; `change` alters single turns. */
export function sceneOf(
  dialogue: Dialogue,
  texts: readonly string[],
  change: Record<number, Partial<Turn>> = {},
): Scene {
  const seats = dialogue.participants.length;
  const turns = texts.map((text, idx): Turn => {
    const seat = change[idx]?.seat ?? idx % seats;
    const personaId = dialogue.participants[seat]?.persona?.id ?? null;
    return {
      dialogueId: dialogue.id,
      idx,
      seat,
      personaId,
      kind: 'public',
      text,
      callId: `c${idx}`,
      flags: [],
      ...change[idx],
    };
  });
  return { dialogue, turns, prompts };
}

export const turkish = first('cultures: [turkish]\ntopics: [Q27]\nturns: 4');
export const inCultural = first('cultures: [turkish]\ntopics: [Q27]\npairing: in-cultural\nturns: 4');

export const from = { callId: 'call', stageRunId: 'stage', stageKey: 'settings', model: 'model' };

/** An opinion of the delegate (or another seat) of a dialogue. */
export function opinionOf(
  dialogue: Dialogue,
  id: string,
  more: Partial<Opinion> & { seat?: number } = {},
): Opinion {
  const { seat = 1, ...rest } = more;
  return {
    id,
    key: `key ${id}`,
    dialogueId: dialogue.id,
    turnIdx: seat,
    personaId: dialogue.participants[seat]?.persona?.id as string,
    text: `Opinion ${id}.`,
    quote: `Opinion ${id}.`,
    quoteStart: 0,
    quoteEnd: 9,
    alignment: null,
    class: 'belief',
    subtype: null,
    extendsTopic: null,
    flags: null,
    polarity: 'agree',
    rewriteOf: null,
    callId: 'call',
    stageRunId: 'stage',
    ...rest,
  };
}
