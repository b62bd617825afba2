import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scriptedRun, temporaryFolder } from '../helpers/run.ts';

test('quickstart ends with dialogues, verdicts and one training file a culture', async () => {
  const folder = temporaryFolder();
  const { store, result } = await scriptedRun(folder, 'quickstart', { includeScripted: true });
  expect(result).toMatchObject({ status: 'finished', dialogues: { planned: 9, finished: 9 }, cost_usd: 0 });
  expect(result.opinions.accepted).toBeGreaterThan(0);
  const unspoken = await store.read
    .selectFrom('turns')
    .innerJoin('calls', 'calls.id', 'turns.call_id')
    .select('turns.text')
    .where('calls.scripted', '=', 0)
    .execute();
  expect(unspoken).toEqual([]);
  await store.close();

  const read = (file: string): string[] => readFileSync(file, 'utf8').trim().split('\n');
  const at = (split: string, name: string): string =>
    join(folder, 'exports', result.run_id, 'openai-chat', split, `${name}.jsonl`);
  const rows = ['turkish', 'korean', 'german'].flatMap((culture) => read(at('train', culture)));
  expect([...rows].sort()).toEqual([...read(at('train', 'all'))].sort());
  for (const row of rows) {
    expect(JSON.parse(row).messages.map((message: { role: string }) => message.role)).toEqual([
      'system',
      'user',
      'assistant',
    ]);
  }
});
