import { UserError } from './errors.ts';

/** Fills {{name}} places of a template; an unknown place is our own mistake and throws. */
export function fill(template: string, values: Record<string, string | number>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined)
      throw new UserError(`A prompt names {{${name}}}, which is not known there.`, {
        mend: `Known: ${Object.keys(values).join(', ')}.`,
      });
    return String(value);
  });
}
