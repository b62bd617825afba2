import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { promptSets } from '../dialogue/prompts.ts';
import { pairings, protocolNames } from '../dialogue/types.ts';
import { UserError } from '../errors.ts';
import { suggestion } from '../nearest.ts';
import { packageRoot } from '../paths.ts';
import { opinionFlags } from '../refinement/types.ts';
import { isSecretName, parseYaml, readText, type YamlFile } from '../yaml-file.ts';
import { embedderSchema, modelsSchema } from './model-setting.ts';

const name = z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u, 'letters, digits, ".", "-" and "_"');
const positive = z.number().int().positive();

const share = z.number().positive().max(1);

const arm = z.strictObject({
  name,
  protocol: z.enum(protocolNames),
  pairing: z.enum(pairings).default('cross-cultural'),
  turns: positive.max(100).default(14),
});

/** `scenarios/*.yaml`: what a run does. */
export const scenarioSchema = z.strictObject({
  description: z.string().default('').describe('what this scenario is for'),
  cultures: z.union([z.literal('all'), z.array(name).min(1)]).describe('cultures of agents/, or all'),
  topics: z
    .union([z.literal('all'), z.array(z.string()).min(1)])
    .describe('topic ids, themes, names of imported surveys, or all (the shipped topics)'),
  topic_files: z.array(z.string()).default([]).describe("files of one's own topics, from this file's folder"),
  weights: z
    .boolean()
    .default(false)
    .describe('weighted answers instead of plain counts; needs an imported survey with weights'),
  personas: z
    .enum(['answers', 'respondents'])
    .default('answers')
    .describe(
      "answers: stances drawn topic by topic; respondents: each persona has one respondent's own combination, by weight (needs an import with single respondents)",
    ),
  dialogues_per_cell: positive.max(100_000).default(1).describe('dialogues a culture and topic'),
  protocol: z.enum(protocolNames).default('self-guidance').describe('who speaks when'),
  pairing: z
    .enum(pairings)
    .default('cross-cultural')
    .describe('main contact and delegate, or two of one culture'),
  turns: positive.max(100).default(14).describe('public turns a dialogue'),
  arms: z
    .array(arm)
    .min(1)
    .optional()
    .describe('several protocols side by side, instead of protocol, pairing and turns'),
  panel_size: z.number().int().min(3).max(12).default(3).describe('delegates of a panel, at least'),
  language: z.enum(['english', 'own']).default('english').describe("English, or the delegate's own language"),
  sentences: positive.max(20).default(3).describe('sentences a turn'),
  prompts: z
    .enum(promptSets)
    .default('standard')
    .describe('standard, or brief for small models (English only)'),
  temperature: z.number().min(0).max(2).default(0.7),
  max_tokens: z
    .strictObject({
      turn: positive.default(400),
      extract: positive.default(4000),
      verify: positive.default(2000),
      rewrite: positive.default(2000),
      gate: positive.default(500),
      read: positive.default(2000),
    })
    .prefault({})
    .describe('output tokens a call'),
  role_retries: z
    .number()
    .int()
    .min(0)
    .max(5)
    .default(2)
    .describe('how often a reply that breaks the role is asked for again'),
  models: modelsSchema.prefault({}).describe('a model for all, or one a role: a name, or a map'),
  embedder: embedderSchema
    .default('none')
    .describe('finds opinions that say the same in other words, beside the character n-grams'),
  seed: z.number().int().optional().describe('fixes every draw; 1 unless given, and --new takes a fresh one'),
  concurrency: positive.max(10_000).default(16).describe('calls in flight'),
  requests_per_minute: positive.optional(),
  tokens_per_minute: positive.optional(),
  reply_timeout: z
    .number()
    .positive()
    .max(86_400)
    .default(300)
    .describe('seconds that a reply may take before it is asked for again'),
  max_calls: positive.optional().describe('the run stops before the next call, resumable'),
  max_cost: z.number().positive().optional().describe('US dollars; never passed where the price is known'),
  samples: z
    .strictObject({
      per_culture: positive.describe('accepted samples a culture, shared out evenly over its topics'),
      spread: z.literal('survey').default('survey').describe('over the answers as the survey has them'),
      max_dialogues: positive
        .optional()
        .describe('further rounds end here; twice the samples asked for unless given'),
    })
    .optional()
    .describe('quotas, filled by further rounds of dialogues where they are short'),
  refinement: z
    .strictObject({
      threshold: z
        .number()
        .min(0.3)
        .max(1)
        .default(0.6)
        .describe('character 5-gram Jaccard from which two opinions are near-duplicates'),
      embedding_threshold: z
        .number()
        .min(0.3)
        .max(1)
        .default(0.8)
        .describe("cosine of the embedder's vectors from which two opinions are near-duplicates"),
      embedding_languages: z
        .array(z.string().min(2))
        .default(['en'])
        .describe('languages in which the embedder is used; its threshold is validated for English only'),
      rewrite: z.boolean().default(true).describe('rewrite contradictions'),
      quotes: z
        .enum(['copy', 'choose'])
        .default('copy')
        .describe('the extractor copies the words of a quote, or chooses a sentence (small models)'),
      include_rewritten: z.boolean().default(false).describe('let verified rewrites into the samples'),
      distinctive: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe(
          'within a quota: how much it counts that an opinion is typical of its culture and of no other, beside being unlike those chosen before',
        ),
      max_share: z
        .strictObject({ model: share.optional(), persona: share.optional(), dialogue: share.optional() })
        .default({})
        .describe('largest share of the samples that may come from one model, persona or dialogue'),
      per_culture: positive.optional().describe('at most so many samples a culture, spread over its topics'),
      keep_extends: z
        .boolean()
        .default(false)
        .describe(
          'keep what says nothing about the statement but extends the topic, as samples of their own kind',
        ),
      gate: z
        .enum(['off', 'note', 'drop'])
        .default('off')
        .describe(
          'judge whole dialogues, whether values are shown, consistently, and not merely stated: a call a dialogue; note its result, or drop the opinions of those that fail',
        ),
    })
    .prefault({}),
  readings: z
    .strictObject({
      turns: z
        .boolean()
        .default(true)
        .describe('read the answer that each turn expresses: a call a dialogue'),
      opinions: z
        .boolean()
        .default(true)
        .describe('read the answer that each grounded opinion expresses: a call a dialogue'),
      control: z
        .number()
        .min(0)
        .max(1)
        .default(0.1)
        .describe('share of the debates whose personas also answer twice with no talk between'),
      ask_again: z
        .boolean()
        .default(false)
        .describe("read each delegate's turn as it is spoken, and ask again where it is off its stance"),
    })
    .prefault({})
    .describe('the stance ledger: which answer is held at which moment'),
  export: z
    .strictObject({
      formats: z
        .array(z.enum(['openai-chat']))
        .min(1)
        .default(['openai-chat']),
      test_share: z
        .number()
        .min(0)
        .max(0.9)
        .default(0.1)
        .describe('share of the topics whose rows are for testing'),
      exclude_flags: z
        .array(z.enum(opinionFlags))
        .default([])
        .describe('leave out rows whose opinion the extractor flagged so'),
      include_scripted: z.boolean().default(false).describe('export rows that the scripted model made'),
      language: z
        .enum(['dialogue', 'english'])
        .default('dialogue')
        .describe('language of system line and question'),
    })
    .prefault({}),
});

