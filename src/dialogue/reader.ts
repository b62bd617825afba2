import { z } from 'zod';
import { fill } from '../fill.ts';
import { groupBy } from '../group-by.ts';
import { uniform } from '../ids.ts';
import type { ChatRequest, ReplySchema } from '../models/port.ts';
import { cachedSchema } from '../models/reply.ts';
import type { Option, Scale } from '../survey/types.ts';
import { anonymous } from './anonymous.ts';
import type { ReaderPrompts } from './reader-prompts.ts';
import type { Dialogue, Turn } from './types.ts';

/** A question to the reader: some texts of one dialogue, to be read on one scale. */
export interface ReadingRequest<K> {
  request: ChatRequest;
  /** What is asked about, by its name in the reply. */
  asked: ReadonlyMap<string, K>;
  /** Answer codes by letter; null for none. */
  codes: ReadonlyMap<string, number | null>;
}

/** What the reader found of a text; a code of null: it takes no position. */
export interface Read<K> {
  subject: K;
  code: number | null;
  /** How probable that answer was to the reader, where its provider tells it. */
  p: number | null;
}

export interface ReaderSetting {
  prompts: ReaderPrompts;
  maxTokens: number;
}

/** A text that is to be read, with its line in the prompt. */
interface Line<K> {
  subject: K;
  text: string;
  scale: Scale;
}

/**
 * Whether the answers stand in the scale's order or backwards: a hash of the dialogue's key, so that about half of the
 * dialogues have each and a resume has the same.
 */
export const backwards = (dialogueKey: string): boolean => uniform('order of the answers', dialogueKey) < 0.5;

/** Characters of the texts in a prompt, the first text apart; a longer dialogue takes several calls. */
export const WINDOW = 12_000;

/**
 * Requests for the answers that a dialogue's turns express: one, but where its speakers' countries have two scales, or
 * where it is too long for one prompt. The reader is shown neither names nor countries, cultures or stances; turns whose
 * speaker has no scale (the moderator) are there to be understood only.
 * @param only the turns that are asked about; all without it
 */
export function planTurnReadings(
  dialogue: Dialogue,
  turns: readonly Turn[],
  setting: ReaderSetting,
  { only, window = WINDOW }: { only?: ReadonlySet<number>; window?: number } = {},
): ReadingRequest<number>[] {
  const { prompts } = setting;
  const speaker = (seat: number): string => fill(prompts.speaker, { n: seat + 1 });
  const masked = anonymous(dialogue, speaker);
  const heard = turns
    .filter(({ kind }) => kind === 'public')
    .map(({ idx, seat, text }) => ({
      subject: idx,
      seat,
      text: masked(text),
      scale: only?.has(idx) === false ? null : (dialogue.participants[seat]?.scale ?? null),
    }));
  return windows(heard, window).flatMap((shown) =>
    byScale(shown).map((lines) => {
      const names = new Map(lines.map(({ subject }, at) => [subject, `turn_${at + 1}`]));
      const transcript = shown.map(({ subject, seat, text }) => {
        const name = names.get(subject);
        const places = { speaker: speaker(seat), text };
        return name ? fill(prompts.asked, { ...places, name }) : fill(prompts.heard, places);
      });
      return requestFor(dialogue, setting, 'turns', lines, [...names.values()], {
        transcript: transcript.join('\n'),
      });
    }),
  );
}

/** Requests for the answers that some opinions of a dialogue express, from their text alone. */
export function planTextReadings<K>(
  dialogue: Dialogue,
  texts: readonly { subject: K; seat: number; text: string }[],
  setting: ReaderSetting,
  window = WINDOW,
): ReadingRequest<K>[] {
  const { prompts } = setting;
  const masked = anonymous(dialogue, (seat) => fill(prompts.speaker, { n: seat + 1 }));
  const lines = texts.map(({ subject, seat, text }) => ({
    subject,
    text: masked(text),
    scale: dialogue.participants[seat]?.scale ?? null,
  }));
  return windows(lines, window).flatMap((shown) =>
    byScale(shown).map((own) => {
      const names = own.map((_, at) => `opinion_${at + 1}`);
      const opinions = own.map(({ text }, at) => fill(prompts.opinion, { name: names[at] as string, text }));
      return requestFor(dialogue, setting, 'opinions', own, names, { opinions: opinions.join('\n') });
    }),
  );
}

