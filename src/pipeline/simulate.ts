import { next } from '../dialogue/step.ts';
import type { StepReply, Turn, Dialogue } from '../dialogue/types.ts';
import { RunStopped } from '../errors.ts';
import type { Caller, Outcome } from '../models/caller.ts';
import { saveCalls } from '../store/calls.ts';
import { appendTurn, dialogueRows, endDialogue, turnsOf } from '../store/dialogues.ts';
import type { Store } from '../store/store.ts';
import { concurrently, underWay } from './concurrently.ts';
import { stageDialogue, type Props } from './stage.ts';

/** Told of what happens, for the person who watches. */
export interface SimulationWatch {
  started(dialogue: Dialogue): void;
  turn(dialogue: Dialogue, turn: Turn): void;
  ended(dialogue: Dialogue, status: string, reason: string): void;
}

/** Holds all planned dialogues of a run, `underWay` at once; then its controls, which begin with answers that the debates have paid. */
export async function simulate(
  store: Store,
  caller: Caller,
  props: Props,
  runId: string,
  watch: SimulationWatch,
): Promise<void> {
  await concurrently(
    dialogueRows(store.read, runId, ['planned']),
    underWay(props.scenario.concurrency),
    async (row) => {
      const dialogue = await stageDialogue(store.read, props, row);
      await hold(store, caller, dialogue, watch);
    },
  );
  await concurrently(
    dialogueRows(store.read, runId, ['planned'], true),
    underWay(props.scenario.concurrency),
    async (row) => hold(store, caller, await stageDialogue(store.read, props, row)),
  );
}

/** The in-process driver of the step: asks, commits each call together with the turn that it makes, goes on from the committed row. */
async function hold(
  store: Store,
  caller: Caller,
  dialogue: Dialogue,
  watch?: SimulationWatch,
): Promise<void> {
  watch?.started(dialogue);
  const turns = await turnsOf(store.read, dialogue.id);
  let tries: StepReply[] = [];
  for (;;) {
    const result = next(dialogue, turns, tries);
    if (result.kind === 'end') {
      await store.write((trx) => endDialogue(trx, dialogue.id, result.status, result.reason));
      watch?.ended(dialogue, result.status, result.reason);
      return;
    }
    if (result.kind === 'turn') throw new Error('a step gave a turn without a reply');
    const { role } = result.request;
    const spoken = await caller.call({ ...result.request, stage: 'dialogue' }, (outcome) =>
      commit(store, dialogue, turns, tries, outcome, role === 'reader'),
    );
    if (spoken.kind === 'lost') return;
    tries = spoken.tries;
    if (spoken.turn) {
      turns.push(spoken.turn);
      watch?.turn(dialogue, spoken.turn);
    }
  }
}

type Spoken = { kind: 'lost' } | { kind: 'spoken'; tries: StepReply[]; turn?: Turn };

/** Stores the call, and in the same transaction the turn that the step makes of it; `lost` when another worker has that turn. */
async function commit(
  store: Store,
  dialogue: Dialogue,
  turns: readonly Turn[],
  tries: readonly StepReply[],
  outcome: Outcome,
  reader: boolean,
): Promise<Spoken> {
  const { callId, status, text, probabilities } = outcome;
  const asked = [...tries, { callId, status, text, reader, ...(probabilities ? { probabilities } : {}) }];
  const result = next(dialogue, turns, asked);
  return store.write(async (trx) => {
    await saveCalls(trx, dialogue.runId, outcome.calls, outcome.uses);
    if (result.kind !== 'turn') return { kind: 'spoken', tries: asked };
    const mine = await appendTurn(trx, result.turn, result.reading);
    return mine ? { kind: 'spoken', tries: [], turn: result.turn } : { kind: 'lost' };
  });
}

/** True for an error that only says that the run was stopped. */
export const isStop = (error: unknown): error is RunStopped => error instanceof RunStopped;
