import { Worker } from 'node:worker_threads';

/** Threads that do one kind of work. */
export interface Crew<Task, Result> {
  /** The results in the order of the tasks; of those at most `ahead` are taken before their turn. Rejects when a thread dies. */
  run(tasks: Iterable<Task>, ahead: number): AsyncGenerator<Result, void, undefined>;
  close(): Promise<void>;
}

interface Waiting<Result> {
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** Starts threads that answer each message with one, in order (`answerTasks`). */
export function openCrew<Task, Result>(file: URL, size: number): Crew<Task, Result> {
  const threads = Array.from({ length: size }, () => {
    const worker = new Worker(file);
    const waiting: Waiting<Result>[] = [];
    worker.on('message', (result: Result) => waiting.shift()?.resolve(result));
    worker.on('error', (error) => {
      for (const { reject } of waiting.splice(0)) reject(error);
    });
    return { worker, waiting };
  });
  const submit = (task: Task): Promise<Result> =>
    new Promise((resolve, reject) => {
      const free = threads.reduce((least, one) => (one.waiting.length < least.waiting.length ? one : least));
      free.waiting.push({ resolve, reject });
      free.worker.postMessage(task);
    });
  return {
    async *run(tasks, ahead) {
      const begun: Promise<Result>[] = [];
      for (const task of tasks) {
        const result = submit(task);
        // A later one may fail while an earlier one is waited for.
        result.catch(() => undefined);
        begun.push(result);
        if (begun.length >= ahead) yield await (begun.shift() as Promise<Result>);
      }
      for (const result of begun) yield await result;
    },
    async close() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}
