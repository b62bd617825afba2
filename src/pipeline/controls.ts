import { sampleStart, systematicSample } from '../agents/sampling.ts';
import { shortId } from '../ids.ts';
import type { PlannedDialogue } from '../store/dialogues.ts';
import { planDialogues, type PlanInput } from './plan.ts';
import { armsOf } from './scenario.ts';

/**
 * Controls of the debates: the same personas are asked in private, twice, with no talk between. A systematic sample of an
 * arm's debates of a round in key order (of the first round one at least), of those where somebody has answers to choose from.
 */
export function* planControls(input: PlanInput): Generator<PlannedDialogue> {
  const { scenario, seed } = input;
  const share = scenario.readings.control;
  if (share === 0) return;
  const debates = new Map<string, string[]>();
  for (const { name, protocol } of armsOf(scenario)) if (protocol === 'debate') debates.set(name, []);
  if (debates.size === 0) return;
  for (const { row, seats } of planDialogues(input))
    if (seats.some(({ persona }) => persona?.stances.has(row.topic_id))) debates.get(row.arm)?.push(row.key);
  const chosen = new Set<string>();
  for (const [arm, keys] of debates) {
    if (keys.length === 0) continue;
    keys.sort();
    const n = Math.max(input.further ? 0 : 1, Math.round(keys.length * share));
    for (const at of systematicSample(
      keys.map(() => 1),
      n,
      sampleStart(seed, 'control', arm),
    ))
      chosen.add(keys[at] as string);
  }
  for (const { row, seats } of planDialogues(input)) {
    if (!chosen.has(row.key)) continue;
    const key = shortId('control', row.key);
    yield { row: { ...row, id: shortId(row.run_id, key), key, protocol: 'control', turn_count: 0 }, seats };
  }
}
