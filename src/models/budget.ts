import { RunStopped } from '../errors.ts';

/** What a run may spend. `spent` and `calls` start at what the run has spent already. */
export interface BudgetSetting {
  maxCalls: number | null;
  maxCostUsd: number | null;
  calls: number;
  spentUsd: number;
}

export interface Reservation {
  /** Call when the call is over; null leaves the reserved price counted. */
  settle(costUsd: number | null): void;
}

/** Reserves a call's highest price before it is sent and settles it after, so that the cap is never passed. */
export interface Budget {
  /** Waits while open reservations might still free room; throws RunStopped('budget') when there is none. */
  reserve(highestUsd: number | null): Promise<Reservation>;
  readonly calls: number;
  readonly spentUsd: number;
}

export function createBudget(setting: BudgetSetting): Budget {
  let { calls, spentUsd } = setting;
  let reserved = 0;
  let open = 0;
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    const woken = waiting;
    waiting = [];
    woken.forEach((go) => go());
  };
  const stop = (what: string, flag: string): never => {
    throw new RunStopped('budget', `The run stopped at its budget: ${what}.`, {
      mend: `Raise ${flag} and run the same command again; nothing is paid twice.`,
    });
  };
  return {
    get calls() {
      return calls;
    },
    get spentUsd() {
      return spentUsd;
    },
    async reserve(highestUsd) {
      const most = highestUsd ?? 0;
      for (;;) {
        if (setting.maxCalls !== null && calls + 1 > setting.maxCalls)
          stop(`${calls} of ${setting.maxCalls} calls are made`, '--max-calls');
        if (
          setting.maxCostUsd === null ||
          highestUsd === null ||
          spentUsd + reserved + most <= setting.maxCostUsd
        )
          break;
        if (open === 0) {
          stop(
            `$${spentUsd.toFixed(4)} of $${setting.maxCostUsd} are spent and the next call may cost $${most.toFixed(4)}`,
            '--max-cost',
          );
        }
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      calls += 1;
      open += 1;
      reserved += most;
      return {
        settle(costUsd) {
          open -= 1;
          reserved -= most;
          spentUsd += costUsd ?? most;
          wake();
        },
      };
    },
  };
}
