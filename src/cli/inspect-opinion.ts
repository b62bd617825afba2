import { clusterRecord, sampleRow } from '../store/inspect-rows.ts';
import type { Store } from '../store/store.ts';
import { opinionRecords, type OpinionRecord } from '../store/why.ts';
import { block, fields, heading, page, scriptedBanner, type Page } from './inspect-text.ts';
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

/** An opinion with its quote, verdicts, cluster and samples. */
export async function opinionPage(store: Store, id: string): Promise<Page> {
  const [opinion] = await opinionRecords(store.read, { ids: [id] });
  if (!opinion) throw new Error(`opinion ${id} is gone`);
  const text = page([
    `${heading(`Opinion ${id}`)}  ${fateMark(opinion.status)}\n${block(opinion.text, '  ')}`,
    opinionFields(opinion),
    opinion.scripted ? scriptedBanner('the scripted model had a part in this opinion') : null,
  ]);
  const next = [
    `why ${id}`,
    `inspect turn ${opinion.dialogue_id}/${opinion.turn_idx}`,
    ...(opinion.cluster ? [`inspect cluster ${opinion.cluster.cluster_id}`] : []),
    `inspect call ${opinion.call_id}`,
  ];
  return { text, next, json: opinion };
}

function opinionFields(opinion: OpinionRecord): string {
  const { cluster, quote_start: start, quote_end: end } = opinion;
  const earlier = (current: boolean): string => (current ? '' : ', which a later refinement has replaced');
  return fields([
    ['reason', reasonInWords(opinion)],
    ['edited', opinion.edited === null ? null : `“${opinion.edited}”`],
    ['quote', `${quoteInWords(opinion)}${alignmentInWords(opinion.alignment)}`],
    [
      'place',
      start === null
        ? null
        : `characters ${start} to ${end} of turn ${opinion.dialogue_id}/${opinion.turn_idx}`,
    ],
    ['polarity', opinion.polarity],
    ['class', [opinion.class, opinion.subtype].filter(Boolean).join(', ')],
    ['extends', extendsInWords(opinion.extends_topic)],
    ['flags', flagsInWords(opinion.flags)],
    ['its turn', opinion.understands ? 'shows understanding of another culture' : null],
    ...opinion.reviews.map((review) => ['review', reviewInWords(review)] as const),
    ['rewrite of', opinion.rewrite_of],
    ...opinion.rewrites.map(({ id, status }) => ['rewritten as', `${id} (${status})`] as const),
    ...opinion.verdicts.map(
      (verdict) => ['verdict', `${verdictInWords(verdict)}${earlier(verdict.current)}`] as const,
    ),
    [
      'cluster',
      cluster &&
        `${cluster.cluster_id}, members: ${cluster.size}, represented by ${cluster.representative ? 'this one' : cluster.represented_by}`,
    ],
    ['persona', opinion.persona_id],
    ['extracted by', `call ${opinion.call_id}`],
    ['refinement', `stage run ${opinion.stage_run_id}${earlier(opinion.current)}`],
    ...opinion.samples.map(
      ({ id, split, status }) => ['sample', `${id} (${split}, ${sampleStatus(status)})`] as const,
    ),
    ['key', opinion.key],
  ]);
}

/** Near-duplicates, the one that represents them first. */
export async function clusterPage(store: Store, id: string): Promise<Page> {
  const cluster = await clusterRecord(store.read, id);
  const lines = cluster.members.map((member) => {
    const how =
      member.representative === 1 ? paint('green', 'represents the cluster') : similarityInWords(member);
    return `  ${member.opinion_id}  ${how}\n${block(member.text, '      ')}`;
  });
  const text = page([
    `${heading(`Cluster ${id}`)}\n${fields([
      ['run', cluster.run_id],
      [
        'refinement',
        `stage run ${cluster.stage_run_id}${cluster.current ? '' : ', which a later one has replaced'}`,
      ],
      ['members', cluster.members.length],
      ['also said in', cluster.also_in.join(', ') || null],
    ])}`,
    lines.join('\n'),
  ]);
  return {
    text,
    next: cluster.members.slice(0, 2).map(({ opinion_id }) => `why ${opinion_id}`),
    json: cluster,
  };
}

/** A training row as the database knows it; its text in a format stands in the export's files. */
export async function samplePage(store: Store, id: string): Promise<Page> {
  const sample = await sampleRow(store.read, id);
  const [opinion] =
    sample.opinion_id === null ? [] : await opinionRecords(store.read, { ids: [sample.opinion_id] });
  const text = page([
    `${heading(`Sample ${id}`)}\n${fields([
      ['kind', sample.kind],
      ['culture', sample.culture],
      ['language', sample.language],
      ['split', sample.split],
      ['status', sampleStatus(sample.status)],
      ['tokens', sample.tokens],
      ['run', sample.run_id],
      ['opinion', sample.opinion_id],
      ['text', opinion?.text],
    ])}`,
    opinion?.scripted ? scriptedBanner('the scripted model had a part in this row') : null,
  ]);
  const next =
    sample.opinion_id === null
      ? [`inspect run ${sample.run_id}`]
      : [`why ${id}`, `inspect opinion ${sample.opinion_id}`];
  return { text, next, json: { ...sample, opinion: opinion ?? null } };
}
