/** Predicts the end of a transfer from its recent rate. */
import { burstBytes } from '../../swarm/peer/transfer-timing.ts';

export class EndingWatch {
  readonly #totalBytes: number;
  #doneBytes = 0;
  #from: { readonly bytes: number; readonly atMs: number } | undefined;

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  /** This many more bytes have passed. */
  passed(bytes: number, nowMs: number): void {
    this.#doneBytes += bytes;
    if (!this.#from && this.#doneBytes >= burstBytes) this.#from = { bytes: this.#doneBytes, atMs: nowMs };
  }

  /** How long the rest will take; infinite while the rate is unknown. */
  leftMs(nowMs: number): number {
    const leftBytes = this.#totalBytes - this.#doneBytes;
    if (leftBytes <= 0) return 0;
    const sinceBytes = this.#from ? this.#doneBytes - this.#from.bytes : 0;
    return this.#from && sinceBytes > 0
      ? (leftBytes * (nowMs - this.#from.atMs)) / sinceBytes
      : Number.POSITIVE_INFINITY;
  }
}
