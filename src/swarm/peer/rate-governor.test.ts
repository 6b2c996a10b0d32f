import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateGovernor } from './rate-governor.ts';

test('the first transfer is always welcome; another one only while a tenth of a known line is idle', () => {
  const governor = new RateGovernor({ capacityBytesPerSec: 1000 });
  assert(governor.mayAdd(0, 0, 5000));
  assert(governor.mayAdd(1, 0, 900));
  assert.equal(governor.mayAdd(1, 0, 901), false);
});

test('an infinite line takes any number', () => {
  const governor = new RateGovernor({ capacityBytesPerSec: Number.POSITIVE_INFINITY });
  governor.added(5, 0, 1e12);
  assert(governor.mayAdd(6, 0, 1e12));
});

test('a transfer needs time to take its share before the next', () => {
  const governor = new RateGovernor({ capacityBytesPerSec: 1000, settleMs: 20 });
  governor.added(1, 0, 100);
  assert.equal(governor.mayAdd(2, 19, 100), false);
  assert(governor.mayAdd(2, 20, 100));
});

test('an unknown line is full when one more brought no more, believed for a while', () => {
  const governor = new RateGovernor({ settleMs: 100 });
  assert(governor.mayAdd(1, 0, 500));
  governor.added(1, 0, 500);
  assert.equal(governor.mayAdd(2, 100, 510), false);
  assert.equal(governor.mayAdd(2, 10_099, 510), false);
  assert(governor.mayAdd(2, 10_100, 510));
});

test('an unknown line has room while one more brings more', () => {
  const governor = new RateGovernor({ settleMs: 100 });
  governor.added(1, 0, 500);
  assert(governor.mayAdd(2, 100, 600));
});

test('a line that was seen to carry twice as much has room at once', () => {
  const governor = new RateGovernor();
  governor.added(0, 0, 0);
  assert.equal(governor.mayAdd(1, 100, 1000), false, 'too soon to say whether one more would help');
  governor.added(0, 200, 1000);
  assert.equal(governor.mayAdd(1, 274, 900, 300), false, 'the latest rate is still that of the last transfer');
  assert.equal(governor.mayAdd(1, 275, 900, 500), false);
  assert(governor.mayAdd(1, 275, 900, 499));
});
