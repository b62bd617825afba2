import { UserError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { openStore, type Store } from '../store/store.ts';
import { callPage } from './inspect-call.ts';
import { dialoguePage } from './inspect-dialogue.ts';
import { resolveId, resolveTurn } from './inspect-ids.ts';
import { clusterPage, opinionPage, samplePage } from './inspect-opinion.ts';
import { personaPage } from './inspect-persona.ts';
import { runPage } from './inspect-run.ts';
import { printPage, type Page } from './inspect-text.ts';
import { turnPage } from './inspect-turn.ts';
import { oneLine } from './text.ts';

type Show = (store: Store, id: string) => Promise<Page>;

const byId =
  (kind: Parameters<typeof resolveId>[1], page: Show): Show =>
  async (store, text) =>
    page(store, await resolveId(store, kind, text));

const pages: Record<string, Show> = {
  run: byId('run', runPage),
  dialogue: byId('dialogue', dialoguePage),
  turn: async (store, text) => {
    const turn = await resolveTurn(store, text);
    if (turn) return turnPage(store, turn.dialogueId, turn.idx);
    const dialogue = await resolveId(store, 'dialogue', text);
    throw new UserError(`"${oneLine(text, 60)}" is a dialogue, not a turn.`, {
      mend: `Name a turn by its number there: ${dialogue}/0 is the first.`,
    });
  },
  opinion: byId('opinion', opinionPage),
  cluster: byId('cluster', clusterPage),
  sample: byId('sample', samplePage),
  call: byId('call', callPage),
  persona: byId('persona', personaPage),
};

/** Prints one thing of a database. Returns the exit code. */
export async function inspect({
  kind,
  id,
  db,
  json,
}: {
  kind: string;
  id: string;
  db: string;
  json: boolean;
}): Promise<number> {
  const show = Object.hasOwn(pages, kind) ? pages[kind] : undefined;
  if (!show) {
    const near = nearest(kind, Object.keys(pages));
    throw new UserError(
      `There is no kind "${oneLine(kind, 40)}"${near ? `; did you mean "${near}"?` : '.'}`,
      {
        mend: `Kinds: ${Object.keys(pages).join(', ')}.`,
      },
    );
  }
  const store = openStore(db, { readonly: true });
  try {
    printPage(await show(store, id), { db, json });
  } finally {
    await store.close();
  }
  return 0;
}
