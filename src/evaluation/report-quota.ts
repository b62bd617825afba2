import { groupBy } from '../group-by.ts';
import { sum } from './report-cells.ts';
import type { EndRow, SeatRow } from './report-rows.ts';

/** How many accepted opinions a run was to have of the people of a country who gave an answer. */
export interface QuotaRow {
  culture: string;
  topic: string;
  country: string;
  /** Null where a topic claims no stance. */
  code: number | null;
  n: number;
}

/** An answer whose accepted opinions are not as many as its quota, and what became of those that were voiced. */
interface OffQuota extends Omit<QuotaRow, 'n'> {
  quota: number;
  accepted: number;
  delegates: number;
  voiced: number;
  /** Why they were dropped, the most frequent first. */
  dropped: { reason: string; opinions: number }[];
}

export interface QuotaFigures {
  wanted: number;
  accepted: number;
  cultures: { culture: string; wanted: number; accepted: number; answers: number; off_by: number }[];
  /** The largest difference of an answer from its quota, in accepted opinions. */
  off_by: number;
  off: OffQuota[];
  /** Why quotas are not filled, in plain words; null where they are. */
  why: string | null;
}

/** The accepted opinions beside the quotas of a run, answer by answer. */
export function quotaFigures(
  quotas: readonly QuotaRow[],
  ends: readonly EndRow[],
  seats: readonly SeatRow[],
  run: { status: string; stop_reason: string | null; most: number },
): QuotaFigures {
  const key = ({ culture, topic, country, code }: Omit<QuotaRow, 'n'>): string =>
    JSON.stringify([culture, topic, country, code]);
  const [wanted, ended, seated] = [groupBy(quotas, key), groupBy(ends, key), groupBy(seats, key)];
  const rows = [...new Set([...wanted.keys(), ...ended.keys()])].map((at): OffQuota => {
    const own = ended.get(at) ?? [];
    const { culture, topic, country, code } = (wanted.get(at)?.[0] ?? own[0]) as QuotaRow | EndRow;
    const lost = groupBy(
      own.filter(({ status }) => status !== 'accepted'),
      ({ status, reason }) => reason ?? status,
    );
    return {
      culture,
      topic,
      country,
      code,
      quota: sum(wanted.get(at) ?? [], ({ n }) => n),
      accepted: sum(own, ({ status, opinions }) => (status === 'accepted' ? opinions : 0)),
      delegates: sum(seated.get(at) ?? [], (row) => row.seats),
      voiced: sum(own, ({ rewritten, opinions }) => (rewritten ? 0 : opinions)),
      dropped: [...lost]
        .map(([reason, some]) => ({ reason, opinions: sum(some, ({ opinions }) => opinions) }))
        .sort((a, b) => b.opinions - a.opinions || (a.reason < b.reason ? -1 : 1)),
    };
  });
  const away = ({ quota, accepted }: OffQuota): number => Math.abs(accepted - quota);
  const farthest = (some: readonly OffQuota[]): number =>
    some.reduce((most, one) => Math.max(most, away(one)), 0);
  const off = rows
    .filter((row) => away(row) > 0)
    .sort((a, b) => away(b) - away(a) || (key(a) < key(b) ? -1 : 1));
  return {
    wanted: sum(rows, ({ quota }) => quota),
    accepted: sum(rows, ({ accepted }) => accepted),
    cultures: [...groupBy(rows, ({ culture }) => culture)].map(([culture, own]) => ({
      culture,
      wanted: sum(own, ({ quota }) => quota),
      accepted: sum(own, ({ accepted }) => accepted),
      answers: own.filter(({ quota }) => quota > 0).length,
      off_by: farthest(own),
    })),
    off_by: farthest(off),
    off,
    why: off.length === 0 ? null : whyOff(run),
  };
}

function whyOff({ status, stop_reason, most }: Parameters<typeof quotaFigures>[3]): string {
  if (stop_reason === 'quota_short')
    return `the cap of ${most} dialogues was reached (samples.max_dialogues raises it)`;
  if (status !== 'finished') return 'the run is not finished';
  return 'the opinions were refined again after the last round of dialogues';
}

/** How the quotas were kept, in a sentence. */
export function quotaSaid({ wanted, accepted, off_by, off, why }: QuotaFigures): string {
  if (off_by <= 1 && accepted >= wanted)
    return `The quotas are kept: ${accepted} opinions accepted of ${wanted} asked for, each answer within 1 of its quota.`;
  const short = off.filter((row) => row.accepted < row.quota);
  const over = off.length - short.length;
  const worst = short.slice(0, 3).map((row) => {
    // One in four lost for one reason says something of why.
    const lost = row.dropped.find(({ opinions }) => 4 * opinions >= row.voiced);
    return `${row.culture} ${row.topic} in ${row.country}, answer ${row.code ?? 'of no stance'}: ${row.accepted} of ${row.quota} (${row.delegates} people gave it${lost ? `; of their ${row.voiced} opinions ${lost.opinions} ended as "${lost.reason}"` : ''})`;
  });
  const missing = sum(short, (row) => row.quota - row.accepted);
  return [
    `The quotas are not kept, because ${why}: ${accepted} opinions accepted of ${wanted} asked for`,
    short.length > 0
      ? `; ${missing} are missing in ${short.length} answers, most in ${worst.join('; ')}`
      : '',
    over > 0 ? `; ${over} ${over === 1 ? 'answer has' : 'answers have'} more than the quota` : '',
    '.',
  ].join('');
}
