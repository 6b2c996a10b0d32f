/** Limits concurrent calls. A stream costs about 90 KiB while it is open, whoever holds it. */
import { getHeapStatistics } from 'node:v8';
import { DragonflyError } from '../../core/errors.ts';
import { callerShareOfCalls, heapBytesPerCall, maxCallsOfCaller } from '../limits.ts';

export class CallPlaces {
  readonly #most: number;
  readonly #byCaller = new Map<string, number>();
  #taken = 0;

  /** @param most in total; by default as many as the heap allows. */
  constructor(most = Math.floor(getHeapStatistics().heap_size_limit / heapBytesPerCall)) {
    this.#most = most;
  }

  /**
   * @param caller address or host id, which may take part of the places, at most `ofCaller`. Throws RESOURCE_EXHAUSTED;
   * disposing returns the place.
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
