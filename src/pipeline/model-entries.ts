import { chatRoles, secondVerifier } from '../dialogue/types.ts';
import type { ChatRequest } from '../models/port.ts';
import { defaultSpec, type ModelContext } from '../models/resolve.ts';
import type { RoleLimits } from '../models/route.ts';
import type { FallbackSetting, ModelSetting } from './model-setting.ts';
import { changedPath, type Scenario } from './scenario.ts';

/** A model that is to be opened, with what its role wants of it. */
export interface ModelEntry {
  spec: string;
  baseUrl?: string;
  /** True where the role named its address: then it gets no key but the one that the role names. */
  ownAddress?: boolean;
  apiKeyEnv?: string;
  /** Seconds. */
  timeout?: number;
  sampling?: Partial<ChatRequest['sampling']>;
  limits?: RoleLimits;
  fallback?: ModelEntry;
}

/** Flags and environment that choose models: `--set models.x` > `--model` > CULTUREPARK_MODEL > scenario > default. */
export interface ModelChoice {
  flag: string | undefined;
  environment: string | undefined;
  set: readonly string[];
}

/**
 * Who is to answer each role, by `second_verifier` a second judge, and by `second_delegate` and `delegates.CULTURE` some
 * delegates. An entry that names a
 * model stands alone; one that names none changes only what it says of the entry above it (a role's of `default`, a
 * delegate's of `delegate`). Where the flag or the environment names the model, of the scenario's entries only how they
 * sample is kept, and what `--set` changed; `named` is false where nobody named one.
 */
export function modelEntries(
  { models, cultures }: Pick<Scenario, 'models' | 'cultures'>,
  choice: ModelChoice,
  context: Pick<ModelContext, 'baseUrl' | 'apiKey'>,
): { entries: Map<string, ModelEntry>; named: boolean } {
  const changed = choice.set.map(changedPath).flatMap(([top, ...rest]) => (top === 'models' ? [rest] : []));
  const isSet = (path: readonly string[]): boolean =>
    changed.some((change) => change.every((key, at) => key === path[at]) && change.length <= path.length);
  const overruled = choice.flag !== undefined || choice.environment !== undefined;
  /** What counts of an entry of the scenario; undefined for none. */
  const counted = (
    given: string | ModelSetting | undefined,
    ...path: readonly string[]
  ): ModelSetting | undefined => {
    if (given === undefined) return undefined;
    const own = typeof given === 'string' ? { model: given } : given;
    if (!overruled || isSet([...path, 'model'])) return own;
    const kept = Object.entries(own).filter(
      ([key]) =>
        key === 'temperature' ||
        key === 'top_p' ||
        changed.some((change) => [...path, key].every((part, at) => change[at] === part)),
    );
    return kept.length > 0 ? (Object.fromEntries(kept) as ModelSetting) : undefined;
  };

  const overall = counted(models.default, 'default') ?? {};
  const forAll =
    choice.flag ?? (isSet(['default', 'model']) ? overall.model : choice.environment) ?? overall.model;
  const base = entryOf({ ...overall, model: forAll ?? defaultSpec(context) }, nobody, 'default');
  const entries = new Map<string, ModelEntry>();
  for (const role of chatRoles) entries.set(role, entryOf(counted(models[role], role), base, role));
  const judge = counted(models[secondVerifier], secondVerifier);
  if (judge) entries.set(secondVerifier, entryOf(judge, base, secondVerifier));
  const delegate = entries.get('delegate') as ModelEntry;
  const second = counted(models.second_delegate, 'second_delegate');
  if (second) entries.set('second_delegate', entryOf(second, delegate, 'second_delegate'));
  for (const [culture, given] of Object.entries(models.delegates ?? {})) {
    const own = counted(given, 'delegates', culture);
    const name = `delegates.${culture}`;
    if (own && (cultures === 'all' || cultures.includes(culture)))
      entries.set(name, entryOf(own, delegate, name));
  }
  const anyNamed = [...entries.values()].some(
    ({ spec, fallback }) => spec !== defaultSpec(context) || fallback !== undefined,
  );
  return { entries, named: forAll !== undefined || anyNamed };
}

/** A scenario's embedder as an entry. */
export function embedderEntry(given: Exclude<Scenario['embedder'], 'none'>): ModelEntry {
  return plainEntry(typeof given === 'string' ? { model: given } : given, nobody, 'embedder');
}

/** A setting as an entry; `above` is the entry that it changes where it names no model. */
function entryOf(own: ModelSetting | undefined, above: ModelEntry, name: string): ModelEntry {
  if (!own) return above;
  const { fallback } = own;
  const under =
    typeof fallback === 'string'
      ? { spec: fallback }
      : fallback
        ? plainEntry(fallback, nobody, `${name}.fallback`)
        : own.model === undefined
          ? above.fallback
          : undefined;
  const plain = plainEntry(own, own.model === undefined ? above : nobody, name);
  return under ? { ...plain, fallback: under } : plain;
}

const nobody: ModelEntry = { spec: '' };

/** As entryOf, without the fallback. */
function plainEntry(own: Partial<FallbackSetting>, above: ModelEntry, name: string): ModelEntry {
  const { fallback: _, apiKeyEnv, ...inherited } = above;
  const sampling = { ...above.sampling, ...given({ temperature: own.temperature, topP: own.top_p }) };
  const limits = given({
    concurrency: own.concurrency,
    requestsPerMinute: own.requests_per_minute,
    tokensPerMinute: own.tokens_per_minute,
  });
  return {
    ...inherited,
    ...given({
      spec: own.model,
      baseUrl: own.base_url,
      ownAddress: own.base_url === undefined ? undefined : true,
      // A key goes to the address that it was named for, and to no other.
      apiKeyEnv: own.api_key_env ?? (own.base_url === undefined ? apiKeyEnv : undefined),
      timeout: own.timeout,
      sampling: Object.keys(sampling).length > 0 ? sampling : undefined,
      limits: Object.keys(limits).length > 0 ? { ...above.limits, ...limits, name } : undefined,
    }),
  };
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The object without what is undefined. */
const given = <T extends object>(object: T): Given<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Given<T>;
