import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepSpareMs, SpareBuffers } from './spare-buffers.ts';

test('a buffer is used again, and let go when nothing was in use for a while', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const spare = new SpareBuffers(2);
  const [first, second] = [Buffer.allocUnsafeSlow(1024), Buffer.allocUnsafeSlow(1024)];
  spare.give(first, true);
  mock.timers.tick(keepSpareMs);
  assert.equal(spare.take(), first, 'others are in use');
  spare.give(first, true);
  spare.give(second, false);
  mock.timers.tick(keepSpareMs - 1);
  assert.equal(spare.take(), second);
  mock.timers.tick(keepSpareMs);
  assert.equal(spare.take(), first, 'there was a use in between');
  spare.give(first, true);
  spare.give(second, false);
  mock.timers.tick(keepSpareMs);
  assert.equal(spare.take(), undefined);
});

test('no more than so many are kept', () => {
  const spare = new SpareBuffers(1);
  for (let count = 0; count < 3; count += 1) spare.give(Buffer.allocUnsafeSlow(8), true);
  assert.ok(spare.take());
  assert.equal(spare.take(), undefined);
});
