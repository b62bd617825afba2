import { planTurnReadings, readingsIn, WINDOW, type Read, type ReadingRequest } from '../dialogue/reader.ts';
import { readerPromptHash } from '../dialogue/reader-prompts.ts';
import { contentHash } from '../ids.ts';
import { planOpinionReadings } from '../refinement/read-opinions.ts';
import type { Scene } from '../refinement/scene.ts';
import type { Opinion, StageName } from '../refinement/types.ts';
import { saveCalls } from '../store/calls.ts';
import { dialogueRows } from '../store/dialogues.ts';
import {
  currentStage,
  finishStage,
  isMarked,
  markDialogue,
  openStage,
  opinionsOf,
  type StageRun,
} from '../store/opinions.ts';
import { saveOpinionReadings, saveReadings } from '../store/readings.ts';
import type { Trx } from '../store/store.ts';
import { concurrently, underWay } from './concurrently.ts';
import { heldAgain, sceneOf, type RefineInput } from './refine.ts';
import { readerSetting } from './stage.ts';

/**
 * Reads which answers the turns and the grounded opinions of a run express, as far as its scenario asks for it: stages of
 * their own, which change nothing of the refinement. What is done is left alone, and no reply is paid twice.
 */
export async function read(input: RefineInput): Promise<void> {
  const { store, runId, props } = input;
  const { turns, opinions } = props.scenario.readings;
  const { include_rewritten: rewritten } = props.scenario.refinement;
  if (turns) {
    const stage = await open(input, 'read_turns', await heldAgain(input), null);
    await overDialogues(input, stage, async (scene) => turnReadings(input, stage, scene));
  }
  const extract = await currentStage(store.read, runId, 'extract');
  const rewrite = rewritten ? await currentStage(store.read, runId, 'rewrite') : undefined;
  if (!opinions || !extract) return;
  const stage = await open(input, 'read_opinions', {}, (rewrite ?? extract).id);
  const made = rewrite ? [extract, rewrite] : [extract];
  await overDialogues(input, stage, async (scene) => {
    const of = await Promise.all(made.map(({ id }) => opinionsOf(store.read, id, scene.dialogue.id)));
    return opinionReadings(input, stage, scene, of.flat());
  });
}

async function open(
  { store, runId, props, identityOf }: RefineInput,
  stage: StageName,
  more: Record<string, unknown>,
  from: string | null,
): Promise<StageRun> {
  const prompt = readerPromptHash(props.readerPrompts);
  const settings = { model: identityOf('reader'), prompt, window: WINDOW, ...more };
  const fingerprint = contentHash(stage, JSON.stringify(settings));
  return openStage(store, { runId, stage, after: [], fingerprint, settings, input: from });
}

/** What is to be read of a dialogue, and how it is stored. */
interface Work<K> {
  name: 'turns' | 'opinions';
  /** The questions about all, or some of them again. */
  ask(only?: ReadonlySet<K>): ReadingRequest<K>[];
  save(trx: Trx, found: readonly Read<K>[], callId: string): Promise<void>;
}

function turnReadings({ props }: RefineInput, stage: StageRun, { dialogue, turns }: Scene): Work<number> {
  const personaOf = new Map(turns.map(({ idx, personaId }) => [idx, personaId as string]));
  return {
    name: 'turns',
    ask: (only) => planTurnReadings(dialogue, turns, readerSetting(props), only ? { only } : {}),
    save: (trx, found, callId) =>
      saveReadings(
        trx,
        stage.id,
        found.map(({ subject: idx, code, p }) => ({
          dialogueId: dialogue.id,
          personaId: personaOf.get(idx) as string,
          idx,
          moment: 'turn',
          code,
          p,
          callId,
        })),
      ),
  };
}

function opinionReadings(
  { props }: RefineInput,
  stage: StageRun,
  scene: Scene,
  opinions: readonly Opinion[],
): Work<string> {
  return {
    name: 'opinions',
    ask: (only) =>
      planOpinionReadings(
        scene,
        opinions.filter(({ id }) => only?.has(id) ?? true),
        readerSetting(props),
      ),
    save: (trx, found, callId) =>
      saveOpinionReadings(
        trx,
        stage.id,
        found.map(({ subject: opinionId, code, p }) => ({ opinionId, code, p, callId })),
      ),
  };
}

async function overDialogues<K>(
  input: RefineInput,
  stage: StageRun,
  work: (scene: Scene) => Promise<Work<K>>,
): Promise<void> {
  if (stage.status === 'finished') return;
  const { store, props, runId } = input;
  let done = 0;
  await concurrently(
    dialogueRows(store.read, runId, ['finished', 'flagged']),
    underWay(props.scenario.concurrency),
    async (row) => {
      if (!(await isMarked(store.read, stage.id, row.id))) {
        const note = await readAll(input, stage, row.id, await work(await sceneOf(input, row)));
        await store.write((trx) => markDialogue(trx, stage.id, row.id, note));
      }
      done += 1;
      input.watch(stage.stage as StageName, done, row.id);
    },
  );
  await finishStage(store, stage.id);
}

/** How often something is asked about: an unusable reply is asked for again, and so is what a reply passed over. */
const TRIES = 2;

/** Asks all questions about a dialogue. Gives what is to be noted: that something was not read, and why. */
async function readAll<K>(
  input: RefineInput,
  stage: StageRun,
  dialogueId: string,
  work: Work<K>,
): Promise<string | null> {
  const questions = work.ask();
  if (questions.length === 0) return 'nothing to do';
  const all = questions.reduce((sum, { asked }) => sum + asked.size, 0);
  let unread = 0;
  const reasons = new Set<string>();
  for (const question of questions) {
    let left: ReadingRequest<K>[] = [question];
    let why = '';
    for (let n = 0; n < TRIES && left.length > 0; n += 1) {
      const missing: K[] = [];
      for (const asked of left) {
        const settled = await ask(input, stage, dialogueId, asked, n, work);
        missing.push(...settled.missing);
        why = settled.why ?? why;
      }
      left = missing.length > 0 ? work.ask(new Set(missing)) : [];
    }
    if (left.length > 0) reasons.add(why);
    unread += left.reduce((sum, { asked }) => sum + asked.size, 0);
  }
  return unread === 0 ? null : `${unread} of ${all} ${work.name} were not read: ${[...reasons].join('; ')}`;
}

/** One request, stored with the rows that it makes; what it did not settle is to be asked again. */
async function ask<K>(
  { caller, store, runId }: RefineInput,
  stage: StageRun,
  dialogueId: string,
  question: ReadingRequest<K>,
  n: number,
  work: Work<K>,
): Promise<{ missing: K[]; why?: string }> {
  const { request } = question;
  const asked = {
    role: 'reader',
    request,
    stage: stage.stage,
    subject: dialogueId,
    replicate: [0, n],
    last: n === TRIES - 1,
  };
  return caller.call(asked, (outcome) =>
    store.write(async (trx) => {
      await saveCalls(trx, runId, outcome.calls, outcome.uses);
      const all = [...question.asked.values()];
      if (outcome.status !== 'ok') return { missing: all, why: `the reply was ${outcome.status}` };
      const found = readingsIn(question, outcome);
      await work.save(trx, found, outcome.callId);
      const read = new Set(found.map(({ subject }) => subject));
      return { missing: all.filter((one) => !read.has(one)), why: 'the reader passed them over' };
    }),
  );
}
