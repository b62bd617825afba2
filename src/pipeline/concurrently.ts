import { setImmediate as immediate } from 'node:timers/promises';

/**
 * How many items are under way where so many calls may be in flight. Where these are many, twice as many: a place that
 * becomes free goes at once to a call that waits for it, and not first to a commit. Where they are few it makes no
 * difference, and what is begun is finished sooner.
 */
export const underWay = (calls: number): number => (calls < 32 ? calls : 2 * calls);

/**
 * Works on the items of a sequence, at most n at a time; the first error stops the taking of further items and is thrown
 * when those under way have ended.
 */
export async function concurrently<T>(
  items: AsyncIterable<T> | Iterable<T>,
  n: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const source = (
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  ) as AsyncIterator<T>;
  let done = false;
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (!failure) {
      try {
        const next = await source.next();
        if (next.done) {
          done = true;
          return;
        }
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  const workers: Promise<void>[] = [];
  // One after the other: what the first one asks for is on its way while the next one gets ready.
  while (workers.length < n && !done) {
    workers.push(worker());
    await immediate();
  }
  await Promise.all(workers);
  await source.return?.();
  if (failure) throw failure.error;
}
