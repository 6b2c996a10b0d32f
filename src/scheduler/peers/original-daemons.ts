/**
 * Whether the cluster has daemons of the original. While it has, everybody chooses schedulers by the original's ring,
 * and every daemon that holds a stream to this scheduler is notified when that changes.
 *
 * Kept on disk, because such a daemon announces itself only minutes after a restart of the scheduler.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../core/files/make-directory.ts';
import type { Logger } from '../../core/process/logger.ts';
import { originalDaemonsKeptMs, originalDaemonsWrittenMs } from '../limits.ts';

const fileName = 'original-daemons.json';

export class OriginalDaemons {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  /** By the wall clock; 0 means never. */
  #seenMs: number;
  #writtenMs = 0;
  #present: boolean;

  private constructor(directory: string, seenMs: number, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
    this.#seenMs = seenMs;
    this.#present = this.#isRecent();
  }

  static async create(directory: string, logger: Logger): Promise<OriginalDaemons> {
    let seenMs = 0;
    try {
      const kept = JSON.parse(await readFile(join(directory, fileName), 'utf8')) as { seenMs?: unknown };
      if (typeof kept.seenMs === 'number') seenMs = kept.seenMs;
    } catch {
      // none was seen, or the file is lost; the next announcement settles it
    }
    return new OriginalDaemons(directory, seenMs, logger);
  }

  get present(): boolean {
    return this.#present;
  }

  /** A daemon has announced itself. */
  announced({ original }: { readonly original: boolean }): void {
    if (original) this.#seenMs = Date.now();
    const present = this.#isRecent();
    if (original && this.#seenMs - this.#writtenMs > originalDaemonsWrittenMs) void this.#write();
    if (present === this.#present) return;
    this.#present = present;
    this.#logger.info({ present }, 'daemons of the original in the cluster: schedulers are chosen by their ring');
    for (const listener of this.#listeners) listener();
  }

  /** Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #isRecent(): boolean {
    return Date.now() - this.#seenMs < originalDaemonsKeptMs;
  }

  async #write(): Promise<void> {
    this.#writtenMs = this.#seenMs;
    try {
      makeDirectory(this.#directory, 0o700);
      await writeFile(join(this.#directory, fileName), JSON.stringify({ seenMs: this.#seenMs }), { mode: 0o600 });
    } catch (error) {
      this.#logger.warn({ reason: (error as Error).message }, 'could not keep that daemons of the original are here');
    }
  }
}
