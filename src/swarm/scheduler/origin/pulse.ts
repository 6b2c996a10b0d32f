/**
 * Whether somebody who promised to be heard of regularly has fallen silent. How long that takes is told by the gaps so far: on
 * a busy machine they are longer than promised.
 */
export interface PulseLimits {
  /** Nobody is silent before this. */
  readonly silentMs: number;
  /** Nor later than this. */
  readonly mostMs: number;
  /** Whoever looks later than this has not heard either: signs of life may be waiting to be read, and the wait begins again. */
  readonly lateMs: number;
}

const gapsOfSilence = 4;
/** Share of the longest gap that is still believed after a shorter one. */
const fading = 0.9;

export class Pulse {
  readonly #limits: PulseLimits;
  #heardAtMs: number;
  #gapMs: number;
  silentAtMs: number;

  /** @param everyMs how often it promised to be heard of. */
  constructor(limits: PulseLimits, everyMs: number, nowMs: number) {
    this.#limits = limits;
    this.#heardAtMs = nowMs;
    this.#gapMs = everyMs;
    this.silentAtMs = nowMs + this.#patienceMs;
  }

  heard(nowMs: number): void {
    this.#gapMs = Math.max(nowMs - this.#heardAtMs, fading * this.#gapMs);
    this.#heardAtMs = nowMs;
    this.silentAtMs = nowMs + this.#patienceMs;
  }

  /** False while there is hope; `silentAtMs` then says when to look again. */
  isSilent(nowMs: number): boolean {
    if (nowMs < this.silentAtMs) return false;
    if (nowMs <= this.silentAtMs + this.#limits.lateMs) return true;
    this.silentAtMs = nowMs + this.#patienceMs;
    return false;
  }

  get #patienceMs(): number {
    return Math.min(this.#limits.mostMs, Math.max(this.#limits.silentMs, gapsOfSilence * this.#gapMs));
  }
}
