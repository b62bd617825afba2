import { vi } from 'vitest';
import { main } from '../../src/cli/program.ts';

/** What a command line wrote and how it ended. */
export interface Ended {
  code: number;
  out: string;
  err: string;
  /** The JSON object on the last line of standard output. */
  json<T>(): T;
}

/** Runs a command line in this process, in the current folder; console.log (yargs's help) counts as standard output. */
export async function terminal(...argv: string[]): Promise<Ended> {
  const written = { out: '', err: '' };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((written.out += String(text)))),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((written.err += String(text)))),
    vi.spyOn(console, 'log').mockImplementation((text) => void (written.out += `${String(text)}\n`)),
  ];
  try {
    const code = await main(argv);
    return {
      code,
      ...written,
      json: <T>() => JSON.parse(written.out.trim().split('\n').at(-1) as string) as T,
    };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** A block of a text: from the line that begins so to the next empty line. */
export function block(text: string, start: string): string {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.startsWith(start));
  if (from < 0) throw new Error(`no line begins with ${start}`);
  const to = lines.indexOf('', from);
  return lines.slice(from, to < 0 ? undefined : to).join('\n');
}
