import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { payAll, RateLimiter } from './rate-limiter.ts';

/** A clock that advances on demand; sleepers wake in order. */
class ManualClock {
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    this.#sleepers.push({ atMs: this.#nowMs + ms, wake: resolve });
    return promise;
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const [next] = this.#sleepers.toSorted((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > endMs) break;
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
      this.#nowMs = next.atMs;
      next.wake();
    }
    this.#nowMs = endMs;
    await settled();
  }
}

/** Resolves when everything that does not wait for the clock has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function limiter(clock: ManualClock, ratePerSec = 1000): RateLimiter {
  const made = new RateLimiter(ratePerSec, ratePerSec / 10, clock);
  assert.ok(made.tryAcquire(ratePerSec / 10)); // empties the bucket
  return made;
}

describe('a rate limiter', () => {
  test('lets an aborted waiter go at once, and serves the next as if it had never been', async () => {
    const clock = new ManualClock();
    const limited = limiter(clock);
    const controllers = [new AbortController(), new AbortController()];
    const granted: string[] = [];
    const first = limited.acquire(100, controllers[0]?.signal).then(() => granted.push('first'));
    const second = limited.acquire(100, controllers[1]?.signal).then(() => granted.push('second'));
    const third = limited.acquire(100).then(() => granted.push('third'));
    controllers[1]?.abort(new Error('no longer wanted'));
    await assert.rejects(second, /no longer wanted/); // behind one whose turn has not come
    controllers[0]?.abort(new Error('neither'));
    await assert.rejects(first, /neither/);
    await clock.advance(100);
    await third;
    assert.deepEqual(granted, ['third']);
    assert.equal(limited.taken, 200);
  });

  test('never overtakes those who wait', async () => {
    const clock = new ManualClock();
    const limited = limiter(clock);
    const waits = limited.acquire(100);
    await clock.advance(50);
    assert.equal(limited.tryAcquire(1), false);
    await clock.advance(50);
    await waits;
  });

  test('a new rate holds for those who wait already', async () => {
    const clock = new ManualClock();
    const limited = limiter(clock, 10);
    const waits = Promise.all([limited.acquire(1000), limited.acquire(1)]);
    await clock.advance(100);
    limited.setRate(100_000);
    await clock.advance(100);
    await waits;
    limited.setRate(Infinity);
    await limited.acquire(1e9);
  });

  test('of several, the slowest decides', async () => {
    const clock = new ManualClock();
    const [fast, slow] = [limiter(clock, 10_000), limiter(clock, 1000)];
    let moved = 0;
    const moving = (async (): Promise<void> => {
      for (let turn = 0; turn < 40; turn += 1) {
        await payAll([fast, slow], 100);
        moved += 100;
      }
    })();
    await clock.advance(3000);
    assert.ok(moved >= 2900 && moved <= 3100, `${moved} tokens at 1000/s in 3 s`);
    await clock.advance(2000);
    await moving;
    assert.equal(payAll([new RateLimiter(Infinity)], 1e9), undefined);
  });

  test('holds the rate for every size of block', async () => {
    for (const block of [10, 100, 1700]) {
      const clock = new ManualClock();
      const limited = limiter(clock);
      let moved = 0;
      const stop = new AbortController();
      const moving = (async (): Promise<void> => {
        for (;;) {
          await limited.acquire(block, stop.signal);
          moved += block;
        }
      })().catch(() => undefined);
      await clock.advance(17_000);
      stop.abort();
      await moving;
      assert.ok(Math.abs(moved - 17_000) <= 1800, `${moved} tokens at 1000/s in 17 s, by ${block}`);
    }
  });
});
