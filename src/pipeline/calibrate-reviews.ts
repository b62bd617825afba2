import { calibrationFigures } from '../evaluation/calibration.ts';
import { groupBy } from '../group-by.ts';
import { contentHash, shortId } from '../ids.ts';
import {
  reviewedVerdicts,
  saveCalibration,
  type CalibrationRow,
  type ReviewedVerdict,
} from '../store/calibrations.ts';
import type { Store } from '../store/store.ts';

const labels = ['entail', 'not entail'] as const;

/** What calibrating by people's marks came to. */
export interface ReviewCalibrations {
  calibrations: CalibrationRow[];
  /** Marked opinions that have a verdict. */
  marked: number;
  /** Of these, those on whose mark reviewers disagree: they are left out. */
  disputed: number;
}

/**
 * What every verifier whose verdicts people have marked is worth: "accept" counts as entail, "reject" as not entail, so
 * there are two classes. Each reviewer's last mark counts. No model is asked.
 * @param languages of the dialogues; all without it
 */
export async function calibrateFromReviews(
  store: Store,
  languages?: readonly string[],
): Promise<ReviewCalibrations> {
  const rows = (await reviewedVerdicts(store.read)).filter(
    ({ language }) => languages?.includes(language) ?? true,
  );
  const byOpinion = groupBy(rows, ({ opinionId }) => opinionId);
  const disputed = new Set(
    [...byOpinion].flatMap(([id, own]) => (new Set(own.map(({ mark }) => mark)).size > 1 ? [id] : [])),
  );
  const agreed = rows.filter(({ opinionId }) => !disputed.has(opinionId));
  const calibrations = [...groupBy(agreed, judgeOf).values()].map(rowOf);
  for (const row of calibrations) await store.write((trx) => saveCalibration(trx, row));
  return { calibrations, marked: byOpinion.size, disputed: disputed.size };
}

const judgeOf = ({ provider, model, prompt, language }: ReviewedVerdict): string =>
  JSON.stringify([provider, model, prompt, language]);

function rowOf(rows: readonly ReviewedVerdict[]): CalibrationRow {
  const { provider, model, prompt, language, scripted } = rows[0] as ReviewedVerdict;
  // The verdict that stands comes first of a judge's on an opinion.
  const verdicts = [...groupBy(rows, ({ opinionId }) => opinionId).values()].map(
    (own) => own[0] as ReviewedVerdict,
  );
  const figures = calibrationFigures(
    verdicts.map(({ mark, verdict }) => ({
      truth: mark === 'accept' ? 'entail' : 'not entail',
      given: verdict === 'entail' ? 'entail' : 'not entail',
    })),
    labels,
  );
  if (!figures) throw new Error('a calibration needs a marked opinion');
  const hash = contentHash(...verdicts.map(({ opinionId, mark }) => `${opinionId} ${mark}`).sort());
  return {
    id: shortId('calibration', 'verifier', provider, model, prompt, language, 'reviews', hash),
    role: 'verifier',
    provider,
    model,
    prompt_hash: prompt,
    language,
    source: 'reviews',
    provenance: "people's marks (accept or reject)",
    pairs_hash: hash,
    ...figures,
    exact: null,
    within_one: null,
    confusion: JSON.stringify(figures.confusion),
    scripted,
    created_at: Date.now(),
  };
}
