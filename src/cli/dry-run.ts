import { existsSync } from 'node:fs';
import { next } from '../dialogue/step.ts';
import { openAiBaseUrl } from '../models/openai.ts';
import type { ChatModel } from '../models/port.ts';
import { cleanBaseUrl, defaultSpec, openModel } from '../models/resolve.ts';
import { scriptedModel } from '../models/scripted.ts';
import { estimate, type ModelFor } from '../pipeline/estimate.ts';
import { omissionsOf, planDialogues } from '../pipeline/plan.ts';
import { modelEntries, type ModelEntry } from '../pipeline/model-entries.ts';
import { importedFor, peopleNotices } from '../pipeline/people.ts';
import { prepareFrom, type Prepared } from '../pipeline/prepare.ts';
import { loadScenario } from '../pipeline/scenario.ts';
import { buildDialogue } from '../pipeline/stage.ts';
import { routeFor } from '../pipeline/routes.ts';
import { out } from './output.ts';
import { entryLines } from './model-words.ts';
import { reading } from './survey-source.ts';
import { estimateLine } from './money.ts';
import { paint, printable } from './text.ts';

interface Asked {
  scenario: string;
  set: readonly string[];
  model: string | undefined;
  seed: number | undefined;
  db: string;
  json: boolean;
}

type Environment = { baseUrl: string | undefined; apiKey: string | undefined; named: string | undefined };

/** Shows the cells chosen, the first dialogue's exact first prompt and the estimate; nothing is asked and nothing stored. */
export async function dryRun(asked: Asked, environment: Environment): Promise<number> {
  const set = [...asked.set, ...(asked.seed === undefined ? [] : [`seed=${asked.seed}`])];
  const loaded = loadScenario(asked.scenario, set);
  const imported = existsSync(asked.db)
    ? await reading(asked.db, null, (read) => importedFor(read, loaded))
    : null;
  const prepared = prepareFrom(loaded, new Map(), imported);
  const seed = prepared.props.scenario.seed ?? 1;
  const { entries, modelFor, fallback } = await pricedModels(prepared, asked, set, environment);
  const figures = estimate(prepared, modelFor, seed);
  const cells = new Map<string, number>();
  let first: ReturnType<typeof buildDialogue> | undefined;
  for (const { row, seats } of planDialogues({ ...prepared.plan, runId: '', seed })) {
    first ??= buildDialogue({ ...prepared.props, seed }, { ...row, attempt: 0 }, seats);
    const cell = `${row.topic_id} × ${seats.flatMap(({ role, persona }) => (role === 'delegate' && persona ? [persona.culture] : [])).join(' + ')}`;
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  const step = first && next(first, [], []);
  const messages = step?.kind === 'request' ? step.request.request.messages : [];
  const omissions = omissionsOf(prepared.plan);
  if (asked.json) {
    out(
      JSON.stringify({
        dry_run: true,
        cells: Object.fromEntries(cells),
        left_out: omissions,
        first_prompt: messages,
        models: Object.fromEntries(entries),
        ...figures,
      }),
    );
    return 0;
  }
  out(`${paint('bold', 'Cells')} (topic × delegates: dialogues)`);
  for (const [cell, n] of cells) out(`  ${printable(cell)}: ${n}`);
  if (omissions.length > 0) {
    out(paint('bold', 'Left out'));
    for (const { culture, topicId, reason } of omissions) out(`  ${culture} × ${topicId}: ${reason}`);
  }
  for (const notice of peopleNotices(prepared.plan)) out(`  ${notice}`);
  out(paint('bold', "The first dialogue's first prompt, word by word"));
  for (const { role, text } of messages) out(`  [${role}] ${printable(text)}`);
  out(paint('bold', 'Models'));
  for (const line of entryLines(entries)) out(`  ${line}`);
  out(paint('bold', 'Estimate'));
  out(`  ${estimateLine(figures, fallback)}`);
  out('Nothing was asked, paid or stored.');
  return 0;
}

/** The models as far as they can be had without fetching or asking; they are only looked at for their price. */
export async function pricedModels(
  prepared: Prepared,
  asked: Pick<Asked, 'model'>,
  set: readonly string[],
  environment: Environment,
): Promise<{
  entries: ReadonlyMap<string, ModelEntry>;
  /** By the names of the entries. */
  models: ReadonlyMap<string, ChatModel>;
  modelFor: ModelFor;
  /** Whether a fallback is named. */
  fallback: boolean;
}> {
  const { entries } = modelEntries(
    prepared.props.scenario,
    { flag: asked.model, environment: environment.named, set },
    environment,
  );
  const models = new Map<string, ChatModel>();
  for (const [name, entry] of entries) models.set(name, await pricedModel(entry, environment));
  return {
    entries,
    models,
    modelFor: (role, speaker) => routeFor(models, role, speaker),
    fallback: [...entries.values()].some(({ fallback }) => fallback !== undefined),
  };
}

async function pricedModel(entry: ModelEntry, environment: Environment): Promise<ChatModel> {
  const { spec } = entry;
  const baseUrl = entry.baseUrl ?? environment.baseUrl;
  if (spec === 'scripted') return scriptedModel();
  const free = { ...scriptedModel(), model: spec };
  if (spec === 'local' || spec.startsWith('local:')) return free;
  // An estimate needs no key and no server: a name is enough for a price.
  const named =
    spec === 'openai' && defaultSpec(environment) === 'openai' && !baseUrl ? 'openai:gpt-4o-mini' : spec;
  if (/^openai:?$/.test(named))
    return { ...free, free: false, provider: new URL(cleanBaseUrl(baseUrl ?? openAiBaseUrl)).origin };
  const context = { ...environment, baseUrl, apiKey: environment.apiKey ?? 'none' };
  return (await openModel(named, { ...context, say: () => undefined, allowFetch: false })).chat;
}
