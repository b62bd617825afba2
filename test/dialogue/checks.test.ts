import { describe, expect, test } from 'vitest';
import { roleBreak } from '../../src/dialogue/checks.ts';
import type { Dialogue, Participant, Turn } from '../../src/dialogue/types.ts';
import { loadSurvey } from '../../src/survey/load.ts';
import { loadTexts } from '../../src/survey/texts.ts';
import { first, hold } from './staged.ts';

const english = first('cultures: [turkish]\ntopics: [Q27]\nturns: 4');
const inLanguage = (culture: string) =>
  first(`cultures: [${culture}]\ntopics: [Q27]\nlanguage: own\nturns: 4`);
const languages: Record<string, Dialogue> = { en: english };
for (const [language, culture] of Object.entries({
  ar: 'arabic',
  bn: 'bengali',
  de: 'german',
  es: 'spanish',
  ko: 'korean',
  pt: 'portuguese',
  tr: 'turkish',
  zh: 'chinese',
}))
  languages[language] = inLanguage(culture);

const [contact, delegate] = english.participants as [Participant, Participant];
const turn = (idx: number, seat: number, text: string, kind: Turn['kind'] = 'public'): Turn => ({
  dialogueId: english.id,
  idx,
  seat,
  personaId: null,
  kind,
  text,
  callId: `c${idx}`,
  flags: [],
});

/** What is wrong with words that the delegate says. */
const said = (text: string, language = 'en', turns: Turn[] = [], prompt = '') => {
  const dialogue = languages[language] as Dialogue;
  return roleBreak(dialogue, dialogue.participants[1] as Participant, turns, prompt, text);
};

describe('a disclaimer is found', () => {
  test.each([
    ['en', 'As an AI, I have no parents.'],
    ['en', 'Well, as an AI language model I cannot hold opinions.'],
    ['en', 'I am an AI and I have no family.'],
    ['en', "I'm just an AI assistant, but I can help."],
    ['en', 'I’m an AI, so I was never a child.'],
    ['en', 'As a large language model, I was trained on text.'],
    ['en', 'I am an assistant, so I do not have parents.'],
    ['en', 'AS AN ARTIFICIAL INTELLIGENCE I do not work.'],
    ['de', 'Als KI habe ich keine Eltern.'],
    ['de', 'Als eine künstliche Intelligenz kann ich das nicht sagen.'],
    ['de', 'Als Sprachmodell habe ich keine Meinung.'],
    ['de', 'Ich bin nur ein Sprachmodell und habe keine Familie.'],
    ['de', 'Ich bin ein KI-Assistent und habe keine Meinung.'],
    ['es', 'Como una IA, no tengo padres.'],
    ['es', 'Como IA, no tengo padres.'],
    ['es', 'Como modelo de lenguaje, no tengo opiniones.'],
    ['es', 'Soy una inteligencia artificial y no tengo familia.'],
    ['pt', 'Como uma IA, não tenho pais.'],
    ['pt', 'Como IA, não tenho opinião.'],
    ['pt', 'Como um modelo de linguagem, não tenho família.'],
    ['pt', 'Eu sou uma inteligência artificial e não tenho pais.'],
    ['tr', 'Bir yapay zeka olarak ailem yok.'],
    ['tr', 'Bir yapay zekâ dil modeli olarak görüşüm yok.'],
    ['tr', 'Ben bir yapay zekayım, ailem yok.'],
    ['tr', 'Ben yalnızca bir dil modeliyim.'],
    ['zh', '作为一个AI，我没有父母。'],
    ['zh', '作为人工智能语言模型，我没有个人看法。'],
    ['zh', '我只是一个语言模型，没有家人。'],
    ['ko', '인공지능으로서 저는 부모님이 없습니다.'],
    ['ko', '저는 AI 언어 모델이라서 의견이 없습니다.'],
    ['ko', '저는 인공지능입니다.'],
    ['ar', 'كنموذج لغوي، ليس لدي والدان.'],
    ['ar', 'بصفتي نموذج ذكاء اصطناعي، لا رأي لي.'],
    ['ar', 'أنا مجرد نموذج لغوي وليس لدي عائلة.'],
    ['bn', 'একটি এআই হিসেবে আমার কোনো পরিবার নেই।'],
    ['bn', 'আমি একটি ভাষা মডেল, আমার কোনো মতামত নেই।'],
  ])('%s: %s', (language, text) => {
    expect(said(text, language)).toBe('assistant-disclaimer');
  });
});

