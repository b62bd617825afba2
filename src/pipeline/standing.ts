import { UserError } from '../errors.ts';
import type { StageName } from '../refinement/types.ts';
import { currentStage, type StageRun } from '../store/opinions.ts';
import type { Reader } from '../store/store.ts';

/**
 * The stage run that stands, for a refinement that begins with a later stage (`from`). A UserError where there is none,
 * or where the settings that were asked for would make it another one.
 */
export async function standingStage(
  read: Reader,
  { runId, stage, settings }: { runId: string; stage: StageName; settings: Record<string, unknown> },
  from: StageName,
): Promise<StageRun> {
  const stands = await currentStage(read, runId, stage);
  if (!stands || stands.status !== 'finished')
    throw new UserError(`The run ${runId} can't begin with ${from}: its stage ${stage} is not done.`, {
      mend: `Begin with it: --from ${stage}`,
    });
  const before = JSON.parse(stands.settings) as Record<string, unknown>;
  const changed = [...new Set([...Object.keys(before), ...Object.keys(settings)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(settings[key]),
  );
  if (changed.length > 0)
    throw new UserError(
      `The run ${runId} can't begin with ${from}: with these settings its stage ${stage} is another one (${changed.join(', ')}).`,
      { mend: `Begin with it (--from ${stage}), or leave that setting as it was.` },
    );
  return stands;
}
