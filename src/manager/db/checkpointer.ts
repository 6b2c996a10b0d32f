/**
 * Moves what an embedded database logged into its file, in a thread of its own. A checkpoint waits for the disk, on a busy
 * one for a second and more; in the main thread everybody would wait with it.
 */
import { Worker } from 'node:worker_threads';
import type { Closable } from '../../core/process/lifecycle.ts';

/** Pages of the log that make a checkpoint due: 64 MiB, which take well under a second to read after a crash. */
const dueAfterPages = 16_000;

const lookEveryMs = 2_000;

/** As text, because a bundled program has no second file to start a thread from. */
const program = `
  const { workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(workerData.path, { timeout: 1000 });
  const look = database.prepare('pragma wal_checkpoint(noop)');
  const move = database.prepare('pragma wal_checkpoint(passive)');
  setInterval(() => {
    const { log, checkpointed } = look.get();
    if (log - checkpointed > workerData.dueAfterPages) move.get();
  }, workerData.lookEveryMs);
`;

export class Checkpointer implements Closable {
  readonly #worker: Worker;

  /** @param onFailure called when the thread has died and the main connection has to take over. */
  constructor(path: string, onFailure: () => void) {
    this.#worker = new Worker(program, { eval: true, workerData: { path, dueAfterPages, lookEveryMs } });
    this.#worker.once('error', onFailure);
    this.#worker.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
