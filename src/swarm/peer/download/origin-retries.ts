/**
 * When a failed request to the origin is sent again: several times without progress, with growing pauses. While each
 * attempt brings something, the origin works and only connections break.
 */
import type { ErrorCode } from '../../../core/errors.ts';
import type { Random } from '../../shared/random.ts';
import { downloadLimits } from './limits.ts';

export interface OriginFailure {
  readonly fetch: number;
  /** A fetch may have several requests. */
  readonly request: number;
  readonly code: ErrorCode;
  /** The same request may succeed later. */
  readonly temporary: boolean;
  /** The request brought something before it failed. */
  readonly progressed: boolean;
  /** The pause that the origin asks for; undefined when it does not say. */
  readonly retryAfterMs: number | undefined;
}

interface Failing {
  readonly fetch: number;
  readonly request: number;
  /** Consecutive failures without progress. */
  failures: number;
  /** When it is sent again; infinite while it is running. */
  againAtMs: number;
}

export class OriginRetries {
  readonly #random: Random;
  readonly #failing: Failing[] = [];
  /** When the next request is sent again; infinite while none waits. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** True when the request will be sent again; otherwise the fetch has failed. */
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

  /** A request of the fetch has failed and waits to be sent again. */
  isWaiting(fetch: number): boolean {
    return this.#failing.some((one) => one.fetch === fetch && one.againAtMs !== Number.POSITIVE_INFINITY);
  }

  /** The fetch has ended. */
  forget(fetch: number): void {
    for (let at = this.#failing.length - 1; at >= 0; at -= 1)
      if (this.#failing[at]?.fetch === fetch) this.#failing.splice(at, 1);
    if (this.#failing.length === 0) this.dueMs = Number.POSITIVE_INFINITY;
  }

  /** Requests that are due to be sent again. */
  due(nowMs: number): readonly { readonly fetch: number; readonly request: number }[] {
    const due = this.#failing.filter(({ againAtMs }) => againAtMs <= nowMs);
    for (const failing of due) failing.againAtMs = Number.POSITIVE_INFINITY;
    this.dueMs = Math.min(...this.#failing.map(({ againAtMs }) => againAtMs), Number.POSITIVE_INFINITY);
    return due;
  }

  /** Doubles with each failure, with jitter. Respects the pause that the origin asks for; undefined when that is too long. */
  #pauseMs(failures: number, retryAfterMs: number | undefined): number | undefined {
    const { retryAfterMaxMs, originBackoffMs, originBackoffMaxMs } = downloadLimits;
    if (retryAfterMs !== undefined && retryAfterMs > 0)
      return retryAfterMs <= retryAfterMaxMs ? retryAfterMs : undefined;
    return Math.min(originBackoffMs * 2 ** (failures - 1), originBackoffMaxMs) * (0.5 + this.#random() / 2);
  }
}
