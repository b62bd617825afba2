import { shortId } from '../ids.ts';
import type { CallUse } from '../models/caller.ts';
import type { Call, CallStatus, Ledger } from '../models/ledger.ts';
import type { Message } from '../models/port.ts';
import { cleanText } from '../clean-text.ts';
import { inserter, selector } from './statements.ts';
import { isStored, type Reader, type Store, type Trx } from './store.ts';

/** Calls with this key. */
const callsOf = selector((read: Reader, key: string) =>
  read
    .selectFrom('calls')
    .select(['id as callId', 'status', 'reply', 'probabilities', 'request', 'output_tokens as outputTokens'])
    .where('key', '=', key)
    .orderBy('id'),
);

/** The ledger of the whole database: all its runs share what was paid. */
export function ledgerOf(store: Store): Ledger {
  return {
    async find(key, maxTokens, runId) {
      const rows = await callsOf(store.read, key);
      const known = rows.length;
      // There is one good reply at most. Of the others the one with the highest limit says most; no clock is asked.
      const good = rows.find(({ status, outputTokens }) => status === 'ok' && outputTokens <= maxTokens);
      if (good) return { stored: replyOf(good), known };
      const bads = rows
        .filter(({ status }) => unusable.has(status as CallStatus))
        .map((row) => ({ ...row, limit: limitOf(row.request) }))
        .sort((a, b) => b.limit - a.limit);
      for (const bad of bads) {
        // A cut-off reply counts as a try only for the limit that it was cut at, or a lower one.
        if (bad.status === 'truncated' && bad.limit < maxTokens) continue;
        const used = await store.read
          .selectFrom('call_uses')
          .select('call_id')
          .where('call_id', '=', bad.callId)
          .where('run_id', '=', runId)
          .executeTakeFirst();
        if (used) return { stored: replyOf(bad), known };
      }
      return { known };
    },
    async hasUsed(key, maxTokens, runId) {
      const used = await store.read
        .selectFrom('calls')
        .innerJoin('call_uses', 'call_uses.call_id', 'calls.id')
        .select('calls.id')
        .where('key', '=', key)
        .where('status', 'in', ['ok', 'refused', 'empty', 'malformed'])
        .where('output_tokens', '<=', maxTokens)
        .where('run_id', '=', runId)
        .executeTakeFirst();
      return used !== undefined;
    },
  };
}

const replyOf = (row: {
  callId: string;
  status: string;
  reply: string | null;
  probabilities: string | null;
  outputTokens: number;
}) => ({
  callId: row.callId,
  status: row.status as CallStatus,
  reply: row.reply ?? '',
  ...(row.probabilities === null
    ? {}
    : { probabilities: JSON.parse(row.probabilities) as Record<string, number> }),
  outputTokens: row.outputTokens,
});

/** The token limit that a call was sent with: what a provider counts as output may fall short of it. */
const limitOf = (request: string): number => (JSON.parse(request) as { max_tokens: number }).max_tokens;

const unusable: ReadonlySet<CallStatus> = new Set(['truncated', 'refused', 'empty', 'malformed']);

const messageHash = ({ role, text }: Message): string => shortId('message', role, text);

const insertUse = inserter('call_uses', 'nothing');
const insertMessage = inserter('messages', 'nothing');
const insertCall = inserter('calls', 'nothing');
const insertTry = inserter('tries');

/** Stores calls with their tries and messages, and that the run used them. */
export async function saveCalls(
  trx: Trx,
  runId: string,
  calls: readonly Call[],
  uses: readonly CallUse[],
): Promise<void> {
  for (const call of calls) await saveCall(trx, call);
  for (const use of uses) {
    await insertUse(trx, {
      run_id: runId,
      call_id: use.callId,
      stage: use.stage,
      role: use.role,
      subject: use.subject,
      reused: use.reused ? 1 : 0,
    });
  }
}

async function saveCall(trx: Trx, call: Call): Promise<void> {
  const messages = call.messages.map((message) => ({ ...message, hash: messageHash(message) }));
  // A dialogue's prompts grow at their end: most messages were stored with the call before.
  for (const { hash, role, text } of messages)
    if (!isStored(trx, hash)) await insertMessage(trx, { hash, role, text: cleanText(text) });
  const row = {
    id: call.id,
    key: call.key,
    provider: call.provider,
    model: call.model,
    scripted: call.scripted ? 1 : 0,
    status: call.status,
    request: JSON.stringify({ messages: messages.map(({ hash }) => hash), ...call.parameters }),
    reply: call.reply === null ? null : cleanText(call.reply),
    input_tokens: call.usage.input,
    cached_input_tokens: call.usage.cachedInput,
    output_tokens: call.usage.output,
    cost_usd: call.costUsd,
    ms: call.ms,
    created_at: call.createdAt,
    probabilities: call.probabilities ? JSON.stringify(call.probabilities) : null,
  };
  if (!(await insertCall(trx, row))) {
    // One good reply a key: the older one was too long for this call's limit, or another process was quicker.
    await trx
      .updateTable('calls')
      .set({ status: 'superseded' })
      .where('key', '=', call.key)
      .where('status', '=', 'ok')
      .execute();
    await trx.insertInto('calls').values(row).execute();
  }
  for (const one of call.tries) {
    await insertTry(trx, {
      call_id: call.id,
      n: one.n,
      status: one.status,
      input_tokens: one.usage?.input ?? null,
      cached_input_tokens: one.usage?.cachedInput ?? null,
      output_tokens: one.usage?.output ?? null,
      cost_usd: one.costUsd,
      ms: one.ms,
      error: one.error,
      held_usd: one.heldUsd ?? null,
    });
  }
}

/** The messages that a call sent, in order. */
export async function messagesOf(store: Store, request: string): Promise<Message[]> {
  const { messages: hashes } = JSON.parse(request) as { messages: string[] };
  if (hashes.length === 0) return [];
  const rows = await store.read
    .selectFrom('messages')
    .selectAll()
    .where('hash', 'in', [...new Set(hashes)])
    .execute();
  const byHash = new Map(rows.map((row) => [row.hash, row]));
  return hashes.map((hash) => ({
    role: byHash.get(hash)?.role as Message['role'],
    text: byHash.get(hash)?.text ?? '',
  }));
}

/** A model's share of the good replies that a role of a run had. */
export interface SpokenShare {
  role: string;
  provider: string;
  model: string;
  scripted: boolean;
  replies: number;
  /** 0 to 1, of all replies of the role. */
  share: number;
}

/** Which models answered the calls of a run, by role and how often. */
export async function modelsThatSpoke(read: Reader, runId: string): Promise<SpokenShare[]> {
  const rows = await read
    .selectFrom('call_uses')
    .innerJoin('calls', 'calls.id', 'call_uses.call_id')
    .select((e) => ['role', 'provider', 'model', 'scripted', e.fn.countAll<number>().as('replies')])
    .where('run_id', '=', runId)
    .where('calls.status', 'in', ['ok', 'superseded'])
    .groupBy(['role', 'provider', 'model', 'scripted'])
    .orderBy('role')
    .orderBy('replies', 'desc')
    .orderBy('provider')
    .orderBy('model')
    .execute();
  const totals = new Map<string, number>();
  for (const { role, replies } of rows) totals.set(role, (totals.get(role) ?? 0) + replies);
  return rows.map(({ scripted, ...row }) => ({
    ...row,
    scripted: scripted === 1,
    share: row.replies / (totals.get(row.role) as number),
  }));
}
