/**
 * Token bucket in bytes (or requests) per second. Callers wait in order; one whose signal aborts leaves the queue at
 * once.
 *
 * A request larger than the burst is granted when the bucket is full and leaves a debt, so that a block of any size
 * passes and the rate still holds on average.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { onAbort } from './process/lifecycle.ts';

export interface Clock {
  nowMs(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
};

/** Timers cannot be set much longer; longer waits check again. */
const maxSleepMs = 3_600_000;

interface Waiter {
  readonly count: number;
  readonly granted: () => void;
}

export class RateLimiter {
  readonly #clock: Clock;
  #ratePerSec: number;
  #burst: number;
  #tokens: number;
  #updatedMs: number;
  #taken = 0;
  readonly #waiting: Waiter[] = [];
  /** Wakes the loop that serves the queue; undefined while the queue is empty. */
  #sleep: AbortController | undefined;

  /** @param ratePerSec tokens per second; Infinity never waits. @param burst bucket size, by default a tenth of a second. */
  constructor(ratePerSec: number, burst = ratePerSec / 10, clock: Clock = systemClock) {
    this.#ratePerSec = ratePerSec;
    this.#burst = burst;
    this.#tokens = burst;
    this.#clock = clock;
    this.#updatedMs = clock.nowMs();
  }

  get unlimited(): boolean {
    return this.#ratePerSec === Infinity;
  }

  /** Tokens handed out since the start. */
  get taken(): number {
    return this.#taken;
  }

  /** Callers in the queue. */
  get waiting(): number {
    return this.#waiting.length;
  }

  setRate(ratePerSec: number, burst = ratePerSec / 10): void {
    if (ratePerSec === this.#ratePerSec && burst === this.#burst) return;
    this.#refill();
    this.#ratePerSec = ratePerSec;
    this.#burst = burst;
    this.#tokens = Math.min(this.#tokens, burst);
    this.#sleep?.abort();
  }

  /** Takes the tokens if they are available and nobody waits for them. */
  tryAcquire(count: number): boolean {
    return this.#waiting.length === 0 && this.#take(count);
  }

  /** Waits until the tokens are available. Rejects with the signal's reason, having taken none. */
  async acquire(count: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.tryAcquire(count)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { count, granted: resolve };
    const leave = (): void => {
      const place = this.#waiting.indexOf(waiter);
      if (place < 0) return; // granted in the same turn
      this.#waiting.splice(place, 1);
      this.#sleep?.abort();
      reject(signal?.reason as Error);
    };
    this.#waiting.push(waiter);
    using _leaving = onAbort(signal, leave);
    if (!this.#sleep) void this.#serve();
    await promise;
  }

  /** Grants requests in order. Woken by any change of the next request or its time. */
  async #serve(): Promise<void> {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      this.#sleep = new AbortController();
      if (this.#take(next.count)) {
        this.#waiting.shift();
        next.granted();
        continue;
      }
      const missing = Math.min(next.count, this.#burst) - this.#tokens;
      const ms = Math.min(maxSleepMs, Math.max(1, (missing / this.#ratePerSec) * 1000));
      await this.#clock.sleep(ms, this.#sleep.signal).catch(() => undefined);
    }
    this.#sleep = undefined;
  }

  #take(count: number): boolean {
    if (!this.unlimited) {
      this.#refill();
      if (this.#tokens < Math.min(count, this.#burst)) return false;
      this.#tokens -= count;
    }
    this.#taken += count;
    return true;
  }

  #refill(): void {
    const nowMs = this.#clock.nowMs();
    const elapsedMs = Math.max(0, nowMs - this.#updatedMs);
    this.#updatedMs = nowMs;
    if (!this.unlimited) this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#ratePerSec);
  }
}

/**
 * Charges the same bytes to each limiter; the slowest decides. Undefined when none of them delays, so that the
 * usual case costs no promise. Rejects with the signal's reason.
 */
export function payAll(
  limiters: readonly RateLimiter[],
  count: number,
  signal?: AbortSignal,
): Promise<unknown> | undefined {
  let slow: RateLimiter[] | undefined;
  for (const limiter of limiters) if (!limiter.tryAcquire(count)) (slow ??= []).push(limiter);
  return slow && Promise.all(slow.map((limiter) => limiter.acquire(count, signal)));
}
