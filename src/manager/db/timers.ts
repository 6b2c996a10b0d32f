/** Periodic work that runs once among all replicas: the holder of the lease runs what is due. */
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { timerLeaseMs, timerTickMs } from '../limits.ts';
import type { Database } from './database.ts';
import { acquireLease, releaseLease } from './leases.ts';

export interface TimedWork {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: (signal: AbortSignal) => Promise<unknown>;
}

const leaseName = 'timers';

export class Timers implements Closable {
  readonly #database: Database;
  readonly #owner: string;
  readonly #logger: Logger;
  readonly #work: readonly TimedWork[];
  readonly #stop = new AbortController();
  readonly #dueAtMs = new Map<string, number>();
  /** Long work must not delay the renewal of the lease, so it runs beside the ticks, each name once. */
  readonly #running = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #tick: Promise<void> | undefined;

  constructor(database: Database, owner: string, work: readonly TimedWork[], logger: Logger) {
    this.#database = database;
    this.#owner = owner;
    this.#work = work;
    this.#logger = logger;
  }

  start(): void {
    this.#tick = this.#runTick();
    this.#timer = setInterval(() => {
      this.#tick ??= this.#runTick();
    }, timerTickMs);
    this.#timer.unref();
  }

  async #runTick(): Promise<void> {
    try {
      if (!(await acquireLease(this.#database, leaseName, this.#owner, timerLeaseMs))) return;
      const nowMs = performance.now();
      for (const work of this.#work) {
        if (this.#running.has(work.name) || nowMs < (this.#dueAtMs.get(work.name) ?? 0)) continue;
        this.#dueAtMs.set(work.name, nowMs + work.intervalMs);
        this.#running.set(work.name, this.#run(work));
      }
    } catch (error) {
      this.#logger.warn({ error: (error as Error).message }, 'timers stand still');
    } finally {
      this.#tick = undefined;
    }
  }

  async #run(work: TimedWork): Promise<void> {
    try {
      await work.run(this.#stop.signal);
    } catch (error) {
      this.#logger.warn({ timer: work.name, error: (error as Error).message }, 'timed work failed');
    } finally {
      this.#running.delete(work.name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#tick;
    await Promise.all(this.#running.values());
    await releaseLease(this.#database, leaseName, this.#owner);
  }
}