export type Scenario = z.output<typeof scenarioSchema>;
export type Arm = z.output<typeof arm>;

/** The arms of a scenario: its list, or its one protocol. */
export function armsOf(scenario: Scenario): Arm[] {
  const { protocol, pairing, turns } = scenario;
  return scenario.arms ?? [{ name: 'main', protocol, pairing, turns }];
}

/** Whether stances come from weighted answers: respondents are always drawn by their weights. */
export const byWeights = ({ weights, personas }: Pick<Scenario, 'weights' | 'personas'>): boolean =>
  weights || personas === 'respondents';

/** The shipped scenarios and those of the user's folder, by name. */
export function scenarioNames(): string[] {
  const folders = [resolve('scenarios'), join(packageRoot, 'scenarios')];
  const files = folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  return [
    ...new Set(files.filter((file) => file.endsWith('.yaml')).map((file) => basename(file, '.yaml'))),
  ].sort();
}

/** The file of a scenario: a path, or the name of one here or in the package. */
function scenarioFile(scenario: string): string {
  const candidates = [
    resolve(scenario),
    resolve('scenarios', `${scenario}.yaml`),
    join(packageRoot, 'scenarios', `${scenario}.yaml`),
  ];
  const isPath = /[\\/]|\.ya?ml$/.test(scenario);
  const found = (isPath ? candidates.slice(0, 1) : candidates.slice(1)).find((file) => existsSync(file));
  if (found) return found;
  throw new UserError(
    isPath
      ? `There is no file ${candidates[0]}.`
      : `There is no scenario "${scenario}": ${suggestion(scenario, scenarioNames())}`,
    {
      mend: 'Give a path, or the name of a shipped scenario (`culturepark init` writes one to edit).',
    },
  );
}

