import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scriptedRun, temporaryFolder } from '../helpers/run.ts';

test('quickstart with the scripted model: dialogues, opinions, files', async () => {
  const folder = temporaryFolder();
  const { store, result } = await scriptedRun(folder, 'quickstart', { includeScripted: true });
  console.log(JSON.stringify(result, null, 1));
  const turns = await store.read.selectFrom('turns').selectAll().limit(8).execute();
  console.log(turns.map((turn) => turn.text).join('\n'));
  expect(result.status).toBe('finished');
  console.log(readFileSync(join(folder, 'exports', result.run_id, 'openai-chat', 'train', 'all.jsonl'), 'utf8').slice(0, 3000));
  await store.close();
});
