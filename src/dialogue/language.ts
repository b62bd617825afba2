const scripts: Record<string, RegExp> = {
  ar: /\p{Script=Arabic}/gu,
  bn: /\p{Script=Bengali}/gu,
  ko: /\p{Script=Hangul}/gu,
  zh: /\p{Script=Han}/gu,
};
const letters = /\p{L}/gu;

/** Frequent small words of our languages in Latin script, without those that another of these has too. */
const smallWords = new Map(
  Object.entries({
    de: 'und das ich nicht ist mein meine ein eine einen zu mit auf für sie wir aber auch dem sind',
    en: 'the and of that my are you with they this is have not but because it what your',
    es: 'el los las y mi una con pero muy del son lo tu está más',
    pt: 'não uma em meu minha seu sua você é mas muito são isso mais quem nós',
    tr: 've bir bu için çok değil ama ne gibi olarak daha kadar ile şey benim var',
  }).map(([language, words]) => [language, new Set(words.split(' '))]),
);

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/**
 * Whether a text is written in another language than this one (ISO 639-1): less than half of its letters are of the
 * language's script, or, among languages of Latin script, the small words of another one prevail. Too short a text
 * without such words passes.
 */
export function isInAnotherLanguage(text: string, language: string): boolean {
  const all = count(text, letters);
  if (all > 0 && count(text, scripts[language] ?? /\p{Script=Latin}/gu) / all < 0.5) return true;
  const own = smallWords.get(language);
  if (!own) return false;
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const found = (of: ReadonlySet<string>): number => words.filter((word) => of.has(word)).length;
  const most = Math.max(...[...smallWords].map(([other, of]) => (other === language ? 0 : found(of))));
  return most >= 3 && most > 2 * found(own);
}
