/**
 * The time by which tasks age. It follows the monotonic clock while the daemon runs, and across a restart the wall
 * clock, within bounds: changing the machine's date, forward or back, expires nothing.
 */
import { maxOfflineAgeMs } from './limits.ts';

export interface SavedAge {
  readonly ageMs: number;
  /** Wall clock at the time of saving, unix ms. */
  readonly wallMs: number;
}

export interface TimeSource {
  monotonicMs(): number;
  wallMs(): number;
}

export const systemTime: TimeSource = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

export class AgeClock {
  readonly #time: TimeSource;
  readonly #baseMs: number;
  readonly #startedMs: number;

  constructor(saved: SavedAge | undefined, time: TimeSource = systemTime) {
    this.#time = time;
    this.#startedMs = time.monotonicMs();
    const offlineMs = saved ? Math.min(Math.max(0, time.wallMs() - saved.wallMs), maxOfflineAgeMs) : 0;
    this.#baseMs = (saved?.ageMs ?? 0) + offlineMs;
  }

  nowMs(): number {
    return Math.round(this.#baseMs + this.#time.monotonicMs() - this.#startedMs);
  }

  wallMs(): number {
    return this.#time.wallMs();
  }

  save(): SavedAge {
    return { ageMs: this.nowMs(), wallMs: this.#time.wallMs() };
  }
}
