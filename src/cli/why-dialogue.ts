import { dialogueRecord, stageNotes, type DialogueRecord } from '../store/inspect-dialogue.ts';
import { unusableCalls } from '../store/inspect-rows.ts';
import type { Store } from '../store/store.ts';
import { opinionRecords } from '../store/why.ts';
import { endInWords, roleName } from './inspect-dialogue.ts';
import { block, fields, heading, page, scriptedBanner, type Page } from './inspect-text.ts';
import { fateMark, gateInWords, reasonInWords } from './inspect-words.ts';
import { oneLine } from './text.ts';
import { originOf, originText, withoutConfig, type Origin } from './why-origin.ts';

/** Where a turn comes from, and what was taken from it or why nothing was. */
export async function whyTurn(store: Store, dialogueId: string, idx: number): Promise<Page> {
  const origin = await originOf(store, dialogueId, idx);
  const all = await opinionRecords(store.read, { dialogueId });
  const opinions = all.filter(({ turn_idx }) => turn_idx === idx);
  const notes = await stageNotes(store.read, dialogueId);
  const taken = opinions.map(
    (opinion) =>
      `    ${fateMark(opinion.status)}  ${opinion.id}\n${block(reasonInWords(opinion), '        ')}`,
  );
  const text = page([
    origin.turn.scripted ? scriptedBanner('the scripted model spoke this turn') : null,
    `${heading('Opinions taken from it')}\n${taken.length > 0 ? taken.join('\n') : block(whyNothing(origin, notes), '    ')}`,
    originText(origin),
  ]);
  const next = [
    ...(opinions[0] ? [`why ${opinions[0].id}`] : []),
    `inspect call ${origin.call.id}`,
    `inspect dialogue ${dialogueId}`,
  ];
  return {
    text,
    next,
    json: { kind: 'turn', id: `${dialogueId}/${idx}`, ...withoutConfig(origin), opinions, notes },
  };
}

function whyNothing({ turn, speaker, dialogue }: Origin, notes: DialogueRecord['notes']): string {
  const note = notes.find(({ stage }) => stage === 'extract');
  if (speaker?.role !== 'delegate')
    return `none: only delegates are harvested, and this is the ${roleName(speaker?.role ?? 'moderator')}`;
  if (turn.kind === 'private') return 'none: private answers are read, not harvested';
  if (turn.flags.length > 0)
    return `none: a turn that broke its role (${oneLine(turn.flags.join(', '))}) is not harvested`;
  if (dialogue.status === 'planned' || dialogue.status === 'failed')
    return 'none yet: the dialogue has not come to its end';
  return note
    ? `none: ${oneLine(note.note)}`
    : 'none: the extractor found none in it, or the refinement has not come to it yet';
}

/** Why a dialogue ended, which requests brought nothing, and what became of its opinions. */
export async function whyDialogue(store: Store, id: string): Promise<Page> {
  const record = await dialogueRecord(store.read, id);
  const { dialogue, turns, opinions, notes, gate } = record;
  const unusable = await unusableCalls(store.read, dialogue.run_id, { id, turns: turns.length });
  const replies = unusable.map(({ id: call, subject, status, error }) =>
    block(
      `turn ${subject.slice(id.length + 1)}: ${status} (call ${call})${error ? `: ${oneLine(error, 300)}` : ''}`,
      '  ',
    ),
  );
  const broke = turns
    .filter(({ flags }) => flags.length > 0)
    .map(({ idx, flags }) => `turn ${idx} (${flags.join(', ')})`);
  const again = dialogue.status === 'flagged' || dialogue.status === 'failed';
  const text = page([
    `${heading(`Dialogue ${id}`)}\n${fields([
      ['ended', endInWords(dialogue), dialogue.status === 'finished' ? 'green' : 'yellow'],
      ['about', `“${dialogue.statement}” (${dialogue.topic_id})`],
      ['turns', `${turns.length} spoken`],
      ['broke role', broke.join(', '), 'red'],
      ['opinions', endsOf(opinions) || 'none'],
      ['gate', gate && gateInWords(gate)],
      ['refinement', notes.map(({ stage, note }) => `${stage}: ${note}`).join('; ')],
    ])}`,
    replies.length > 0 ? `${heading('Replies that could not be used')}\n${replies.join('\n')}` : null,
  ]);
  const next = [
    `inspect dialogue ${id}`,
    ...(opinions[0] ? [`why ${opinions[0].id}`] : []),
    ...(again ? [`resume ${dialogue.run_id} --retry-failed`] : []),
  ];
  return { text, next, json: { kind: 'dialogue', id, ...withoutConfig(record), unusable_calls: unusable } };
}

/** How many opinions came to which end. */
function endsOf(opinions: DialogueRecord['opinions']): string {
  const ends = new Map<string, number>();
  for (const { status, reason } of opinions) {
    const end = status === 'dropped' ? `dropped (${reason})` : status;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return [...ends].map(([end, n]) => `${n} ${end}`).join(', ');
}
