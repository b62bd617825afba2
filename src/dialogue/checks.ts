import { isDisclaimer } from './disclaimer.ts';
import { isInAnotherLanguage } from './language.ts';
import type { Dialogue, Participant, Turn } from './types.ts';

/** Ways in which a reply leaves its role. */
export type RoleBreak =
  'assistant-disclaimer' | 'speaks-for-other' | 'wrong-language' | 'copy' | 'repeats-prompt';

/** Bytes from which words that stand in the prompt are no chance: 40 Latin letters, 13 of Han or Hangul. */
const LONG = 40;

const squeeze = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim();

/** What is wrong with a reply, as far as its words show it; undefined for a sound one. */
export function roleBreak(
  dialogue: Dialogue,
  speaker: Participant,
  turns: readonly Turn[],
  prompt: string,
  text: string,
): RoleBreak | undefined {
  if (isDisclaimer(text)) return 'assistant-disclaimer';
  if (speaksForOther(dialogue, speaker, text)) return 'speaks-for-other';
  if (isInAnotherLanguage(text, dialogue.language)) return 'wrong-language';
  const plain = squeeze(text);
  if (turns.some((turn) => turn.kind === 'public' && squeeze(turn.text) === plain)) return 'copy';
  if (Buffer.byteLength(plain) >= LONG && squeeze(prompt).includes(plain)) return 'repeats-prompt';
  return undefined;
}

/** A line that begins with another participant's name, or the moderator's, and a colon. */
function speaksForOther(dialogue: Dialogue, speaker: Participant, text: string): boolean {
  const others = dialogue.participants.flatMap(({ seat, persona }) => {
    const name = persona?.name ?? dialogue.prompts.moderator_name;
    return seat !== speaker.seat && name !== speaker.persona?.name ? [name] : [];
  });
  return text.split('\n').some((line) => {
    const start = line.replace(/^[\s\p{Cf}*_"“”„«»#>-]+/u, '');
    return others.some(
      (name) =>
        start.startsWith(name) && /^[*_\s]*(\([^)]{0,40}\))?[*_\s]*[:：]/u.test(start.slice(name.length)),
    );
  });
}
