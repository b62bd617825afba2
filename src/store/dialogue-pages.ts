import { sql } from 'kysely';
import type { Reader } from './store.ts';

/** The dialogues of a run, some ids at a time in key order; the ids are held, and sorted once. */
export async function* dialoguePages(
  read: Reader,
  runId: string,
  size: number,
): AsyncGenerator<readonly string[]> {
  const { rows } = await sql<{
    id: string;
  }>`SELECT id FROM dialogues WHERE run_id = ${runId} ORDER BY key`.execute(read);
  const ids = rows.map(({ id }) => id);
  for (let at = 0; at < ids.length; at += size) yield ids.slice(at, at + size);
}
