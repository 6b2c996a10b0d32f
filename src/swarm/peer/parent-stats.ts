/** What one child measured of one parent: how fast pieces come, and whether they come at all; one that keeps failing is set aside. */
import type { HostLoad } from './host-load.ts';
import type { PickerLimits } from './picker-limits.ts';

/** Weight of the newest sample. */
const smoothing = 0.3;

export class ParentStats {
  /** Integers are stored inside the object, and every choice reads them for every parent. */
  #demotedUntilMs = 0;
  #busyUntilMs = 0;
  /** `HostLoad.drops` at its last refusal. */
  #refusedAtDrops = 0;
  /** Bytes per millisecond, from request to delivery, so waiting at the parent counts; 0 before the first delivery. */
  bytesPerMs = 0;
  /** Of recent deliveries, fading: pieces that came side by side end together, and the time of one alone says nothing. */
  #recentBytes = 0;
  #recentMs = 0;
  /** Shortest time from request to first byte: the delay of the path. */
  #delayMs = 0;
  #lastDeliveryMs = 0;
  #failures = 0;

  delivered(bytes: number, startedAtMs: number, nowMs: number): void {
    const busyMs = Math.max(0.01, nowMs - Math.max(startedAtMs, this.#lastDeliveryMs));
    this.#recentBytes = (1 - smoothing) * this.#recentBytes + bytes;
    this.#recentMs = (1 - smoothing) * this.#recentMs + busyMs;
    this.bytesPerMs = this.#recentBytes / this.#recentMs;
    this.#lastDeliveryMs = nowMs;
    this.#failures = 0;
  }

  /** Delay between request and first byte, when the transport can measure it. */
  responded(delayMs: number): void {
    this.#delayMs =
      this.#delayMs === 0 ? delayMs : Math.min(delayMs, this.#delayMs + smoothing * (delayMs - this.#delayMs));
  }

  /** Repeated failures set it aside for a while. */
  failed(nowMs: number, limits: PickerLimits): void {
    this.#failures += 1;
    if (this.#failures >= limits.failuresToDemote) this.#demotedUntilMs = Math.ceil(nowMs + limits.demoteMs);
  }

  /** The parent's queue is full: it is not asked until then, or until its load has dropped. */
  refused(untilMs: number, drops: number): void {
    this.#busyUntilMs = Math.ceil(untilMs);
    this.#refusedAtDrops = drops;
  }

  isDemoted(nowMs: number): boolean {
    return this.#demotedUntilMs > nowMs;
  }

  isAside(load: HostLoad, nowMs: number): boolean {
    return this.#demotedUntilMs > nowMs || (this.#busyUntilMs > nowMs && load.drops === this.#refusedAtDrops);
  }

  /** When it may be asked again; in the past when it is not set aside. */
  asideUntilMs(load: HostLoad): number {
    return load.drops === this.#refusedAtDrops
      ? Math.max(this.#demotedUntilMs, this.#busyUntilMs)
      : this.#demotedUntilMs;
  }

  /** 1 for a parent of usual speed or unknown, more when it is slower than `share` of the usual. */
  slowness(usualBytesPerMs: number, share: number): number {
    if (this.bytesPerMs === 0 || this.bytesPerMs >= usualBytesPerMs * share) return 1;
    return usualBytesPerMs / this.bytesPerMs;
  }

  /** Requests that keep the path full: the one being sent and what fits into rate × delay. */
  depth(pieceLengthBytes: number): number {
    return 1 + Math.ceil((this.bytesPerMs * this.#delayMs) / pieceLengthBytes);
  }
}
