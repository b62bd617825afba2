import type { OpinionCluster } from '../refinement/deduplicate.ts';
import { shortId } from '../ids.ts';
import type { Reader, Trx } from './store.ts';

/**
 * The clusters that a run's last deduplication with these settings made of the same input, in this round or an earlier
 * one; none where there was none.
 */
export async function clustersBefore(
  read: Reader,
  runId: string,
  input: string,
  settings: Record<string, unknown>,
): Promise<OpinionCluster[]> {
  const stages = await read
    .selectFrom('stage_runs')
    .select(['id', 'settings'])
    .where('run_id', '=', runId)
    .where('stage', '=', 'deduplicate')
    .where('input', '=', input)
    .execute();
  const same = stages
    .map(({ id, settings: text }) => ({ id, ...withoutRound(JSON.parse(text) as Record<string, unknown>) }))
    .filter(({ rest }) => rest === withoutRound(settings).rest)
    .sort((a, b) => b.round - a.round);
  const last = same[0];
  if (!last) return [];
  const clusters = new Map<string, OpinionCluster>();
  const rows = await read
    .selectFrom('clusters as k')
    .innerJoin('cluster_members as m', 'm.cluster_id', 'k.id')
    .select(['k.id', 'k.also_in', 'm.opinion_id', 'm.method', 'm.similarity', 'm.representative'])
    .where('k.stage_run_id', '=', last.id)
    .execute();
  for (const { id, also_in, opinion_id: opinionId, method, similarity, representative } of rows) {
    const cluster = clusters.get(id) ?? {
      representative: '',
      members: [],
      alsoIn: JSON.parse(also_in) as string[],
    };
    if (representative === 1) cluster.representative = opinionId;
    cluster.members.push({ opinionId, method, similarity });
    clusters.set(id, cluster);
  }
  return [...clusters.values()];
}

function withoutRound({ round = 0, ...rest }: Record<string, unknown>): { round: number; rest: string } {
  return { round: Number(round), rest: JSON.stringify(rest) };
}

/** Stores clusters of opinions of a stage run; call it in pages of at most a thousand rows. */
export async function saveClusters(
  trx: Trx,
  stageRunId: string,
  clusters: readonly {
    representative: string;
    members: readonly { opinionId: string; method: string; similarity: number }[];
    alsoIn: readonly string[];
  }[],
): Promise<void> {
  for (const { representative, members, alsoIn } of clusters) {
    const id = shortId(stageRunId, representative);
    await trx
      .insertInto('clusters')
      .values({ id, stage_run_id: stageRunId, also_in: JSON.stringify(alsoIn) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    for (const { opinionId, method, similarity } of members) {
      await trx
        .insertInto('cluster_members')
        .values({
          cluster_id: id,
          opinion_id: opinionId,
          method,
          similarity,
          representative: opinionId === representative ? 1 : 0,
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  }
}
