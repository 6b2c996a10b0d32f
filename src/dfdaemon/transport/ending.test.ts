import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndingWatch } from './ending.ts';

const mib = 2 ** 20;

test('the end is near when the rest passes in a moment, at the pace after the first burst', () => {
  const watch = new EndingWatch(4 * mib);
  assert.equal(watch.isNear(mib, 0.1), false, 'a burst says nothing about the line');
  assert.equal(watch.isNear(2 * mib, 50), false, '20 MiB/s: 100 ms to go');
  assert.equal(watch.isNear(3.7 * mib, 135), false);
  assert.equal(watch.isNear(3.9 * mib, 145), true);
});

test('on a fast line it is near soon', () => {
  const watch = new EndingWatch(4 * mib);
  watch.isNear(mib, 1);
  assert.equal(watch.isNear(1.5 * mib, 1.5), true);
});

test('what is smaller than a burst is near its end when it is there', () => {
  const watch = new EndingWatch(1000);
  assert.equal(watch.isNear(999, 1), false);
  assert.equal(watch.isNear(1000, 1), true);
});
