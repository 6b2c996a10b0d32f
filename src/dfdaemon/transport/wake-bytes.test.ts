import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maxWakeBytes } from './limits.ts';
import { wakeBytes } from './wake-bytes.ts';

test('never waits for more than is due, and never for nothing', () => {
  const bytes = fc.integer({ min: 0, max: 2 ** 30 });
  fc.assert(
    fc.property(bytes, fc.double({ min: 0, max: 1e9, noNaN: true }), (due, pace) => {
      const wake = wakeBytes(due, pace);
      assert.ok(wake >= 1 && wake <= Math.max(1, due) && wake <= maxWakeBytes, `${wake} of ${due} at ${pace}`);
    }),
  );
});

test('a fast line is taken in large parts, a slow one and the end of a body as they come', () => {
  assert.equal(wakeBytes(4 * 2 ** 20, 20_000), 32 * 1024); // 160 Mbit/s
  assert.equal(wakeBytes(4 * 2 ** 20, 1_250_000), maxWakeBytes);
  assert.equal(wakeBytes(4 * 2 ** 20, 1000), 1);
  assert.equal(wakeBytes(5000, 1_250_000), 1);
  assert.equal(wakeBytes(0, 1_250_000), 1);
});
