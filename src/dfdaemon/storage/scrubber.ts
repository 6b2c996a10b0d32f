/**
 * Reads stored content again while the node is idle, at a low rate, starting with the task that was read longest
 * ago. Bit rot does not change the file's timestamps; a corrupt piece sends the task through
 * verification, which drops corrupt pieces. They are fetched again when they are next requested.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from '../../core/crc32.ts';
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { readFully } from './content-file.ts';
import { scrubAgainMs, scrubPauseMs, verifyBlockBytes } from './limits.ts';
import type { StoredTask } from './stored-task.ts';
import type { TaskStore } from './task-store.ts';

export interface ScrubberOptions {
  readonly store: TaskStore;
  /** Bytes per second it may read; 0 turns it off. */
  readonly rateBytesPerSec: number;
  /** Whether the node is too busy for this. */
  readonly busy: () => boolean;
  readonly logger: Logger;
}

export class Scrubber implements Closable {
  readonly #options: ScrubberOptions;
  readonly #controller = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.rateBytesPerSec > 0) this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { busy, logger } = this.#options;
    const { signal } = this.#controller;
    while (!signal.aborted) {
      const task = busy() ? undefined : this.#next();
      try {
        if (task) await this.#scrub(task);
        else await delay(scrubPauseMs, undefined, { signal, ref: false });
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ task: task?.id, error: toDragonflyError(error).message }, 'stored content cannot be read again');
        if (task && !task.removed) task.suspect();
      }
    }
  }

  #next(): StoredTask | undefined {
    let next: StoredTask | undefined;
    for (const task of this.#options.store.list()) {
      const due = task.state === 'finished' && !task.inUse && task.unseenMs > scrubAgainMs;
      if (due && task.unseenMs > (next?.unseenMs ?? 0)) next = task;
    }
    return next;
  }

  async #scrub(task: StoredTask): Promise<void> {
    const { busy, rateBytesPerSec } = this.#options;
    const { signal } = this.#controller;
    const block = Buffer.allocUnsafe(Math.min(verifyBlockBytes, rateBytesPerSec));
    const pieces = task.pieceRecords();
    const file = task.content.acquire();
    try {
      for (const { offset, length, crc32: expected } of pieces) {
        let crc = 0;
        for (let done = 0; done < length;) {
          if (busy() || task.removed || task.state !== 'finished') return;
          const startedMs = performance.now();
          const part = block.subarray(0, Math.min(block.length, length - done));
          const count = await readFully(file.fd, part, offset + done);
          crc = crc32(part.subarray(0, count), crc);
          if (count < part.length) return task.suspect();
          done += count;
          const dueMs = (count / rateBytesPerSec) * 1000 - (performance.now() - startedMs);
          await delay(Math.max(0, dueMs), undefined, { signal, ref: false });
        }
        if (crc !== expected) return task.suspect();
      }
    } finally {
      file.release();
    }
    task.seen();
  }
}
