/** Sees the end of a transfer come, from how fast it has gone lately. */

/** A transfer counts as over, for whoever may begin the next, when what is left of it will have passed in this time. */
const leadMs = 10;
/** What shapers and kernels let pass at once says nothing about the line. */
const burstBytes = 2 ** 20;

export class EndingWatch {
  readonly #totalBytes: number;
  #from: { readonly bytes: number; readonly atMs: number } | undefined;

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  /** @param doneBytes passed until `nowMs`. True when the end is near. */
  isNear(doneBytes: number, nowMs: number): boolean {
    if (doneBytes >= this.#totalBytes) return true;
    if (!this.#from) {
      if (doneBytes >= burstBytes) this.#from = { bytes: doneBytes, atMs: nowMs };
      return false;
    }
    const leftBytes = this.#totalBytes - doneBytes;
    return leftBytes * (nowMs - this.#from.atMs) <= leadMs * (doneBytes - this.#from.bytes);
  }
}
