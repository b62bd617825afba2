import { atChance, calibrationInWords } from '../evaluation/calibration.ts';
import { UserError } from '../errors.ts';
import type { ExportedJudge } from '../export/manifest.ts';
import {
  calibrationOf,
  verifiersAtWork,
  type CalibrationRow,
  type VerifierAtWork,
} from '../store/calibrations.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { RunModels } from './config.ts';

/** A verifier that let opinions of a culture in, with what it is worth in the language of their dialogues. */
export interface JudgeAtWork extends VerifierAtWork {
  calibration: CalibrationRow | undefined;
}

/** All verifiers whose verdicts let opinions of a run into an export, by culture and language. */
export async function judgesOf(store: Store, run: RunRow, includeScripted: boolean): Promise<JudgeAtWork[]> {
  const verifiers = await verifiersAtWork(store.read, run.id, includeScripted);
  return Promise.all(
    verifiers.map(async (one) => ({ ...one, calibration: await calibrationOf(store.read, one) })),
  );
}

/** Whether every judge of a culture in a language is a calibrated language model that does better than chance. */
export function isVerified(
  judges: readonly JudgeAtWork[],
  { culture, language }: { culture: string; language: string },
): boolean {
  const own = judges.filter((judge) => judge.culture === culture && judge.language === language);
  return (
    own.length > 0 && own.every(({ calibration: found }) => found && found.scripted === 0 && !atChance(found))
  );
}

/** A judge as the manifest tells of it. */
export function exportedJudge({
  runId,
  culture,
  language,
  provider,
  model,
  calibration,
}: JudgeAtWork): ExportedJudge {
  return {
    run: runId,
    culture,
    language,
    provider,
    model,
    in_words: calibrationInWords(calibration),
    calibration: calibration
      ? {
          source: calibration.source,
          provenance: calibration.provenance,
          n: calibration.n,
          accuracy: calibration.accuracy,
          balanced_accuracy: calibration.balanced_accuracy,
          low: calibration.low,
          high: calibration.high,
          kappa: calibration.kappa,
        }
      : null,
  };
}

/**
 * Refuses an export where the judge of a culture is not calibrated, or the lower 95% bound of its balanced accuracy in
 * the language of the culture's dialogues is below `least`. What claims no stance needs no judge.
 */
export function requireCalibrated(
  judges: readonly JudgeAtWork[],
  least: number,
  runs: readonly RunRow[],
  database: string,
): void {
  const short = judges.filter(({ calibration }) => !calibration || calibration.low < least);
  if (short.length === 0) return;
  const lines = short.map(
    ({ culture, language, model, calibration }) =>
      `\n- ${culture}, dialogues in ${language}: the verifier ${model} is ${calibration ? `below it: ${calibrationInWords(calibration)}` : 'not calibrated'}`,
  );
  const uncalibrated = short.filter(({ calibration }) => !calibration);
  const commands = [
    ...new Set(uncalibrated.map((one) => calibrateCommand(one, uncalibrated, runs, database))),
  ];
  throw new UserError(
    `Nothing was exported: a lower 95% bound of at least ${least} is asked for.${[...new Set(lines)].join('')}`,
    {
      mend:
        commands.length > 0
          ? `Calibrate first: ${commands.join('; ')}`
          : 'Let a better verifier judge (`run … --set models.verifier=…`), or ask for less.',
    },
  );
}

/** The command that calibrates a judge in all languages that are wanting. */
function calibrateCommand(
  { provider, model }: JudgeAtWork,
  uncalibrated: readonly JudgeAtWork[],
  runs: readonly RunRow[],
  database: string,
): string {
  const same = (other: { provider: string; model: string }): boolean =>
    other.provider === provider && other.model === model;
  const languages = [...new Set(uncalibrated.filter(same).map(({ language }) => language))];
  const stored = runs
    .flatMap(({ models }) => Object.values(JSON.parse(models) as RunModels))
    .flatMap(({ fallback, ...own }) => [own, fallback ?? []].flat())
    .find(same);
  const key = stored?.apiKeyEnv ? `OPENAI_API_KEY=$${stored.apiKeyEnv} ` : '';
  const address =
    stored?.baseUrl && !stored.baseUrl.startsWith('https://api.openai.com')
      ? ` --base-url ${stored.baseUrl}`
      : '';
  return `${key}culturepark models calibrate --role verifier --model ${stored?.spec ?? model}${address} --language ${languages.join(',')} --db ${database}`;
}
