/**
 * When a host announces its load to its children. An only child has caused all of the load itself, and on a fast link
 * announcements would cost a message per piece; it only waits for one after it was refused.
 */
import { loadNewsMs, soleLoadNewsMs } from './transfer-timing.ts';

export class LoadNews {
  #told = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #isAwaited = false;

  /** Uploads running and waiting, as last announced. */
  get told(): number {
    return this.#told;
  }

  /** A request was sent away. */
  refused(): void {
    this.#isAwaited = true;
  }

  /** When to announce this load to that many children; infinite for a load they already know. */
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
