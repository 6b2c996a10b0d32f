import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longestRunBytes, shortestRunBytes } from './limits.ts';
import { partWithin, runFor } from './write-part.ts';

const mebibyte = 2 ** 20;

test('memory without long free runs is written by short ones', () => {
  const fragmented = `Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3
Node 0, zone    DMA32   5524   5178   4474   3738   2886   2007   1088      0      0      0      0
Node 0, zone   Normal 249378 117973  45304  36632  14462   4547   1327      4      3      0      0
`;
  assert.equal(runFor(fragmented), shortestRunBytes);
});

test('memory with many of them by longer ones, and so where nobody tells', () => {
  const whole = `Node 0, zone   Normal  11079   9087  10015  27627  19318   9713   4587   3393   1597    832    505\n`;
  assert.equal(runFor(whole), longestRunBytes);
  assert.equal(runFor(undefined), longestRunBytes);
});

test('a write ends before it would ask for a longer run', () => {
  assert.equal(partWithin(0, mebibyte, mebibyte / 2), mebibyte / 2, 'a place for a run of a megabyte');
  assert.equal(partWithin(mebibyte / 2, mebibyte, mebibyte / 2), mebibyte, 'half a megabyte, and half a megabyte');
  assert.equal(
    partWithin(3 * mebibyte - 100, mebibyte, mebibyte / 2),
    mebibyte,
    'the run that begins in it is shorter',
  );
  assert.equal(partWithin(3 * mebibyte - 100, 3 * mebibyte, mebibyte / 2), mebibyte / 2 + 100);
  assert.equal(partWithin(100, mebibyte, mebibyte / 4), 3 * (mebibyte / 4) - 100);
});

test('the parts of a write are all of it', () => {
  for (const start of [0, 1, 4096, 700_000, 5 * mebibyte + 17]) {
    let position = start;
    const end = start + 4 * mebibyte;
    while (position < end) {
      const part = partWithin(position, end - position, mebibyte / 4);
      assert.ok(part > 0 && position + part <= end);
      position += part;
    }
  }
});
