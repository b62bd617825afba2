import type { Manifest } from './manifest.ts';

/** Somebody else's text with Markdown's own characters made harmless, on one line. */
export const plain = (text: string): string =>
  text.replace(/[\\`*_[\]<>|#]/g, (character) => `\\${character}`).replace(/\s+/g, ' ');

/** `README.md` of an export: what the data is, where it comes from, and what it must not be used for. */
export function card(manifest: Manifest): string {
  const rows = manifest.cultures.reduce((sum, { train, test }) => sum + train + test, 0);
  return `# ${plain(manifest.name)}: synthetic cultural training data

${rows} training rows, made by culturepark ${manifest.program.version} from simulated conversations of personas whose answers were drawn
from a survey. **Every row is synthetic: no person said any of this.**${manifest.scripted_rows > 0 ? `\n\n**${manifest.scripted_rows} rows were made by the scripted rehearsal model, which is no language model. Do not train on them.**` : ''}

## What it is worth

${manifest.verification}
${judgeLines(manifest)}${manifest.rewritten_rows > 0 ? `\n${manifest.rewritten_rows} rows are rewritten opinions: their words never stood in a conversation.\n` : ''}${beside(manifest)}
| culture | train | test | opinions kept | opinions dropped, by reason |
| --- | --- | --- | --- | --- |
${manifest.cultures.map(cultureLine).join('\n')}

${manifest.cultures
  .filter(({ no_rows }) => no_rows !== null)
  .map(({ culture, no_rows }) => `- **${plain(culture)} has no rows**: ${plain(no_rows as string)}.`)
  .join('\n')}

## Where it comes from

- Runs: ${manifest.runs.map(({ id, scenario, seed }) => `${id} (${plain(scenario)}, seed ${seed})`).join(', ')}
- Models, with their share of the replies: ${modelsLine(manifest)}
- ${surveyLine(manifest)}
- ${manifest.personas}
- Countries that stand for a culture: ${manifest.cultures.map(({ culture, countries, weights_source }) => `${plain(culture)} = ${countries.map(({ code, weight }) => (countries.length > 1 ? `${code} (${weight})` : code)).join(', ')}${countries.length > 1 ? ` [${plain(weights_source)}]` : ''}`).join('; ')}
- \`rows.csv\` names for each line of each file its sample, opinion, dialogue and survey cell; \`culturepark why SAMPLE\` prints the
  whole chain from the database.

## Splits

Test rows are about topics that no training row is about: ${manifest.test_topics.length > 0 ? manifest.test_topics.map(plain).join(', ') : 'none (fewer than three topics, or no test share)'}.

## What was left out

${leftOut(manifest)}

## Not to be used

${manifest.not_for.map((line) => `- ${line}`).join('\n')}

## Sources

${manifest.survey.citation}

Method: Li et al., CulturePark (NeurIPS 2024, arXiv 2405.15145); Li et al., CultureLLM (NeurIPS 2024, arXiv 2402.10946).
`;
}

/** Rows that people changed, rows beside the statement, and flags. */
function beside({ edited_rows = 0, extending_rows = 0, flagged_rows }: Manifest): string {
  const { not_asked = 0, ...flags } = flagged_rows;
  const lines: string[] = [];
  if (edited_rows > 0)
    lines.push(`${edited_rows} rows are in words that a person has edited (\`edited\` in rows.csv).`);
  if (extending_rows > 0)
    lines.push(
      `${extending_rows} rows say nothing about the statement but extend the talk about it (kind \`extends\`): no answer is claimed for them.`,
    );
  const found = Object.entries(flags).map(([flag, n]) => `${flag} ${n}`);
  lines.push(
    `Flags, as the extracting model saw them and nobody has checked: ${found.join(', ')}${not_asked > 0 ? `; ${not_asked} rows were not looked at` : ''}. The column \`flags\` of rows.csv has them; \`culturepark export --exclude-flags\` leaves such rows out.`,
  );
  return `\n${lines.join('\n\n')}\n`;
}

/** A line for each judge and language, with the cultures that it judged. */
function judgeLines({ judges }: Manifest): string {
  const cultures = new Map<string, Set<string>>();
  for (const { culture, language, provider, model, in_words } of judges) {
    const line = `${plain(model)} (${plain(provider)}) on dialogues in ${language}: **${plain(in_words)}**`;
    cultures.set(line, (cultures.get(line) ?? new Set()).add(culture));
  }
  return [...cultures]
    .map(([line, own]) => `\n- Verifier ${line} [${[...own].sort().map(plain).join(', ')}]`)
    .join('')
    .concat(judges.length > 0 ? '\n' : '');
}

function cultureLine({ culture, train, test, funnel }: Manifest['cultures'][number]): string {
  const { accepted = 0, ...dropped } = funnel;
  const reasons = Object.entries(dropped)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => `${reason} ${n}`);
  return `| ${plain(culture)} | ${train} | ${test} | ${accepted} | ${reasons.join(', ') || 'none'} |`;
}

/** Which models answered each role, over all runs. */
function modelsLine({ runs }: Manifest): string {
  const byRole = new Map<string, Map<string, number>>();
  for (const { role, provider, model, replies } of runs.flatMap(({ spoke }) => spoke)) {
    const own = byRole.get(role) ?? new Map<string, number>();
    byRole.set(role, own);
    const name = `${model} (${provider})`;
    own.set(name, (own.get(name) ?? 0) + replies);
  }
  const lines = [...byRole].map(([role, own]) => {
    const total = [...own.values()].reduce((sum, n) => sum + n, 0);
    const shares = [...own].map(([name, n]) => `${plain(name)} ${((100 * n) / total).toFixed(1)}% (${n})`);
    return `${plain(role.replaceAll('_', ' '))}: ${shares.join(', ')}`;
  });
  return lines.join('; ') || 'none answered';
}

const surveyLine = ({ survey }: Manifest): string => survey.notice;

function leftOut({
  left_out: { no_answers, scripted_rows, named_rows = 0, flagged_rows = 0 },
  missing_above_20_percent: missing,
}: Manifest): string {
  const lines = no_answers.map(
    ({ culture, topic, reason }) => `- ${plain(culture)} × ${plain(topic)}: ${plain(reason)}`,
  );
  if (scripted_rows > 0) lines.push(`- ${scripted_rows} rows of the scripted rehearsal model`);
  if (named_rows > 0) lines.push(`- ${named_rows} rows whose text told the name of their persona`);
  if (flagged_rows > 0) lines.push(`- ${flagged_rows} rows with a flag that this export excludes`);
  const flagged = missing.map(
    ({ topic, country, missing_share }) =>
      `- ${plain(topic)} in ${country}: ${(100 * missing_share).toFixed(0)}% of the respondents gave no valid answer`,
  );
  const parts = [lines.length > 0 ? lines.join('\n') : 'Nothing.'];
  if (flagged.length > 0)
    parts.push(
      `Cells with many missing answers (the spread is that of those who answered):\n\n${flagged.join('\n')}`,
    );
  return parts.join('\n\n');
}
