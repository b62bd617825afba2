/** Something the user can mend: what happened, where, and how to mend it. The command line prints it without a stack and exits 1. */
export class UserError extends Error {
  override name = 'UserError';
  /** How to mend it, one sentence in the imperative. */
  readonly mend: string | undefined;

  constructor(message: string, options: { mend?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.mend = options.mend;
  }
}

export type StopReason = 'interrupted' | 'budget' | 'quota_short' | 'provider';

/** The run was stopped on purpose and can be resumed: by the user, a budget, or a provider that is not there. */
export class RunStopped extends Error {
  override name = 'RunStopped';
  readonly reason: StopReason;
  readonly mend: string | undefined;

  constructor(reason: StopReason, message: string, options: { mend?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.mend = options.mend;
  }
}
