import type { CallEvent } from '../models/call-events.ts';
import type { SpendingRow, StoredSpending } from '../store/spending.ts';
import { cellOf, nothing, plus, type CellKey, type Part } from './load.ts';
import { kindOf, type Kind, type Profile } from './profile.ts';
import { CHECKS } from './profile-readings.ts';
import type { RunWatch } from './run-types.ts';

/** What the calls of a stage and role came to so far. */
export type Cell = Omit<SpendingRow, 'stage' | 'role'>;

/** Some turns, or some dialogues of a stage, with what the profile expects of them all together. */
interface Progress {
  units: number;
  part: Part;
}

/** What a run has spent, what that was for, and what is to go; kept up with every call by a few additions. */
export interface Tally {
  /** All calls that are over, in the order of first use. */
  readonly cells: ReadonlyMap<CellKey, Cell>;
  /** Of these the calls whose turn, or dialogue of a stage, is done: they can be compared with what was expected. */
  readonly settled: ReadonlyMap<CellKey, Cell>;
  readonly reused: number;
  readonly retried: number;
  /** Calls on their way. */
  readonly inFlight: number;
  /** Dialogues that have ended, and the turns that they were short of. */
  readonly ended: number;
  readonly lost: number;
  /** Dialogues of further rounds, which the profile does not know. */
  readonly further: number;
  done(cell: CellKey): Progress;
  left(cell: CellKey): Progress;
  /** Turns, or dialogues of a stage, with calls that are over but not settled. */
  pending(cell: CellKey): number;
  /** The cells that the profile or the calls know. */
  keys(): CellKey[];
  /** Is told of what happens, before the one who watches. */
  watching(watch: RunWatch): RunWatch;
}

const emptyCell = (): Cell => ({
  made: 0,
  input: 0,
  cachedInput: 0,
  output: 0,
  outputSquares: 0,
  costUsd: 0,
  unpriced: 0,
});

type Over = Extract<CallEvent, { kind: 'done' }>;

