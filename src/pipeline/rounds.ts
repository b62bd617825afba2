import { RunStopped } from '../errors.ts';
import { savePlanned, type PlannedDialogue } from '../store/dialogues.ts';
import { reopenStages } from '../store/opinions.ts';
import { updateRun, type RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { plannedIn, yieldsIn } from '../store/yields.ts';
import { planControls } from './controls.ts';
import { planDialogues, type PlanInput } from './plan.ts';
import { quotasOf, shortOf, wantedFor, type AnswerYield, type Quota } from './quota.ts';

/** The quotas of a run; undefined where its scenario asks for none. */
export function quotasIn(plan: Omit<PlanInput, 'runId'>): Quota[] | undefined {
  const { samples } = plan.scenario;
  return samples && quotasOf(plan, samples.per_culture);
}

/** Dialogues of all rounds together, at most. */
export function mostDialogues({
  scenario,
  cultures,
}: Pick<PlanInput, 'scenario'> & { cultures: readonly unknown[] }): number {
  const { samples } = scenario;
  return samples ? (samples.max_dialogues ?? 2 * samples.per_culture * cultures.length) : Infinity;
}

/** Stores planned dialogues, a page a transaction; what is there already is left alone. */
export async function savePlan(store: Store, planned: Iterable<PlannedDialogue>): Promise<number> {
  let n = 0;
  let page: PlannedDialogue[] = [];
  const flush = async (): Promise<void> => {
    const rows = page;
    page = [];
    await store.write((trx) => savePlanned(trx, rows));
  };
  for (const one of planned) {
    page.push(one);
    n += 1;
    if (page.length === 100) await flush();
  }
  await flush();
  return n;
}

/** The round whose planning was cut off; undefined where none was. */
export const roundInPlanning = ({ phase }: RunRow): number | undefined => {
  const found = /^plan (\d+)$/.exec(phase);
  return found ? Number(found[1]) : undefined;
};

/**
 * Plans a further round for the answers that are short of their quota, from nothing but what is final at the end of the
 * round before; cut off, it plans the same again. Returns what is short and how many dialogues were planned for it.
 */
export async function planRound(
  store: Store,
  run: RunRow,
  plan: PlanInput,
  quotas: readonly Quota[],
  round: number,
): Promise<{ short: Quota[]; yields: AnswerYield[]; planned: number }> {
  const yields = await yieldsIn(store, run.id);
  const short = shortOf(quotas, yields);
  const before = await plannedIn(store, run.id, round);
  const wanted = wantedFor(short, yields, mostDialogues(plan) - before);
  if (wanted.length === 0) return { short, yields, planned: 0 };
  await updateRun(store, run.id, { phase: `plan ${round}` });
  await store.write((trx) => reopenStages(trx, run.id));
  const further = { ...plan, further: { round, wanted } };
  const planned = await savePlan(store, planDialogues(further));
  await savePlan(store, planControls(further));
  await updateRun(store, run.id, { phase: 'dialogues' });
  return { short, yields, planned };
}

/** That quotas stay short, and of what: the run can go on under a higher cap. */
export function quotaShort(
  short: readonly Quota[],
  yields: readonly AnswerYield[],
  most: number,
): RunStopped {
  const missing = short.reduce((sum, { n }) => sum + n, 0);
  const worst = [...short].sort((a, b) => b.n - a.n).slice(0, 5);
  const lines = worst.map(({ culture, topicId, country, code, n }) => {
    const got = yields.find(
      (row) =>
        row.culture === culture && row.topicId === topicId && row.country === country && row.code === code,
    );
    return `${culture} ${topicId} in ${country}, answer ${code ?? 'of no stance'}: ${n} short (${got?.accepted ?? 0} accepted of ${got?.assigned ?? 0} people who gave it)`;
  });
  return new RunStopped(
    'quota_short',
    `${missing} samples are short of their quota in ${short.length} answers, and the cap of ${most} dialogues is reached. ${lines.join('; ')}${short.length > 5 ? '; …' : ''}.`,
    {
      mend: 'Raise samples.max_dialogues and run the same command again, or see with `culturepark runs` and `why` what was dropped; answers of a minority are lost mostly in verification.',
    },
  );
}
