import { pick, uniform } from '../ids.ts';
import type { Scale } from '../survey/types.ts';
import { type SurveyTexts } from '../survey/texts.ts';
import { fill } from '../fill.ts';

/** What a training row is made of: an accepted opinion with its survey cell. */
export interface SampleSource {
  /** `extends`: says nothing about the statement, but brings in something of its own. */
  kind: 'opinion' | 'extends';
  id: string;
  key: string;
  opinionId: string;
  dialogueId: string;
  runId: string;
  culture: string;
  country: string;
  /** The country's name in the language of the row. */
  countryName: string;
  language: string;
  topicId: string;
  statement: string;
  opinion: string;
  rewritten: boolean;
  /** A person has changed its words. */
  edited: boolean;
  /** By the extractor; null where it was not asked. */
  flags: readonly string[] | null;
  /** The persona's answer and the scale shown in its country; null where no stance is claimed. */
  stance: { code: number; scale: Scale } | null;
  /** `reviewed`: a person accepted or edited it. `unverified`: the judge is not calibrated in the dialogue's language, or no better than chance. */
  status: 'reviewed' | 'verified' | 'unverified' | 'no-stance';
  scripted: boolean;
}

/** A training row before its format: one exchange. */
export interface Sample extends SampleSource {
  split: 'train' | 'test';
  system: string;
  user: string;
  assistant: string;
}

/** Question and answer around an opinion; templates and the order of the options go by the sample's key alone. */
export function renderSample(source: SampleSource, texts: SurveyTexts, split: Sample['split']): Sample {
  const { key, statement, opinion, stance } = source;
  const system = fill(pick(texts.system, key, 'system'), { country: source.countryName });
  if (!stance) {
    return {
      ...source,
      split,
      system,
      user: fill(pick(texts.freeQuestion, key, 'question'), { statement }),
      assistant: opinion,
    };
  }
  const labels =
    texts.labels.get(stance.scale.id) ??
    new Map(stance.scale.options.map(({ code, label }) => [code, label]));
  const options = stance.scale.options.map(({ code }) => `${code}. ${labels.get(code) ?? ''}`.trimEnd());
  // Half of the rows list the answers from the other end.
  if (uniform(key, 'order') < 0.5) options.reverse();
  const label = labels.get(stance.code) ?? '';
  const template = label === '' ? texts.answerUnlabelled : texts.answer;
  return {
    ...source,
    split,
    system,
    user: fill(pick(texts.question, key, 'question'), { statement, options: options.join('\n') }),
    assistant: fill(template, { code: stance.code, label, opinion }),
  };
}
