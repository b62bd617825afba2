import type { Dialogue, Participant, Turn } from './types.ts';

/** Ways in which a reply leaves its role. */
export type RoleBreak =
  'assistant-disclaimer' | 'speaks-for-other' | 'wrong-language' | 'copy' | 'repeats-prompt';

// In every language of ours: "as an AI / language model / assistant".
const disclaimer =
  /(?<!\p{L})(as an? (ai|artificial intelligence|language model|assistant)|i am an? (ai|language model|assistant)|i'm an? (ai|language model|assistant)|als (ki|sprachmodell|künstliche intelligenz)|como (una? )?(ia|ai|inteligencia artificial|inteligência artificial|modelo de (lenguaje|linguagem))|bir (yapay zek[aâ]|dil modeli))(?!\p{L})|作为(一个)?(ai|人工智能|语言模型)|인공지능(으로서|으로써)|언어 모델|كنموذج لغوي|كذكاء اصطناعي|একটি (এআই|ভাষা মডেল)/iu;

const scripts: Record<string, RegExp> = {
  ar: /\p{Script=Arabic}/gu,
  bn: /\p{Script=Bengali}/gu,
  ko: /\p{Script=Hangul}/gu,
  zh: /\p{Script=Han}/gu,
};
const letters = /\p{L}/gu;

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Share of a text's letters that belong to the language's script; 1 for a text without letters. */
function shareOfScript(text: string, language: string): number {
  const all = count(text, letters);
  return all === 0 ? 1 : count(text, scripts[language] ?? /\p{Script=Latin}/gu) / all;
}

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
  if (disclaimer.test(text)) return 'assistant-disclaimer';
  if (speaksForOther(dialogue, speaker, text)) return 'speaks-for-other';
  if (shareOfScript(text, dialogue.language) < 0.5) return 'wrong-language';
  const plain = squeeze(text);
  if (turns.some((turn) => turn.kind === 'public' && squeeze(turn.text) === plain)) return 'copy';
  if (plain.length >= 40 && squeeze(prompt).includes(plain)) return 'repeats-prompt';
  return undefined;
}

/** A line that begins with another participant's name and a colon. */
function speaksForOther(dialogue: Dialogue, speaker: Participant, text: string): boolean {
  const others = dialogue.participants.flatMap(({ seat, persona }) =>
    seat !== speaker.seat && persona && persona.name !== speaker.persona?.name ? [persona.name] : [],
  );
  return text.split('\n').some((line) => {
    const start = line.replace(/^[\s*_"“”#>-]+/u, '');
    return others.some(
      (name) =>
        start.startsWith(name) && /^[*_\s]*(\([^)]{0,40}\))?[*_\s]*[:：]/u.test(start.slice(name.length)),
    );
  });
}
