import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskSizeLevel } from './task-size-level.ts';

test('tasks are sorted by size as the original sorts them', () => {
  const [mib, gib, tib] = [2 ** 20, 2 ** 30, 2 ** 40];
  const sizes = [undefined, 0, mib - 1, mib, 4 * mib, 8 * mib, 512 * mib, gib - 1, gib, 4 * gib, 8 * gib, tib - 1, tib];
  assert.deepEqual(sizes.map(taskSizeLevel), [0, 1, 1, 2, 3, 4, 10, 10, 11, 12, 13, 19, 20]);
});
