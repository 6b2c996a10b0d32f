import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fairShares } from './fair-shares.ts';

test('a total is divided by need', () => {
  const cases: [number, number[], number[]][] = [
    [100, [], []],
    [100, [10], [100]],
    [100, [Infinity, Infinity], [50, 50]],
    [100, [10, Infinity], [10, 90]], // one slow: the other gets the rest
    [100, [Infinity, 10, 30], [60, 10, 30]],
    [100, [90, 80, 20], [40, 40, 20]],
    [100, [10, 20], [45, 55]], // all have enough: the rest is divided equally
    [100, [0, 0], [50, 50]],
  ];
  for (const [total, needs, expected] of cases) assert.deepEqual(fairShares(total, needs), expected, String(needs));
});
