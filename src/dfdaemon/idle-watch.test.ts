import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleWatch } from './idle-watch.ts';

test('is idle only once nothing is under way any more', { timeout: 120_000 }, async () => {
  const answers = [true, true, true];
  await using watch = new IdleWatch(5);
  watch.start(() => answers.shift() ?? false);
  await watch.idle;
  // The number of checks depends on the timer: Node may fire one up to a millisecond early.
  assert.deepEqual(answers, []);
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
