/** The receipts of finished downloads: the newest in memory, and all as lines of JSON in a file of bounded size. */
import { appendFile, rename, stat } from 'node:fs/promises';
import { toDragonflyError } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import type { Logger } from '../core/process/logger.ts';
import { daemonLimits } from './limits.ts';
import type { Receipt } from './task/open-task.ts';

/** When the file exceeds this size it is renamed to `….1`, replacing the previous one. */
const maxFileBytes = 8 * 2 ** 20;

export class Receipts {
  readonly #file: string;
  readonly #logger: Logger;
  readonly #recent: Receipt[] = [];
  #writing: Promise<void> | undefined;
  #waiting: Receipt[] = [];

  /** @param file the log, one JSON object per line. */
  constructor(file: string, logger: Logger) {
    this.#file = file;
    this.#logger = logger;
  }

  /** Newest last. */
  get recent(): readonly Receipt[] {
    return this.#recent;
  }

  add(told: Receipt): void {
    const receipt = { ...told, url: redact(told.url) };
    this.#recent.push(receipt);
    if (this.#recent.length > daemonLimits.receipts) this.#recent.shift();
    this.#waiting.push(receipt);
    this.#writing ??= this.#write();
  }

  /** Resolves when everything added so far is in the file. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Receipts added during a write are part of the next one. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.map((receipt) => `${JSON.stringify(receipt)}\n`).join('');
      this.#waiting = [];
      try {
        await appendFile(this.#file, lines, { mode: 0o600 });
        if ((await stat(this.#file)).size > maxFileBytes) await rename(this.#file, `${this.#file}.1`);
      } catch (error) {
        this.#logger.warn({ file: this.#file, error: toDragonflyError(error).message }, 'receipts were not written');
      }
    }
    this.#writing = undefined; // cleared in the same step that found nothing more to write
  }
}
