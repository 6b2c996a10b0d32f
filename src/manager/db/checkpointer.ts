/**
 * Writes the log of an embedded database into its file, in a separate thread. A checkpoint waits for the disk, possibly
 * for more than a second, which would block the main thread.
 */
import { Worker } from 'node:worker_threads';
import type { Closable } from '../../core/process/lifecycle.ts';

/** Log size in pages at which a checkpoint is due: 64 MiB, which take well under a second to read after a crash. */
const dueAfterPages = 16_000;

const lookEveryMs = 2_000;

/** Source text, because a bundled program has no second file for a thread. */
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

  /** @param onFailure called when the thread has died, so that the main connection takes over. */
  constructor(path: string, onFailure: () => void) {
    this.#worker = new Worker(program, { eval: true, workerData: { path, dueAfterPages, lookEveryMs } });
    this.#worker.once('error', onFailure);
    this.#worker.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
