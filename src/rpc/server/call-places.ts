/** How many calls may run at once. A stream costs about 90 KiB while it stands, whoever holds it and whatever it says. */
import { getHeapStatistics } from 'node:v8';
import { DragonflyError } from '../../core/errors.ts';
import { callerShareOfCalls, heapBytesPerCall, maxCallsOfCaller } from '../limits.ts';

export class CallPlaces {
  readonly #most: number;
  readonly #byCaller = new Map<string, number>();
  #taken = 0;

  /** @param most in all; by default as many as the heap bears. */
  constructor(most = Math.floor(getHeapStatistics().heap_size_limit / heapBytesPerCall)) {
    this.#most = most;
  }

  /**
   * @param caller address, or host id; takes a part of the places, and `ofCaller`, at most.
   * Throws RESOURCE_EXHAUSTED; disposing gives the place back.
   */
  take(caller: string, ofCaller = maxCallsOfCaller): Disposable {
    const taken = this.#byCaller.get(caller) ?? 0;
    if (this.#taken >= this.#most || taken >= Math.min(this.#most * callerShareOfCalls, ofCaller))
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many calls at once', {
        hint: 'End some of them. A process with a larger heap (--max-old-space-size) takes more.',
      });
    this.#taken += 1;
    this.#byCaller.set(caller, taken + 1);
    return { [Symbol.dispose]: () => this.#give(caller) };
  }

  #give(caller: string): void {
    this.#taken -= 1;
    const left = (this.#byCaller.get(caller) ?? 0) - 1;
    if (left > 0) this.#byCaller.set(caller, left);
    else this.#byCaller.delete(caller);
  }
}
