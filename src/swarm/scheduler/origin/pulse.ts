/**
 * Detects that a holder with a regular heartbeat has gone silent. The timeout adapts to the gaps that its host has
 * shown: on a busy machine heartbeats come later than promised, under any lease.
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
/** After this time a gap counts half. */
const fadingMs = 5000;

/** The longest gap between two heartbeats of one host, fading. */
export class Rhythm {
  #gapMs = 0;
  #atMs = 0;

  note(gapMs: number, nowMs: number): void {
    this.#gapMs = Math.max(gapMs, this.gapMs(nowMs));
    this.#atMs = nowMs;
  }

  gapMs(nowMs: number): number {
    return this.#gapMs * 0.5 ** ((nowMs - this.#atMs) / fadingMs);
  }
}

export class Pulse {
  readonly #limits: PulseLimits;
  readonly #rhythm: Rhythm;
  readonly #everyMs: number;
  #heardAtMs: number;
  silentAtMs: number;

  /** @param everyMs promised heartbeat interval. */
  constructor(limits: PulseLimits, { everyMs, rhythm }: { everyMs: number; rhythm: Rhythm }, nowMs: number) {
    this.#limits = limits;
    this.#rhythm = rhythm;
    this.#everyMs = everyMs;
    this.#heardAtMs = nowMs;
    this.silentAtMs = this.#patientUntil(nowMs);
  }

  heard(nowMs: number): void {
    this.#rhythm.note(nowMs - this.#heardAtMs, nowMs);
    this.#heardAtMs = nowMs;
    this.silentAtMs = this.#patientUntil(nowMs);
  }

  /**
   * False while the heartbeat is not overdue; `silentAtMs` is then the time of the next check. @param hostSeenMs when
   * the host last reported anything about any task, which shows that it is alive.
   */
  isSilent(nowMs: number, hostSeenMs = 0): boolean {
    if (nowMs < this.silentAtMs) return false;
    if (hostSeenMs > this.#heardAtMs) {
      this.#heardAtMs = hostSeenMs;
      this.silentAtMs = this.#patientUntil(hostSeenMs);
      if (nowMs < this.silentAtMs) return false;
    }
    if (nowMs <= this.silentAtMs + this.#limits.lateMs) return true;
    this.silentAtMs = this.#patientUntil(nowMs);
    return false;
  }

  /** The recent gaps between its heartbeats are so long that its link must be losing most packets, or its process hardly runs. */
  isLate(nowMs: number, lateMs: number): boolean {
    return Math.max(nowMs - this.#heardAtMs, this.#rhythm.gapMs(nowMs)) >= lateMs;
  }

  #patientUntil(nowMs: number): number {
    const gapMs = Math.max(this.#everyMs, this.#rhythm.gapMs(nowMs));
    return nowMs + Math.min(this.#limits.mostMs, Math.max(this.#limits.silentMs, gapsOfSilence * gapMs));
  }
}
