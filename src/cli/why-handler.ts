import { UserError } from '../errors.ts';
import { sampleRow } from '../store/inspect-rows.ts';
import { openStore, type Store } from '../store/store.ts';
import { resolveAny, resolveTurn } from './inspect-ids.ts';
import { printPage, type Page } from './inspect-text.ts';
import { whyDialogue, whyTurn } from './why-dialogue.ts';
import { whyOpinion } from './why-opinion.ts';

/** Prints why a row is there, or why it was dropped. Returns the exit code. */
export async function why({ id, db, json }: { id: string; db: string; json: boolean }): Promise<number> {
  const store = openStore(db, { readonly: true });
  try {
    printPage(await explained(store, id), { db, json });
  } finally {
    await store.close();
  }
  return 0;
}

async function explained(store: Store, text: string): Promise<Page> {
  const turn = await resolveTurn(store, text);
  if (turn) return whyTurn(store, turn.dialogueId, turn.idx);
  const { kind, id } = await resolveAny(store, ['sample', 'opinion', 'dialogue'], text);
  if (kind === 'dialogue') return whyDialogue(store, id);
  if (kind === 'opinion') return whyOpinion(store, id, null);
  const sample = await sampleRow(store.read, id);
  if (sample.opinion_id === null) {
    throw new UserError(`The sample ${id} was not made of an opinion.`, {
      mend: `See \`culturepark inspect sample ${id}\`.`,
    });
  }
  return whyOpinion(store, sample.opinion_id, sample);
}
