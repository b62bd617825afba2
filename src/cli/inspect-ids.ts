import { UserError } from '../errors.ts';
import { idKinds, idsBeginning, turnIndexes, type IdKind } from '../store/inspect.ts';
import type { Store } from '../store/store.ts';
import { oneLine } from './text.ts';

const LEAST = 4;
const SHOWN = 10;

/** Where ids of a kind are found. */
const whereToFind: Record<IdKind, string> = {
  run: 'See `culturepark runs`.',
  dialogue: '`culturepark inspect run RUN` lists dialogues, `culturepark search WORDS` finds them.',
  opinion: '`culturepark inspect dialogue ID` shows opinions, `culturepark search WORDS` finds them.',
  cluster: '`culturepark why OPINION` names its cluster.',
  sample: 'The sample_id column of rows.csv beside an export has them, `culturepark why OPINION` too.',
  call: '`culturepark inspect turn DIALOGUE/INDEX` names the call that made it.',
  persona: '`culturepark inspect dialogue ID --json` names its personas.',
};

/** The id of a kind that a person meant: the whole, or an unambiguous beginning of it. Throws a UserError that says how to go on. */
export async function resolveId(store: Store, kind: IdKind, text: string): Promise<string> {
  const found = await matches(store, [kind], text);
  return only(store, found, text, `${kind === 'opinion' ? 'an' : 'a'} ${kind}`, whereToFind[kind]);
}

/** A thing of one of several kinds by its id, or an unambiguous beginning of it. */
export async function resolveAny(store: Store, kinds: readonly IdKind[], text: string): Promise<Match> {
  const found = await matches(store, kinds, text);
  const id = await only(
    store,
    found,
    text,
    kinds.join(', '),
    `${whereToFind.dialogue} ${whereToFind.sample}`,
  );
  return found.find((one) => one.id === id) as Match;
}

/** A turn's dialogue and index from DIALOGUE/INDEX; undefined where the text has no slash. */
export async function resolveTurn(
  store: Store,
  text: string,
): Promise<{ dialogueId: string; idx: number } | undefined> {
  const [dialogue = '', index, ...rest] = text.split('/');
  if (index === undefined) return undefined;
  if (rest.length > 0 || !/^\d{1,6}$/.test(index)) {
    throw new UserError(`"${oneLine(text, 60)}" is no turn.`, {
      mend: 'A turn is named by its dialogue and its number there: DIALOGUE/0 is the first.',
    });
  }
  const dialogueId = await resolveId(store, 'dialogue', dialogue);
  const turns = await turnIndexes(store.read, dialogueId);
  if (!turns.includes(Number(index))) {
    const last = turns.at(-1);
    throw new UserError(`The dialogue ${dialogueId} has no turn ${index}.`, {
      mend:
        last === undefined
          ? 'It has no turns yet.'
          : `It has the turns 0 to ${last}: see \`culturepark inspect dialogue ${dialogueId}\`.`,
    });
  }
  return { dialogueId, idx: Number(index) };
}

interface Match {
  kind: IdKind;
  id: string;
}

async function matches(store: Store, kinds: readonly IdKind[], text: string): Promise<Match[]> {
  const beginning = text.trim().toLowerCase();
  if (!/^[a-z0-9]+$/.test(beginning)) {
    throw new UserError(`"${oneLine(text, 60)}" is no id.`, {
      mend: text.includes('/')
        ? `A turn is shown by \`culturepark inspect turn ${oneLine(text, 60)}\`.`
        : 'Ids are letters and digits, as `culturepark runs` and `culturepark search` print them.',
    });
  }
  if (beginning.length < LEAST)
    throw new UserError(`"${beginning}" is too short for an id.`, {
      mend: `Give at least its first ${LEAST} characters.`,
    });
  const found: Match[] = [];
  for (const kind of kinds)
    found.push(...(await idsBeginning(store.read, kind, beginning, SHOWN + 1)).map((id) => ({ kind, id })));
  const whole = found.filter(({ id }) => id === beginning);
  return whole.length > 0 ? whole : found;
}

async function only(
  store: Store,
  found: readonly Match[],
  text: string,
  what: string,
  mend: string,
): Promise<string> {
  const [first, second] = found;
  if (first && !second) return first.id;
  if (first) {
    const listed = found.slice(0, SHOWN).map(({ kind, id }) => `  ${kind} ${id}`);
    const more = found.length > SHOWN ? ['  …'] : [];
    throw new UserError(`"${text}" is the beginning of several ids:\n${[...listed, ...more].join('\n')}`, {
      mend: 'Give more of the one that you mean.',
    });
  }
  const others = await matches(store, idKinds, text);
  if (others[0]) {
    const is = others.slice(0, 3).map(({ kind, id }) => `${kind} ${id}`);
    throw new UserError(`"${text}" is not ${what} but ${is.join(' or ')}.`, {
      mend: `See \`culturepark inspect ${is[0]}\`.`,
    });
  }
  throw new UserError(`There is nothing in ${store.path} whose id begins with "${text}".`, { mend });
}
