import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleWatch } from './idle-watch.ts';

test('is idle only once nothing is under way any more', { timeout: 120_000 }, async () => {
  let looks = 0;
  await using watch = new IdleWatch(5);
  watch.start(() => (looks += 1) < 4);
  await watch.idle;
  assert.equal(looks, 4);
});

test('a time of 0 never ends', async () => {
  const watch = new IdleWatch(0);
  watch.start(() => false);
  let idle = false;
  void watch.idle.then(() => (idle = true));
  await watch[Symbol.asyncDispose]();
  await new Promise(setImmediate);
  assert.equal(idle, false);
});
