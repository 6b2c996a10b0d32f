import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndingWatch } from './ending.ts';

const mib = 2 ** 20;

test('how long the rest takes is told from the pace after the first burst', () => {
  const watch = new EndingWatch(4 * mib);
  watch.passed(mib, 0.1);
  assert.equal(watch.leftMs(0.1), Infinity, 'a burst says nothing about the line');
  watch.passed(mib, 50.1);
  assert.equal(watch.leftMs(50.1), 100, '20 MiB/s: 100 ms to go');
  watch.passed(2 * mib, 150);
  assert.equal(watch.leftMs(150), 0);
});

test('what stops is not near its end', () => {
  const watch = new EndingWatch(4 * mib);
  watch.passed(mib, 1);
  watch.passed(2 * mib, 3);
  assert.equal(watch.leftMs(3), 1);
  assert.equal(watch.leftMs(201), 100);
});

test('what is smaller than a burst is near its end when it is there', () => {
  const watch = new EndingWatch(1000);
  watch.passed(999, 1);
  assert.equal(watch.leftMs(1), Infinity);
  watch.passed(1, 2);
  assert.equal(watch.leftMs(2), 0);
});
