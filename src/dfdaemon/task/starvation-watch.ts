/**
 * Notices that a download has had nothing to do for as long as it should be patient. A scheduler that leases the origin is
 * asked first, since it knows who is there already; the node goes by itself only when asking has come to nothing.
 */
import { daemonLimits } from '../limits.ts';

export interface StarvationOptions {
  readonly patienceMs: () => number;
  /** Asks the scheduler for something to do; false when there is none that would know. */
  readonly ask: (patienceMs: number) => boolean;
  readonly giveUp: (patienceMs: number) => void;
}

export class StarvationWatch {
  readonly #options: StarvationOptions;
  #sinceMs: number | undefined;
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StarvationOptions) {
    this.#options = options;
  }

  /** The download is idle now. The wait counts from the first such call since it was last busy, or since it asked. */
  idle(): void {
    const nowMs = performance.now();
    const patienceMs = this.#options.patienceMs();
    this.#sinceMs ??= nowMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#starved(patienceMs), Math.max(0, this.#sinceMs + patienceMs - nowMs));
  }

  busy(): void {
    this.#sinceMs = undefined;
    this.#asked = 0;
    clearTimeout(this.#timer);
  }

  #starved(patienceMs: number): void {
    if (this.#asked >= daemonLimits.starvedAsks || !this.#options.ask(patienceMs))
      return this.#options.giveUp(patienceMs);
    this.#asked += 1;
    this.#sinceMs = undefined;
    this.idle();
  }
}
