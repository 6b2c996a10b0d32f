import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pulse, Rhythm } from './pulse.ts';

const limits = { silentMs: 700, mostMs: 10_000, lateMs: 50 };

test('who is heard of regularly is silent after a few gaps, and not at once', () => {
  const pulse = new Pulse(limits, { everyMs: 100, rhythm: new Rhythm() }, 0);
  for (let nowMs = 100; nowMs <= 1000; nowMs += 100) pulse.heard(nowMs);
  assert.equal(pulse.silentAtMs, 1700);
  assert.equal(pulse.isSilent(1699), false);
  assert.equal(pulse.isSilent(1700), true);
});

test('long gaps are remembered for a while, and nobody is waited for longer than the limit', () => {
  const pulse = new Pulse(limits, { everyMs: 100, rhythm: new Rhythm() }, 0);
  pulse.heard(500);
  assert.equal(pulse.silentAtMs, 2500);
  for (let beat = 1; beat <= 100; beat += 1) pulse.heard(500 + 100 * beat);
  assert.equal(pulse.silentAtMs, 10_500 + 700);
  pulse.heard(100_000);
  assert.equal(pulse.silentAtMs, 110_000);
});

test('who looks late waits once more', () => {
  const pulse = new Pulse(limits, { everyMs: 100, rhythm: new Rhythm() }, 0);
  assert.equal(pulse.isSilent(3000), false, 'what came meanwhile is read first');
  assert.equal(pulse.silentAtMs, 3700);
  assert.equal(pulse.isSilent(3700), true);
});

test('a host that was late with one lease is waited for with the next', () => {
  const rhythm = new Rhythm();
  new Pulse(limits, { everyMs: 100, rhythm }, 0).heard(500);
  const next = new Pulse(limits, { everyMs: 100, rhythm }, 1000);
  assert.equal(next.isSilent(1700), false);
  assert.ok(next.silentAtMs > 2500);
  assert.equal(next.isSilent(next.silentAtMs), true);
});

test('whoever has said something else meanwhile lives', () => {
  const pulse = new Pulse(limits, { everyMs: 100, rhythm: new Rhythm() }, 0);
  assert.equal(pulse.isSilent(700, 300), false);
  assert.equal(pulse.silentAtMs, 1000);
  assert.equal(pulse.isSilent(1000, 300), true);
});
