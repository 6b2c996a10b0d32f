/** How many calls may run at once. A stream costs about 90 KiB while it stands, whoever holds it and whatever it says. */
import { getHeapStatistics } from 'node:v8';
import { DragonflyError } from '../../core/errors.ts';
import { addressShareOfCalls, heapBytesPerCall } from '../limits.ts';

export class CallPlaces {
  readonly #most: number;
  readonly #byAddress = new Map<string, number>();
  #taken = 0;

  /** @param most in all; by default as many as the heap bears. */
  constructor(most = Math.floor(getHeapStatistics().heap_size_limit / heapBytesPerCall)) {
    this.#most = most;
  }

  /** One address takes a part of the places at most. Throws RESOURCE_EXHAUSTED; disposing gives the place back. */
  take(address: string): Disposable {
    const taken = this.#byAddress.get(address) ?? 0;
    if (this.#taken >= this.#most || taken >= this.#most * addressShareOfCalls)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many calls at once', {
        hint: 'End some of them. A process with a larger heap (--max-old-space-size) takes more.',
      });
    this.#taken += 1;
    this.#byAddress.set(address, taken + 1);
    return { [Symbol.dispose]: () => this.#give(address) };
  }

  #give(address: string): void {
    this.#taken -= 1;
    const left = (this.#byAddress.get(address) ?? 0) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}
