import { secondVerifier } from '../dialogue/types.ts';
import { UserError } from '../errors.ts';
import { openAiBaseUrl, timeoutsOf } from '../models/openai.ts';
import {
  LocalUnavailable,
  openModel,
  type ModelContext,
  type OpenedModel,
  type ResolvedModel,
} from '../models/resolve.ts';
import type { ChatModel } from '../models/port.ts';
import { modelInWords, type RoleModel, type Route, type Speaker } from '../models/route.ts';
import { rememberSecret } from '../models/secrets.ts';
import type { RunModels } from './config.ts';
import type { OpenedEmbedder } from './embed.ts';
import type { ModelEntry } from './model-entries.ts';

/** A model as it is stored with a run: enough to open it again in another process, with the keys that are there then. */
type StoredModel = ResolvedModel & Omit<ModelEntry, 'spec' | 'baseUrl' | 'fallback'>;
export type StoredRoute = StoredModel & { fallback?: StoredModel };

/** By role, `second_verifier`, `second_delegate` and `delegates.CULTURE`. */
export type Routes = ReadonlyMap<string, Route>;

export interface OpenedModels {
  routes: Routes;
  models: RunModels;
  /** True where nobody named a model and the local one can't be had. */
  fellBack: boolean;
  embedder?: OpenedEmbedder | undefined;
}

/** The roles that judge: the second one has a vote where it is another model than the first. */
export function judgesIn(
  modelFor: (role: 'verifier' | typeof secondVerifier) => { provider: string; model: string } | undefined,
): ('verifier' | typeof secondVerifier)[] {
  const [one, other] = [modelFor('verifier'), modelFor(secondVerifier)];
  const votes = other && (one?.provider !== other.provider || one.model !== other.model);
  return votes ? ['verifier', secondVerifier] : ['verifier'];
}

/**
 * Who answers a role; of the delegates the second of a pair before a culture's, and that before the role's. Undefined for
 * a second judge where there is none.
 */
export function routeFor<T>(routes: ReadonlyMap<string, T>, role: string, speaker?: Speaker): T | undefined {
  const own =
    role === 'delegate' && speaker
      ? ((speaker.second ? routes.get('second_delegate') : undefined) ??
        routes.get(`delegates.${speaker.culture}`))
      : undefined;
  return own ?? routes.get(role);
}

/**
 * Opens each model once. Where nobody named one and the local one can't be had, the scripted one speaks, and `fellBack`
 * says so. Throws a UserError for a key that is not there and for a setting that a model has no use for.
 */
export async function openRoutes(
  entries: ReadonlyMap<string, ModelEntry>,
  named: boolean,
  context: ModelContext,
): Promise<OpenedModels> {
  const known = new Map<string, OpenedModel>();
  let fellBack = false;
  const open = async (entry: ModelEntry, at: string, mayBeDown: boolean): Promise<OpenedModel> => {
    const { spec, baseUrl, apiKeyEnv, timeout } = entry;
    const key = JSON.stringify([spec, baseUrl, apiKeyEnv, timeout]);
    let found = known.get(key);
    if (!found) {
      try {
        found = await openModel(spec, { ...contextOf(entry, `models.${at}`, context), mayBeDown });
      } catch (error) {
        if (!(error instanceof LocalUnavailable) || named) throw error;
        context.say(error.message);
        fellBack = true;
        found = await openModel('scripted', context);
      }
      known.set(key, found);
    }
    return found;
  };
  const routes = new Map<string, Route>();
  const models: RunModels = {};
  for (const [name, entry] of entries) {
    const { fallback } = entry;
    const own = await open(entry, name, fallback !== undefined);
    const route = roleModel(own.chat, entry);
    routes.set(name, route);
    models[name] = stored(own, entry);
    if (!fallback) continue;
    const other = await open(fallback, `${name}.fallback`, true);
    checkOther(own, other, name);
    // The role's own temperature is the fallback's too, unless that has one.
    const sampled = { ...fallback, sampling: { ...entry.sampling, ...fallback.sampling } };
    routes.set(name, { ...route, fallback: roleModel(other.chat, sampled) });
    models[name] = { ...stored(own, entry), fallback: stored(other, fallback) };
  }
  return { routes, models, fellBack };
}

/** Opens the models that a run was begun with. */
export async function reopenRoutes(models: RunModels, context: ModelContext): Promise<OpenedModels> {
  const entries = Object.entries(models).map(([name, { fallback, ...own }]) => {
    const entry = restored(own);
    return [name, fallback ? { ...entry, fallback: restored(fallback) } : entry] as const;
  });
  const { routes } = await openRoutes(new Map(entries), true, context);
  return { routes, models, fellBack: false };
}

