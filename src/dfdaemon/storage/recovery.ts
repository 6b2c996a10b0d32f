/**
 * Verifies content that may differ from the metadata: pieces that were not flushed before an unclean stop, and content
 * that was changed through a hard link. Works in the background on one task at a time, in blocks: a piece returns to
 * use as soon as its CRC is right, and is dropped otherwise.
 */
import { constants } from 'node:fs';
import { copyFile, rename, rm } from 'node:fs/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { verifyBlockBytes } from './limits.ts';
import { isIntact } from './pieces/second-look.ts';
import type { StoredTask } from './stored-task.ts';

export class Recovery {
  readonly #logger: Logger | undefined;
  readonly #done: (task: StoredTask, lostPieces: number) => void;
  readonly #queue = new Set<StoredTask>();
  #running: Promise<void> | undefined;
  #stopped = false;

  /** `done` is called after each task whose verification has ended. */
  constructor(logger: Logger | undefined, done: (task: StoredTask, lostPieces: number) => void) {
    this.#logger = logger;
    this.#done = done;
  }

  /** Takes the task's pieces out of use at once and queues their verification. */
  add(task: StoredTask): void {
    if (this.#stopped || this.#queue.has(task)) return;
    task.index.beginRecovery();
    this.#queue.add(task);
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is left to verify. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Ends after the current block; unverified pieces stay recorded for the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (const task of this.#queue) {
      if (this.#stopped) break;
      await this.#recover(task);
      this.#queue.delete(task);
    }
    this.#running = undefined;
  }

  async #recover(task: StoredTask): Promise<void> {
    if (task.removed) return;
    const records = task.index.unverified();
    let lost = 0;
    let stamp: string | undefined;
    try {
      if (task.record.linkedOut) await detach(task);
      stamp = task.content.stamp()?.text; // the stamp of the bytes that are read from here on
      const file = task.content.acquire();
      try {
        const block = Buffer.allocUnsafe(verifyBlockBytes);
        for (const record of records) {
          if (this.#stopped || task.removed) return;
          if (!task.index.needsVerification(record.number)) continue;
          const intact = await isIntact(file.fd, record, block);
          if (!intact) lost += 1;
          task.index.endPieceRecovery(record, intact);
        }
      } finally {
        file.release();
      }
    } catch (error) {
      // Pieces that could not be verified are dropped below and fetched again.
      this.#logger?.warn(
        { task: task.id, error: toDragonflyError(error).message },
        'stored content cannot be verified',
      );
    }
    if (this.#stopped || task.removed) return;
    task.endRecovery(stamp);
    this.#done(task, records.filter(({ number }) => !task.pieces.has(number)).length);
    if (lost > 0)
      this.#logger?.warn({ task: task.id, lost, pieces: records.length }, 'corrupt stored pieces were dropped');
  }
}

/** Gives the store a file of its own again, so that repairing it never writes into a user's file. */
async function detach(task: StoredTask): Promise<void> {
  if ((task.content.stamp()?.links ?? 1) > 1) {
    const copy = `${task.content.path}.detached`;
    await rm(copy, { force: true });
    await copyFile(task.content.path, copy, constants.COPYFILE_FICLONE);
    await rename(copy, task.content.path);
    task.content.renewed();
    task.record.change({ synced: 0 });
  }
  task.record.change({ linkStamp: null });
}
