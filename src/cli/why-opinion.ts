import { callRecord, sampleRow, type CallRecord } from '../store/inspect-rows.ts';
import type { Store } from '../store/store.ts';
import { opinionRecords, type OpinionRecord } from '../store/why.ts';
import {
  block,
  coloured,
  fields,
  heading,
  modelName,
  page,
  scriptedBanner,
  type Page,
} from './inspect-text.ts';
import {
  alignmentInWords,
  extendsInWords,
  fateMark,
  flagsInWords,
  quoteInWords,
  reasonInWords,
  reviewInWords,
  sampleStatus,
  similarityInWords,
  verdictInWords,
} from './inspect-words.ts';
import { paint } from './text.ts';
import { link, originOf, originText, promptInWords, withoutConfig, type Origin } from './why-origin.ts';

/** An opinion with what it was made of and what was made of it. */
interface Chain extends Origin {
  sample: Awaited<ReturnType<typeof sampleRow>> | null;
  opinion: OpinionRecord;
  extraction: CallRecord['call'];
}

/** The chain from a sample, or an opinion without one, back to the survey cell. */
export async function whyOpinion(store: Store, opinionId: string, sample: Chain['sample']): Promise<Page> {
  const [opinion] = await opinionRecords(store.read, { ids: [opinionId] });
  if (!opinion) throw new Error(`opinion ${opinionId} is gone`);
  const { call: extraction } = await callRecord(store, opinion.call_id);
  const origin = await originOf(store, opinion.dialogue_id, opinion.turn_idx);
  const chain: Chain = { sample: sample ?? opinion.samples[0] ?? null, opinion, extraction, ...origin };
  const { cluster } = opinion;
  const next = [
    `inspect dialogue ${opinion.dialogue_id}`,
    `inspect call ${chain.call.id}`,
    ...(cluster && cluster.size > 1 ? [`inspect cluster ${cluster.cluster_id}`] : []),
    ...(cluster && !cluster.representative ? [`why ${cluster.represented_by}`] : []),
    ...opinion.rewrites.map(({ id }) => `why ${id}`),
  ];
  const named = sample ? { kind: 'sample', id: sample.id } : { kind: 'opinion', id: opinionId };
  return { text: chainText(chain), next, json: { ...named, ...withoutConfig(chain) } };
}

function chainText(chain: Chain): string {
  const { opinion, extraction, prompts } = chain;
  const replaced =
    'A later refinement has replaced the one that this opinion belongs to; it is kept for the record.';
  return page([
    `${fateMark(opinion.status)}\n${block(reasonInWords(opinion), '  ')}`,
    opinion.current ? null : coloured('yellow', block(replaced)),
    opinion.scripted ? scriptedBanner('the scripted model had a part in this row') : null,
    sampleText(chain),
    link('Opinion', opinion.id, [
      ['text', `“${opinion.text}”`],
      ['edited', opinion.edited === null ? null : `“${opinion.edited}” is what is exported`],
      ['quote', `${quoteInWords(opinion)}${alignmentInWords(opinion.alignment)}`],
      ['polarity', opinion.polarity === 'unknown' ? 'unknown' : `${opinion.polarity}, from its words alone`],
      ['class', [opinion.class, opinion.subtype].filter(Boolean).join(', ')],
      ['extends', extendsInWords(opinion.extends_topic)],
      ['flags', flagsInWords(opinion.flags)],
      ['its turn', opinion.understands ? 'shows understanding of another culture' : null],
      ['rewrite of', opinion.rewrite_of],
      ...opinion.rewrites.map(({ id, status }) => ['rewritten as', `${id} (${status})`] as const),
      ['extracted', `by ${modelName(extraction)}, call ${extraction.id}`],
      ['prompt', promptInWords(prompts, 'refinement.yaml')],
    ]),
    reviewText(opinion),
    verdictText(chain),
    clusterText(opinion),
    originText(chain),
  ]);
}

function sampleText({ sample, opinion }: Chain): string | null {
  if (sample) {
    return `${heading('Sample')} ${sample.id}\n${fields(
      [
        ['row', `${sample.kind}, ${sample.culture}, ${sample.language}, ${sample.split}`],
        ['status', sampleStatus(sample.status)],
      ],
      '    ',
    )}`;
  }
  if (opinion.status !== 'accepted') return null;
  const why = opinion.scripted
    ? 'no export took it up: rows of the scripted model stay out unless --include-scripted is given'
    : 'no export has taken it up yet';
  return `${heading('No sample')}\n${block(why, '    ')}`;
}

function reviewText({ reviews }: OpinionRecord): string | null {
  if (reviews.length === 0) return null;
  const rows = reviews.map((review) => ['review', reviewInWords(review)] as const);
  return `${paint('dim', '+ ')}${heading('People')}\n${fields(rows, '    ')}`;
}

function verdictText({ opinion, speaker }: Chain): string {
  const standing = opinion.verdicts.filter(({ current }) => current || !opinion.current);
  const rows = standing.map(
    (verdict) => ['verdict', `${verdictInWords(verdict)}, call ${verdict.call_id}`] as const,
  );
  const none = !speaker?.stance
    ? 'none: no stance is claimed on this topic'
    : opinion.quote === null
      ? 'none: an ungrounded opinion is not judged'
      : 'none: the judge passed it over, or its reply could not be used';
  return `${paint('dim', '+ ')}${heading('Verdict')}\n${fields(rows.length > 0 ? rows : [['verdict', none]], '    ')}`;
}

function clusterText({ cluster, id }: OpinionRecord): string | null {
  if (!cluster) return null;
  const others = cluster.size - 1;
  const represents = `${id} represents ${others === 1 ? 'one near-duplicate' : `${others} near-duplicates`}`;
  const represented = `${cluster.represented_by} represents ${id} (${similarityInWords(cluster)})`;
  const words =
    others === 0 ? 'no other opinion is like it' : cluster.representative ? represents : represented;
  return `${paint('dim', '+ ')}${heading('Cluster')} ${cluster.cluster_id}\n${block(words, '    ')}`;
}
