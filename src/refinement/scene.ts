import type { CheckFlag, Dialogue, Participant, Turn } from '../dialogue/types.ts';
import { answeredBy, answerInWords, stanceOf } from '../dialogue/views.ts';
import { fill } from '../fill.ts';
import type { RefinementPrompts } from './prompts.ts';
import type { Opinion } from './types.ts';

/** What the stages work on: one dialogue with its turns. A refinement call never mixes two dialogues. */
export interface Scene {
  dialogue: Dialogue;
  turns: readonly Turn[];
  prompts: RefinementPrompts;
}

/** Only delegates are harvested, in what the others heard, and not where a turn broke its role or is off its stance. */
export function harvested({ dialogue, turns }: Scene): Turn[] {
  return turns.filter(
    (turn) =>
      turn.kind === 'public' &&
      turn.flags.every((flag) => flag === ('unchecked' satisfies CheckFlag)) &&
      dialogue.participants[turn.seat]?.role === 'delegate',
  );
}

/** The public turns, a line each with its number and speaker, without line breaks: no turn can pass for two. */
export function transcriptOf(scene: Scene): string {
  return scene.turns
    .filter((turn) => turn.kind === 'public')
    .map((turn) => `[${turn.idx}] ${nameOf(scene, turn.seat)}: ${turn.text.replace(/\s+/g, ' ')}`)
    .join('\n');
}

export const nameOf = ({ dialogue }: Scene, seat: number): string =>
  dialogue.participants[seat]?.persona?.name ?? dialogue.prompts.moderator_name;

/** Bytes of turns that a window holds: about 15,000 tokens of Latin script. */
const WINDOW = 60_000;

/**
 * A dialogue in windows of consecutive turns, so that a very long one is no single request: one of 14 turns is always one
 * window, the whole. A turn that is longer than a window has one of its own.
 */
export function windowsOf(scene: Scene): Scene[] {
  const windows: Turn[][] = [[]];
  let bytes = 0;
  for (const turn of scene.turns) {
    const own = Buffer.byteLength(turn.text);
    if (bytes > 0 && bytes + own > WINDOW) {
      windows.push([]);
      bytes = 0;
    }
    (windows.at(-1) as Turn[]).push(turn);
    bytes += own;
  }
  return windows.length === 1 ? [scene] : windows.map((turns) => ({ ...scene, turns }));
}

function speakerOf({ dialogue }: Scene, personaId: string): Participant {
  return dialogue.participants.find(({ persona }) => persona?.id === personaId) as Participant;
}

/** Whether the speaker of an opinion has a stance on the topic. */
export const hasStance = (scene: Scene, opinion: Opinion): boolean =>
  stanceOf(scene.dialogue, speakerOf(scene, opinion.personaId)) !== null;

/** The agreement of a persona's stance with the statement, 0 to 1; null without a stance, or where its answers have no sides. */
export function agreementOf(scene: Scene, opinion: Opinion): number | null {
  return stanceOf(scene.dialogue, speakerOf(scene, opinion.personaId))?.agreement ?? null;
}

/** The answer of an opinion's speaker as the scripted model is told it; null without a stance. */
export const answerBehind = (scene: Scene, opinion: Opinion): ReturnType<typeof answeredBy> =>
  answeredBy(scene.dialogue, speakerOf(scene, opinion.personaId));

/** Whether the answers take sides of the statement; those of an imported question may not, and then no text does. */
export const hasSides = ({ dialogue }: Scene): boolean =>
  dialogue.participants.every(
    ({ scale }) => scale?.options.every(({ agreement }) => agreement !== null) ?? true,
  );

/** Opinions as a numbered list with the answers of their speakers. */
export function opinionList(scene: Scene, opinions: readonly Opinion[]): string {
  return opinions
    .map((opinion, at) => {
      const speaker = speakerOf(scene, opinion.personaId);
      const stance = stanceOf(scene.dialogue, speaker);
      return fill(scene.prompts.opinion, {
        n: at + 1,
        answer: stance ? answerInWords(scene.dialogue, speaker, stance) : '',
        opinion: opinion.text,
      });
    })
    .join('\n');
}

const languages = new Intl.DisplayNames(['en'], { type: 'language' });

/** A language's English name. */
export const languageName = (code: string): string => languages.of(code) ?? code;
