import { foldLine } from './inspect-fold.ts';
import { dbOption } from './options.ts';
import { out } from './output.ts';
import { oneLine, paint, printable, wrapped } from './text.ts';

/** A thing as a page to read with the commands to go on with, and as the object that `--json` prints. */
export interface Page {
  text: string;
  next: readonly string[];
  json: unknown;
}

/** Columns that a text is broken at. */
const WIDTH = 96;

/** Prints a value as one line of JSON; what could steer a terminal is written as an escape, so nothing is lost. */
export function printJson(value: unknown): void {
  const escaped = (character: string): string =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  out(JSON.stringify(value).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escaped));
}

export const heading = (text: string): string => paint('bold', text);

/** A text broken at spaces (where a script has none, between characters), each line indented, within the common width. */
export const block = (text: string, indent = ''): string =>
  lines(text, WIDTH - indent.length)
    .map((line) => indent + line)
    .join('\n');

const lines = (text: string, width: number): string[] =>
  wrapped(text, width)
    .split('\n')
    .flatMap((line) => foldLine(line, width));

/** Colours each line for itself, as pagers want it. */
export const coloured = (colour: Colour, text: string): string =>
  text.replace(/^.+$/gm, (line) => paint(colour, line));

/** A name and its value; the colour is for the value. */
export type Field = readonly [name: string, value: string | number | null | undefined, colour?: Colour];
type Colour = Parameters<typeof paint>[0];

/** Names and values in two columns; a value that is null or empty is left out, a long one goes on below itself. */
export function fields(rows: readonly Field[], indent = '  '): string {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .flatMap(([name, value, colour]) =>
      lines(String(value), WIDTH - width - indent.length - 2).map((line, at) => {
        const left = at === 0 ? paint('dim', name.padEnd(width)) : ' '.repeat(width);
        return `${indent}${left}  ${colour ? paint(colour, line) : line}`;
      }),
    )
    .join('\n');
}

/** Prints a page, its next commands with the database that was named; or the object. */
export function printPage(
  { text, next, json: value }: Page,
  { db, json }: { db: string; json: boolean },
): void {
  if (json) return printJson(value);
  const named = db === dbOption.default ? '' : ` --db ${/^[\w./-]+$/.test(db) ? db : JSON.stringify(db)}`;
  const commands = next.map((command) => `  culturepark ${printable(command)}${named}`);
  out(page([text, `${paint('dim', 'Next:')}\n${commands.join('\n')}`]));
}

/** Parts of a page with an empty line between them; empty parts are left out. */
export function page(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== '').join('\n\n');
}

export const count = (n: number): string => Math.round(n).toLocaleString('en-US');

/** A share as a percentage, with a decimal where it is small. */
export function percent(share: number): string {
  const percents = share * 100;
  return `${percents > 0 && percents < 10 ? percents.toFixed(1) : Math.round(percents)}%`;
}

/** A moment in UTC, to the second. */
export const moment = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** A model with who offers it. */
export function modelName({
  provider,
  model,
  scripted,
}: {
  provider: string;
  model: string;
  scripted: boolean | number;
}): string {
  return oneLine(
    scripted
      ? `${model} (the scripted rehearsal model)`
      : `${model} (${provider.replace(/^(sha256:.{12}).*/, '$1…')})`,
  );
}

/** The label that no reader of rehearsed rows can miss. */
export function scriptedBanner(what: string): string {
  const words = `SCRIPTED REHEARSAL: ${what}, no model and no person. Exports leave such rows out unless told otherwise.`;
  return coloured('yellow', block(words));
}
