import { basename, resolve } from 'node:path';
import { RunStopped } from '../errors.ts';
import { importSurvey, type ImportResult } from '../pipeline/import-survey.ts';
import { openStore, type Store } from '../store/store.ts';
import type { SurveyKind } from '../survey/import/types.ts';
import { err, out } from './output.ts';
import { byteProgress } from './byte-progress.ts';
import { table } from './table.ts';
import { oneLine, paint, printable, wrapped } from './text.ts';

interface Import {
  file: string;
  kind: SurveyKind | undefined;
  name: string | undefined;
  ordered: boolean;
  dryRun: boolean;
  db: string;
  json: boolean;
}

/** Cells that differ from the shipped ones, as many as a screen holds. */
const DIFFERING = 20;

/** Imports a survey file, or says what it would import; returns the exit code. */
export async function importFile({ file, dryRun, db, json, ...asked }: Import): Promise<number> {
  const progress = await byteProgress();
  const signals = stopOnSignals();
  let store: Store | undefined;
  try {
    const open = (): Store => (store = openStore(db));
    const result = await importSurvey(dryRun ? null : open, file, {
      ...asked,
      progress: progress.show,
      stop: signals.stop,
    });
    progress.end();
    if (json) out(JSON.stringify(asJson(result, resolve(db))));
    else describe(result, resolve(db));
    return 0;
  } catch (error) {
    progress.end();
    if (!(error instanceof RunStopped)) throw error;
    err(error.message);
    return signals.code();
  } finally {
    signals.dispose();
    await store?.close();
  }
}

function stopOnSignals(): { stop: AbortSignal; code(): number; dispose(): void } {
  const stop = new AbortController();
  let code = 130;
  const on = (signal: NodeJS.Signals): void => {
    code = signal === 'SIGTERM' ? 143 : 130;
    stop.abort();
  };
  process.on('SIGINT', on);
  process.on('SIGTERM', on);
  return {
    stop: stop.signal,
    code: () => code,
    dispose() {
      process.off('SIGINT', on);
      process.off('SIGTERM', on);
    },
  };
}

function describe({ survey, outcome }: ImportResult, db: string): void {
  const { name, comparison, notes } = survey;
  out(paint('bold', printable(basename(survey.file))));
  for (const line of survey.recognised) out(wrapped(line));
  out(wrapped(`Countries: ${survey.countries.join(', ')}`));
  if (comparison) out(`\n${comparisonText(comparison)}`);
  for (const note of notes) out(`\n${wrapped(note)}`);
  out(`\n${printable(outcomeText(name, outcome, db))}`);
  if (outcome !== null) out(nextText(survey));
}

function comparisonText({
  compared,
  equal,
  differing,
}: NonNullable<ImportResult['survey']['comparison']>): string {
  if (compared === 0)
    return 'None of its countries is among the shipped figures: there is nothing to compare.';
  if (differing.length === 0)
    return `The counts were recomputed: all ${compared} cells that are shipped too have the same.`;
  const rows = differing
    .slice(0, DIFFERING)
    .map(({ topic, country, shipped, file }) => [topic, country, shipped.join(' '), file.join(' ')]);
  return [
    paint(
      'yellow',
      `The counts were recomputed: ${differing.length} of ${compared} cells differ from the shipped ones, ${equal} do not.`,
    ),
    wrapped(
      'Plain counts stay the shipped ones; weighted counts are those of the file. If most differ, this is another version of the file, or the wrong one.',
    ),
    table(['topic', 'country', 'shipped: answers in order, then missing', 'in the file'], rows),
    ...(differing.length > DIFFERING
      ? [`… and ${differing.length - DIFFERING} more (all of them with --json)`]
      : []),
  ].join('\n');
}

function outcomeText(name: string, outcome: ImportResult['outcome'], db: string): string {
  const words = {
    imported: `Imported as "${name}" into ${db}.`,
    replaced: `Imported as "${name}" into ${db}, in the place of what was there under that name.`,
    unchanged: `The same file is in ${db} already, as "${name}": nothing was changed.`,
  };
  return outcome === null ? 'This was a dry run: nothing was stored.' : words[outcome];
}

function nextText({ kind, name, topics, basis }: ImportResult['survey']): string {
  if (kind === 'wvs7')
    return `Use the weights (\`weights: true\` in a scenario), or the respondents themselves (\`personas: respondents\`). See the figures: culturepark survey show ${topics[0]?.id}`;
  const shares =
    basis === 'shares'
      ? '\nIts figures are shares without the number of respondents: no survey error can be given.'
      : '';
  return `Talk about it: \`topics: [${oneLine(name)}]\` in a scenario, or single topics. See them: culturepark survey list --survey ${oneLine(name)}${shares}`;
}

function asJson({ survey, outcome }: ImportResult, db: string) {
  const { kind, name, basis, file, sha256, topics, countries, respondents, recognised, notes, comparison } =
    survey;
  return {
    dry_run: outcome === null,
    outcome,
    db: outcome === null ? null : db,
    kind,
    name,
    basis,
    file,
    sha256,
    topics: topics.length,
    countries,
    respondents,
    recognised,
    notes,
    comparison,
  };
}
