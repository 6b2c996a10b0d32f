import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrafficFrame, TrafficShare } from '../../../gen/scheduler/v2/live.ts';
import { ToldTraffic } from './traffic-feed.ts';

const frame = (startedAtMs: number, uptimeMs: number, peerBytes: number, more = false) =>
  TrafficFrame.fromPartial({
    startedAtMs,
    uptimeMs,
    more,
    shares: [TrafficShare.fromPartial({ kind: 'tag', name: 'a', peerBytes })],
  });
const bytes = (shares: readonly TrafficShare[]) => shares.map(({ peerBytes }) => peerBytes);

test('what came before anybody listened is not counted, what comes after it is, once', () => {
  const told = new ToldTraffic(1_000);
  assert.deepEqual(bytes(told.grown(frame(7, 60_000, 100), 2_000)), []);
  assert.deepEqual(bytes(told.grown(frame(7, 61_000, 130), 3_000)), [30]);
  // The connection broke, so everything is sent again.
  assert.deepEqual(bytes(told.grown(frame(7, 65_000, 135), 7_000)), [5]);
});

test('a scheduler that started while somebody listened has told everything, whatever its clock says', () => {
  const told = new ToldTraffic(1_000);
  assert.deepEqual(bytes(told.grown(frame(999_999_999, 500, 100, true), 2_000)), [100]);
  assert.deepEqual(bytes(told.grown(frame(7, 200, 50), 9_000)), [50]);
});
