/**
 * Tells another thread which bytes to hash, through shared memory: a message per block would cost both threads more
 * than anything else they do for it. The reader sleeps while there is nothing to read; messages beside the ring wake it
 * as well.
 */

/** Bytes in shared memory that continue a piece. */
export interface HashUpdate {
  readonly piece: number;
  /** Number of the memory. */
  readonly block: number;
  readonly from: number;
  readonly length: number;
}

/** Maximum number of pending entries: each holds memory of the transport, which is bounded itself. */
const capacity = 1024;
const entryWords = 4;

/** Positions in the memory: entries written, entries done, and a counter that changes when there is something to look at. */
const writtenAt = 0;
const doneAt = 1;
const wakeAt = 2;
const entriesAt = 3;

export class UpdateRing {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** @param memory of a ring that another thread has created. */
  constructor(
    memory: SharedArrayBuffer = new SharedArrayBuffer(
      (entriesAt + capacity * entryWords) * Int32Array.BYTES_PER_ELEMENT,
    ),
  ) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** Number of entries written so far; wraps around. */
  get written(): number {
    return Atomics.load(this.#words, writtenAt);
  }

  /** Number of entries done so far; wraps around. */
  get done(): number {
    return Atomics.load(this.#words, doneAt);
  }

  /** Whether everything up to that count is done. */
  hasPassed(written: number): boolean {
    return ((this.done - written) | 0) >= 0;
  }

  // The writer's side.

  /** False when there is no room. */
  write({ piece, block, from, length }: HashUpdate): boolean {
    const { written } = this;
    if (((written - this.done) | 0) >= capacity) return false;
    const at = placeOf(written);
    const words = this.#words;
    [words[at], words[at + 1], words[at + 2], words[at + 3]] = [piece, block, from, length];
    Atomics.store(this.#words, writtenAt, (written + 1) | 0);
    this.wake();
    return true;
  }

  /** There is something to look at, in the ring or beside it. */
  wake(): void {
    Atomics.add(this.#words, wakeAt, 1);
    Atomics.notify(this.#words, wakeAt);
  }

  // The reader's side.

  /** Changes with every call of `wake`. */
  get wakes(): number {
    return Atomics.load(this.#words, wakeAt);
  }

  /** The first pending entry; there must be one. */
  next(): HashUpdate {
    const at = placeOf(this.done);
    const words = this.#words;
    return { piece: words[at] ?? 0, block: words[at + 1] ?? 0, from: words[at + 2] ?? 0, length: words[at + 3] ?? 0 };
  }

  /** The entry is done: the writer may reuse its memory. */
  carriedOut(): void {
    Atomics.add(this.#words, doneAt, 1);
  }

  /** Sleeps until `wake` is called, unless it was called since `wakes` was read, and at most for this many milliseconds. */
  sleep(wakes: number, mostMs: number): void {
    Atomics.wait(this.#words, wakeAt, wakes, mostMs);
  }
}

function placeOf(count: number): number {
  return entriesAt + (count & (capacity - 1)) * entryWords;
}
