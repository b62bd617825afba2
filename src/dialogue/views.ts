import type { Message } from '../models/port.ts';
import { polarityOf, type Answered } from '../models/rehearsal.ts';
import type { Option } from '../survey/types.ts';
import { fill } from '../fill.ts';
import type { Beat } from './protocols.ts';
import type { Dialogue, Participant, Turn } from './types.ts';

/** The option of a persona's stance on the dialogue's topic; null where it has none. */
export function stanceOf(dialogue: Dialogue, participant: Participant): Option | null {
  const code = participant.persona?.stances.get(dialogue.topic.id);
  return participant.scale?.options.find((option) => option.code === code) ?? null;
}

/** A persona's stance as the scripted model is told it. */
export function answeredBy(dialogue: Dialogue, participant: Participant): Answered | null {
  const option = stanceOf(dialogue, participant);
  if (!option || !participant.scale) return null;
  const { id, options } = participant.scale;
  const label = dialogue.words.labels.get(id)?.get(option.code) ?? option.label;
  return { code: option.code, label, options };
}

/** An answer in the words of the dialogue's language. */
export function answerInWords(dialogue: Dialogue, participant: Participant, option: Option): string {
  const { scale } = participant;
  const labels = (scale && dialogue.words.labels.get(scale.id)) ?? new Map<number, string>();
  const ends = scale && { low: scale.options[0] as Option, high: scale.options.at(-1) as Option };
  // A scale with labels at its ends only is named by number, so that no label is invented for its middle.
  if (ends && labels.size < (scale?.options.length ?? 0)) {
    return fill(dialogue.prompts.answer_on_scale, {
      code: option.code,
      low: ends.low.code,
      low_label: labels.get(ends.low.code) ?? ends.low.label,
      high: ends.high.code,
      high_label: labels.get(ends.high.code) ?? ends.high.label,
    });
  }
  return fill(dialogue.prompts.answer, { label: labels.get(option.code) ?? option.label });
}

/** The places of a prompt template that a participant's prompts may use. */
function placesFor(dialogue: Dialogue, participant: Participant): Record<string, string | number> {
  const { prompts, words, limits } = dialogue;
  const stance = stanceOf(dialogue, participant);
  const { persona } = participant;
  const others = dialogue.participants
    .filter((other) => other.seat !== participant.seat && other.persona)
    .map((other) => `${other.persona?.name} (${other.country})`)
    .join(', ');
  return {
    name: persona?.name ?? '',
    gender: persona ? prompts.genders[persona.gender] : '',
    age: persona ? prompts.ages[persona.ageBand] : '',
    country: participant.country,
    statement: words.statement,
    topic: words.statement,
    answer: stance ? answerInWords(dialogue, participant, stance) : '',
    clause: clause(words.statement),
    side: prompts.sides?.[stance && stance.agreement !== null ? polarityOf(stance.agreement) : 'none'] ?? '',
    sentences: limits.sentences,
    others,
    options: participant.scale
      ? participant.scale.options.map((option) => optionLine(dialogue, participant, option)).join(', ')
      : '',
  };
}

/** A statement as it stands after "that": without its full stop, in small letters but for the word I. */
function clause(statement: string): string {
  const bare = statement.replace(/[.。।]$/u, '');
  return /^I\b/.test(bare) ? bare : bare.charAt(0).toLowerCase() + bare.slice(1);
}

function optionLine(dialogue: Dialogue, participant: Participant, option: Option): string {
  const label = participant.scale && dialogue.words.labels.get(participant.scale.id)?.get(option.code);
  return label ? `${option.code} = ${label}` : String(option.code);
}

/** What a speaker is told at the beginning: who it is, and its stance. */
function systemLine(dialogue: Dialogue, participant: Participant): string {
  const { prompts } = dialogue;
  const places = placesFor(dialogue, participant);
  if (participant.role === 'moderator') return fill(prompts.moderator, places);
  const who = fill(participant.role === 'main_contact' ? prompts.main_contact : prompts.persona, places);
  const { education } = participant.persona ?? {};
  const parts = [
    who,
    education ? (dialogue.education?.[education] ?? '') : '',
    stanceOf(dialogue, participant) ? fill(prompts.stance, places) : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/**
 * The messages for the next beat, from its speaker's side: its own turns are the assistant's, what it heard since is the
 * user's, with the instruction and the reminder of who it is. A pure function of the turns before, so each prompt is the
 * one before it, grown at its end.
 */
export function viewFor(dialogue: Dialogue, beats: readonly Beat[], turns: readonly Turn[]): Message[] {
  const beat = beats[turns.length] as Beat;
  const participant = dialogue.participants[beat.seat] as Participant;
  const places = placesFor(dialogue, participant);
  const messages: Message[] = [{ role: 'system', text: systemLine(dialogue, participant) }];
  messages.push(...warmUp(dialogue, participant, places));
  let heard: string[] = [];
  const ask = (asked: Beat): void => {
    messages.push({ role: 'user', text: userLine(dialogue, participant, places, asked, heard) });
    heard = [];
  };
  turns.forEach((turn, at) => {
    if (turn.seat === beat.seat) {
      ask(beats[at] as Beat);
      messages.push({ role: 'assistant', text: turn.text });
    } else if (turn.kind === 'public') {
      heard.push(heardLine(dialogue, turn));
    }
  });
  ask(beat);
  return messages;
}

/** A question and the persona's answer before the conversation begins: a small model goes on from its own words. */
function warmUp(
  { prompts, ...dialogue }: Dialogue,
  participant: Participant,
  places: Record<string, string | number>,
): Message[] {
  const stance = stanceOf({ prompts, ...dialogue }, participant);
  if (!prompts.warm_up || !stance || stance.agreement === null) return [];
  return [
    { role: 'user', text: fill(prompts.warm_up.ask, places) },
    { role: 'assistant', text: prompts.warm_up[polarityOf(stance.agreement)] },
  ];
}

function heardLine(dialogue: Dialogue, turn: Turn): string {
  if (dialogue.participants.length <= 2) return turn.text;
  const speaker = dialogue.participants[turn.seat] as Participant;
  return fill(dialogue.prompts.heard, {
    name: speaker.persona?.name ?? dialogue.prompts.moderator_name,
    text: turn.text,
  });
}

function userLine(
  dialogue: Dialogue,
  participant: Participant,
  places: Record<string, string | number>,
  beat: Beat,
  heard: readonly string[],
): string {
  const { prompts } = dialogue;
  const told = beat.instruction === '' ? '' : fill(beat.instruction, places);
  const length = beat.kind === 'public' ? fill(prompts.length, places) : '';
  const anchor =
    participant.role === 'moderator'
      ? ''
      : fill(stanceOf(dialogue, participant) ? prompts.anchor : prompts.anchor_without_stance, places);
  const instruction = [told, length, anchor].filter(Boolean).join(' ');
  return [...heard, instruction].filter(Boolean).join('\n\n');
}
