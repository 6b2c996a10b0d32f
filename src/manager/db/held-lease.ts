/** A lease that stays with its holder for as long as he works, however long one piece of the work takes. */
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Database } from './database.ts';
import { acquireLease, leaseFreeAtMs, releaseLease } from './leases.ts';

export interface HeldLeaseParts {
  readonly database: Database;
  readonly name: string;
  /** Name of this replica. */
  readonly owner: string;
  readonly ttlMs: number;
  readonly logger: Logger;
  readonly isBusy: () => boolean;
  /** Somebody else has it now, who does the work again. */
  readonly onLost: () => void;
}

export class HeldLease implements Closable {
  readonly #parts: HeldLeaseParts;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  #closed = false;

  constructor(parts: HeldLeaseParts) {
    this.#parts = parts;
  }

  /** True when it is held here now. */
  async acquire(): Promise<boolean> {
    const { database, name, owner, ttlMs } = this.#parts;
    const isOurs = await acquireLease(database, name, owner, ttlMs);
    if (isOurs) this.#renewLater();
    return isOurs;
  }

  /** By the clock of the database. */
  freeAtMs(): Promise<number> {
    return leaseFreeAtMs(this.#parts.database, this.#parts.name);
  }

  #renewLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      if (this.#parts.isBusy()) this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    }, this.#parts.ttlMs / 3);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    const { logger, name, onLost } = this.#parts;
    try {
      if (!(await this.acquire()) && !this.#closed) onLost();
    } catch (error) {
      logger.warn({ lease: name, error: toDragonflyError(error).message }, 'a lease could not be renewed');
      this.#renewLater();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#renewing;
    await releaseLease(this.#parts.database, this.#parts.name, this.#parts.owner);
  }
}
