import { z } from 'zod';
import { contentHash } from '../ids.ts';
import { findFile } from '../paths.ts';
import { parseYaml, readText } from '../yaml-file.ts';

const text = z.string().min(1);
const pair = z.strictObject({ system: text, user: text });

/** What an extractor can be asked of an opinion, or of a turn, beside its words. */
const asks = ['subtype', 'extends', 'understanding', 'flags'] as const;
export type ExtractAsk = (typeof asks)[number];

/** `agents/prompts/refinement.yaml`. */
const refinementPromptsSchema = z.strictObject({
  version: z.number().int().positive(),
  review: text,
  /** `asks` says what its words ask for beside the words of opinions; prompts from before have none, and their calls stay what they were. */
  extract: pair.extend({ asks: z.array(z.enum(asks)).optional() }),
  extract_by_choice: pair,
  verify: pair,
  rewrite: pair,
  opinion: text,
});

export type RefinementPrompts = z.output<typeof refinementPromptsSchema>;

const NAME = 'refinement.yaml';

/** Reads the refinement's prompts, the user's before the package's; `stored` is the text that a resumed run keeps. */
export function loadRefinementPrompts(stored?: string): {
  prompts: RefinementPrompts;
  file: { name: string; version: number; hash: string; text: string };
} {
  const path = findFile('agents', 'prompts', NAME) as string;
  const content = stored ?? readText(path);
  const { value } = parseYaml(content, path, refinementPromptsSchema);
  return {
    prompts: value,
    file: { name: NAME, version: value.version, hash: contentHash(content), text: content },
  };
}

/** What tells one wording of a stage's prompt from another: the `prompt` in the settings of its stage runs. */
export const stagePromptHash = (
  prompts: RefinementPrompts,
  name: 'extract' | 'extract_by_choice' | 'verify' | 'rewrite',
): string => contentHash(JSON.stringify(prompts[name]), prompts.opinion);
