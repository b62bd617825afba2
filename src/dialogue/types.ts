import type { Education, Persona } from '../agents/types.ts';
import type { ChatRequest, Message } from '../models/port.ts';
import type { Speaker } from '../models/route.ts';
import type { Scale, Topic } from '../survey/types.ts';
import type { DialoguePrompts } from './prompts.ts';
import type { ReaderSetting } from './reader.ts';

export const protocolNames = ['self-guidance', 'free-chat', 'debate', 'panel', 'direct'] as const;
/** `control`: the private answers of a debate with no talk between; no scenario names it. */
export type ProtocolName = (typeof protocolNames)[number] | 'control';

export const pairings = ['cross-cultural', 'in-cultural'] as const;
export type Pairing = (typeof pairings)[number];

/** The roles that may each have their own model. */
export const chatRoles = [
  'main_contact',
  'delegate',
  'moderator',
  'extractor',
  'verifier',
  'reader',
  'judge',
] as const;
/** A second judge, where a scenario names one: its verdict and the verifier's must agree. */
export const secondVerifier = 'second_verifier';
export type ChatRole = (typeof chatRoles)[number] | typeof secondVerifier;

export type SpeakerRole = 'main_contact' | 'delegate' | 'moderator';

/** A seat at the table; the moderator has no persona. */
export interface Participant {
  seat: number;
  role: SpeakerRole;
  persona: Persona | null;
  /** The persona's country in the dialogue's language; empty for the moderator. */
  country: string;
  /** The scale shown in the persona's country; null for the moderator and where no stance is claimed. */
  scale: Scale | null;
}

/** One conversation on one topic, as planned. */
export interface Dialogue {
  id: string;
  key: string;
  runId: string;
  topic: Topic;
  protocol: ProtocolName;
  pairing: Pairing;
  /** ISO 639-1 of everything that is said. */
  language: string;
  turnCount: number;
  participants: readonly Participant[];
  /** Statement and labels in the dialogue's language, prompts and limits. */
  words: TopicWords;
  prompts: DialoguePrompts;
  /** What a persona is told of its education; left out or null where personas have none. */
  education?: Readonly<Record<Education, string>> | null;
  limits: TurnLimits;
  /** Seed and ordinal among equal pairings: the first parts of a turn's replicate. */
  replicate: readonly (string | number)[];
  /** How often the dialogue was taken up again after it had failed; raises the number of each try. */
  attempt: number;
  /** How each delegate's turn is read as it is spoken, to be asked again where it is off its stance; null where it isn't. */
  check: ReaderSetting | null;
}

/** A topic's words in one language. */
export interface TopicWords {
  statement: string;
  /** Labels by scale id and code; an unlabelled code of a ten-point scale has none. */
  labels: ReadonlyMap<string, ReadonlyMap<number, string>>;
}

interface TurnLimits {
  /** Sentences that a turn is asked for. */
  sentences: number;
  maxTokens: number;
  temperature: number;
  /** How often a reply that breaks the role is asked for again. */
  retries: number;
}

export type TurnKind = 'public' | 'private';

/** One utterance; (dialogue, idx) is its key. */
export interface Turn {
  dialogueId: string;
  idx: number;
  seat: number;
  personaId: string | null;
  kind: TurnKind;
  text: string;
  callId: string;
  /** Why the turn should not be trusted (`copy`, `assistant-disclaimer`, …); empty for a clean one. */
  flags: readonly string[];
}

/** Flags of a turn that was checked as it was spoken: on the other side than its speaker's stance, or not to be read. */
export type CheckFlag = 'off-stance' | 'unchecked';

/** `turn`: read when the dialogue had ended; `check`: read as the turn was spoken. */
export type Moment =
  'private-before' | 'turn' | 'check' | 'private-after' | 'control-first' | 'control-second';

/** One row of the stance ledger: which answer a persona gave at a moment. */
export interface Reading {
  dialogueId: string;
  personaId: string;
  /** Turn that it was read from. */
  idx: number;
  moment: Moment;
  /** Answer code; null when the text takes no position. */
  code: number | null;
  /** How probable that code was to the reader, where its provider tells it. */
  p?: number | null;
  callId: string;
}

/** A row of the stance ledger with what its evaluation needs. */
export interface LedgerRow {
  dialogueKey: string;
  dialogueId: string;
  arm: string;
  protocol: string;
  topicId: string;
  /** Of the dialogue. */
  language: string;
  personaKey: string;
  personaId: string;
  culture: string;
  country: string;
  role: SpeakerRole;
  moment: 'assigned' | Moment;
  /** Turn that it was read from; null for the assigned answer. */
  idx: number | null;
  /** Answer code; null where the text takes no position. */
  code: number | null;
  /** The answer's agreement with the statement, 0 to 1; null without an answer, or where the answers take no sides. */
  agreement: number | null;
  /** The answer's place among those offered in the persona's country, from 0, the one most against the statement. */
  place: number | null;
  /** How many answers are offered there. */
  places: number;
}

/** A model request of a step; `replicate` tells equal requests apart. */
export interface StepRequest {
  role: ChatRole;
  /** Who speaks, where it is a persona. */
  speaker?: Speaker | undefined;
  request: ChatRequest & { messages: readonly Message[] };
  replicate: readonly (string | number)[];
  /** What the call is for, for `call_uses`: the turn's index. */
  subject: string;
  /** False where a reply that can't be used is asked for again. */
  last: boolean;
}

/** A reply to the pending request, in order of asking; the call may be unusable. */
export interface StepReply {
  callId: string;
  status: 'ok' | 'truncated' | 'refused' | 'empty' | 'malformed' | 'failed';
  text: string;
  /** Of an object's values, by property, where the provider tells them. */
  probabilities?: Readonly<Record<string, number>>;
  /** True for the reader's reply to the one before it. */
  reader?: boolean;
}

export type StepResult =
  | { kind: 'request'; request: StepRequest }
  | { kind: 'turn'; turn: Turn; reading?: Reading }
  | { kind: 'end'; status: 'finished' | 'flagged'; reason: string };
