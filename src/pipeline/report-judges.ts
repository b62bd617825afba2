import { atChance, calibrationInWords, type Confusion } from '../evaluation/calibration.ts';
import { sidesOf, type Readers, type SideTable } from '../evaluation/persuasion.ts';
import type { Judge } from '../evaluation/report.ts';
import type { JudgeRow } from '../evaluation/report-rows.ts';
import { groupBy } from '../group-by.ts';
import { calibrationOf, judgesAtWork, type CalibrationRow, type StageJudge } from '../store/calibrations.ts';
import { judgeRows } from '../store/report.ts';
import type { Reader } from '../store/store.ts';
import type { RunConfig } from './config.ts';

/** Who judged and read a run with what is known of how well, and how the reader of its turns errs. */
export async function reportJudges(
  read: Reader,
  runId: string,
  { scenario, cultures }: RunConfig,
): Promise<{ judges: Judge[]; readers: Readers }> {
  const stages = await judgeRows(read, runId);
  const atWork = groupBy(await judgesAtWork(read, runId), ({ stage }) => stage);
  const judges: Judge[] = [];
  const ofTurns: [language: string, CalibrationRow | undefined][] = [];
  for (const row of stages) {
    const own = atWork.get(row.stage) ?? [];
    if (own.length === 0)
      judges.push({ ...row, language: null, cultures: [], calibration: 'not calibrated', figures: null });
    for (const judge of own) {
      const found = await calibrationOf(read, { ...judge, prompt: row.prompt });
      if (row.stage === 'read_turns') ofTurns.push([judge.language, found]);
      const judged = cultures.filter(
        ({ language }) => scenario.language !== 'own' || language === judge.language,
      );
      judges.push(
        judgeOf(
          row,
          judge,
          judged.map(({ id }) => id),
          found,
        ),
      );
    }
  }
  const byLanguage = groupBy(ofTurns, ([language]) => language);
  return {
    judges,
    readers: new Map(
      [...byLanguage].map(([language, own]) => [language, tableOf(own.map(([, one]) => one))]),
    ),
  };
}

function judgeOf(
  row: JudgeRow,
  { language, model, provider }: StageJudge,
  cultures: string[],
  found: CalibrationRow | undefined,
): Judge {
  return {
    ...row,
    model: `${model} (${provider.replace(/^(sha256:.{12}).*/, '$1…')})`,
    language,
    cultures,
    calibration: calibrationInWords(found),
    figures: found
      ? {
          source: found.source,
          provenance: found.provenance,
          n: found.n,
          accuracy: found.accuracy,
          balanced_accuracy: found.balanced_accuracy,
          low: found.low,
          high: found.high,
          kappa: found.kappa,
          at_chance: atChance(found),
          confusion: JSON.parse(found.confusion) as Confusion,
        }
      : null,
  };
}

/** How the one reader of a language reads the sides, or why nobody can say. */
function tableOf([found, ...others]: readonly (CalibrationRow | undefined)[]): SideTable | string {
  if (others.length > 0) return 'more than one model';
  if (!found) return 'not calibrated';
  if (found.scripted === 1) return 'the scripted model';
  if (atChance(found)) return 'no better than chance';
  return sidesOf(JSON.parse(found.confusion) as Confusion) ?? 'not calibrated on the sides';
}
