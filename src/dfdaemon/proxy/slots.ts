/** Limits how many pieces of work run at once. The others queue, each for as long as its caller is willing to wait. */
import { proxyLimits } from './limits.ts';
import { onAbort } from '../../core/process/lifecycle.ts';

export class Slots {
  readonly #limit: number;
  readonly #queueLength: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  /** @param limit 0 means no limit. @param queueLength how many may wait. */
  constructor(limit: number, queueLength: number = proxyLimits.queueLength) {
    this.#queueLength = queueLength;
    this.#limit = limit === 0 ? Infinity : limit;
  }

  /** True when a slot was taken; the caller returns it with `release`. @param waitMs Infinity: until the signal aborts. */
  async take(waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#taken < this.#limit) {
      this.#taken += 1;
      return true;
    }
    if (this.#waiting.size >= this.#queueLength || signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const turn = (): void => resolve(true); // the slot passes directly from the work that ended
    const giveUp = (): void => {
      if (this.#waiting.delete(turn)) resolve(false);
    };
    const timer = waitMs === Infinity ? undefined : setTimeout(giveUp, waitMs);
    this.#waiting.add(turn);
    using _leaving = onAbort(signal, giveUp);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  release(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else this.#taken -= 1;
  }
}
