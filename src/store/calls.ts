import { contentHash } from '../ids.ts';
import type { CallUse } from '../models/caller.ts';
import type { Call, CallStatus, Ledger } from '../models/ledger.ts';
import type { Message } from '../models/port.ts';
import { cleanText } from '../clean-text.ts';
import type { Store, Trx } from './store.ts';

/** The ledger of the whole database: all its runs share what was paid. */
export function ledgerOf(store: Store): Ledger {
  return {
    async find(key, maxTokens, runId) {
      const columns = ['calls.id as callId', 'calls.status', 'calls.reply', 'calls.output_tokens as outputTokens'] as const;
      const good = await store.read.selectFrom('calls').select(columns).where('key', '=', key).where('status', '=', 'ok').executeTakeFirst();
      if (good && good.outputTokens <= maxTokens) return { ...good, status: 'ok', reply: good.reply ?? '' };
      // A cut-off reply counts as this run's try only for the limit that it was cut at, or a lower one.
      const bad = await store.read
        .selectFrom('calls')
        .innerJoin('call_uses', 'call_uses.call_id', 'calls.id')
        .select(columns)
        .where('calls.key', '=', key)
        .where('calls.status', 'in', ['truncated', 'refused', 'empty', 'malformed'])
        .where('call_uses.run_id', '=', runId)
        .orderBy('calls.created_at', 'desc')
        .executeTakeFirst();
      if (!bad || (bad.status === 'truncated' && bad.outputTokens < maxTokens)) return undefined;
      return { ...bad, status: bad.status as CallStatus, reply: bad.reply ?? '' };
    },
  };
}

const messageHash = ({ role, text }: Message): string => contentHash(role, text);

/** Stores calls with their tries and messages, and that the run used them. */
export async function saveCalls(trx: Trx, runId: string, calls: readonly Call[], uses: readonly CallUse[]): Promise<void> {
  for (const call of calls) await saveCall(trx, call);
  if (uses.length === 0) return;
  await trx
    .insertInto('call_uses')
    .values(uses.map((use) => ({ run_id: runId, call_id: use.callId, stage: use.stage, role: use.role, subject: use.subject, reused: use.reused ? 1 : 0 })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function saveCall(trx: Trx, call: Call): Promise<void> {
  const messages = call.messages.map((message) => ({ hash: messageHash(message), role: message.role, text: cleanText(message.text) }));
  // All but the last exchange are known from the call before.
  for (const message of messages) {
    await trx
      .insertInto('messages')
      .values(message)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  if (call.status === 'ok') {
    await trx.updateTable('calls').set({ status: 'superseded' }).where('key', '=', call.key).where('status', '=', 'ok').execute();
  }
  await trx
    .insertInto('calls')
    .values({
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
    })
    .execute();
  for (const one of call.tries) {
    await trx
      .insertInto('tries')
      .values({
        call_id: call.id,
        n: one.n,
        status: one.status,
        input_tokens: one.usage?.input ?? null,
        cached_input_tokens: one.usage?.cachedInput ?? null,
        output_tokens: one.usage?.output ?? null,
        cost_usd: one.costUsd,
        ms: one.ms,
        error: one.error,
      })
      .execute();
  }
}

/** The messages that a call sent, in order. */
export async function messagesOf(store: Store, request: string): Promise<Message[]> {
  const { messages: hashes } = JSON.parse(request) as { messages: string[] };
  if (hashes.length === 0) return [];
  const rows = await store.read.selectFrom('messages').selectAll().where('hash', 'in', [...new Set(hashes)]).execute();
  const byHash = new Map(rows.map((row) => [row.hash, row]));
  return hashes.map((hash) => ({ role: byHash.get(hash)?.role as Message['role'], text: byHash.get(hash)?.text ?? '' }));
}
