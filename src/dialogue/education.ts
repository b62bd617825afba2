import { z } from 'zod';
import { educations, type Education } from '../agents/types.ts';
import { contentHash } from '../ids.ts';
import { findFile } from '../paths.ts';
import { parseYaml, readText } from '../yaml-file.ts';
import type { PromptFile } from './prompts.ts';

/** `agents/prompts/education.yaml`: what a persona is told of its schooling, by language; without words it is told nothing. */
const educationPromptsSchema = z.strictObject({
  version: z.number().int().positive(),
  review: z.string().min(1),
  words: z.record(
    z.string().regex(/^[a-z]{2}$/),
    z.strictObject(
      Object.fromEntries(educations.map((level) => [level, z.string().min(1)])) as Record<
        Education,
        z.ZodString
      >,
    ),
  ),
});

export type EducationPrompts = z.output<typeof educationPromptsSchema>;

export const educationPromptName = 'education.yaml';

/** Reads the words, the user's before the package's; `stored` is the text that a resumed run keeps. */
export function loadEducationPrompts(stored?: string): { prompts: EducationPrompts; file: PromptFile } {
  const path = findFile('agents', 'prompts', educationPromptName) as string;
  const content = stored ?? readText(path);
  const { value } = parseYaml(content, path, educationPromptsSchema);
  return {
    prompts: value,
    file: { name: educationPromptName, version: value.version, hash: contentHash(content), text: content },
  };
}
