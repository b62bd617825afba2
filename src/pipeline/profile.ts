import { next } from '../dialogue/step.ts';
import {
  secondVerifier,
  type ChatRole,
  type Dialogue,
  type StepReply,
  type Turn,
} from '../dialogue/types.ts';
import { groupBy } from '../group-by.ts';
import type { ChatRequest } from '../models/port.ts';
import type { Speaker } from '../models/route.ts';
import { planExtract } from '../refinement/extract.ts';
import { planGate } from '../refinement/gate.ts';
import { planRewrite } from '../refinement/rewrite.ts';
import { harvested, type Scene } from '../refinement/scene.ts';
import type { Opinion, StageName } from '../refinement/types.ts';
import { planVerify, verifiable } from '../refinement/verify.ts';
import type { PlannedDialogue } from '../store/dialogues.ts';
import {
  cellOf,
  nothing,
  partOf,
  placeholderOf,
  plus,
  weigh,
  type CellKey,
  type Range,
  type Part,
  type Weight,
} from './load.ts';
import { planControls } from './controls.ts';
import { planDialogues } from './plan.ts';
import type { Prepared } from './prepare.ts';
import { checksOf, readingsOf } from './profile-readings.ts';
import { mostDialogues } from './rounds.ts';
import { buildDialogue, type Props } from './stage.ts';

/** Dialogues that ask for the same: one protocol, length, language and number of seats. */
export interface Kind {
  dialogues: number;
  /** The turns in order. */
  beats: readonly { cell: CellKey; part: Part }[];
  /** What the refinement of one dialogue asks for. */
  stages: ReadonlyMap<CellKey, Part>;
}

/** What a scenario will ask for, before anything is asked. */
export interface Profile {
  dialogues: number;
  /** Debates whose personas also answer with no talk between; their few calls are not forecast. */
  controls: number;
  /** By `kindOf`. */
  kinds: ReadonlyMap<string, Kind>;
  kindOfKey(dialogueKey: string): Kind | undefined;
  /** Dialogues with the further rounds that quotas may take, at most. */
  most: number;
  /** Who talks in a cell, and what share of its turns is theirs, where speakers may have models of their own. */
  speakers: ReadonlyMap<CellKey, readonly { speaker: Speaker; share: number }[]>;
}

/** What tells a dialogue's kind. */
export function kindOf(dialogue: Dialogue): string {
  const { protocol, turnCount, language, participants } = dialogue;
  return [protocol, turnCount, language, participants.length, participants.filter(hasStance).length].join(
    ' ',
  );
}

const hasStance = ({ persona, scale }: Dialogue['participants'][number]): boolean =>
  persona !== null && scale !== null;

/** Dialogues of a kind that are looked at: statements and answers differ in length. */
const SAMPLE = 8;

/** Steps some dialogues of each kind with placeholders for replies, through the same step and stages as a run. */
export function profileOf({ plan, props: given }: Prepared, seed: number): Profile {
  const props = { ...given, seed };
  const planned = [...planDialogues({ ...plan, runId: '', seed })];
  const { delegates, second_delegate: second } = props.scenario.models;
  const hasOwn = delegates !== undefined || second !== undefined;
  const built = ({ row, seats }: PlannedDialogue): Dialogue =>
    buildDialogue(props, { ...row, attempt: 0 }, seats);
  const groups = groupBy(planned, (one) => {
    const { row, seats } = one;
    const stances = seats.filter(({ persona }) => persona?.stances.has(row.topic_id)).length;
    return [row.protocol, row.turn_count, row.language, seats.length, stances].join(' ');
  });
  const kinds = new Map<string, Kind>();
  const byKey = new Map<string, Kind>();
  const shares = createShares();
  for (const group of groups.values()) {
    const every = Math.ceil(group.length / SAMPLE);
    const sample = group.filter((_, at) => at % every === 0).map(built);
    const asked = sample.map((dialogue) => askedOf(dialogue, props));
    const kind = { dialogues: group.length, ...averageOf(asked) };
    kinds.set(kindOf(sample[0] as Dialogue), kind);
    for (const { row } of group) byKey.set(row.key, kind);
    if (hasOwn) for (const { seats } of group) shares.add((asked[0] as Asked).beats, seats);
  }
  const most = mostDialogues(plan);
  return {
    dialogues: planned.length,
    controls: [...planControls({ ...plan, runId: '', seed })].length,
    kinds,
    kindOfKey: (key) => byKey.get(key),
    most: Number.isFinite(most) ? Math.max(most, planned.length) : planned.length,
    speakers: shares.all(),
  };
}

