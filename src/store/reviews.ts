import { sql } from 'kysely';
import { cleanText } from '../clean-text.ts';
import type { Decision } from '../refinement/decide.ts';
import type { Mark } from '../refinement/types.ts';
import type { Reader, Trx } from './store.ts';

/** Other marks may stand in the table; they say nothing here. */
const marks: Mark[] = ['accept', 'reject', 'edit', 'clear'];

/** What a person said of an opinion. */
export interface Review {
  /** Id of the opinion that was reviewed. */
  subject: string;
  mark: Mark;
  note: string | null;
  reviewer: string;
  /** Milliseconds since 1970. */
  at: number;
  /** What an edit puts in the place of the opinion's words. */
  text: string | null;
}

/** Keeps a review; a second one of the same person in the same millisecond comes after the first. */
export async function saveReview(trx: Trx, review: Review): Promise<void> {
  const { newest } = await trx
    .selectFrom('reviews')
    .select((e) => e.fn.max<number | null>('at').as('newest'))
    .where('subject', '=', review.subject)
    .executeTakeFirstOrThrow();
  const at = Math.max(review.at, (newest ?? 0) + 1);
  const text = review.text === null ? null : cleanText(review.text);
  await trx
    .insertInto('reviews')
    .values({ ...review, at, text })
    .execute();
}

/** What a review is of: the words of a turn, whichever refinement took them from it. */
export const wordsKey = (opinion: { dialogueId: string; turnIdx: number; text: string }): string =>
  `${opinion.dialogueId} ${opinion.turnIdx} ${opinion.text}`;

/** By `wordsKey`, the last review of each opinion of a run that anybody has reviewed; without those that were taken back. */
export async function standingReviews(read: Reader, runId: string): Promise<Map<string, Review>> {
  const rows = await read
    .selectFrom('reviews as w')
    .innerJoin('opinions as o', 'o.id', 'w.subject')
    .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
    .selectAll('w')
    .select(['o.dialogue_id as dialogueId', 'o.turn_idx as turnIdx', 'o.text as words'])
    .where('d.run_id', '=', runId)
    .where('w.mark', 'in', marks)
    .orderBy('w.at')
    .orderBy('w.reviewer')
    .execute();
  const last = new Map<string, Review>();
  for (const { dialogueId, turnIdx, words, ...row } of rows) {
    const key = wordsKey({ dialogueId, turnIdx, text: words });
    // The last one comes last in the map too, so that its order tells nothing of what was taken back.
    last.delete(key);
    if (row.mark !== 'clear') last.set(key, row as Review);
  }
  return last;
}

/** All reviews of an opinion's words, the newest first. */
export async function reviewsOf(read: Reader, opinionId: string): Promise<Review[]> {
  const { rows } = await sql<Review>`
    SELECT w.subject, w.mark, w.note, w.reviewer, w.at, w.text
    FROM opinions o JOIN opinions s ON s.dialogue_id = o.dialogue_id AND s.turn_idx = o.turn_idx AND s.text = o.text
    JOIN reviews w ON w.subject = s.id
    WHERE o.id = ${opinionId} AND w.mark IN (${sql.join(marks)})
    ORDER BY w.at DESC, w.reviewer DESC`.execute(read);
  return rows;
}

/** The run that an opinion belongs to, and how it ended. */
export async function placeOfOpinion(read: Reader, opinionId: string): Promise<Decision & { runId: string }> {
  const row = await read
    .selectFrom('opinions as o')
    .innerJoin('dialogues as d', 'd.id', 'o.dialogue_id')
    .select(['d.run_id as runId', 'o.status', 'o.reason'])
    .where('o.id', '=', opinionId)
    .executeTakeFirstOrThrow();
  return { ...row, status: row.status as Decision['status'] };
}

/** Writes what a review decides into each opinion of the same words. */
export async function saveReviewed(
  trx: Trx,
  opinionId: string,
  decision: { status: string; reason: string | null; edited?: string | null },
): Promise<void> {
  const { dialogue_id, turn_idx, text } = await trx
    .selectFrom('opinions')
    .select(['dialogue_id', 'turn_idx', 'text'])
    .where('id', '=', opinionId)
    .executeTakeFirstOrThrow();
  await trx
    .updateTable('opinions')
    .set({ status: decision.status, reason: decision.reason, edited: decision.edited ?? null })
    .where('dialogue_id', '=', dialogue_id)
    .where('turn_idx', '=', turn_idx)
    .where('text', '=', text)
    .execute();
}
