import { UserError } from '../errors.ts';

/** Options that several commands share. Numbers are parsed by us: a wrong one is an error, never NaN. */
export const dbOption = {
  type: 'string',
  describe: 'Database file',
  default: 'db/culturepark.db',
  requiresArg: true,
} as const;
export const outOption = {
  type: 'string',
  describe: 'Folder of the exports',
  default: 'exports',
  requiresArg: true,
} as const;
export const jsonOption = {
  type: 'boolean',
  describe: 'Print one JSON object on the last line of standard output',
  default: false,
} as const;

/** A single value: an option that was given twice is an error. */
export function single(name: string, value: unknown): string | undefined {
  if (Array.isArray(value))
    throw new UserError(`--${name} was given ${value.length} times.`, { mend: 'Give it once.' });
  return value === undefined ? undefined : String(value);
}

/** A number of an option, or a UserError that says what was expected. */
export function numeric(
  name: string,
  value: unknown,
  { whole = true, least = 1 }: { whole?: boolean; least?: number } = {},
): number | undefined {
  const text = single(name, value);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (
    text.trim() === '' ||
    !Number.isFinite(number) ||
    number < least ||
    (whole && !Number.isInteger(number))
  ) {
    throw new UserError(`--${name} ${text}: expected a ${whole ? 'whole ' : ''}number of ${least} or more.`);
  }
  return number;
}

/** A number from 0 to 1. */
export function shareOf(name: string, value: unknown): number | undefined {
  const share = numeric(name, value, { whole: false, least: 0 });
  if (share !== undefined && share > 1)
    throw new UserError(`--${name} ${share}: expected a number from 0 to 1.`, {
      mend: `For example: --${name} 0.7`,
    });
  return share;
}

/** An option that may be given several times. */
export function several(value: unknown): string[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}
