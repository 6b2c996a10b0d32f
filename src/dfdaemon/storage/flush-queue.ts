/** Flushes the content of finished downloads to the disk in the background, a few files at a time. */
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { flushesAtOnce } from './limits.ts';
import type { StoredTask } from './stored-task.ts';

export class FlushQueue {
  readonly #logger: Logger | undefined;
  readonly #queue = new Set<StoredTask>();
  readonly #running = new Set<Promise<void>>();

  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  add(task: StoredTask): void {
    this.#queue.add(task);
    if (this.#running.size >= flushesAtOnce) return;
    const worker = this.#work().finally(() => this.#running.delete(worker));
    this.#running.add(worker);
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #work(): Promise<void> {
    for (let [task] = this.#queue; task; [task] = this.#queue) {
      this.#queue.delete(task);
      await this.#flush(task);
    }
  }

  /** A task that was written to meanwhile stays marked as not flushed, until its next flush or the next start. */
  async #flush(task: StoredTask): Promise<void> {
    if (task.removed || task.index.underRecovery) return;
    const { writes } = task;
    try {
      await task.content.sync();
      if (!task.removed && task.writes === writes && !task.index.underRecovery) task.record.change({ synced: 1 });
    } catch (error) {
      this.#logger?.warn(
        { task: task.id, error: toDragonflyError(error).message },
        'content could not be flushed to the disk',
      );
    }
  }
}
