import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpareLines } from './spare-lines.ts';

const lookMs = 200;

/** How many parents are welcome after each of this many looks, given the rate and the share of idle parents at each. */
function looks(spare: SpareLines, from: number, count: number, rate: (look: number) => number, share = 1): number[] {
  return Array.from({ length: count }, (_, look) =>
    spare.welcome((from + look) * lookMs, rate(from + look), () => share),
  );
}

test('lines that stay idle are used, one more after the other while that brings more', () => {
  const spare = new SpareLines();
  assert.deepEqual(
    looks(spare, 0, 8, (look) => Math.max(1, look - 2)),
    [0, 0, 0, 1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    looks(spare, 8, 1, () => 10, 0.2),
    [0],
    'others need them now',
  );
});

test('a moment of nothing to do is none', () => {
  const spare = new SpareLines();
  looks(spare, 0, 3, () => 1);
  looks(spare, 3, 1, () => 1, 0);
  assert.deepEqual(
    looks(spare, 4, 4, () => 1),
    [0, 0, 0, 1],
  );
  const late = new SpareLines();
  late.welcome(0, 1, () => 1);
  for (let look = 1; look < 10; look += 1)
    assert.equal(
      late.welcome(look * 300, 1, () => 1),
      0,
      'between two pieces',
    );
});

test('when the first more brings nothing, the line is full, and left alone for a while', () => {
  const spare = new SpareLines();
  assert.deepEqual(
    looks(spare, 0, 6, () => 5),
    [0, 0, 0, 1, 2, 0],
  );
  assert.deepEqual(new Set(looks(spare, 6, 50, () => 5)), new Set([0]));
  assert.deepEqual(
    looks(spare, 56, 4, () => 5),
    [0, 0, 0, 1],
  );
});
