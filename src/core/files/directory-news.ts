/** Tells when a directory has to be read again: something in it has changed, or it may have because nothing was reported for long. */
import { watch, type FSWatcher } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export class DirectoryNews implements Disposable {
  readonly #watcher: FSWatcher | undefined;
  #news = Promise.withResolvers<void>();

  /** Where a directory cannot be watched (network file systems, too many watches), only time decides. */
  constructor(path: string) {
    try {
      this.#watcher = watch(path, { persistent: false }, () => this.#news.resolve());
      this.#watcher.on('error', () => undefined);
    } catch {
      this.#watcher = undefined;
    }
  }

  /**
   * Resolves `settleMs` after the first change since it last resolved, after `longestMs` without one, or at once when
   * the signal aborts. Later changes are reported by the next call.
   */
  async next({ settleMs, longestMs }: { settleMs: number; longestMs: number }, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal: ends }).catch(() => undefined);
    const isChanged = await Promise.race([this.#news.promise.then(() => true), pause(longestMs)]);
    if (isChanged === true) await pause(settleMs);
    over.abort();
    this.#news = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
