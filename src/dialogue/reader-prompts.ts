import { z } from 'zod';
import { contentHash } from '../ids.ts';
import { findFile } from '../paths.ts';
import { parseYaml, readText } from '../yaml-file.ts';
import type { PromptFile } from './prompts.ts';

const text = z.string().min(1);
const pair = z.strictObject({ system: text, user: text });

/** `agents/prompts/reader.yaml`. */
const readerPromptsSchema = z.strictObject({
  version: z.number().int().positive(),
  review: text,
  turns: pair,
  opinions: pair,
  option: text,
  scale: text,
  none: text,
  speaker: text,
  asked: text,
  heard: text,
  opinion: text,
});

export type ReaderPrompts = z.output<typeof readerPromptsSchema>;

export const readerPromptName = 'reader.yaml';

/** Reads the reader's prompts, the user's before the package's; `stored` is the text that a resumed run keeps. */
export function loadReaderPrompts(stored?: string): { prompts: ReaderPrompts; file: PromptFile } {
  const path = findFile('agents', 'prompts', readerPromptName) as string;
  const content = stored ?? readText(path);
  const { value } = parseYaml(content, path, readerPromptsSchema);
  return {
    prompts: value,
    file: { name: readerPromptName, version: value.version, hash: contentHash(content), text: content },
  };
}

/** What tells one wording of the reader's prompts from another: the `prompt` in the settings of its stage runs. */
export const readerPromptHash = (prompts: ReaderPrompts): string => contentHash(JSON.stringify(prompts));
