// Longer than most files: the stages follow one another here, and each is a few lines that join a pure stage to its rows.
import { secondVerifier } from '../dialogue/types.ts';
import { contentHash } from '../ids.ts';
import type { Caller } from '../models/caller.ts';
import type { ChatRequest } from '../models/port.ts';
import { isInAnotherLanguage } from '../dialogue/language.ts';
import { decide, isExtension, screen, vote, type Facts } from '../refinement/decide.ts';
import { deduplicate, type Candidate } from '../refinement/deduplicate.ts';
import { applyExtract, planExtract, understandingTurns } from '../refinement/extract.ts';
import { applyGate, gateFault, planGate, type GatePrompts } from '../refinement/gate.ts';
import { stagePromptHash } from '../refinement/prompts.ts';
import { applyRewrite, planRewrite } from '../refinement/rewrite.ts';
import { windowsOf, type Scene } from '../refinement/scene.ts';
import { stageNames, type Mark, type StageName } from '../refinement/types.ts';
import { applyVerify, planVerify, verifiable } from '../refinement/verify.ts';
import { saveCalls } from '../store/calls.ts';
import { attemptsIn, dialogueRows, turnsOf, type DialogueRow } from '../store/dialogues.ts';
import { gatesOf, saveGate } from '../store/gates.ts';
import { qualityOf } from '../refinement/quality.ts';
import { select, type Selectable, type Wanted } from '../refinement/select.ts';
import { clustersBefore, saveClusters } from '../store/clusters.ts';
import {
  candidates,
  finishStage,
  isMarked,
  markDialogue,
  openStage,
  opinionsOf,
  saveDecisions,
  saveOpinions,
  saveSelections,
  saveUnderstanding,
  saveVerdicts,
  verdictsOf,
  type CandidateRow,
  type StageRun,
} from '../store/opinions.ts';
import { standingReviews, wordsKey } from '../store/reviews.ts';
import type { Store, Trx } from '../store/store.ts';
import { concurrently, underWay } from './concurrently.ts';
import { embedderKey, vectorsFrom, type OpenedEmbedder } from './embed.ts';
import { answerKey, type Quota } from './quota.ts';
import type { Scenario } from './scenario.ts';
import { stageDialogue, type Props } from './stage.ts';
import { standingStage } from './standing.ts';

export interface RefineInput {
  store: Store;
  caller: Caller;
  props: Props;
  runId: string;
  /** What makes a role's rows what they are: its model, and what belongs to that. */
  identityOf: (role: string) => string;
  /** The roles that judge: one, or two that vote. */
  judges: readonly ('verifier' | typeof secondVerifier)[];
  /** The round that the dialogues have come to; the last stages are made anew for each. */
  round: number;
  /** How many samples of each answer are selected; undefined where the scenario asks for no quotas. */
  quotas: readonly Quota[] | undefined;
  /** The stage to begin with: those before it are taken as they stand. */
  from?: StageName | undefined;
  /** Finds opinions that say the same in other words, where the scenario asks for it. */
  embedder?: OpenedEmbedder | undefined;
  /** Told of each stage, and of its progress in dialogues: the last one's id, where it is about one. */
  watch: (stage: StageName, done: number, dialogueId: string) => void;
  stageDone: (stage: StageName) => void;
}

type Open = (
  stage: StageName,
  settings: Record<string, unknown>,
  input: StageRun | null,
) => Promise<StageRun>;

/** Refines a run: extract and ground, verify, rewrite, verify the rewrites, deduplicate, select, decide. Stages that are done are left alone. */
export async function refine(input: RefineInput): Promise<void> {
  const { store, runId, props } = input;
  const { refinement } = props.scenario;
  const { quotes } = refinement;
  const open: Open = (stage, settings, from) => {
    const asked = { runId, stage, settings, input: from?.id ?? null };
    if (input.from && stageNames.indexOf(stage) < stageNames.indexOf(input.from))
      return standingStage(store.read, asked, input.from);
    return openStage(store, {
      ...asked,
      after: stageNames.slice(stageNames.indexOf(stage) + 1),
      fingerprint: contentHash(stage, JSON.stringify(settings)),
    });
  };
  const prompt = (name: Parameters<typeof stagePromptHash>[1]): string =>
    stagePromptHash(props.refinementPrompts, name);
  const model = input.identityOf;

  const extract = await open(
    'extract',
    {
      model: model('extractor'),
      prompt: prompt(quotes === 'choose' ? 'extract_by_choice' : 'extract'),
      quotes,
      ...(await heldAgain(input)),
    },
    null,
  );
  await overDialogues(input, extract, (scene) => extractStage(input, extract, scene));
  const judging = {
    model: model('verifier'),
    prompt: prompt('verify'),
    ...(input.judges.length > 1 ? { second: model(secondVerifier) } : {}),
  };
  const verify = await open('verify', judging, extract);
  await overDialogues(input, verify, (scene) => verifyStage(input, verify, extract, scene));
  const rewrite = await open(
    'rewrite',
    { model: model('extractor'), prompt: prompt('rewrite'), on: refinement.rewrite },
    verify,
  );
  if (refinement.rewrite)
    await overDialogues(input, rewrite, (scene) => rewriteStage(input, { extract, verify, rewrite }, scene));
  const again = await open('verify_rewrite', judging, rewrite);
  if (refinement.rewrite)
    await overDialogues(input, again, (scene) => verifyStage(input, again, rewrite, scene));
  const { gatePrompts } = props;
  const gate =
    gatePrompts &&
    (await open(
      'gate',
      {
        model: model('judge'),
        prompt: contentHash(JSON.stringify(gatePrompts)),
        ...(await heldAgain(input)),
      },
      null,
    ));
  if (gate) await overDialogues(input, gate, (scene) => gateStage(input, gate, gatePrompts, scene));
  await decideAll(input, open, {
    made: [extract.id, rewrite.id],
    judged: [verify.id, again.id],
    last: again,
    gate: refinement.gate === 'drop' ? gate : null,
  });
}

