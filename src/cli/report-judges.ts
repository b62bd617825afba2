import { judgeRole } from '../evaluation/report-rows.ts';
import type { Report } from '../evaluation/report.ts';
import { groupBy } from '../group-by.ts';
import type { Section } from './report-sections.ts';
import { figure, interval, of, role } from './report-words.ts';

/** Who judged and read, and what each is worth. */
export function judgesSection({ judges }: Report): Section {
  return {
    id: 'judges',
    title: 'Judges and readers',
    note: 'What each is worth on opinions whose verdict or side is known, in the language of the dialogues (docs/calibration.md). Nobody knows how often a judge that is not calibrated is right. The interval is that of the balanced accuracy, the mean share judged right over the true categories.',
    head: [
      'stage',
      'model',
      'language',
      'cultures',
      'calibration',
      'n',
      'accuracy',
      'balanced',
      '95% interval',
      'kappa',
      'finished',
      'dialogues not fully judged',
    ],
    rows: judges.map(({ figures: f, ...row }) => [
      role(row.stage),
      row.model,
      row.language,
      row.cultures.join(', '),
      f
        ? `${f.at_chance ? 'no better than chance' : 'better than chance'}; ${f.provenance}`
        : row.calibration,
      ...(f
        ? [f.n, figure(f.accuracy, 2), figure(f.balanced_accuracy, 2), interval(f, 2), figure(f.kappa, 2)]
        : ['', '', '', '', '']),
      row.finished ? 'yes' : 'no',
      row.notes,
    ]),
  };
}

/** The confusion table of each calibrated judge. */
export function confusionSection({ judges }: Report): Section {
  return {
    id: 'confusion',
    title: 'How the judges err',
    note: 'The confusion table of each calibrated judge, a line a true category: how often it was judged to be what.',
    head: ['judge', 'language', 'truth', 'n', 'judged to be'],
    rows: tables(judges).flatMap(({ stage, model, language, confusion: { labels, counts } }) =>
      labels.flatMap((label, at) => {
        const own = counts[at] as readonly number[];
        const all = own.reduce((sum, n) => sum + n, 0);
        const judged = labels.flatMap((given, i) =>
          own[i] ? [`${given} ${of(own[i] as number, all)}`] : [],
        );
        return all > 0 ? [[`${model}, ${judgeRole(stage)}`, language, label, all, judged.join(', ')]] : [];
      }),
    ),
  };
}

/** The tables of the judges, once each: one reader may have read turns and opinions. */
function tables(judges: Report['judges']) {
  const all = judges.flatMap(({ figures, ...row }) =>
    figures ? [{ ...row, confusion: figures.confusion }] : [],
  );
  const byJudge = groupBy(all, ({ stage, model, language }) =>
    JSON.stringify([judgeRole(stage), model, language]),
  );
  return [...byJudge.values()].map(([first]) => first as (typeof all)[number]);
}
