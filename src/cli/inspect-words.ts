import { loadCulture } from '../agents/load.ts';
import { calibrationInWords } from '../evaluation/calibration.ts';
import type { RunConfig } from '../pipeline/config.ts';
import type { StanceRecord } from '../store/inspect-stances.ts';
import { EXTENDS, reviewed } from '../refinement/decide.ts';
import type { GateRow } from '../store/gates.ts';
import type { Review } from '../store/reviews.ts';
import type { OpinionRecord, VerdictRecord } from '../store/why.ts';
import { opposed } from '../survey/sides.ts';
import { countryName } from '../survey/texts.ts';
import { count, modelName, moment, percent } from './inspect-text.ts';
import { oneLine, paint } from './text.ts';

/** Names countries as the run does: by its stored cultures, else by the files of today, else by the code. */
export function countryNamer(config: string): (country: string, culture: string) => string {
  const { cultures } = JSON.parse(config) as RunConfig;
  const regions = new Map<string, string | undefined>(
    cultures.flatMap(({ countries }) => countries.map(({ code, region }) => [code, region])),
  );
  return (country, culture) => {
    if (!regions.has(country)) regions.set(country, regionToday(country, culture));
    const region = regions.get(country);
    return region === undefined ? oneLine(country) : countryName(region, 'en');
  };
}

/** The main contact's culture is not stored with a run; its file may be gone. */
function regionToday(country: string, culture: string): string | undefined {
  try {
    return loadCulture(culture).countries.find(({ code }) => code === country)?.region;
  } catch {
    return undefined;
  }
}

/** An answer code in the words that people were offered; an unlabelled one by its place on the scale. */
export function answerInWords(code: number, options: StanceRecord['options']): string {
  const ends = [options[0], options.at(-1)] as const;
  const label = options.find((option) => option.code === code)?.label;
  if (!ends[0] || !ends[1]) return `answer ${code}`;
  if (label && options.every((option) => option.label !== ''))
    return `"${label}" (${code} of ${ends[0].code} to ${ends[1].code})`;
  return `${code} on a scale from ${ends[0].code} (${ends[0].label}) to ${ends[1].code} (${ends[1].label})`;
}

export const stanceInWords = (stance: StanceRecord | null): string =>
  stance ? oneLine(answerInWords(stance.code, stance.options), 160) : 'no stance is claimed on this topic';

/** What the reader found in a text, and whether that is on the other side than the speaker's stance. */
export function readInWords(
  { code, p }: { code: number | null; p: number | null },
  stance: Pick<StanceRecord, 'code' | 'options'> | null,
): string {
  if (code === null) return 'read: it takes no position';
  const options = stance?.options ?? [];
  const [read, own] = [code, stance?.code].map((one) => options.find((option) => option.code === one));
  const sure = p === null ? '' : `, ${percent(p)} sure`;
  const off = read && own && opposed(read, own) ? ': the other side than its stance' : '';
  return `read as ${answerInWords(code, options)}${sure}${off}`;
}

/** How many people of the persona's country gave its answer. */
export function respondentsInWords({ n, valid_n, weighted_share, shares }: StanceRecord): string {
  if (n === null || !valid_n) return 'its survey cell is not in this database';
  if (shares)
    return `${percent(n / valid_n)} of the valid answers there were this one (a published share; how many people were asked is not known)`;
  const weighted = weighted_share === null ? '' : `; ${percent(weighted_share)} by the survey's weights`;
  return `${percent(n / valid_n)} of the respondents there gave this answer (${count(n)} of ${count(valid_n)} respondents, unweighted${weighted})`;
}

/** The share of people who were asked and gave no answer; flagged from 20% on. */
export function missingInWords({ valid_n, missing_n, shares }: StanceRecord): string | null {
  if (valid_n === null || missing_n === null || valid_n + missing_n === 0) return null;
  const share = missing_n / (valid_n + missing_n);
  const words = `${percent(share)}${shares ? '' : ` (${count(missing_n)})`} gave no valid answer`;
  return share > 0.2 ? `! ${words}: more than 20%, so how the answers are spread is uncertain` : words;
}

/** A verdict with the model that gave it, and what that is worth. */
export function verdictInWords(verdict: VerdictRecord): string {
  return `${verdict.verdict}, judged by ${modelName(verdict)}, ${oneLine(calibrationInWords(verdict.calibration), 300)}`;
}

const mark = {
  accepted: paint('green', '✓ accepted'),
  dropped: paint('red', '✗ dropped'),
  candidate: paint('dim', '· undecided'),
};

/** An opinion's end with its sign. */
export const fateMark = (status: string): string => mark[status as keyof typeof mark] ?? oneLine(status);

