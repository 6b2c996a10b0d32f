/** Seeds of the original whose stream breaks while they fetch what a scheduler has called them for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../../shared/decisions.ts';
import { allFeatures, originalFeatures, type PeerFeatures } from '../../shared/events.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import { assertInvariants } from '../invariants.ts';
import { defaultSwarmLimits } from '../limits.ts';
import { Swarm } from '../swarm.ts';

const pieceCount = 10;
const layout = { contentLengthBytes: pieceCount * 2 ** 20, pieceLengthBytes: 2 ** 20 };

/** A seed was called, has connected and has fetched two pieces; one peer holds the first of them. */
function fetching(features: PeerFeatures = originalFeatures): Swarm {
  const swarm = new Swarm({ random: seededRandom(1) });
  for (const hostId of ['seed', 'peer', 'other']) {
    const type = hostId === 'seed' ? 'seed' : 'normal';
    const figures = { loadLimit: 10, maxTxBitsPerSec: 1e9, disableShared: false, announceIntervalMs: 60_000 };
    swarm.announceHost({ hostId, type, idc: '', location: '', ...figures }, 0);
  }
  assert.deepEqual(
    register(swarm, 'peer', allFeatures, 0).map(({ kind }) => kind),
    ['trigger-seed'],
  );
  swarm.calls.answered('seed', 'seed');
  assert.deepEqual(sentToOrigin(register(swarm, 'seed', features, 10)), ['seed']);
  swarm.piecesFinished('seed', { pieces: [0, 1], from: 'source' }, 20);
  swarm.piecesFinished('peer', { pieces: [0], from: 'seed' }, 30);
  return swarm;
}

function register(swarm: Swarm, name: string, features: PeerFeatures, nowMs: number): Decision[] {
  const ids = { peerId: name, taskId: 'task', hostId: name, url: 'http://origin/object' };
  const origin = { needBackToSource: name === 'seed', disableBackToSource: false };
  return swarm.registerPeer({ ...ids, ...origin, priority: 0, knownLayout: layout, features }, nowMs);
}

function sentToOrigin(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((one) => (one.kind === 'grant-origin-lease' ? [one.peerId] : []));
}

/** Ticks whenever the swarm is due, and returns the decisions. */
function wait(swarm: Swarm, fromMs: number, toMs: number): Decision[] {
  const decisions: Decision[] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100) decisions.push(...swarm.tick(nowMs));
  assertInvariants(swarm);
  return decisions;
}

test('while it answers the call nobody else is sent to the origin, and what it tells there is held', () => {
  const { seedTriggerMs } = defaultSwarmLimits;
  const swarm = fetching();
  const decisions = [...swarm.calls.streamBroke('seed', 100), ...swarm.calls.streamBroke('peer', 100)];
  decisions.push(...register(swarm, 'peer', allFeatures, 200));
  for (let piece = 2; piece < 6; piece += 1) {
    const nowMs = piece * seedTriggerMs;
    decisions.push(...wait(swarm, nowMs - seedTriggerMs, nowMs));
    decisions.push(...swarm.calls.told('seed', { pieces: [piece], from: 'source' }, nowMs));
  }
  assert.deepEqual(sentToOrigin(decisions), []);
  assert(swarm.peer('peer')?.parents.has('seed'));
  assert.deepEqual([...(swarm.peer('seed')?.pieces ?? [])], [0, 1, 2, 3, 4, 5]);
});

test('when the call ends well it holds everything', () => {
  const swarm = fetching();
  swarm.calls.streamBroke('seed', 100);
  assert.deepEqual(sentToOrigin(swarm.calls.ended('seed', true, 200)), []);
  assert.equal(swarm.peer('seed')?.state, 'Succeeded');
  assert.equal(swarm.peer('seed')?.pieces.count, pieceCount);
  assertInvariants(swarm);
});

test('when the call fails somebody else fetches what nobody holds', () => {
  const swarm = fetching();
  swarm.calls.streamBroke('seed', 100);
  const decisions = [...swarm.calls.ended('seed', false, 200), ...swarm.seedDownloadFailed('task', 'seed', 200)];
  decisions.push(...wait(swarm, 200, 200 + defaultSwarmLimits.reportGraceMs));
  assert.deepEqual(sentToOrigin(decisions), ['peer']);
  assert.equal(swarm.peer('seed'), undefined);
});

test('a call that says nothing more does not keep others from the origin for ever', () => {
  const { originalLeaseStallMs, retryMs, blockParentMs } = defaultSwarmLimits;
  const swarm = fetching();
  swarm.calls.streamBroke('seed', 100);
  for (const host of ['seed', 'peer'])
    for (let nowMs = 0; nowMs <= originalLeaseStallMs; nowMs += 10_000) {
      const info = swarm.host(host)?.info;
      if (info) swarm.announceHost(info, nowMs);
    }
  const stalledMs = originalLeaseStallMs + 20 + retryMs;
  assert.deepEqual(sentToOrigin(wait(swarm, 100, stalledMs)), ['peer']);
  const laterMs = stalledMs + 2 * blockParentMs; // by then it might be sent again
  const error = { message: 'the origin broke off' };
  const later = [
    ...wait(swarm, stalledMs, laterMs),
    ...swarm.originFailed('peer', { permanent: false, error }, laterMs),
  ];
  later.push(...wait(swarm, laterMs, laterMs + 2 * blockParentMs));
  assert.deepEqual(sentToOrigin(later), ['peer'], 'nobody who does not hear it');
});

test('a stream that breaks before the call has named its peer, of a daemon that comes back, or after the call, is the end', () => {
  const later = fetching();
  later.calls.ended('seed', true, 50);
  const strange = fetching();
  strange.calls.answered('seed', 'other');
  for (const swarm of [later, strange, fetching(allFeatures)]) {
    swarm.calls.streamBroke('seed', 100);
    assert.equal(swarm.peer('seed'), undefined);
    assert.deepEqual(swarm.calls.told('seed', { pieces: [3], from: 'source' }, 200), []);
    assertInvariants(swarm);
  }
});

test('what comes on both ways counts once', () => {
  const swarm = fetching();
  swarm.calls.told('seed', { pieces: [1, 2], from: 'source' }, 40);
  swarm.piecesFinished('seed', { pieces: [2], from: 'source' }, 41);
  assert.deepEqual(Array.from(swarm.task('task')?.holders.subarray(0, 4) ?? []), [2, 1, 1, 0]);
  swarm.calls.told('seed', { pieces: PieceSet.range(0, pieceCount), from: 'source' }, 42);
  swarm.peerFinished('seed', 43);
  assert.deepEqual(swarm.calls.ended('seed', true, 44), []);
  assertInvariants(swarm);
});
