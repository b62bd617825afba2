/** Begins a sentence: "better than an AI" and "cosas como inteligencia artificial" are talk about it, not a disclaimer. */
const START = String.raw`(?<=^|[.!?…:;\n"“”„«»¿¡(]\s*)`;
const END = String.raw`(?!\p{L})`;

/**
 * "As an AI", "I am a language model" in every language of ours. People talk about AI too (the survey has a theme of
 * science), work as assistants and begin a Portuguese sentence with "Como ia dizendo": such words count only in a form
 * that nobody uses of oneself.
 */
const disclaimers: readonly RegExp[] = [
  // English
  String.raw`(?<!\p{L})(as|i am|i['’]m)( just| only| merely)? an? (ai|artificial intelligence|((large|ai) )*language model)${END}`,
  String.raw`(?<!\p{L})(as|i am|i['’]m)( just| only| merely)? an? ((virtual|digital|helpful|ai) )+assistant${END}`,
  String.raw`(?<!\p{L})(as|i am|i['’]m)( just| only| merely)? an? assistant(?=\s*([.,;!?]|$))`,
  // German
  String.raw`(${START}|(?<=[,\s](ich|mir|mich) )|(?<=, ))als (eine )?(ki|künstliche intelligenz)${END}`,
  String.raw`(?<!\p{L})als (ein )?(großes )?(ki-)?sprachmodell${END}`,
  String.raw`(?<!\p{L})(ich bin|bin ich)( ja| nur| bloß| lediglich)* (eine? )?((ki|künstliche intelligenz|sprachmodell)${END}|ki-(assistent|modell|sprachmodell))`,
  // Spanish and Portuguese
  String.raw`(${START}|(?<=(yo|eu|pero|mas),? ))como (una|uma) (ia|inteligencia artificial|inteligência artificial)${END}`,
  String.raw`(${START}|(?<=(yo|eu),? ))como (inteligencia artificial|inteligência artificial)${END}`,
  String.raw`(?<!\p{L})como (un |um )?(gran )?modelo de (lenguaje|linguagem|língua)${END}`,
  String.raw`(?<!\p{L})(soy|sou)( solo| sólo| solamente| apenas| só)? (una?|uma?) (ia|inteligencia artificial|inteligência artificial|modelo de (lenguaje|linguagem|língua)|(asistente|assistente) (virtual|de ia))${END}`,
  // Turkish
  String.raw`(yapay zek[aâ]|dil modeli)( modeli| asistanı)? olarak(?! (bilinen|adlandır|tanımla))${END}`,
  String.raw`(yapay zek[aâ]y|(yapay zek[aâ] asistanı|dil modeli)y)[ıi]m${END}`,
  // Chinese
  String.raw`(作为|我(只)?是)(一个|一名|一款|一种|个)?(大型?)?(ai|人工智能|语言模型)(?!时代|行业|领域|专家|工程师|研究|公司|技术)`,
  // Korean
  String.raw`(ai|인공지능|언어 ?모델)( 모델| 비서| 어시스턴트)?으?로서`,
  String.raw`(저는|나는|제가|내가)[^.!?\n]{0,20}(ai|인공지능|언어 ?모델)( 모델| 비서| 어시스턴트)?(입니다|이에요|예요|이기 때문|이라서|라서|이므로)`,
  '언어 ?모델',
  // Arabic
  'ك(نموذج لغوي|نموذج لغة|ذكاء اصطناعي|مساعد (ذكي|افتراضي|رقمي))',
  '(بصفتي|باعتباري|لكوني|كوني|أنا)( مجرد)? (نموذج(ا|ًا)? (لغوي|لغة|ذكاء)|ذكاءً? اصطناعي|مساعد(ا|ًا)? (ذكي|افتراضي|رقمي))',
  // Bengali
  '(এআই|কৃত্রিম বুদ্ধিমত্তা|ভাষা মডেল)( মডেল| সহকারী)? (হিসেবে|হিসাবে)',
  String.raw`আমি (শুধু |কেবল )?(একটি|একজন) (এআই|কৃত্রিম বুদ্ধিমত্তা|ভাষা মডেল)(?=\s*([।,.!;]|$|মডেল|সহকারী|ভাষা মডেল))`,
].map((pattern) => new RegExp(pattern, 'imu'));

/** "Como IA": told from Portuguese "como ia" (as I was going) by its capitals. */
const capitals = new RegExp(String.raw`(${START}|(?<=([Yy]o|[Ee]u),? ))[Cc]omo IA${END}`, 'mu');

/** Whether a text says that a model speaks, not a person. */
export function isDisclaimer(text: string): boolean {
  return capitals.test(text) || disclaimers.some((pattern) => pattern.test(text));
}
