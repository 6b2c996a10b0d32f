import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from './rate-meter.ts';

test('a steady stream is measured as what it is, and forgotten when it stops', () => {
  const meter = new RateMeter();
  for (let nowMs = 0; nowMs < 1000; nowMs += 1) meter.add(1000, nowMs);
  const rate = meter.bytesPerSec(999);
  assert(Math.abs(rate - 1e6) < 2e4, `${rate}`);
  assert.equal(meter.bytesPerSec(2000), 0);
});

test('a long pause leaves nothing behind', () => {
  const meter = new RateMeter();
  meter.add(5000, 10);
  meter.add(1000, 100_000);
  assert(meter.bytesPerSec(100_000) < 20_000);
});

test('the latest rate follows a change at once', () => {
  const meter = new RateMeter();
  for (let nowMs = 0; nowMs < 1000; nowMs += 1) meter.add(nowMs < 900 ? 1000 : 100, nowMs);
  assert(Math.abs(meter.latestBytesPerSec(999) - 1e5) < 2e3, `${meter.latestBytesPerSec(999)}`);
  assert(meter.bytesPerSec(999) > 5e5);
});
