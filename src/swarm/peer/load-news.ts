/**
 * When the children of a host hear how much there is to do at it. A child that is alone has asked for all of that itself, and on a fast
 * line the news would cost a message for every piece; only when it was refused it waits to hear that there is less.
 */
import { loadNewsMs, soleLoadNewsMs } from './transfer-timing.ts';

export class LoadNews {
  #told = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #isAwaited = false;

  /** Uploads running and waiting, as it was told last. */
  get told(): number {
    return this.#told;
  }

  /** A request was sent away. */
  refused(): void {
    this.#isAwaited = true;
  }

  /** When to tell so many children of this load; infinite for what they know. */
  dueMs(load: number, children: number): number {
    if (load === this.#told) return Number.POSITIVE_INFINITY;
    return this.#toldMs + (this.#isAwaited || children > 1 ? loadNewsMs : soleLoadNewsMs);
  }

  tell(load: number, nowMs: number): void {
    if (load < this.#told) this.#isAwaited = false;
    this.#told = load;
    this.#toldMs = nowMs;
  }
}
