/** Buffers kept for the next use of a pool, and left to the garbage collector after a while without one: a socket may still reference them. */

/** A transfer that follows another within this time reuses them. */
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

  /** @param buffer that is no longer used. @param othersInUse whether other buffers of the pool are in use. */
  give(buffer: Buffer, othersInUse: boolean): void {
    if (this.#spare.length < this.#most) this.#spare.push(buffer);
    clearTimeout(this.#timer);
    if (!othersInUse) this.#timer = setTimeout(() => this.#spare.splice(0), keepSpareMs).unref();
  }
}