/** Why an opinion was kept or dropped, in plain words. */
export function reasonInWords(opinion: OpinionRecord): string {
  const { reason, cluster } = opinion;
  const rewrite = opinion.rewrites[0];
  switch (reason) {
    case null:
      return 'not decided yet: the refinement has not come to its end';
    case 'ungrounded':
      return 'ungrounded: its quote does not stand in the turn, so nobody can say that it was said';
    case 'contradict':
      return `contradict: it goes against the answer that its speaker was given${rewrite ? `; ${rewrite.id} is its rewrite (${rewrite.status})` : ''}`;
    case 'irrelevant':
      return 'irrelevant: it says nothing about the statement';
    case 'judges disagree':
      return `judges disagree: ${opinion.verdicts
        .filter(({ current }) => current || !opinion.current)
        .map((verdict) => `${modelName(verdict)} says ${verdict.verdict}`)
        .join(', ')}`;
    case 'no verdict':
      return 'no verdict: the judge passed it over, or its reply could not be used';
    case 'duplicate':
      return `duplicate: ${cluster ? `${cluster.represented_by} says the same and represents both (${similarityInWords(cluster)})` : 'another opinion says the same'}`;
    case 'rewritten':
      return `rewritten: it is a rewrite of ${opinion.rewrite_of}, and rewrites stay out unless refinement.include_rewritten is set`;
    case 'quota is full':
      return 'quota is full: its culture, or its answer, had as many samples as the scenario asks for (samples or refinement.per_culture)';
    case 'grounded; no stance claimed':
      return 'its quote stands in the turn; no stance is claimed on this topic, so there was nothing to judge';
    case 'grounded; entails the stance':
      return "its quote stands in the turn, and the judge found it to follow from its speaker's answer";
    case EXTENDS:
      return 'its quote stands in the turn; it says nothing about the statement but extends the talk about it (refinement.keep_extends), and no answer is claimed for it';
    case 'another language':
      return 'another language: it is not written in the language of its dialogue';
    case 'values only stated':
    case 'values not shown':
    case 'values inconsistent':
    case 'no gate result':
      return `${reason}: the dialogue gate keeps out what was said in this dialogue (refinement.gate)`;
    case reviewed.accept.reason:
    case reviewed.edit.reason:
    case reviewed.reject.reason:
      return `${reason}${note(opinion.reviews[0]?.note)}; that wins over what the models found`;
    case 'rewrite entails the stance':
      return "a rewrite that the judge found to follow from its speaker's answer; its words were not said in the dialogue";
    default:
      return oneLine(reason, 300);
  }
}

const note = (said: string | null | undefined): string => (said ? `: “${oneLine(said, 300)}”` : '');

/** What a person said of an opinion, and when. */
export function reviewInWords({ mark, reviewer, at, note: said, text }: Review): string {
  const words = { accept: 'accepted', reject: 'rejected', edit: 'edited', clear: 'review taken back' }[mark];
  return `${words} by ${oneLine(reviewer, 60)}, ${moment(at)}${text === null ? '' : `, into “${oneLine(text, 1000)}”`}${note(said)}`;
}

/** How closely an opinion's quote stands in its turn. */
export const alignmentInWords = (alignment: number | null): string =>
  alignment === null || alignment === 1
    ? ''
    : `, found nearly: the reply's quote is ${percent(alignment)} these words`;

/** What the extractor says of an opinion beside its words; undefined where it was not asked. */
export const flagsInWords = (flags: readonly string[] | null): string | undefined =>
  flags === null ? undefined : `${flags.join(', ') || 'none'}, as the extractor saw it`;

export const extendsInWords = (extendsTopic: number | null): string | undefined =>
  extendsTopic === null
    ? undefined
    : extendsTopic === 1
      ? 'it brings in what the statement does not speak of'
      : 'no, it is about the statement';

const methods: Record<string, string> = {
  exact: 'equal but for case and punctuation',
  ngram: 'alike by character 5-grams',
};

export const similarityInWords = ({ method, similarity }: { method: string; similarity: number }): string =>
  `${methods[method] ?? method}, similarity ${similarity.toFixed(2)}`;

/** An opinion's verbatim words, unless they are just its own. */
export function quoteInWords({ quote, text }: Pick<OpinionRecord, 'quote' | 'text'>): string {
  if (quote === null) return 'none that stands in the turn';
  return quote === text ? 'the same words' : `“${quote}”`;
}

const sampleStatuses: Record<string, string> = {
  reviewed: 'reviewed: a person accepted or edited it',
  verified: 'verified: its judge is calibrated; no person has seen it',
  unverified: 'unverified: its judge is not calibrated, or no better than chance',
  withdrawn: 'withdrawn: a later export did not take it up again',
  'no-stance': 'no-stance: no fidelity to a culture is claimed',
};

export const sampleStatus = (status: string): string => sampleStatuses[status] ?? status;

/** What the dialogue gate found, with its call. */
export function gateInWords(gate: GateRow): string {
  const words = {
    shown: 'values are shown',
    stated: 'values are only stated',
    absent: 'no values are shown',
  };
  return `${words[gate.shown]}, ${gate.consistent ? 'consistently' : 'not consistently'}: ${oneLine(gate.reason, 400)} (call ${gate.callId})`;
}
