import { askingOf } from './asking.ts';
import { repairOf, type Caller, type CallRequest, type Outcome } from './caller.ts';
import { callKey } from './call-key.ts';
import type { Ledger } from './ledger.ts';
import type { RoleModel, Route } from './route.ts';
import { judge } from './reply.ts';

const noUsage = { input: 0, cachedInput: 0, output: 0 };

/**
 * A caller that asks nobody: what the ledger has is given as a run would get it, and of all else `unasked` is told. Its
 * `save` is then not called, and `call` gives an object without content: such rows are never to be kept.
 */
export function unaskingCaller({
  runId,
  ledger,
  routeFor,
  unasked,
}: {
  runId: string;
  ledger: Ledger;
  routeFor: (role: string) => Route;
  unasked: (asked: CallRequest) => void;
}): Caller {
  const storedFor = async (request: CallRequest, route: RoleModel): Promise<Outcome | undefined> => {
    const { asked, key } = askingOf(request, route);
    const first = await outcomeOf(asked, route, key);
    if (first?.status !== 'malformed' || first.fault === undefined) return first;
    const again = repairOf(asked, first.text, first.fault);
    return (await outcomeOf(again, route, callKey(route.model, again.request, again.replicate))) ?? first;
  };
  const outcomeOf = async (
    { request }: CallRequest,
    { model }: RoleModel,
    key: string,
  ): Promise<(Outcome & { fault?: string }) | undefined> => {
    const { stored } = await ledger.find(key, request.maxTokens, runId);
    if (!stored) return undefined;
    const judged = judge({ text: stored.reply, finish: 'stop', usage: noUsage }, request.schema);
    const status = stored.status === 'ok' ? judged.status : (stored.status as Outcome['status']);
    return {
      callId: stored.callId,
      status,
      text: status === 'ok' ? judged.text : stored.reply,
      ...(stored.probabilities ? { probabilities: stored.probabilities } : {}),
      ...(judged.fault === undefined ? {} : { fault: judged.fault }),
      model: model.model,
      calls: [],
      uses: [],
    };
  };
  return {
    async call<T>(asked: CallRequest, save: (outcome: Outcome) => Promise<T>): Promise<T> {
      const route = routeFor(asked.role);
      const found =
        (await storedFor(asked, route)) ?? (route.fallback && (await storedFor(asked, route.fallback)));
      if (found) return save(found);
      unasked(asked);
      return { missing: [] } as T;
    },
    stop: () => undefined,
    stopped: undefined,
    inFlight: 0,
  };
}
