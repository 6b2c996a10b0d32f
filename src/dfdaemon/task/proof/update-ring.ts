/**
 * What one thread tells another of bytes to hash, in memory that both share. A message for each block would cost both threads more than
 * anything else they do for it. The reader sleeps while there is nothing to read; messages beside the ring wake it, too.
 */

/** Bytes in shared memory that continue a piece. */
export interface HashUpdate {
  readonly piece: number;
  /** Number of the memory. */
  readonly block: number;
  readonly from: number;
  readonly length: number;
}

/** Entries that are not carried out yet, at most: each holds memory of the transport, which is bounded itself. */
const capacity = 1024;
const entryWords = 4;

/** Places in the memory: entries written, entries carried out, and a word that changes when there is something to look at. */
const writtenAt = 0;
const doneAt = 1;
const wakeAt = 2;
const entriesAt = 3;

export class UpdateRing {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** @param memory of the ring that another thread has made. */
  constructor(
    memory: SharedArrayBuffer = new SharedArrayBuffer(
      (entriesAt + capacity * entryWords) * Int32Array.BYTES_PER_ELEMENT,
    ),
  ) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** Entries written so far; wraps around. */
  get written(): number {
    return Atomics.load(this.#words, writtenAt);
  }

  /** Entries carried out so far; wraps around. */
  get done(): number {
    return Atomics.load(this.#words, doneAt);
  }

  /** Everything up to that count has been carried out. */
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

  /** There is something to look at, here or beside the ring. */
  wake(): void {
    Atomics.add(this.#words, wakeAt, 1);
    Atomics.notify(this.#words, wakeAt);
  }

  // The reader's side.

  /** Changes with every call of `wake`. */
  get wakes(): number {
    return Atomics.load(this.#words, wakeAt);
  }

  /** The first entry that is not carried out; there must be one. */
  next(): HashUpdate {
    const at = placeOf(this.done);
    const words = this.#words;
    return { piece: words[at] ?? 0, block: words[at + 1] ?? 0, from: words[at + 2] ?? 0, length: words[at + 3] ?? 0 };
  }

  /** It has been: the writer may use its memory again. */
  carriedOut(): void {
    Atomics.add(this.#words, doneAt, 1);
  }

  /** Sleeps until `wake` is called, unless it has been since `wakes` was read, and no longer than so many milliseconds. */
  sleep(wakes: number, mostMs: number): void {
    Atomics.wait(this.#words, wakeAt, wakes, mostMs);
  }
}

function placeOf(count: number): number {
  return entriesAt + (count & (capacity - 1)) * entryWords;
}