/** The texts in parts of at most so many characters, or of one text that is longer. */
function windows<T extends { text: string }>(lines: readonly T[], most: number): T[][] {
  const parts: T[][] = [];
  let length = Infinity;
  for (const line of lines) {
    length += line.text.length;
    if (length > most) {
      parts.push([]);
      length = line.text.length;
    }
    parts.at(-1)?.push(line);
  }
  return parts;
}

/** What is to be read, apart by scale; a reader never learns whose scale it is. */
function byScale<L extends { scale: Scale | null }>(lines: readonly L[]): (L & { scale: Scale })[][] {
  const asked = lines.filter((line): line is L & { scale: Scale } => line.scale !== null);
  return [...groupBy(asked, ({ scale }) => scale.id).values()];
}

function requestFor<K>(
  dialogue: Dialogue,
  { prompts, maxTokens }: ReaderSetting,
  kind: 'turns' | 'opinions',
  lines: readonly Line<K>[],
  names: readonly string[],
  shown: Record<string, string>,
): ReadingRequest<K> {
  const { scale } = lines[0] as Line<K>;
  const options = backwards(dialogue.key) ? scale.options.toReversed() : scale.options;
  const letters = options.map((_, at) => (at < 26 ? String.fromCharCode(65 + at) : `Z${at - 25}`));
  const user = fill(prompts[kind].user, {
    statement: dialogue.words.statement,
    options: `${optionsInWords(dialogue, prompts, scale.id, options, letters)}\n${prompts.none}`,
    asked: names.join(', '),
    ...shown,
  });
  return {
    request: {
      messages: [
        { role: 'system', text: prompts[kind].system },
        { role: 'user', text: user },
      ],
      schema: schemaFor(names, letters),
      sampling: { temperature: 0 },
      maxTokens,
      probabilities: true,
      rehearsal: {
        kind: 'read',
        seed: dialogue.key,
        language: dialogue.language,
        texts: lines.map(({ text }, at) => ({ name: names[at] as string, text })),
        options: options.map(({ code, agreement }, at) => ({
          letter: letters[at] as string,
          code,
          agreement,
        })),
      },
    },
    asked: new Map(names.map((name, at) => [name, (lines[at] as Line<K>).subject])),
    codes: new Map([
      ...options.map(({ code }, at) => [letters[at] as string, code] as const),
      ['none', null] as const,
    ]),
  };
}

/** The answers by letter: a code would tell in which order they stand. */
function optionsInWords(
  dialogue: Dialogue,
  prompts: ReaderPrompts,
  scaleId: string,
  options: readonly Option[],
  letters: readonly string[],
): string {
  const own = dialogue.words.labels.get(scaleId);
  const labels = options.map(({ code, label }) => own?.get(code) ?? label);
  if (labels.every((label) => label !== ''))
    return labels
      .map((label, at) => fill(prompts.option, { letter: letters[at] as string, label }))
      .join('\n');
  return fill(prompts.scale, {
    first: letters[0] as string,
    last: letters.at(-1) as string,
    first_label: labels[0] as string,
    last_label: labels.at(-1) as string,
  });
}

/** A property a text; providers that keep to a schema leave none out. A reply of another that does is used as far as it goes. */
function schemaFor(names: readonly string[], letters: readonly string[]): ReplySchema {
  const answer = z.enum(['none', ...letters]);
  const build = () => z.strictObject(Object.fromEntries(names.map((name) => [name, answer])));
  return cachedSchema('readings', [...names, ...letters], build, (shape) => shape.partial()).schema;
}

/** A usable reply, with the probabilities of its values by property. */
interface ReaderReply {
  text: string;
  probabilities?: Readonly<Record<string, number>>;
}

/** What a reply says, in the order of asking; what it passes over is not in it. */
export function readingsIn<K>(
  { asked, codes }: ReadingRequest<K>,
  { text, probabilities }: ReaderReply,
): Read<K>[] {
  const given = JSON.parse(text) as Record<string, string>;
  return [...asked].flatMap(([name, subject]) => {
    const code = codes.get(given[name] ?? '');
    return code === undefined ? [] : [{ subject, code, p: probabilities?.[name] ?? null }];
  });
}