async function gateStage(
  { props }: RefineInput,
  stage: StageRun,
  prompts: GatePrompts,
  scene: Scene,
): Promise<Work> {
  return {
    role: 'judge',
    request: planGate(scene, prompts, { maxTokens: props.scenario.max_tokens.gate }),
    save: (trx, { text, callId }) =>
      saveGate(trx, stage.id, { dialogueId: scene.dialogue.id, callId, ...applyGate(text) }),
  };
}

/** Tells the stages of a run whose failed dialogues were held again from those before: what is unchanged costs nothing. */
export async function heldAgain({ store, runId }: RefineInput): Promise<{ held_again?: number }> {
  const attempts = await attemptsIn(store.read, runId);
  return attempts === 0 ? {} : { held_again: attempts };
}

/** What a stage makes of a dialogue: the request that it needs (null: none), and the rows that it makes of the reply. */
interface Work {
  role: string;
  request: ChatRequest | null;
  save(trx: Trx, reply: { text: string; callId: string; model: string }): Promise<void>;
}

type Asked = Work & { request: ChatRequest };

async function overDialogues(
  input: RefineInput,
  stage: StageRun,
  work: (scene: Scene) => Promise<Work | Work[]>,
): Promise<void> {
  if (stage.status === 'finished') return;
  const { store, caller, props, runId } = input;
  let done = 0;
  await concurrently(
    dialogueRows(store.read, runId, ['finished', 'flagged']),
    underWay(props.scenario.concurrency),
    async (row) => {
      if (!(await isMarked(store.read, stage.id, row.id)))
        await oneDialogue(store, caller, stage, await sceneOf(input, row), work);
      done += 1;
      input.watch(stage.stage as StageName, done, row.id);
    },
  );
  await finishStage(store, stage.id);
  input.stageDone(stage.stage as StageName);
}

export async function sceneOf({ store, props }: RefineInput, row: DialogueRow): Promise<Scene> {
  return {
    dialogue: await stageDialogue(store.read, props, row),
    turns: await turnsOf(store.read, row.id),
    prompts: props.refinementPrompts,
  };
}

/** How often an unusable reply is asked for again. */
const TRIES = 2;

async function oneDialogue(
  store: Store,
  caller: Caller,
  stage: StageRun,
  scene: Scene,
  work: (scene: Scene) => Promise<Work | Work[]>,
): Promise<void> {
  const { id, runId } = scene.dialogue;
  const works = [await work(scene)].flat().flatMap((one) => (one.request ? [one as Asked] : []));
  if (works.length === 0) {
    await store.write((trx) => markDialogue(trx, stage.id, id, 'nothing to do'));
    return;
  }
  const faults: string[] = [];
  for (const [at, { role, request, save }] of works.entries()) {
    for (let n = 0; n < TRIES; n += 1) {
      const last = n === TRIES - 1;
      const asked = { role, request, stage: stage.stage, subject: id, replicate: [0, n], last };
      const settled = await caller.call(asked, (outcome) =>
        store.write(async (trx) => {
          await saveCalls(trx, runId, outcome.calls, outcome.uses);
          const usable = outcome.status === 'ok';
          if (usable) await save(trx, outcome);
          else if (last) faults.push(`the reply was ${outcome.status}`);
          if ((usable || last) && at === works.length - 1)
            await markDialogue(trx, stage.id, id, faults.length > 0 ? faults.join('; ') : null);
          return usable;
        }),
      );
      if (settled) break;
    }
  }
}

