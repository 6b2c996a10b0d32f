/** Buffers kept for the next use of a pool, and left to the garbage collector when there has been none for a while: a socket may still hold one. */

/** A transfer that follows another within this time finds them; longer they are not kept. */
export const keepSpareMs = 5_000;

export class SpareBuffers {
  readonly #most: number;
  readonly #spare: Buffer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  take(): Buffer | undefined {
    clearTimeout(this.#timer);
    return this.#spare.pop();
  }

  /** @param buffer that nobody uses any more. @param othersInUse whether the pool has buffers out. */
  give(buffer: Buffer, othersInUse: boolean): void {
    if (this.#spare.length < this.#most) this.#spare.push(buffer);
    clearTimeout(this.#timer);
    if (!othersInUse) this.#timer = setTimeout(() => this.#spare.splice(0), keepSpareMs).unref();
  }
}
