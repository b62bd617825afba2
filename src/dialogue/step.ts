import { z } from 'zod';
import type { Persona } from '../agents/types.ts';
import type { ReplySchema } from '../models/port.ts';
import { cachedSchema } from '../models/reply.ts';
import type { Rehearsal } from '../models/rehearsal.ts';
import { roleBreak } from './checks.ts';
import { checkStance } from './check-stance.ts';
import { protocols, type Beat } from './protocols.ts';
import type {
  ChatRole,
  CheckFlag,
  Dialogue,
  Participant,
  Reading,
  StepReply,
  StepRequest,
  StepResult,
  Turn,
} from './types.ts';
import { answeredBy, stanceOf, viewFor } from './views.ts';

/** The turns that a dialogue will have, in order. */
function beatsOf(dialogue: Dialogue): Beat[] {
  return protocols[dialogue.protocol]({
    turnCount: dialogue.turnCount,
    seats: dialogue.participants.length,
    answering: dialogue.participants.flatMap(({ seat, scale }) => (scale ? [seat] : [])),
    prompts: dialogue.prompts,
  });
}

const doneWith = ({ protocol }: Dialogue): string =>
  protocol === 'control' ? 'asked twice, with no talk between' : 'all turns spoken';

/**
 * The pure step of every protocol: what comes next in a dialogue.
 * @param turns the committed turns, in order
 * @param tries replies to the pending request so far, in order of asking
 * @returns a request to a model, a turn to commit (with its reading, for a private answer), or the end
 */
export function next(dialogue: Dialogue, turns: readonly Turn[], tries: readonly StepReply[]): StepResult {
  const beats = beatsOf(dialogue);
  const beat = beats[turns.length];
  if (!beat) return { kind: 'end', status: 'finished', reason: doneWith(dialogue) };
  // Each further attempt goes on past the flagged turns that ended the one before, since turns are never taken back.
  const patience = 2 * (dialogue.attempt + 1);
  const last = turns.slice(-patience);
  if (last.length === patience && last.every(brokeRole)) {
    return {
      kind: 'end',
      status: 'flagged',
      reason: `${patience === 2 ? 'two' : patience} turns in a row broke their role (${last.map((turn) => turn.flags.join('+')).join(', ')})`,
    };
  }
  const spoken = tries.filter(({ reader }) => !reader);
  const request = requestFor(dialogue, beats, turns, spoken.length);
  const reply = spoken.at(-1);
  if (!reply) return { kind: 'request', request };
  const speaker = dialogue.participants[beat.seat] as Participant;
  // Where the reader was asked and then the speaker again, the turn was off its stance before.
  const readings = tries.slice(tries.lastIndexOf(reply) + 1);
  const wasOff = tries.filter(({ reader }) => reader).length > readings.length;
  const again = spoken.length <= dialogue.limits.retries + (wasOff ? 1 : 0);
  if (reply.status !== 'ok') {
    if (again && reply.status !== 'failed') return { kind: 'request', request };
    return { kind: 'end', status: 'flagged', reason: `turn ${turns.length}: the reply was ${reply.status}` };
  }
  const base = {
    dialogueId: dialogue.id,
    idx: turns.length,
    seat: beat.seat,
    personaId: speaker.persona?.id ?? null,
    kind: beat.kind,
    callId: reply.callId,
  };
  if (beat.kind === 'private') return privateTurn(base, beat, speaker, reply.text);
  const text = reply.text.trim();
  const broken = roleBreak(dialogue, speaker, turns, request.request.messages.at(-1)?.text ?? '', text);
  if (broken && again) return { kind: 'request', request };
  const turn: Turn = { ...base, text, flags: broken ? [broken] : [] };
  if (broken || !dialogue.check) return { kind: 'turn', turn };
  const checked = checkStance(dialogue, dialogue.check, turns, turn, readings);
  if (checked.kind === 'request') return checked;
  if (checked.flag === 'off-stance' && !wasOff) return { kind: 'request', request };
  return {
    kind: 'turn',
    turn: { ...turn, flags: checked.flag ? [checked.flag] : [] },
    ...(checked.reading ? { reading: checked.reading } : {}),
  };
}

