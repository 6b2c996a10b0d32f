/** A configuration file that may change while the process runs. */
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Closable } from '../process/lifecycle.ts';

/** One change causes several events, the first while the file is still being written: it is read once they stop … */
const settleMs = 200;

/** … or at the latest after this time, since other files in the directory may keep changing. */
const impatientMs = 2_000;

/**
 * Calls back when a file's content has changed: written in place, replaced by a rename, or reached through a symbolic
 * link beside it that now points elsewhere, as container platforms swap mounts. The directory is watched, so nothing is
 * polled; a missing file counts as unchanged. Also calls back once at the start, since the file may have changed
 * between being read and being watched.
 */
export class WatchedFile implements Closable {
  readonly #path: string;
  readonly #onChange: () => Promise<void>;
  readonly #watcher: FSWatcher;
  #content: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #firstEventMs: number | undefined;
  #checking: Promise<void> = Promise.resolve();

  /**
   * @param onChange never called while it is still running; it handles its own errors. Throws a system error when the directory
   * cannot be watched.
   */
  constructor(path: string, onChange: () => Promise<void>) {
    this.#path = path;
    this.#onChange = onChange;
    this.#watcher = watch(dirname(path), { persistent: false }, () => this.#soon());
    this.#watcher.on('error', () => undefined); // the directory is gone, so nothing changes any more
    this.#soon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#watcher.close();
    await this.#checking;
  }

  #soon(): void {
    this.#firstEventMs ??= performance.now();
    if (this.#timer && performance.now() - this.#firstEventMs > impatientMs) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = this.#firstEventMs = undefined;
      this.#checking = this.#checking.then(() => this.#check());
    }, settleMs);
    this.#timer.unref();
  }

  async #check(): Promise<void> {
    const content = await readFile(this.#path, 'utf8').catch(() => undefined);
    if (content === undefined || content === this.#content) return;
    this.#content = content;
    await this.#onChange();
  }
}