/** Adds a call that is over. */
export function count(cells: Map<CellKey, Cell>, { stage, role, usage, costUsd }: Over): void {
  const cell = entry(cells, cellOf(stage, role), emptyCell);
  cell.made += 1;
  cell.input += usage.input;
  cell.cachedInput += usage.cachedInput;
  cell.output += usage.output;
  cell.outputSquares += usage.output ** 2;
  cell.costUsd += costUsd ?? 0;
  if (costUsd === null) cell.unpriced += 1;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

/** Where a tally begins. */
export interface TallyStart {
  /** What the run has spent before. */
  stored?: StoredSpending;
  /** Flagged and failed dialogues are to go on. */
  heldAgain?: boolean | undefined;
  /** Calls that another process may have on their way. */
  inFlight?: number | undefined;
}

export function createTally(profile: Profile, start: TallyStart = {}): Tally {
  const { stored, heldAgain = false } = start;
  const cellsOf = (): Map<CellKey, Cell> =>
    new Map(stored?.cells.map(({ stage, role, ...cell }) => [cellOf(stage, role), { ...cell }]));
  const cells = cellsOf();
  const settled = cellsOf();
  const waiting = new Map<CellKey, Map<string, Over[]>>();
  let { reused = 0, retried = 0 } = stored ?? {};
  let { inFlight = 0 } = start;
  const talk = createTalk(profile, stored?.dialogues ?? [], heldAgain);
  const refinement = createRefinement(profile, stored?.stages ?? [], talk);
  const settle = (cell: CellKey, subject: string): void => {
    const calls = waiting.get(cell);
    for (const call of calls?.get(subject) ?? []) count(settled, call);
    calls?.delete(subject);
  };
  const over = (event: Over): void => {
    inFlight = Math.max(0, inFlight - 1);
    count(cells, event);
    const calls = entry(waiting, cellOf(event.stage, event.role), () => new Map<string, Over[]>());
    entry(calls, event.subject, () => []).push(event);
  };
  const call = (event: CallEvent): void => {
    if (event.kind === 'done') over(event);
    else if (event.kind === 'sent') inFlight += 1;
    else if (event.kind === 'reused') reused += 1;
    else if (event.kind === 'retried') retried += 1;
  };
  return {
    cells,
    settled,
    get reused() {
      return reused;
    },
    get retried() {
      return retried;
    },
    get inFlight() {
      return inFlight;
    },
    get ended() {
      return talk.ended;
    },
    get lost() {
      return talk.lost;
    },
    get further() {
      return talk.further;
    },
    done: (cell) => refinement.done(cell) ?? talk.done(cell),
    left: (cell) => refinement.left(cell) ?? talk.left(cell),
    pending: (cell) => waiting.get(cell)?.size ?? 0,
    keys: () => [...new Set([...cells.keys(), ...talk.keys(), ...refinement.keys()])],
    watching: (watch) => ({
      ...watch,
      call(event) {
        call(event);
        watch.call?.(event);
      },
      turn(dialogue, turn) {
        const cell = talk.turn(dialogue.key, kindOf(dialogue), turn.idx);
        if (cell) settle(cell, `${dialogue.id}/${turn.idx}`);
        watch.turn?.(dialogue, turn);
      },
      dialogueEnded(dialogue, ...how) {
        const idx = talk.spokenIn(dialogue.key);
        const cell = talk.end(dialogue.key, kindOf(dialogue));
        if (cell) settle(cell, `${dialogue.id}/${idx}`);
        for (let turn = 0; turn <= idx; turn += 1) settle(CHECKS, `${dialogue.id}/${turn}`);
        watch.dialogueEnded?.(dialogue, ...how);
      },
      stage(stage, n, dialogueId) {
        for (const cell of refinement.stage(stage, n)) settle(cell, dialogueId);
        watch.stage?.(stage, n, dialogueId);
      },
    }),
  };
}

/** Turns spoken and to go. */
function createTalk(profile: Profile, dialogues: StoredSpending['dialogues'], heldAgain: boolean) {
  type Beat = Kind['beats'][number];
  const none = (): Progress => ({ units: 0, part: nothing() });
  const done = new Map<CellKey, Progress>();
  const left = new Map<CellKey, Progress>();
  /** Turns of the dialogues that are under way. */
  const begun = new Map<string, number>();
  let [ended, lost] = [0, 0];
  /** Dialogues of further rounds. */
  const further = new Set<string>();
  const add = (to: Map<CellKey, Progress>, { cell, part }: Beat, n = 1): void => {
    const sum = entry(to, cell, none);
    sum.units += n;
    plus(sum.part, part, n);
  };
  const spoken = (beat: Beat): void => {
    add(left, beat, -1);
    add(done, beat);
  };
  const end = (key: string, kind: Kind | undefined): CellKey | undefined => {
    const rest = kind?.beats.slice(begun.get(key) ?? 0) ?? [];
    for (const beat of rest) add(left, beat, -1);
    ended += 1;
    lost += rest.length;
    begun.delete(key);
    return rest[0]?.cell;
  };
  for (const kind of profile.kinds.values()) for (const beat of kind.beats) add(left, beat, kind.dialogues);
  const join = (key: string, kind: Kind | undefined): void => {
    if (profile.kindOfKey(key) || further.has(key)) return;
    further.add(key);
    for (const beat of kind?.beats ?? []) add(left, beat);
  };
  for (const { key, status, turns, like } of dialogues) {
    const kind = profile.kindOfKey(key) ?? kindLike(profile, like);
    join(key, kind);
    kind?.beats.slice(0, turns).forEach(spoken);
    begun.set(key, turns);
    if (status === 'finished' || (status !== 'planned' && !heldAgain)) end(key, kind);
  }
  return {
    get ended() {
      return ended;
    },
    get lost() {
      return lost;
    },
    get further() {
      return further.size;
    },
    keys: () => left.keys(),
    done: (cell: CellKey) => done.get(cell) ?? none(),
    left: (cell: CellKey) => left.get(cell) ?? none(),
    spokenIn: (key: string) => begun.get(key) ?? 0,
    turn(key: string, kind: string, idx: number): CellKey | undefined {
      join(key, profile.kinds.get(kind));
      begun.set(key, idx + 1);
      const beat = profile.kinds.get(kind)?.beats[idx];
      if (beat) spoken(beat);
      return beat?.cell;
    },
    end(key: string, kind: string): CellKey | undefined {
      join(key, profile.kinds.get(kind));
      return end(key, profile.kinds.get(kind));
    },
  };
}

/** The kind of a further round's dialogue: one of the same protocol, length, language and number of seats. */
function kindLike({ kinds }: Profile, like: string): Kind | undefined {
  for (const [name, kind] of kinds) if (name.startsWith(`${like} `)) return kind;
  return undefined;
}

/** Dialogues that each stage of the refinement is done with, and those to go: all are expected to be like the mean. */
function createRefinement(
  profile: Profile,
  stored: StoredSpending['stages'],
  talk: { readonly further: number; readonly ended: number },
) {
  const each = new Map<CellKey, Part>();
  for (const { stages, dialogues } of profile.kinds.values())
    for (const [cell, part] of stages) plus(entry(each, cell, nothing), part, dialogues / profile.dialogues);
  const refined = new Map(stored.map(({ stage, done }) => [stage, done]));
  const stageOf = (cell: CellKey): string => cell.split(' ')[0] as string;
  const some = (cell: CellKey, toGo: boolean): Progress | undefined => {
    const part = each.get(cell);
    if (!part) return undefined;
    const all = profile.dialogues + talk.further;
    const done = Math.min(all, cell === CHECKS ? talk.ended : (refined.get(stageOf(cell)) ?? 0));
    const sum = { units: toGo ? all - done : done, part: nothing() };
    plus(sum.part, part, sum.units);
    return sum;
  };
  return {
    keys: () => each.keys(),
    done: (cell: CellKey) => some(cell, false),
    left: (cell: CellKey) => some(cell, true),
    /** The cells of a stage that is done with so many dialogues. */
    stage(stage: string, n: number): CellKey[] {
      refined.set(stage, Math.max(n, refined.get(stage) ?? 0));
      return [...each.keys()].filter((cell) => stageOf(cell) === stage);
    },
  };
}