describe('what people say of themselves or of machines is no disclaimer', () => {
  test.each([
    ['en', 'As a child I helped my parents every day.'],
    ['en', 'As an aid worker I saw many families.'],
    ['en', 'I am an assistant teacher in a small school.'],
    ['en', 'I work as an assistant in a bakery.'],
    ['en', 'I am afraid that AI will take our work.'],
    ['en', 'Nobody trusts a language model more than a neighbour.'],
    ['de', 'Als Kind habe ich meinen Eltern geholfen.'],
    ['de', 'Menschen können mehr als künstliche Intelligenz.'],
    ['de', 'Ein Arzt ist mir lieber als KI.'],
    ['de', 'Ich bin keine Maschine, ich arbeite im Büro.'],
    ['es', 'Como inmigrante, sé lo que es trabajar.'],
    ['es', 'Hay avances como inteligencia artificial y robots.'],
    ['es', 'Soy una mujer de pueblo, como mi madre.'],
    ['pt', 'Como ia dizendo, meus pais trabalharam muito.'],
    ['pt', 'A vida não era como ia ser.'],
    ['pt', 'Sou uma mulher simples e como ia contando, gosto daqui.'],
    ['pt', 'Temos coisas novas como inteligência artificial.'],
    ['tr', 'Bir yapay zeka işimizi elimizden alabilir.'],
    ['tr', 'Yapay zeka olarak bilinen şey beni korkutuyor.'],
    ['zh', '人工智能让生活更方便。'],
    ['zh', '作为一个母亲，我希望孩子们过得好。'],
    ['zh', '我是爱做饭的人。'],
    ['ko', '저는 인공지능이 무섭다고 생각해요.'],
    ['ko', '인공지능으로 삶이 편해졌어요.'],
    ['ar', 'الذكاء الاصطناعي يخيفني قليلا.'],
    ['ar', 'أنا أم لثلاثة أولاد وأفتخر بهم.'],
    ['bn', 'একটি এআই আমাদের কাজ কেড়ে নিতে পারে।'],
    ['bn', 'আমি একটি ছোট গ্রামে থাকি।'],
  ])('%s: %s', (language, text) => {
    expect(said(text, language)).toBeUndefined();
  });
});

describe('words of another speaker', () => {
  const other = contact.persona?.name as string;
  const own = delegate.persona?.name as string;

  test.each([
    [`${other}: I think so too.`],
    [`I agree.\n${other}: I do not.`],
    [`**${other}:** I think so too.`],
    [`"${other} (United States): I think so too."`],
    [`> ${other}： I think so too.`],
    [`\u200f${other}: I think so too.`],
  ])('are found: %j', (text) => {
    expect(said(text)).toBe('speaks-for-other');
  });

  test.each([
    [`${own}: I think so too.`],
    [`${other}, I think so too.`],
    [`I agree with ${other}: parents matter.`],
    [`${other}son: that is another name.`],
    ['One thing: parents matter.'],
  ])('are not seen where one only speaks to the other: %j', (text) => {
    expect(said(text)).toBeUndefined();
  });

  test('include the moderator’s', () => {
    const panel = first('cultures: [turkish, korean, german]\ntopics: [Q27]\nprotocol: panel\nturns: 5');
    const guest = panel.participants[1] as Participant;
    expect(roleBreak(panel, guest, [], '', 'I agree.\nModerator: And the others?')).toBe('speaks-for-other');
    expect(
      roleBreak(panel, panel.participants[0] as Participant, [], '', 'Moderator: Welcome.'),
    ).toBeUndefined();
  });
});