export interface LoadedScenario extends YamlFile<Scenario> {
  /** File name without `.yaml`. */
  name: string;
  /** Folder that the scenario's own paths start from. */
  folder: string;
}

/** Loads and checks a scenario; `set` are `path=value` changes from the command line. */
export function loadScenario(scenario: string, set: readonly string[] = []): LoadedScenario {
  const file = scenarioFile(scenario);
  const changes = set.map(parseChange);
  const parsed = parseChanged(readText(file), file, changes);
  return { ...parsed, name: basename(file).replace(/\.ya?ml$/, ''), folder: dirname(file) };
}

/** A fault of a value that a change made names the change instead of the file. */
function parseChanged(text: string, file: string, changes: readonly Change[]): YamlFile<Scenario> {
  const begins = (path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean =>
    start.length > 0 && start.every((key, at) => at < path.length && String(path[at]) === String(key));
  return parseYaml(
    text,
    file,
    scenarioSchema,
    (value) => changes.reduce((plain, change) => withChange(plain, change), value),
    (path) => {
      const made = changes.findLast((change) => begins(path, change.path) || begins(change.path, path));
      return made && `--set ${made.text}`;
    },
  );
}

interface Change {
  path: string[];
  value: unknown;
  /** As a message may show it. */
  text: string;
}

function parseChange(given: string): Change {
  const at = given.indexOf('=');
  if (at <= 0)
    throw new UserError(`--set ${given} is not path=value.`, {
      mend: 'For example: --set refinement.threshold=0.8',
    });
  const path = changedPath(given);
  const raw = given.slice(at + 1);
  // What may hold a key by mistake is not repeated.
  const hidden =
    isSecretName(path.at(-1)) || ((path[0] === 'models' || path[0] === 'embedder') && /^\s*[[{]/.test(raw));
  const text = hidden ? `${given.slice(0, at)}=…` : given;
  if (
    path.some((part) => part === '' || part === '__proto__' || part === 'constructor' || part === 'prototype')
  ) {
    throw new UserError(`--set ${text}: "${given.slice(0, at)}" is no path.`, {
      mend: 'For example: --set models.judge=scripted',
    });
  }
  const { value } = parseYaml(raw, `--set ${text}`, z.unknown());
  // A model's name has a colon but is no map.
  return {
    path,
    value: value !== null && typeof value === 'object' && !/^\s*[[{]/.test(raw) ? raw : value,
    text,
  };
}

/** The path of a `path=value` change. */
export const changedPath = (change: string): string[] => change.slice(0, change.indexOf('=')).split('.');

/** Whether a name that stands there is a model's. */
const namesModel = ([top, ...rest]: readonly string[]): boolean =>
  top === 'embedder' || (top === 'models' && rest.length > 0);

function withChange(before: unknown, { path, value, text }: Change, above: readonly string[] = []): unknown {
  const [key, ...rest] = path as [string, ...string[]];
  // A model's name is a map of that name alone, which the change adds to.
  const plain = typeof before === 'string' && namesModel(above) ? { model: before } : before;
  if (plain !== null && plain !== undefined && typeof plain !== 'object') {
    throw new UserError(`--set ${text}: "${key}" lies below a plain value.`, {
      mend: 'Check the path against scenarios/scenario.schema.json.',
    });
  }
  const copy = (Array.isArray(plain) ? [...(plain as unknown[])] : { ...plain }) as Record<string, unknown>;
  if (Array.isArray(plain) && !(/^\d+$/.test(key) && Number(key) <= plain.length)) {
    throw new UserError(`--set ${text}: "${key}" is no place in a list of ${plain.length}.`, {
      mend: 'Places are counted from 0; the number after the last one adds to the list.',
    });
  }
  copy[key] = rest.length === 0 ? value : withChange(copy[key], { path: rest, value, text }, [...above, key]);
  return copy;
}

/** The scenario of a stored run, whose file may have changed since, with changes from the command line. */
export function storedScenario(
  stored: { scenario_name: string; folder: string; scenario: Scenario },
  set: readonly string[],
): LoadedScenario {
  const file = `the scenario stored with the run (${stored.scenario_name})`;
  const parsed = parseChanged(JSON.stringify(stored.scenario), file, set.map(parseChange));
  return { ...parsed, name: stored.scenario_name, folder: stored.folder };
}
