import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pulse } from './pulse.ts';

const limits = { silentMs: 700, mostMs: 10_000, lateMs: 50 };

test('who is heard of regularly is silent after a few gaps, and not at once', () => {
  const pulse = new Pulse(limits, 100, 0);
  for (let nowMs = 100; nowMs <= 1000; nowMs += 100) pulse.heard(nowMs);
  assert.equal(pulse.silentAtMs, 1700);
  assert.equal(pulse.isSilent(1699), false);
  assert.equal(pulse.isSilent(1700), true);
});

test('long gaps are remembered for a while, and nobody is waited for longer than the limit', () => {
  const pulse = new Pulse(limits, 100, 0);
  pulse.heard(500);
  assert.equal(pulse.silentAtMs, 2500);
  for (let beat = 1; beat <= 30; beat += 1) pulse.heard(500 + 100 * beat);
  assert.equal(pulse.silentAtMs, 3500 + 700);
  pulse.heard(100_000);
  assert.equal(pulse.silentAtMs, 110_000);
});

test('who looks late waits once more', () => {
  const pulse = new Pulse(limits, 100, 0);
  assert.equal(pulse.isSilent(3000), false, 'what came meanwhile is read first');
  assert.equal(pulse.silentAtMs, 3700);
  assert.equal(pulse.isSilent(3700), true);
});