describe('another script than the language’s', () => {
  test.each([
    ['ar', 'I am proud of my parents.'],
    ['bn', 'I am proud of my parents.'],
    ['ko', 'I am proud of my parents.'],
    ['zh', 'I am proud of my parents.'],
    ['zh', '저는 부모님이 자랑스럽습니다.'],
    ['ko', '我为父母感到骄傲。'],
    ['en', 'Я горжусь своими родителями.'],
    ['tr', 'أنا فخور بوالدي.'],
  ])('%s: %s', (language, text) => {
    expect(said(text, language)).toBe('wrong-language');
  });

  test.each([
    ['ar', 'أنا فخور بوالدي، مثل صديقي John من USA.'],
    ['ar', '\u202bأنا فخور بوالدي.\u202c 😀'],
    ['ko', '제 부모님은 Seoul에서 일하셨어요.'],
    ['zh', '我为父母感到骄傲，OK？😀👍🏽'],
    ['bn', 'আমার বাবা-মা আমাকে নিয়ে গর্ব করেন, OK?'],
    ['tr', 'Annem ve babamla gurur duyuyorum 😀'],
    ['en', '100%! 👍'],
    ['en', '👍'],
    ['en', 'My father said "أهلا" to everybody who came.'],
  ])('is not seen in a name, a quotation or an emoji: %s: %s', (language, text) => {
    expect(said(text, language)).toBeUndefined();
  });
});

describe('another language in the same script', () => {
  const latin = ['de', 'en', 'es', 'pt', 'tr'];
  const survey = loadSurvey();
  /** What is spoken of in a language: the steps of a conversation, without places to fill. */
  const spoken = (language: string) =>
    (languages[language] as Dialogue).prompts.self_guidance.steps.map((step) =>
      step.replace(/\{\{\w+\}\}/g, ''),
    );

  test.each(
    latin.flatMap((one) => latin.filter((other) => other !== one).map((other) => [one, other] as const)),
  )('a dialogue in %s is not held in %s', (language, other) => {
    expect(said(spoken(other).join(' '), language)).toBe('wrong-language');
  });

  test.each(latin)('what is said in %s passes, sentence by sentence and all at once', (language) => {
    const statements = [...loadTexts(language, survey).statements.values()];
    const sentences = [...spoken(language), ...statements];
    for (const text of [...sentences, sentences.join(' ')])
      expect(said(text, language), text).toBeUndefined();
  });

  test('a quotation or a proverb of another language passes', () => {
    expect(
      said('Meine Mutter sagte immer: "Home is where the heart is", und das ist auch mein Gefühl.', 'de'),
    ).toBeUndefined();
    expect(
      said('In Mexico we say "el que no arriesga no gana", and that is what my father did with his shop.'),
    ).toBeUndefined();
  });
});

describe('a copy', () => {
  const turns = [
    turn(0, 0, 'Parents matter more than work.'),
    turn(1, 1, 'أنا فخور بوالدي.'),
    turn(2, 0, 'I keep this to myself.', 'private'),
  ];

  test.each([
    ['en', 'Parents matter more than work.'],
    ['en', '"parents matter — MORE than work!" 😀'],
    ['en', '\u200eParents\u00a0matter more than work.\u200e'],
    ['ar', '\u200fأنا فخور بوالدي!'],
  ])('of an earlier turn is found, whatever its marks: %s: %j', (language, text) => {
    expect(said(text, language, turns)).toBe('copy');
  });

  test.each([
    ['Parents matter more than work, and so do friends.'],
    ['Work matters.'],
    ['I keep this to myself.'],
  ])('is not seen in words that are new to the others: %s', (text) => {
    expect(said(text, 'en', turns)).toBeUndefined();
  });
});

describe('the prompt said back', () => {
  test.each(Object.keys(languages))('is found in %s', (language) => {
    const dialogue = languages[language] as Dialogue;
    const prompt = hold(dialogue).requests[1]?.request.messages.at(-1)?.text as string;
    expect(said(dialogue.prompts.self_guidance.steps[0] as string, language, [], prompt)).toBe(
      'repeats-prompt',
    );
    expect(said(prompt, language, [], prompt)).toBe('repeats-prompt');
  });

  test('is not seen in a few words that happen to stand there', () => {
    expect(said('I agree.', 'en', [], 'Say whether you agree. I agree.')).toBeUndefined();
  });
});
