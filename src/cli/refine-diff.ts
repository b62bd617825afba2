import type { RefineDiff } from '../pipeline/refine-diff.ts';
import { block, heading, page } from './inspect-text.ts';
import { counts, dollarRange } from './money.ts';
import { table } from './table.ts';
import { oneLine } from './text.ts';

/** Opinions that are shown one by one. */
const SHOWN = 10;

/** What a refinement would change, to be read. */
export function diffText({
  run_id,
  changes,
  opinions,
  calls,
  waiting,
  refinement,
  readings,
}: RefineDiff): string {
  const n = changes.reduce((sum, row) => sum + row.opinions, 0);
  const inWords = (end: { status: string; reason: string | null } | null): string =>
    end ? `${end.status}${end.reason === null ? '' : ` (${end.reason})`}` : 'not there';
  const totals = [
    `Refinement: ${counts(refinement.calls)} calls, ${dollarRange(refinement.cost_usd)}.`,
    ...(readings.calls.high > 0
      ? [
          `Readings of the stance ledger, apart: ${counts(readings.calls)} calls, ${dollarRange(readings.cost_usd)}.`,
        ]
      : []),
  ];
  return page([
    `${heading(`Run ${run_id}, refined so`)}: ${n === 0 ? 'no opinion that can be told now would end otherwise' : `${n} opinions would end otherwise`}. Nothing was changed.`,
    n === 0
      ? null
      : table(
          ['opinions', 'from', 'to'],
          changes.map((row) => [row.opinions, row.before, row.after]),
        ),
    n === 0
      ? null
      : opinions
          .slice(0, SHOWN)
          .map(
            ({ id, text, before, after }) =>
              `${id}  ${inWords(before)} -> ${inWords(after)}\n${block(`“${oneLine(text, 200)}”`, '    ')}`,
          )
          .concat(n > SHOWN ? [`… and ${n - SHOWN} more (--json)`] : [])
          .join('\n'),
    waiting === 0
      ? null
      : `${waiting} dialogues hang on replies that are not there yet; what becomes of their opinions, and of those that are like them, can't be told.`,
    calls.length === 0
      ? 'It asks no model.'
      : `${table(
          ['stage', 'role', 'calls', 'price'],
          calls.map((row) => [row.stage, row.role, counts(row.calls), dollarRange(row.cost_usd)]),
        )}\n${totals.join('\n')}`,
  ]);
}
