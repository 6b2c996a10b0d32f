import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockPool } from './block-pool.ts';
import { keepFreeMs } from './limits.ts';

test('a block is used again, and freed when nothing was in use for a while', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const pool = new BlockPool(1024, 4096);
  const first = pool.tryTake();
  assert.ok(first);
  pool.give(first);
  mock.timers.tick(keepFreeMs - 1);
  assert.equal(pool.tryTake(), first);
  mock.timers.tick(keepFreeMs);
  assert.equal(first.length, 1024, 'a block in use is left alone');
  pool.give(first);
  mock.timers.tick(keepFreeMs);
  assert.equal(first.length, 0, 'its memory is gone');
  assert.equal(pool.tryTake()?.length, 1024);
});