/** Whether a turn broke its role: that it is off its stance, or unread, ends no dialogue. */
const brokeRole = ({ flags }: Turn): boolean =>
  flags.some(
    (flag) => flag !== ('off-stance' satisfies CheckFlag) && flag !== ('unchecked' satisfies CheckFlag),
  );

function privateTurn(
  base: Omit<Turn, 'text' | 'flags'>,
  beat: Beat,
  speaker: Participant,
  reply: string,
): StepResult {
  const { answer, reason } = JSON.parse(reply) as { answer?: number; reason: string };
  const turn: Turn = { ...base, text: reason, flags: [] };
  if (answer === undefined || !speaker.persona || !beat.moment) return { kind: 'turn', turn };
  const reading: Reading = {
    dialogueId: base.dialogueId,
    personaId: speaker.persona.id,
    idx: base.idx,
    moment: beat.moment,
    code: answer,
    callId: base.callId,
  };
  return { kind: 'turn', turn, reading };
}

const roleOf: Record<Participant['role'], ChatRole> = {
  main_contact: 'main_contact',
  delegate: 'delegate',
  moderator: 'moderator',
};

function requestFor(
  dialogue: Dialogue,
  beats: readonly Beat[],
  turns: readonly Turn[],
  asked: number,
): StepRequest {
  const beat = beats[turns.length] as Beat;
  const speaker = dialogue.participants[beat.seat] as Participant;
  const { limits } = dialogue;
  const tries = limits.retries + (dialogue.check ? 2 : 1);
  const replicate = [...dialogue.replicate, dialogue.attempt * tries + asked];
  const seed = [dialogue.key, turns.length, ...replicate].join(' ');
  return {
    role: roleOf[speaker.role],
    ...(speaker.persona ? { speaker: speakerOf(dialogue, speaker, speaker.persona) } : {}),
    last: asked >= limits.retries,
    subject: `${dialogue.id}/${turns.length}`,
    replicate,
    request: {
      messages: viewFor(dialogue, beats, turns),
      sampling: { temperature: limits.temperature },
      maxTokens: limits.maxTokens,
      ...(beat.kind === 'private' ? { schema: privateSchema(speaker) } : {}),
      rehearsal: rehearsalFor(dialogue, beats, turns, seed),
    },
  };
}

const speakerOf = (
  { participants }: Dialogue,
  { seat }: Participant,
  { culture }: Persona,
): { culture: string; second: boolean } => ({
  culture,
  second: seat === 1 && participants[0]?.role === 'delegate',
});

/** The private answer: one of the codes that people in the persona's country were offered. */
function privateSchema(speaker: Participant): ReplySchema {
  const codes = speaker.scale?.options.map(({ code }) => code) ?? [];
  return cachedSchema('private_answer', codes, () =>
    z.strictObject({ answer: z.literal(codes), reason: z.string().max(400) }),
  ).schema;
}

function rehearsalFor(
  dialogue: Dialogue,
  beats: readonly Beat[],
  turns: readonly Turn[],
  seed: string,
): Rehearsal {
  const beat = beats[turns.length] as Beat;
  const speaker = dialogue.participants[beat.seat] as Participant;
  const heard = turns.findLast((turn) => turn.kind === 'public' && turn.seat !== beat.seat);
  const common = {
    seed,
    language: dialogue.language,
    statement: dialogue.words.statement,
    idx: turns.length,
  };
  if (speaker.role === 'moderator') return { kind: 'moderator', ...common };
  const theme = dialogue.topic.theme;
  const answer = answeredBy(dialogue, speaker);
  if (beat.kind === 'private') return { kind: 'private', ...common, theme, answer };
  const other = heard && stanceOf(dialogue, dialogue.participants[heard.seat] as Participant);
  return {
    kind: 'turn',
    ...common,
    theme,
    answer,
    otherAgreement: other?.agreement ?? null,
    country: speaker.country,
    sentences: dialogue.limits.sentences,
  };
}