async function extractStage({ props }: RefineInput, stage: StageRun, whole: Scene): Promise<Work[]> {
  return windowsOf(whole).map((scene) => ({
    role: 'extractor',
    request: planExtract(scene, {
      maxTokens: props.scenario.max_tokens.extract,
      quotes: props.scenario.refinement.quotes,
    }),
    save: async (trx, { text, callId }) => {
      await saveOpinions(
        trx,
        applyExtract(scene, text, { callId, stageRunId: stage.id, stageKey: stage.fingerprint }),
      );
      await saveUnderstanding(trx, stage.id, scene.dialogue.id, understandingTurns(scene, text));
    },
  }));
}

async function verifyStage(
  { store, props, judges }: RefineInput,
  stage: StageRun,
  made: StageRun,
  scene: Scene,
): Promise<Work[]> {
  const opinions = verifiable(scene, await opinionsOf(store.read, made.id, scene.dialogue.id));
  const request = planVerify(scene, opinions, { maxTokens: props.scenario.max_tokens.verify });
  return judges.map((role) => ({
    role,
    request,
    save: (trx, { text, callId, model }) =>
      saveVerdicts(trx, applyVerify(opinions, text, { callId, model, stageRunId: stage.id })),
  }));
}

async function rewriteStage(
  { store, props, judges }: RefineInput,
  stages: { extract: StageRun; verify: StageRun; rewrite: StageRun },
  scene: Scene,
): Promise<Work> {
  const { extract, verify, rewrite } = stages;
  const opinions = await opinionsOf(store.read, extract.id, scene.dialogue.id);
  const verdicts = await verdictsOf(
    store.read,
    verify.id,
    opinions.map(({ id }) => id),
  );
  const contradictions = opinions.filter(
    ({ id }) => vote(verdicts.get(id) ?? [], judges.length) === 'contradict',
  );
  return {
    role: 'extractor',
    request: planRewrite(scene, contradictions, { maxTokens: props.scenario.max_tokens.rewrite }),
    save: (trx, { text, callId }) =>
      saveOpinions(
        trx,
        applyRewrite(contradictions, text, { callId, stageRunId: rewrite.id, stageKey: rewrite.fingerprint }),
      ),
  };
}

