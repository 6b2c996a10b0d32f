import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParentStats } from './parent-stats.ts';

const pieceBytes = 4 * 2 ** 20;

test('pieces that come side by side and end together are not faster for it', () => {
  const stats = new ParentStats();
  const pairMs = 1_600;
  for (let pair = 0; pair < 4; pair += 1) {
    const startMs = pair * (pairMs + 30);
    stats.delivered(pieceBytes, startMs, startMs + pairMs);
    stats.delivered(pieceBytes, startMs, startMs + pairMs + 30);
  }
  const bytesPerMs = (2 * pieceBytes) / (pairMs + 30);
  assert.ok(stats.bytesPerMs > 0.7 * bytesPerMs && stats.bytesPerMs < 1.4 * bytesPerMs, `${stats.bytesPerMs}`);
});

test('one that gets slower is seen to be so', () => {
  const stats = new ParentStats();
  for (let piece = 0; piece < 10; piece += 1) stats.delivered(pieceBytes, piece * 40, piece * 40 + 40);
  for (let piece = 0; piece < 5; piece += 1) stats.delivered(pieceBytes, 400 + piece * 400, 800 + piece * 400);
  assert.ok(stats.bytesPerMs < 1.2 * (pieceBytes / 400), `${stats.bytesPerMs}`);
});
