import type { Sample } from './sample.ts';

/** A format: its file extension and one sample as a line. */
export interface Format {
  extension: string;
  line(sample: Sample): string;
}

/** JSON on one line for every reader: also without the line separators that some split at. */
function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0085\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** OpenAI's chat fine-tuning format: {"messages": [system, user, assistant]}. */
const openAiChat: Format = {
  extension: 'jsonl',
  line: ({ system, user, assistant }) =>
    jsonLine({
      messages: [
        { role: 'system', content: system },
        { role: 'user', content: user },
        { role: 'assistant', content: assistant },
      ],
    }),
};

export type FormatName = 'openai-chat';
export const formats: Record<FormatName, Format> = { 'openai-chat': openAiChat };
