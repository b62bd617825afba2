import { afterEach, expect, test } from 'vitest';
import { refineRun } from '../../src/pipeline/run.ts';
import { clustersBefore } from '../../src/store/clusters.ts';
import { currentStage } from '../../src/store/opinions.ts';
import type { Store } from '../../src/store/store.ts';
import { scenarioFile, scriptedRun, temporaryFolder } from '../helpers/run.ts';

let store: Store | undefined;
afterEach(() => store?.close());

test('with another threshold the clusters are made anew: no opinion is lost, and the first ones come back', async () => {
  const folder = temporaryFolder();
  const scenario = scenarioFile(
    folder,
    'cultures: [german, turkish]\ntopics: [Q27, Q31]\ndialogues_per_cell: 3\nprotocol: free-chat\nturns: 6\n',
  );
  const { result, ...made } = await scriptedRun(folder, scenario);
  store = made.store;
  const { read } = store;
  const setting = {
    store,
    out: folder,
    model: { baseUrl: undefined, apiKey: undefined },
    watch: { say: () => undefined },
  };
  const clustered = async () => {
    const stage = await currentStage(read, result.run_id, 'deduplicate');
    const rows = await read
      .selectFrom('cluster_members as m')
      .innerJoin('clusters as k', 'k.id', 'm.cluster_id')
      .select(['m.opinion_id', 'm.cluster_id', 'm.method', 'm.similarity', 'm.representative'])
      .where('k.stage_run_id', '=', stage?.id ?? '')
      .orderBy('m.opinion_id')
      .execute();
    return { stage, rows };
  };
  const ids = ({ rows }: Awaited<ReturnType<typeof clustered>>) => rows.map(({ opinion_id }) => opinion_id);
  const count = (of: Awaited<ReturnType<typeof clustered>>) =>
    new Set(of.rows.map((row) => row.cluster_id)).size;

  const first = await clustered();
  expect(new Set(ids(first)).size).toBe(first.rows.length);
  const strict = await refineRun(setting, result.run_id, ['refinement.threshold=1']);
  const second = await clustered();
  expect(ids(second)).toEqual(ids(first));
  expect(count(second)).toBeGreaterThan(count(first));
  expect(strict.opinions.extracted).toBe(result.opinions.extracted);
  expect(strict.opinions.accepted).toBeGreaterThan(result.opinions.accepted);
  const back = await refineRun(setting, result.run_id, []);
  expect(back.opinions).toEqual(result.opinions);
  expect(await clustered()).toEqual(first);

  // A further round finds what was there.
  const { stage } = first;
  const settings = { ...(JSON.parse(stage?.settings ?? '') as Record<string, unknown>), round: 1 };
  const before = await clustersBefore(read, result.run_id, stage?.input ?? '', settings);
  expect(before.flatMap(({ members }) => members.map(({ opinionId }) => opinionId)).sort()).toEqual(
    ids(first),
  );
  const other = { ...settings, threshold: 0.9 };
  expect(await clustersBefore(read, result.run_id, stage?.input ?? '', other)).toEqual([]);
});
