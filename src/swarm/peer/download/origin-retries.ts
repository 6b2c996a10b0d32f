/**
 * When a request to the origin that failed is sent again: several times without any progress, with growing pauses. As long as each
 * brings something the origin works, and only connections break.
 */
import type { ErrorCode } from '../../../core/errors.ts';
import type { Random } from '../../shared/random.ts';
import { downloadLimits } from './limits.ts';

export interface OriginFailure {
  readonly fetch: number;
  /** A fetch may send several at a time. */
  readonly request: number;
  readonly code: ErrorCode;
  /** The same request may succeed later. */
  readonly temporary: boolean;
  /** It brought something before it failed. */
  readonly progressed: boolean;
  /** How long the origin asks to be left alone; undefined when it does not say. */
  readonly retryAfterMs: number | undefined;
}

interface Failing {
  readonly fetch: number;
  readonly request: number;
  /** In a row, without progress. */
  failures: number;
  /** When it is sent again; infinite while it is under way. */
  againAtMs: number;
}

export class OriginRetries {
  readonly #random: Random;
  readonly #failing: Failing[] = [];
  /** When the next one is sent again; infinite while none waits. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** True when it will be sent again; otherwise the fetch has failed. */
  failed({ fetch, request, temporary, progressed, retryAfterMs }: OriginFailure, nowMs: number): boolean {
    let failing = this.#failing.find((one) => one.fetch === fetch && one.request === request);
    if (!failing) {
      failing = { fetch, request, failures: 0, againAtMs: Number.POSITIVE_INFINITY };
      this.#failing.push(failing);
    }
    failing.failures = progressed ? 1 : failing.failures + 1;
    const pauseMs = this.#pauseMs(failing.failures, retryAfterMs);
    if (!temporary || failing.failures >= downloadLimits.originAttempts || pauseMs === undefined) return false;
    failing.againAtMs = nowMs + pauseMs;
    this.dueMs = Math.min(this.dueMs, failing.againAtMs);
    return true;
  }

  /** A request of the fetch has failed, and is not sent again yet. */
  isWaiting(fetch: number): boolean {
    return this.#failing.some((one) => one.fetch === fetch && one.againAtMs !== Number.POSITIVE_INFINITY);
  }

  /** The fetch has ended. */
  forget(fetch: number): void {
    for (let at = this.#failing.length - 1; at >= 0; at -= 1)
      if (this.#failing[at]?.fetch === fetch) this.#failing.splice(at, 1);
    if (this.#failing.length === 0) this.dueMs = Number.POSITIVE_INFINITY;
  }

  /** Those to be sent again now. */
  due(nowMs: number): readonly { readonly fetch: number; readonly request: number }[] {
    const due = this.#failing.filter(({ againAtMs }) => againAtMs <= nowMs);
    for (const failing of due) failing.againAtMs = Number.POSITIVE_INFINITY;
    this.dueMs = Math.min(...this.#failing.map(({ againAtMs }) => againAtMs), Number.POSITIVE_INFINITY);
    return due;
  }

  /** Doubles with each failure, with jitter. What the origin asks for counts; undefined when that is longer than anybody should wait. */
  #pauseMs(failures: number, retryAfterMs: number | undefined): number | undefined {
    const { retryAfterMaxMs, originBackoffMs, originBackoffMaxMs } = downloadLimits;
    if (retryAfterMs !== undefined && retryAfterMs > 0)
      return retryAfterMs <= retryAfterMaxMs ? retryAfterMs : undefined;
    return Math.min(originBackoffMs * 2 ** (failures - 1), originBackoffMaxMs) * (0.5 + this.#random() / 2);
  }
}
