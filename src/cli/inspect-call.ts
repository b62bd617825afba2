import { callRecord, type CallRecord } from '../store/inspect-rows.ts';
import type { Store } from '../store/store.ts';
import {
  block,
  count,
  fields,
  heading,
  modelName,
  moment,
  page,
  scriptedBanner,
  type Page,
} from './inspect-text.ts';
import { table } from './table.ts';
import { dollars, oneLine, paint } from './text.ts';

const USES = 10;

/** A request to a model: the exact messages, what else was sent, the reply, its tries and price, what used it. */
export async function callPage(store: Store, id: string): Promise<Page> {
  const record = await callRecord(store, id);
  const { call, messages, uses } = record;
  const text = page([
    `${heading(`Call ${call.id}`)}\n${head(record)}`,
    call.scripted === 1 ? scriptedBanner('the scripted model wrote this reply') : null,
    ...messages.map(
      ({ role, text: said }) => `${paint('cyan', `▸ ${oneLine(role)}`)}\n${block(said, '    ')}`,
    ),
    `${paint('green', '◂ reply')}\n${call.reply ? block(call.reply, '    ') : paint('dim', '    (none)')}`,
    record.tries.length > 1 || call.status !== 'ok' ? `${heading('Tries')}\n${triesTable(record)}` : null,
    usesText(record),
  ]);
  return {
    text,
    next: commands(uses),
    json: { ...record, call: { ...call, scripted: call.scripted === 1 } },
  };
}

function head({ call, parameters, tries }: CallRecord): string {
  return fields([
    ['model', modelName(call)],
    ['status', call.status, call.status === 'ok' ? 'green' : 'yellow'],
    [
      'parameters',
      Object.entries(parameters)
        .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
        .join(', '),
    ],
    [
      'tokens',
      `${count(call.input_tokens)} in (${count(call.cached_input_tokens)} cached), ${count(call.output_tokens)} out`,
    ],
    ['cost', dollars(call.cost_usd)],
    [
      'time',
      `${count(call.ms)} ms, ${tries.length} ${tries.length === 1 ? 'try' : 'tries'}, ${moment(call.created_at)}`,
    ],
    ['key', call.key],
  ]);
}

function triesTable({ tries }: CallRecord): string {
  const rows = tries.map(({ n, status, ms, output_tokens, cost_usd, error }) => [
    n,
    status,
    ms,
    output_tokens,
    dollars(cost_usd),
    error === null ? null : oneLine(error, 60),
  ]);
  return table(['try', 'status', 'ms', 'tokens out', 'cost', 'error'], rows).replace(/^/gm, '  ');
}

function usesText({ uses }: CallRecord): string {
  if (uses.length === 0) return `${heading('Used by')}\n  nothing`;
  const rows = uses
    .slice(0, USES)
    .map(({ run_id, stage, role, subject, reused }) => [
      run_id,
      stage,
      role,
      subject,
      reused === 1 ? 'reused, not paid again' : 'paid',
    ]);
  const more =
    uses.length > USES ? [paint('dim', `  … and ${uses.length - USES} more (--json has all)`)] : [];
  return [
    heading('Used by'),
    table(['run', 'stage', 'role', 'for', ''], rows).replace(/^/gm, '  '),
    ...more,
  ].join('\n');
}

/** A turn's call is for DIALOGUE/INDEX, a refinement's for a dialogue. */
function commands(uses: CallRecord['uses']): string[] {
  const [first] = uses;
  if (!first) return ['runs'];
  return [
    first.subject.includes('/') ? `inspect turn ${first.subject}` : `inspect dialogue ${first.subject}`,
    `inspect run ${first.run_id}`,
  ];
}
