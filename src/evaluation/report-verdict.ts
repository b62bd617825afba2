import { groupBy } from '../group-by.ts';
import type { CultureLine, Report } from './report.ts';
import { judgeRole } from './report-rows.ts';
import { ENOUGH } from './fidelity.ts';
import { sum } from './report-cells.ts';
import { quotaSaid } from './report-quota.ts';

/** The answer in plain words; every sentence holds whatever the data are. */
export function verdict(report: Omit<Report, 'verdict'>): string[] {
  const { run, cultures, drawn, funnel, judges, flattening, coverage, drift } = report;
  const accepted = sum(funnel, (line) => line.accepted);
  const read = sum(cultures, (line) => line.read + line.none);
  const said: string[] = [];
  if (run.status !== 'finished')
    said.push(
      `The run is not finished (${run.status}${run.stop_reason ? `: ${run.stop_reason}` : ''}, in the phase "${run.phase}"): these are the figures of what is there so far.`,
    );
  if (accepted === 0) said.push('No opinion was accepted, so there is nothing to compare with the survey.');
  else if (read === 0)
    said.push(
      `None of the ${accepted} accepted opinions was read, so nobody knows which answers they express. To read them: culturepark refine ${run.id} --set readings.opinions=true`,
    );
  else said.push(...fidelitySaid(cultures));
  if (report.quota) said.push(quotaSaid(report.quota));
  if (run.scripted_roles.length > 0)
    said.push(
      `Circular: the scripted model plays ${run.models.every(({ scripted }) => scripted) ? 'all roles' : run.scripted_roles.join(', ').replaceAll('_', ' ')}, and its words are made from the survey's answers, so "read against survey" proves the pipeline and says nothing of a language model.`,
    );
  if (drawn.length > 0) {
    const near = drawn.filter(({ deviation, sampling_error }) => deviation <= sampling_error);
    said.push(
      `Personas stand for respondents: in ${near.length} of ${drawn.length} cells the answers drawn are as near to the survey as that many independent draws are on average, or nearer.`,
    );
  }
  if (judges.length > 0 && accepted > 0)
    said.push(
      `Who judged and read: ${judgesSaid(judges)}.${judges.some(({ figures }) => !figures) ? ' What is not calibrated may be right or wrong, nobody has counted how often.' : ''}`,
    );
  const none = sum(cultures, (line) => line.none);
  if (none > 0)
    said.push(
      `In ${none} of the ${read} opinions that were read the reader found no answer; they stand apart from the shares.`,
    );
  if (drift) said.push(...driftSaid(drift));
  if (flattening.flagged.length > 0)
    said.push(
      `Flattened: in ${flattening.flagged.length} of ${flattening.tested} cells the answers gather on one more than the survey makes likely.`,
    );
  const left = coverage.filter(({ left_out }) => left_out !== null).length;
  if (left > 0)
    said.push(
      `${left} of ${coverage.length} cells were left out: no answer is invented where nobody was asked.`,
    );
  return said;
}

function fidelitySaid(cultures: readonly CultureLine[]): string[] {
  const told = cultures.flatMap(({ culture, fidelity }) => (fidelity ? [{ culture, fidelity }] : []));
  const few = cultures.filter(({ fidelity }) => !fidelity);
  const said: string[] = [];
  const unknown = told.filter(({ fidelity }) => fidelity.survey_error === null);
  if (told.length > 0) {
    const noise = `sampling noise${unknown.length === told.length ? '' : " and the survey's own error"} can`;
    const close = told.filter(({ fidelity }) => fidelity.explained);
    const names = close.map(({ culture }) => culture).join(', ');
    if (close.length > 0)
      said.push(
        `In ${close.length} of ${told.length} ${told.length === 1 ? 'culture' : 'cultures'} with enough rows the answers read from the accepted opinions differ from the survey's by no more than ${noise} explain${names ? ` (${names})` : ''}.`,
      );
    const far = told.filter(({ fidelity }) => !fidelity.explained);
    if (far.length > 0)
      said.push(
        `${close.length > 0 ? 'They differ by more in' : `The answers read from the accepted opinions differ from the survey by more than ${noise} explain in`} ${far.map(({ culture, fidelity: { similarity } }) => `${culture} (1 - JSD ${figure(similarity.estimate)}, between ${figure(similarity.low)} and ${figure(similarity.high)})`).join(', ')}.`,
      );
    if (close.length > 0)
      said.push(
        '"No more than noise" is no proof of sameness: the intervals say how large a difference the rows could hide.',
      );
  }
  if (unknown.length > 0)
    said.push(
      `The survey's own error is left out for ${unknown.map(({ culture }) => culture).join(', ')}: shares were published there without the number of people, so it is not known.`,
    );
  if (few.length > 0)
    said.push(
      `Too few rows (fewer than ${ENOUGH} accepted, or none read): ${few.map(({ culture, accepted }) => `${culture} (${accepted})`).join(', ')}.`,
    );
  return said;
}

/** Each model by role: what it is worth, and in which languages. */
function judgesSaid(judges: Report['judges']): string {
  const said = judges.map(({ stage, model, language, figures }) => ({
    who: `${model} as ${judgeRole(stage)}`,
    language,
    worth: !figures
      ? 'not calibrated'
      : figures.at_chance
        ? 'no better than chance'
        : `right ${percent(figures.balanced_accuracy)} of the time, the categories balanced (${percent(figures.low)} to ${percent(figures.high)})`,
  }));
  return [...groupBy(said, ({ who }) => who)]
    .map(([who, own]) => {
      const worths = [...groupBy(own, ({ worth }) => worth)].map(([worth, some]) => {
        const languages = [...new Set(some.flatMap(({ language }) => language ?? []))].sort();
        return languages.length > 0 ? `${worth} in ${languages.join(', ')}` : worth;
      });
      return `${who} is ${worths.join(', ')}`;
    })
    .join('; ');
}

function driftSaid({ lines }: NonNullable<Report['drift']>): string[] {
  if (lines.length === 0) return [];
  const who = ({ culture, role }: (typeof lines)[number]): string =>
    `${culture} ${role.replaceAll('_', ' ')}s`;
  const beyond = lines.filter(({ beyond_noise }) => beyond_noise);
  const untold = lines.filter(({ excess }) => excess === null);
  const said = [
    beyond.length > 0
      ? `In private, ${beyond.map(who).join(', ')} moved further in the talk than personas who were asked twice with no talk between.`
      : untold.length < lines.length
        ? `${untold.length > 0 ? 'Of those with enough controls nobody' : 'Nobody'} was seen to move further in the talk than personas who were asked twice with no talk between.`
        : '',
    untold.length > 0 ? `Too few controls to tell drift from noise: ${untold.map(who).join(', ')}.` : '',
  ];
  return said.filter((one) => one !== '');
}

const figure = (value: number): string => value.toFixed(3);
const percent = (share: number): string => `${Math.round(100 * share)}%`;
