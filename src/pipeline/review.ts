import { UserError } from '../errors.ts';
import { reviewed, type Decision } from '../refinement/decide.ts';
import type { Mark } from '../refinement/types.ts';
import { placeOfOpinion, saveReview, saveReviewed } from '../store/reviews.ts';
import type { Store } from '../store/store.ts';

/** The longest text that an edit may have, in characters: as long as an extracted opinion. */
const MOST = 1000;

/**
 * Keeps what a person says of an opinion, and decides the opinion by it at once; the next refinement keeps to it. `clear`
 * leaves the decision as it is until then. A UserError for an edit without words, and for words with another mark.
 */
export async function review(
  store: Store,
  opinionId: string,
  said: { mark: Mark; text?: string | undefined; note?: string | undefined; reviewer: string },
): Promise<Decision & { runId: string }> {
  const { mark, reviewer } = said;
  const text = said.text?.replace(/\s+/g, ' ').trim();
  if (mark === 'edit' && !text)
    throw new UserError('An edit needs the words to export instead.', { mend: 'Add --text "…".' });
  if (mark !== 'edit' && text !== undefined)
    throw new UserError(`--text belongs to edit, not to ${mark}.`, { mend: 'Leave one of the two out.' });
  if ((text?.length ?? 0) > MOST)
    throw new UserError(`The text has ${text?.length} characters; an opinion has at most ${MOST}.`);
  if (reviewer.trim() === '') throw new UserError('--reviewer is empty.');
  const place = await placeOfOpinion(store.read, opinionId);
  const decision = mark === 'clear' ? place : reviewed[mark];
  await store.write(async (trx) => {
    await saveReview(trx, {
      subject: opinionId,
      mark,
      note: said.note?.trim() || null,
      reviewer: reviewer.trim(),
      at: Date.now(),
      text: text ?? null,
    });
    if (mark !== 'clear') await saveReviewed(trx, opinionId, { ...decision, edited: text ?? null });
  });
  return { runId: place.runId, status: decision.status, reason: decision.reason };
}
