import type { GateResult } from '../refinement/gate.ts';
import type { Reader, Trx } from './store.ts';

/** A gate's result with the dialogue that it is about. */
export interface GateRow extends GateResult {
  dialogueId: string;
  callId: string;
}

export async function saveGate(trx: Trx, stageRunId: string, row: GateRow): Promise<void> {
  await trx
    .insertInto('dialogue_gates')
    .values({
      stage_run_id: stageRunId,
      dialogue_id: row.dialogueId,
      shown: row.shown,
      consistent: Number(row.consistent),
      reason: row.reason,
      call_id: row.callId,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** By dialogue, what a stage run of the gate found. */
export async function gatesOf(
  read: Reader,
  stageRunId: string,
): Promise<Map<string, Pick<GateResult, 'shown' | 'consistent'>>> {
  const rows = await read
    .selectFrom('dialogue_gates')
    .select(['dialogue_id', 'shown', 'consistent'])
    .where('stage_run_id', '=', stageRunId)
    .execute();
  return new Map(
    rows.map((row) => [
      row.dialogue_id,
      { shown: row.shown as GateResult['shown'], consistent: row.consistent === 1 },
    ]),
  );
}

/** What the gate that stands found of a dialogue; undefined where none does. */
export async function gateOf(read: Reader, dialogueId: string): Promise<GateRow | undefined> {
  const row = await read
    .selectFrom('dialogue_gates as g')
    .innerJoin('stage_runs as s', 's.id', 'g.stage_run_id')
    .selectAll('g')
    .where('g.dialogue_id', '=', dialogueId)
    .where('s.current', '=', 1)
    .executeTakeFirst();
  return (
    row && {
      dialogueId,
      callId: row.call_id,
      shown: row.shown as GateResult['shown'],
      consistent: row.consistent === 1,
      reason: row.reason,
    }
  );
}
