import { parentPort } from 'node:worker_threads';
import { work, type Task } from './link.ts';

/** A thread that answers each task with its links. */
parentPort?.on('message', (task: Task) => parentPort?.postMessage(work(task)));
