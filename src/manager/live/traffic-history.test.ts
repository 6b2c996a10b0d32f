import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trafficHistoryMs } from '../limits.ts';
import { TrafficHistory } from './traffic-history.ts';

const cluster = (id: number, originBytes: number, peerBytes: number) => ({
  scheduler_cluster_id: id,
  origin_bytes: originBytes,
  peer_bytes: peerBytes,
  hosts: 1,
  peers_running: 1,
});

test('a step is what all clusters together have got since the one before', () => {
  const history = new TrafficHistory();
  assert.deepEqual(history.add(1_000, [cluster(1, 10, 100)]).grown, { at: 1_000, origin_bytes: 0, peer_bytes: 0 });
  // A new cluster's bytes are not counted as received within this second.
  const { grown } = history.add(2_000, [cluster(1, 15, 170), cluster(2, 1_000, 1_000)]);
  assert.deepEqual(grown, { at: 2_000, origin_bytes: 5, peer_bytes: 70 });
  // The first cluster's scheduler has restarted.
  assert.deepEqual(history.add(3_000, [cluster(1, 1, 1), cluster(2, 1_002, 1_003)]).grown, {
    at: 3_000,
    origin_bytes: 2,
    peer_bytes: 3,
  });
  assert.deepEqual(
    history.steps.map(({ at }) => at),
    [1_000, 2_000, 3_000],
  );
});

test('the history is of some minutes, and ends where nobody looked', () => {
  const history = new TrafficHistory();
  for (let atMs = 0; atMs <= 2 * trafficHistoryMs; atMs += 1_000) history.add(atMs, [cluster(1, atMs, atMs)]);
  assert.equal(history.steps.length, trafficHistoryMs / 1_000);
  history.clear();
  assert.deepEqual(history.steps, []);
  assert.equal(history.add(9_000_000, [cluster(1, 5e9, 5e9)]).grown.peer_bytes, 0);
});
