/**
 * Detects that a peer with a regular heartbeat has gone silent. The timeout adapts to the gaps seen so far: on
 * a busy machine heartbeats come later than promised.
 */
export interface PulseLimits {
  /** Minimum silence before a peer counts as silent. */
  readonly silentMs: number;
  /** Nor later than this. */
  readonly mostMs: number;
  /** A check that runs later than this was itself delayed: heartbeats may be queued unread, so the wait starts over. */
  readonly lateMs: number;
}

const gapsOfSilence = 4;
/** Share of the longest gap that is kept after a shorter one. */
const fading = 0.9;

export class Pulse {
  readonly #limits: PulseLimits;
  #heardAtMs: number;
  #gapMs: number;
  silentAtMs: number;

  /** @param everyMs promised heartbeat interval. */
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

  /** False while the heartbeat is not overdue; `silentAtMs` is then the time of the next check. */
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