/** The models that a run was begun with by their names alone, to be looked up and priced: none is opened, and none can be asked. */
export function namedRoutes(models: RunModels): Routes {
  const routeOf = (own: StoredModel, entry: ModelEntry): RoleModel => {
    const { provider, model, scripted } = own;
    const free = scripted || provider.startsWith('sha256:');
    const chat = () => Promise.reject(new Error(`${model} is only named here`));
    return roleModel({ provider, model, scripted, free, chat }, entry);
  };
  return new Map(
    Object.entries(models).map(([name, { fallback, ...own }]) => {
      const entry = restored(own);
      const route = routeOf(own, entry);
      if (!fallback) return [name, route];
      const other = restored(fallback);
      const sampled = { ...other, sampling: { ...entry.sampling, ...other.sampling } };
      return [name, { ...route, fallback: routeOf(fallback, sampled) }];
    }),
  );
}

/** What makes the rows of a role what they are: model, sampling, fallback; not address, key, limits and time-outs. */
export function identityOf(route: Route): string {
  const { model, sampling, fallback } = route;
  const sampled = sampling ? ` ${JSON.stringify(samplingOf(route))}` : '';
  return `${model.provider} ${model.model}${sampled}${fallback ? `, else ${identityOf(fallback)}` : ''}`;
}

/** A role's own sampling in a fixed order. */
export const samplingOf = ({ sampling }: Pick<Route, 'sampling'>): (number | null)[] => [
  sampling?.temperature ?? null,
  sampling?.topP ?? null,
];

const isAddressed = (spec: string): boolean => /^openai(:|$)/.test(spec);

function checkAddress({ spec, ownAddress, apiKeyEnv, timeout }: ModelEntry, at: string): void {
  const wrong = [
    ...(!isAddressed(spec) && ownAddress ? ['base_url'] : []),
    ...(!isAddressed(spec) && apiKeyEnv !== undefined ? ['api_key_env'] : []),
    ...(/^(local|scripted)(:|$)/.test(spec) && timeout !== undefined ? ['timeout'] : []),
  ];
  if (wrong.length > 0)
    throw new UserError(`${at}: ${wrong.join(' and ')} can't be used with the model "${spec}".`, {
      mend: 'They are for openai:NAME; a provider of LangChain takes its key and address from its own variables.',
    });
}

function checkOther(own: OpenedModel, other: OpenedModel, at: string): void {
  if (own.chat.provider === other.chat.provider && own.chat.model === other.chat.model)
    throw new UserError(`models.${at}.fallback is the model itself: ${modelInWords(own.chat)}.`, {
      mend: 'Name another one, or leave the fallback out.',
    });
}

/** Where the model is looked for, and with which key. */
export function contextOf(entry: ModelEntry, at: string, context: ModelContext): ModelContext {
  checkAddress(entry, at);
  const { baseUrl, ownAddress, apiKeyEnv, timeout } = entry;
  const address = baseUrl ?? context.baseUrl;
  let { apiKey } = context;
  if (apiKeyEnv !== undefined) {
    rememberSecret(apiKeyEnv);
    apiKey = process.env[apiKeyEnv];
    if (!apiKey)
      throw new UserError(`${at}: its key is to be in ${apiKeyEnv}, which is not set.`, {
        mend: 'Set it in the environment or in a .env file.',
      });
  } else if (ownAddress && originOf(address) !== originOf(context.baseUrl ?? openAiBaseUrl)) {
    // OPENAI_API_KEY is for its own address, not for whatever server a role is sent to.
    apiKey = undefined;
  }
  return { ...context, baseUrl: address, apiKey, ...(timeout ? { timeouts: timeoutsOf(timeout) } : {}) };
}

function originOf(address: string | undefined): string {
  return address !== undefined && URL.canParse(address) ? new URL(address).origin : '';
}

export function roleModel(model: ChatModel, { sampling, limits, apiKeyEnv }: ModelEntry): RoleModel {
  return {
    model,
    ...(sampling && Object.keys(sampling).length > 0 ? { sampling } : {}),
    ...(limits ? { limits } : {}),
    ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }),
  };
}

function stored({ resolved }: OpenedModel, entry: ModelEntry): StoredModel {
  const { spec: _, baseUrl: __, fallback: ___, ...settings } = entry;
  return { ...resolved, ...settings };
}

function restored(model: StoredModel): ModelEntry {
  const { baseUrl, provider: _, model: __, scripted: ___, ...settings } = model;
  return { ...settings, ...(baseUrl === null ? {} : { baseUrl }) };
}
