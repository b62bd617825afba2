import { z } from 'zod';
import { UserError } from '../errors.ts';
import { ageBands, genders } from '../agents/types.ts';
import { contentHash } from '../ids.ts';
import { findFile } from '../paths.ts';
import { readText, parseYaml } from '../yaml-file.ts';

const text = z.string().min(1);
const words = <const K extends string>(keys: readonly K[]) =>
  z.strictObject(Object.fromEntries(keys.map((key) => [key, text])) as Record<K, typeof text>);

/** `agents/prompts/dialogue.<language>.yaml`: everything that speakers are told. */
const dialoguePromptsSchema = z.strictObject({
  version: z.number().int().positive(),
  language: text,
  review: text,
  genders: words(genders),
  ages: words(ageBands),
  answer: text,
  answer_on_scale: text,
  persona: text,
  stance: text,
  main_contact: text,
  moderator: text,
  length: z.string(),
  anchor: z.string(),
  anchor_without_stance: z.string(),
  sides: words(['agree', 'middle', 'disagree', 'none']).optional(),
  warm_up: words(['ask', 'agree', 'middle', 'disagree']).optional(),
  moderator_name: text,
  heard: text,
  self_guidance: z.strictObject({ open: text, steps: z.array(text).min(1) }),
  free_chat: z.strictObject({ open: text }),
  debate: words(['private', 'opening', 'rebuttal', 'closing']),
  panel: words(['open', 'next', 'close', 'first', 'reply']),
  direct: words(['first', 'more']),
});

export type DialoguePrompts = z.output<typeof dialoguePromptsSchema>;

/** A prompt file as it was read: its text is stored with the run. */
export interface PromptFile {
  name: string;
  version: number;
  hash: string;
  text: string;
}

/** Prompt sets: the standard one, and short ones for small models. */
export const promptSets = ['standard', 'brief'] as const;
export type PromptSet = (typeof promptSets)[number];

export const dialoguePromptName = (language: string, set: PromptSet): string =>
  set === 'standard' ? `dialogue.${language}.yaml` : `dialogue.${language}.${set}.yaml`;

/** Reads the dialogue prompts of a language, the user's before the package's; `stored` is the text that a resumed run keeps. */
export function loadDialoguePrompts(
  language: string,
  set: PromptSet,
  stored?: string,
): { prompts: DialoguePrompts; file: PromptFile } {
  const name = dialoguePromptName(language, set);
  const path = findFile('agents', 'prompts', name);
  if (!path && stored === undefined) {
    throw new UserError(`There are no ${set} dialogue prompts in the language "${language}".`, {
      mend: `Write agents/prompts/${name} (translate the English one), or use \`language: english\`.`,
    });
  }
  const content = stored ?? readText(path as string);
  const { value } = parseYaml(content, path ?? name, dialoguePromptsSchema);
  return {
    prompts: value,
    file: { name, version: value.version, hash: contentHash(content), text: content },
  };
}