/** Deduplicates and selects over the whole run, then writes every opinion's decision with its reason. */
async function decideAll(
  input: RefineInput,
  open: Open,
  stages: { made: readonly string[]; judged: readonly string[]; last: StageRun; gate: StageRun | null },
): Promise<void> {
  const { store, props } = input;
  const { refinement } = props.scenario;
  const source = { made: stages.made, judged: stages.judged };
  const hasStance = (row: CandidateRow): boolean => row.stanceCode !== null;
  const reviews = await standingReviews(store.read, input.runId);
  const gates = stages.gate && (await gatesOf(store.read, stages.gate.id));
  const reviewOf = (row: CandidateRow) => (reviews.size > 0 ? reviews.get(wordsKey(row)) : undefined);
  const foreign = new Set<string>();
  const screening = (row: CandidateRow) => ({
    verdict: vote(row.verdicts, input.judges.length),
    hasStance: hasStance(row),
    includeRewritten: refinement.include_rewritten,
    keepExtends: refinement.keep_extends,
    gateFault: gates && gateFault(gates.get(row.dialogueId)),
    otherLanguage: foreign.has(row.id),
    review: reviewOf(row)?.mark as Exclude<Mark, 'clear'> | undefined,
  });

  const passed: (Candidate & Omit<Selectable, 'opinionId' | 'quality'>)[] = [];
  for await (const page of candidates(store.read, source)) {
    for (const row of page) {
      // Only what the next steps need: all candidates of a run are held at once.
      const { id, key, quote, polarity, rewriteOf, culture, country, stanceCode: code } = row;
      const { class: sort, subtype, verdicts, language } = row;
      // 20 us each: looked at once.
      if (row.quote !== null && isInAnotherLanguage(row.text, row.language)) foreign.add(row.id);
      const facts = screening(row);
      const extension = isExtension(row, facts);
      const answer = extension ? EXTENSION : answerKey({ culture, topicId: row.topicId, country, code });
      // By themselves: they take no place of an opinion about the statement.
      const topicId = extension ? `${row.topicId}, ${EXTENSION}` : row.topicId;
      const text = reviewOf(row)?.text ?? row.text;
      const confidence = verdicts.filter((one) => one === 'entail').length / input.judges.length;
      const said = { model: row.model, persona: row.personaId, dialogue: row.dialogueId };
      const judged = { text, quote, rewriteOf, class: sort, subtype, confidence };
      if (!screen(row, facts))
        passed.push({ id, key, ...judged, polarity, culture, topicId, language, answer, ...said });
    }
  }
  const merging = {
    // What clusters are made by: 2 takes the judges' confidence and the information of an opinion into account.
    version: 2,
    threshold: refinement.threshold,
    ...(input.embedder ? embeddingOf(input.embedder, refinement) : {}),
    include_rewritten: refinement.include_rewritten,
    ...roundOf(input),
    // What else decides who comes here; only where there is any, so that runs from before stay what they are.
    ...(refinement.keep_extends ? { keep_extends: true } : {}),
    ...(stages.gate ? { gate: stages.gate.id } : {}),
    ...(reviews.size > 0 ? { reviews: reviewsHash(reviews) } : {}),
    ...(foreign.size > 0 ? { other_language: foreign.size } : {}),
  };
  const before = await clustersBefore(store.read, input.runId, stages.last.id, merging);
  const deduplication = await open('deduplicate', merging, stages.last);
  input.watch('deduplicate', passed.length, '');
  const { concurrency } = props.scenario;
  const embedding = input.embedder && {
    threshold: refinement.embedding_threshold,
    languages: refinement.embedding_languages,
    vectorsOf: vectorsFrom({ ...input, concurrency, embedder: input.embedder }),
  };
  const clusters = await deduplicate(passed, { threshold: refinement.threshold, embedding }, before);
  for (const page of pages(clusters, 300))
    await store.write((trx) => saveClusters(trx, deduplication.id, page));
  await finishStage(store, deduplication.id);
  input.stageDone('deduplicate');

  const representatives = new Set(clusters.map(({ representative }) => representative));
  const members = new Set(passed.map(({ id }) => id));
  const wanted = wantedIn(input);
  const { distinctive, max_share: maxShare } = refinement;
  const selection = await open(
    'select',
    {
      version: 2,
      ...(distinctive > 0 ? { distinctive } : {}),
      ...(Object.keys(maxShare).length > 0 ? { max_share: maxShare } : {}),
      per_culture: wanted.kind === 'per_culture' ? wanted.n : null,
      ...(wanted.kind === 'quotas' ? { quotas: [...wanted.quotas] } : {}),
    },
    deduplication,
  );
  const survivors = passed
    .filter(({ id }) => representatives.has(id))
    .map(({ id, ...row }) => ({ ...row, opinionId: id, quality: qualityOf(row) }));
  const selections = await select(survivors, wanted, { distinctive, maxShare, space: embedding });
  for (const page of pages(selections, 1000))
    await store.write((trx) => saveSelections(trx, selection.id, page));
  await finishStage(store, selection.id);
  input.watch('select', selections.length, '');
  input.stageDone('select');

  const selected = new Map(selections.map((row) => [row.opinionId, row]));
  for await (const page of candidates(store.read, source)) {
    const decisions = page.map((row) => {
      const facts: Facts = {
        ...screening(row),
        representative: members.has(row.id) ? representatives.has(row.id) : null,
        selected: selected.get(row.id)?.selected ?? null,
        leftOut: selected.get(row.id)?.reason ?? null,
      };
      return { opinionId: row.id, edited: reviewOf(row)?.text ?? null, ...decide(row, facts) };
    });
    for (const part of pages(decisions, 1000)) await store.write((trx) => saveDecisions(trx, part));
  }
}

/** The answer of opinions that extend the topic: they are of no answer, and outside of quotas. */
const EXTENSION = 'extends the topic';

const reviewsHash = (reviews: Awaited<ReturnType<typeof standingReviews>>): string =>
  contentHash(JSON.stringify([...reviews].map(([key, { mark, text }]) => [key, mark, text]).sort()));

/** What the settings of the deduplication say of an embedder. */
function embeddingOf(
  embedder: OpenedEmbedder,
  { embedding_threshold, embedding_languages }: Scenario['refinement'],
): Record<string, unknown> {
  return { embedder: embedderKey(embedder), embedding_threshold, embedding_languages };
}

/** Tells the stages over a whole run after a further round from those before it. */
const roundOf = ({ round }: RefineInput): { round?: number } => (round === 0 ? {} : { round });

function wantedIn({ quotas, props }: RefineInput): Wanted {
  const { per_culture: n } = props.scenario.refinement;
  if (quotas) {
    const each = quotas.map((quota) => [answerKey(quota), quota.n] as const);
    const beside = props.scenario.refinement.keep_extends
      ? [[EXTENSION, Number.MAX_SAFE_INTEGER] as const]
      : [];
    return { kind: 'quotas', quotas: new Map([...each, ...beside]) };
  }
  return n === undefined ? { kind: 'all' } : { kind: 'per_culture', n };
}

function* pages<T>(rows: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}