/** Counts the turns of each speaker in a cell. */
function createShares() {
  const turns = new Map<CellKey, Map<string, number>>();
  return {
    add(beats: Asked['beats'], seats: PlannedDialogue['seats']): void {
      const pair = seats[0]?.role === 'delegate';
      for (const { cell, seat } of beats) {
        const { role, persona } = seats[seat] as (typeof seats)[number];
        if (role !== 'delegate' || !persona) continue;
        const speaker: Speaker = { culture: persona.culture, second: pair && seat === 1 };
        const counts = turns.get(cell) ?? new Map<string, number>();
        turns.set(cell, counts);
        const name = JSON.stringify(speaker);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    },
    all(): Profile['speakers'] {
      return new Map(
        [...turns].map(([cell, counts]) => {
          const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
          const shares = [...counts].map(([name, n]) => ({
            speaker: JSON.parse(name) as Speaker,
            share: n / total,
          }));
          return [cell, shares];
        }),
      );
    },
  };
}

interface Asked extends Pick<Kind, 'stages'> {
  beats: readonly (Kind['beats'][number] & { seat: number })[];
}

function averageOf(sample: readonly Asked[]): Pick<Kind, 'beats' | 'stages'> {
  const mean = (parts: readonly (Part | undefined)[]): Part => {
    const sum = nothing();
    for (const part of parts) if (part) plus(sum, part, 1 / parts.length);
    return sum;
  };
  const [first] = sample as [Asked];
  const cells = new Set(sample.flatMap(({ stages }) => [...stages.keys()]));
  return {
    beats: first.beats.map(({ cell }, at) => ({
      cell,
      part: mean(sample.map(({ beats }) => beats[at]?.part)),
    })),
    stages: new Map([...cells].map((cell) => [cell, mean(sample.map(({ stages }) => stages.get(cell)))])),
  };
}

/** Tokens of a spoken sentence of English. */
const SENTENCE = 22;
/** How many more tokens the same words take in another language, at most: measured with OpenAI's tokenizers on our prompts. */
const wordier = (language: string): number =>
  language === 'en' ? 1 : ['de', 'es', 'pt', 'tr'].includes(language) ? 1.6 : 2.5;
/** Prompt tokens from which providers cache. */
const CACHED_FROM = 1024;
function askedOf(dialogue: Dialogue, props: Props): Asked {
  const { scenario } = props;
  const spoken = scenario.sentences * SENTENCE;
  const most = (tokens: number): number =>
    Math.min(scenario.max_tokens.turn, tokens * wordier(dialogue.language));
  const lengths = {
    public: { low: Math.min(scenario.max_tokens.turn, spoken * 0.6), high: most(spoken * 2) },
    private: { low: Math.min(scenario.max_tokens.turn, 20), high: most(100) },
  };
  const turns: Turn[] = [];
  const beats: Asked['beats'][number][] = [];
  const before = new Map<number, number>();
  for (;;) {
    const asked = next(dialogue, turns, []);
    if (asked.kind !== 'request') break;
    const { role, request } = asked.request;
    const { turn, seat } = replied(dialogue, turns, request);
    const part = partOf(weigh(request, turns, lengths), lengths[turn.kind]);
    const prompt = part.low.base + part.low.heard;
    part.low.repeated = before.get(seat) ?? 0;
    if (prompt >= CACHED_FROM) part.low.cached = part.low.repeated;
    before.set(seat, prompt);
    beats.push({ cell: cellOf('dialogue', role), part, seat });
    turns.push(turn);
  }
  const scene = { dialogue, turns, prompts: props.refinementPrompts };
  const weighed = (request: ChatRequest): Weight => weigh(request, turns, lengths);
  const stages = new Map([
    ...refinementOf(scene, props, weighed),
    ...readingsOf(dialogue, turns, props, weighed),
    ...checksOf(dialogue, turns, weighed),
  ]);
  return { beats, stages };
}

/** The turn that a placeholder makes. */
function replied(
  dialogue: Dialogue,
  turns: readonly Turn[],
  request: ChatRequest,
): { turn: Turn; seat: number } {
  const words = placeholderOf(turns.length);
  const text = request.schema ? JSON.stringify({ reason: words }) : words;
  const reply: StepReply = { callId: '', status: 'ok', text };
  const patient = { ...dialogue, check: null, limits: { ...dialogue.limits, retries: 0 } };
  const said = next(patient, turns, [reply]);
  if (said.kind !== 'turn') throw new Error('a reply made no turn');
  return { turn: { ...said.turn, flags: [] }, seat: said.turn.seat };
}

/** Output tokens an opinion. */
const written = {
  copy: { low: 50, high: 100 },
  choose: { low: 25, high: 45 },
  verify: { low: 8, high: 16 },
  rewrite: { low: 0, high: 50 },
  gate: { low: 25, high: 60 },
};
/** Output tokens more for each field that is asked beside the words of an opinion. */
const beside = { low: 5, high: 9 };

/** Extract and verify, by a second judge too where one is named; at the high end rewrites of half of the opinions, and their verification. */
function refinementOf(
  scene: Scene,
  { scenario, gatePrompts }: Props,
  weighed: (request: ChatRequest) => Weight,
): Map<CellKey, Part> {
  const { max_tokens: limits, refinement } = scenario;
  const { quotes } = refinement;
  const more = wordier(scene.dialogue.language);
  const turns = harvested(scene);
  const stages = new Map<CellKey, Part>();
  const stage = (
    name: StageName,
    role: ChatRole,
    weight: Weight,
    said: Range,
    limit: number,
    calls?: Range,
  ): void => {
    const within = { low: Math.min(limit, said.low), high: Math.min(limit, said.high) };
    stages.set(cellOf(name, role), partOf(weight, within, calls));
  };
  const extract = planExtract(scene, { maxTokens: limits.extract, quotes });
  if (!extract) return stages;
  const gate = gatePrompts && planGate(scene, gatePrompts, { maxTokens: limits.gate });
  if (gate) stage('gate', 'judge', weighed(gate), written.gate, limits.gate);
  const n = { low: Math.ceil(turns.length / 2), high: turns.length * (quotes === 'copy' ? 2 : 1) };
  const asked = quotes === 'copy' ? (scene.prompts.extract.asks?.length ?? 0) : 0;
  const each = {
    low: written[quotes].low + asked * beside.low,
    high: written[quotes].high + asked * beside.high,
  };
  stage(
    'extract',
    'extractor',
    weighed(extract),
    { low: 10 + n.low * each.low, high: 10 + n.high * each.high * (quotes === 'copy' ? more : 1) },
    limits.extract,
  );
  // As many opinions as there are, or two in the place of each turn.
  const made = (count: number, tokens: number): Opinion[] =>
    verifiable(
      scene,
      Array.from({ length: count }, (_, at) => opinionOf(turns[at % turns.length] as Turn, tokens)),
    );
  const low = planVerify(scene, made(n.low, 16), { maxTokens: limits.verify });
  const high = planVerify(scene, made(n.high, 45 * more), { maxTokens: limits.verify });
  if (!high) return stages;
  const between = (a: Weight | null, b: Weight): Weight => ({
    base: { low: a?.base.low ?? 0, high: b.base.high },
    heard: { low: 0, high: 0 },
  });
  const verified = between(low && weighed(low), weighed(high));
  const verdicts = (count: number, end: keyof Range): number => 5 + count * written.verify[end];
  const judges: readonly ChatRole[] =
    scenario.models.second_verifier === undefined ? ['verifier'] : ['verifier', secondVerifier];
  for (const judge of judges)
    stage(
      'verify',
      judge,
      verified,
      { low: low ? verdicts(n.low, 'low') : 0, high: verdicts(n.high, 'high') },
      limits.verify,
      { low: low ? 1 : 0, high: 1 },
    );
  if (!refinement.rewrite) return stages;
  const half = Math.ceil(n.high / 2);
  const seldom = { low: 0, high: 1 };
  const rewrite = planRewrite(scene, made(half, 45 * more), { maxTokens: limits.rewrite }) as ChatRequest;
  const again = planVerify(scene, made(half, 45 * more), { maxTokens: limits.verify }) as ChatRequest;
  stage(
    'rewrite',
    'extractor',
    between(null, weighed(rewrite)),
    { low: 0, high: 5 + half * written.rewrite.high * more },
    limits.rewrite,
    seldom,
  );
  for (const judge of judges)
    stage(
      'verify_rewrite',
      judge,
      between(null, weighed(again)),
      { low: 0, high: verdicts(half, 'high') },
      limits.verify,
      seldom,
    );
  return stages;
}

/** An opinion of so many tokens. */
const opinionOf = ({ dialogueId, idx, personaId }: Turn, tokens: number): Opinion => ({
  id: '',
  key: '',
  dialogueId,
  turnIdx: idx,
  personaId: personaId ?? '',
  text: 'word'.repeat(tokens),
  quote: '',
  quoteStart: 0,
  quoteEnd: 0,
  alignment: null,
  class: 'belief',
  subtype: null,
  extendsTopic: null,
  flags: null,
  polarity: 'unknown',
  rewriteOf: null,
  callId: '',
  stageRunId: '',
});
