import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Persona } from '../agents/types.ts';
import { loadDialoguePrompts, type DialoguePrompts } from '../dialogue/prompts.ts';
import { loadReaderPrompts, readerPromptHash } from '../dialogue/reader-prompts.ts';
import { readingsIn } from '../dialogue/reader.ts';
import type { Dialogue } from '../dialogue/types.ts';
import { UserError } from '../errors.ts';
import { contentHash, shortId, shuffled } from '../ids.ts';
import type { ChatRequest } from '../models/port.ts';
import { polarityOf } from '../models/rehearsal.ts';
import { suggestion } from '../nearest.ts';
import { findFile, packageRoot } from '../paths.ts';
import { loadRefinementPrompts, stagePromptHash } from '../refinement/prompts.ts';
import { planOpinionReadings } from '../refinement/read-opinions.ts';
import type { Opinion } from '../refinement/types.ts';
import { applyVerify, planVerify } from '../refinement/verify.ts';
import { loadTexts, statementIn, type SurveyTexts } from '../survey/texts.ts';
import type { Scale, Survey, Topic } from '../survey/types.ts';
import { readYaml, type YamlFile } from '../yaml-file.ts';
import { scenarioSchema } from './scenario.ts';

export const judgeRoles = ['verifier', 'reader'] as const;
export type JudgeRole = (typeof judgeRoles)[number];

const verdicts = ['entail', 'contradict', 'irrelevant'] as const;

const pairSchema = z.strictObject({
  id: z.string().min(1),
  topic: z.string(),
  /** Answer code that the speaker is said to have given. */
  stance: z.int(),
  opinion: z.string().min(1),
  verdict: z.enum(verdicts),
  kind: z.enum(['clear', 'hedged', 'negated', 'off-topic']),
  /** Answer code that the opinion's words come nearest to; null: it takes no position. */
  read: z.int().nullable(),
});
type Pair = z.output<typeof pairSchema>;

/** `db/calibration/*.yaml`. */
const fileSchema = z.strictObject({
  language: z.string(),
  provenance: z.string().min(1),
  pairs: z.array(pairSchema).min(1),
});

/** One question to a judge, just as the product's own stage puts it, and what is right. */
export interface Question {
  pair: string;
  request: ChatRequest;
  /** Hash of all that is asked. */
  item: string;
  /** The right answer: a verdict, or the code that is to be read (`none` for none). */
  expected: string;
  /** What a usable reply says: as `expected`; null where it passes the opinion over. */
  answerIn(reply: string): string | null;
  /** The category that an answer counts as: the verdict, or the side of the statement that a code is on. */
  categoryOf(answer: string): string;
  /** An answer's place on its scale; null for none, and for verdicts. */
  placeOf(answer: string): number | null;
}

/** The questions that calibrate a judge in a language. */
export interface Questions {
  role: JudgeRole;
  language: string;
  /** The `prompt` in the settings of the stage that asks so. */
  prompt: string;
  provenance: string;
  /** The categories that answers count as. */
  labels: readonly string[];
  questions: readonly Question[];
}

/** The languages that have labelled pairs, of the user's folder and the package's. */
export function calibrationLanguages(): string[] {
  const folders = [resolve('db', 'calibration'), join(packageRoot, 'db', 'calibration')];
  const files = folders.flatMap((folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  });
  const named = files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5));
  return [...new Set(named)].sort();
}

/**
 * The questions of some roles in a language, as its verify and read stages put them, one pair a call, in an order that
 * tells nothing; with `limit` so many of them, the verdicts in turn. Throws a UserError where the language has no pairs.
 */
export function questionsIn(
  language: string,
  survey: Survey,
  roles: readonly JudgeRole[],
  limit?: number,
): Questions[] {
  const file = findFile('db', 'calibration', `${language}.yaml`);
  if (!/^[a-z]{2,3}$/.test(language) || !file)
    throw new UserError(
      `There are no labelled pairs in the language "${language}": ${suggestion(language, calibrationLanguages())}`,
      { mend: `Name one of them, or write db/calibration/${language}.yaml (docs/calibration.md says how).` },
    );
  const parsed = readYaml(file, fileSchema);
  const texts = loadTexts(language, survey);
  const { prompts } = loadDialoguePrompts(language, 'standard');
  const staged = inTurn(parsed.value.pairs)
    .slice(0, limit)
    .map((pair) => stagedPair(pair, parsed, { survey, texts, prompts }));
  return roles.map((role) => ({
    role,
    language,
    provenance: parsed.value.provenance,
    ...(role === 'verifier' ? verifyQuestions(staged) : readQuestions(staged)),
  }));
}

/** Shuffled by a fixed seed, then a pair of each verdict in turn, so that any beginning is balanced. */
function inTurn(pairs: readonly Pair[]): Pair[] {
  const mixed = shuffled(pairs, 'calibration');
  const byVerdict = verdicts.map((verdict) => mixed.filter((pair) => pair.verdict === verdict));
  return mixed.flatMap((_, at) => byVerdict.flatMap((own) => own[at] ?? []));
}

