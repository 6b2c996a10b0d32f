import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TrafficShaper, type TaskRate } from './traffic-shaper.ts';

const mebibyte = 2 ** 20;
const rates = { total: 100 * mebibyte, perTask: Infinity, backToSource: Infinity, prefetch: 10 * mebibyte };

/** The bytes that the task would get at once, a tenth of its rate. */
function burst(task: TaskRate): number {
  let bytes = 0;
  while (task.fromPeers.every((limiter) => limiter.tryAcquire(mebibyte / 10))) bytes += mebibyte / 10;
  return bytes;
}

describe('a traffic shaper', () => {
  test('with sampling gives a busy task what a slow one leaves', async () => {
    const shaper = new TrafficShaper({ rates, sampling: true });
    using slow = shaper.open();
    using busy = shaper.open();
    const stop = new AbortController();
    const wants = busy.fromPeers[0]?.acquire(100 * mebibyte, stop.signal); // a debt of two seconds
    const more = busy.fromPeers[0]?.acquire(mebibyte, stop.signal);
    slow.fromPeers[0]?.tryAcquire(2 * mebibyte);
    shaper.divide(1);
    assert.equal(Math.round(busy.share / mebibyte), 97);
    assert.equal(Math.round(slow.share / mebibyte), 3);
    await wants;
    stop.abort();
    await more?.catch(() => undefined);
  });

  test('with sampling gives an idle total to whoever is there', () => {
    const shaper = new TrafficShaper({ rates: { ...rates, perTask: 60 * mebibyte }, sampling: true });
    using first = shaper.open();
    {
      using second = shaper.open();
      assert.equal(second.share, 50 * mebibyte);
    }
    shaper.divide(1);
    assert.equal(first.share, 60 * mebibyte); // the limit of a single task
  });

  test('makes what nobody waits for pay as prefetch, all of it together', () => {
    const shaper = new TrafficShaper({ rates, sampling: false });
    using tasks = new DisposableStack();
    const [first, second, third] = [1, 2, 3].map(() => tasks.use(shaper.open()));
    assert(first && second && third);
    first.background = second.background = true;
    assert.ok(burst(first) <= 1.2 * mebibyte);
    assert.ok(burst(second) <= 0.2 * mebibyte);
    assert.ok(third.fromPeers.every((limiter) => limiter.tryAcquire(50 * mebibyte)));
  });
});