/** A pair as the one opinion of a dialogue whose speaker has the pair's stance. */
interface Staged {
  pair: Pair;
  scale: Scale;
  dialogue: Dialogue;
  opinion: Opinion;
}

function stagedPair(
  pair: Pair,
  file: YamlFile<z.output<typeof fileSchema>>,
  { survey, texts, prompts }: { survey: Survey; texts: SurveyTexts; prompts: DialoguePrompts },
): Staged {
  const place = file.value.pairs.indexOf(pair);
  const topic = survey.topics.get(pair.topic) as Topic;
  const scale = survey.scales.get(topic?.scale ?? '');
  if (!scale) throw file.fault(['pairs', place, 'topic'], `"${pair.topic}" is no topic with answers`);
  if (scale.options.some(({ agreement }) => agreement === null))
    throw file.fault(['pairs', place, 'topic'], `the answers to ${pair.topic} take no sides`);
  for (const key of ['stance', 'read'] as const)
    if (pair[key] !== null && !scale.options.some(({ code }) => code === pair[key]))
      throw file.fault(['pairs', place, key], `${pair[key]} is no answer to ${pair.topic}`);
  const id = shortId('calibration', texts.language, pair.topic, pair.stance, pair.opinion);
  const persona: Persona = {
    id,
    key: id,
    culture: '',
    country: '',
    name: '',
    ageBand: '30-44' as const,
    gender: 'female' as const,
    stances: new Map([[topic.id, pair.stance]]),
  };
  const dialogue: Dialogue = {
    id,
    key: id,
    runId: '',
    topic,
    protocol: 'direct' as const,
    pairing: 'in-cultural' as const,
    language: texts.language,
    turnCount: 1,
    prompts,
    replicate: [],
    attempt: 0,
    check: null,
    participants: [{ seat: 0, role: 'delegate', persona, country: '', scale }],
    words: { statement: statementIn(texts, topic), labels: texts.labels },
    limits: { sentences: 1, maxTokens: 1, temperature: 0, retries: 0 },
  };
  const opinion: Opinion = {
    id,
    key: id,
    dialogueId: id,
    turnIdx: 0,
    personaId: id,
    callId: '',
    stageRunId: '',
    text: pair.opinion,
    quote: pair.opinion,
    quoteStart: 0,
    quoteEnd: pair.opinion.length,
    alignment: null,
    class: null,
    subtype: null,
    extendsTopic: null,
    flags: null,
    polarity: 'unknown',
    rewriteOf: null,
  };
  return { pair, scale, dialogue, opinion };
}

/** The limits of a scenario that sets none. */
const { verify: verifyTokens, read: readTokens } = scenarioSchema.shape.max_tokens.parse(undefined);

const itemOf = ({ messages, schema }: ChatRequest): string =>
  contentHash(JSON.stringify(messages.map(({ role, text }) => [role, text])), schema?.name ?? '');

function verifyQuestions(staged: readonly Staged[]): Pick<Questions, 'prompt' | 'labels' | 'questions'> {
  const { prompts } = loadRefinementPrompts();
  const questions = staged.map(({ pair, dialogue, opinion }): Question => {
    const scene = { dialogue, turns: [], prompts };
    const request = planVerify(scene, [opinion], { maxTokens: verifyTokens }) as ChatRequest;
    return {
      pair: pair.id,
      request,
      item: itemOf(request),
      expected: pair.verdict,
      answerIn: (reply) =>
        applyVerify([opinion], reply, { callId: '', stageRunId: '', model: '' })[0]?.verdict ?? null,
      categoryOf: (answer) => answer,
      placeOf: () => null,
    };
  });
  return { prompt: stagePromptHash(prompts, 'verify'), labels: verdicts, questions };
}

const NONE = 'none';

function readQuestions(staged: readonly Staged[]): Pick<Questions, 'prompt' | 'labels' | 'questions'> {
  const { prompts } = loadReaderPrompts();
  const questions = staged.map(({ pair, scale, dialogue, opinion }): Question => {
    const [asked] = planOpinionReadings({ dialogue }, [opinion], { prompts, maxTokens: readTokens });
    if (!asked) throw new Error(`the reader is not asked about ${pair.id}`);
    const optionOf = (answer: string) => scale.options.find(({ code }) => String(code) === answer);
    return {
      pair: pair.id,
      request: asked.request,
      item: itemOf(asked.request),
      expected: String(pair.read ?? NONE),
      answerIn(reply) {
        const [read] = readingsIn(asked, { text: reply });
        return read ? String(read.code ?? NONE) : null;
      },
      categoryOf(answer) {
        const option = optionOf(answer);
        return option ? polarityOf(option.agreement as number) : answer;
      },
      placeOf(answer) {
        const option = optionOf(answer);
        return option ? scale.options.indexOf(option) : null;
      },
    };
  });
  return { prompt: readerPromptHash(prompts), labels: ['disagree', 'middle', 'agree', NONE], questions };
}
