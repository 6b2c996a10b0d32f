/** Events that must be rejected, and must not be applied in part. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allFeatures, type HeldTask, type HostInfo, type RegisterPeer } from '../shared/events.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';
import { assertInvariants } from './invariants.ts';
import type { SwarmLimits } from './limits.ts';
import { Swarm } from './swarm.ts';

const layout = { contentLengthBytes: 2 * 2 ** 20, pieceLengthBytes: 2 ** 20 };
const other = { contentLengthBytes: 5 * 2 ** 20, pieceLengthBytes: 2 ** 20 };

function swarmOf(hosts: readonly string[], limits: Partial<SwarmLimits> = {}): Swarm {
  const swarm = new Swarm({ random: seededRandom(1), limits });
  for (const hostId of hosts) swarm.announceHost(hostInfo(hostId), 0);
  return swarm;
}

function hostInfo(hostId: string): HostInfo {
  return {
    hostId,
    type: 'normal',
    idc: '',
    location: '',
    loadLimit: 10,
    maxTxBitsPerSec: 1e9,
    disableShared: false,
    announceIntervalMs: 60_000,
  };
}

/** The peer is named after its host. */
function registration(name: string, fields: Partial<RegisterPeer> = {}): RegisterPeer {
  return {
    peerId: name,
    taskId: 'task',
    hostId: name,
    url: 'http://origin/object',
    priority: 0,
    needBackToSource: false,
    disableBackToSource: false,
    features: allFeatures,
    ...fields,
  };
}

function holding(pieces: readonly number[], known = layout): HeldTask {
  return { taskId: 'task', peerId: 'a', url: 'http://origin/object', layout: known, pieces: PieceSet.of(pieces) };
}

test('a holding outside its own layout leaves neither peer nor task, and no decision for the next event', () => {
  const swarm = swarmOf(['a', 'b']);
  assert.throws(() => swarm.announceHeld('a', holding([5]), 1), { code: 'INVALID_ARGUMENT' });
  assert.deepEqual(swarm.counts, { hosts: 2, tasks: 0, peers: 0 });
  const decisions = swarm.registerPeer(registration('b'), 2);
  assert.deepEqual(
    decisions.map(({ kind }) => kind),
    ['grant-origin-lease'],
  );
});

test('a holding that contradicts what is known is rejected, a known peer is left as it is', () => {
  const swarm = swarmOf(['a', 'b']);
  swarm.announceHeld('a', holding([0]), 1);
  assert.throws(() => swarm.announceHeld('b', { ...holding([0], other), peerId: 'b' }, 2), {
    code: 'INVALID_ARGUMENT',
  });
  assert.equal(swarm.peer('b'), undefined);
  assert.deepEqual(swarm.announceHeld('a', holding([0, 1]), 3), []);
  assert.equal(swarm.peer('a')?.pieces.count, 1);
});

test('a layout that can be no content is rejected before anything counts by it', () => {
  const swarm = swarmOf(['a']);
  swarm.registerPeer(registration('a'), 1);
  for (const bad of [
    { contentLengthBytes: 2 ** 50, pieceLengthBytes: 1 },
    { contentLengthBytes: 1, pieceLengthBytes: 0 },
    { contentLengthBytes: Number.NaN, pieceLengthBytes: 1 },
  ])
    assert.throws(() => swarm.taskMetadata('a', bad, 2, false), { code: 'INVALID_ARGUMENT' });
  assert.equal(swarm.task('task')?.layout, undefined);
  assert.equal(swarm.task('task')?.ranges, undefined);
});

test('a rejected registration of a known peer takes neither its lease nor its children', () => {
  const swarm = swarmOf(['a', 'b']);
  swarm.registerPeer(registration('a', { knownLayout: layout }), 1);
  swarm.piecesFinished('a', { pieces: [0], from: 'source' }, 2);
  swarm.registerPeer(registration('b'), 3);
  assert(swarm.peer('b')?.parents.has('a'));
  for (const wrong of [
    { knownLayout: other },
    { heldPieces: PieceSet.of([2]) },
    { hostId: 'nobody' },
    { taskId: 'another', knownLayout: { contentLengthBytes: 1, pieceLengthBytes: -1 } },
  ])
    assert.throws(() => swarm.registerPeer(registration('a', wrong), 4), { name: 'DragonflyError' });
  assert(swarm.peer('a')?.lease);
  assert(swarm.peer('b')?.parents.has('a'));
  assertInvariants(swarm);
  const decisions = swarm.peerLeft('a', 5);
  assert.deepEqual(
    decisions.map(({ kind, peerId }) => [kind, peerId]),
    [['withdraw-parents', 'b']],
  );
});

test('what is over a limit is rejected, a known peer may come again', () => {
  const swarm = swarmOf(['a', 'b', 'c'], { peersPerTask: 2, tasks: 1, hosts: 3 });
  swarm.registerPeer(registration('a'), 1);
  swarm.registerPeer(registration('b'), 2);
  const full = { code: 'RESOURCE_EXHAUSTED' };
  assert.throws(() => swarm.registerPeer(registration('c'), 3), full);
  assert.throws(() => swarm.registerPeer(registration('c', { taskId: 'another' }), 3), full);
  assert.throws(() => swarm.announceHost(hostInfo('d'), 3), full);
  assert.deepEqual(swarm.counts, { hosts: 3, tasks: 1, peers: 2 });
  swarm.registerPeer(registration('b'), 4);
  assert.equal(swarm.counts.peers, 2);
});

test('a report or an end that cannot be is no sign of life', () => {
  const swarm = swarmOf(['a']);
  swarm.registerPeer(registration('a', { knownLayout: layout }), 1);
  swarm.piecesFinished('a', { pieces: [0, 1], from: 'source' }, 2);
  swarm.peerFinished('a', 2);
  assert.throws(() => swarm.piecesFinished('a', { pieces: [0, 7], from: 'source' }, 9), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => swarm.piecesFinished('a', { pieces: [-1], from: 'source' }, 9), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => swarm.peerFinished('a', 9), { code: 'FAILED_PRECONDITION' });
  assert.equal(swarm.peer('a')?.updatedAtMs, 2);
  assert.equal(swarm.host('a')?.lastSeenMs, 2);
});

test('pieces reported before anybody knew the layout count only if the content has them', () => {
  const swarm = swarmOf(['a', 'b']);
  swarm.registerPeer(registration('a', { heldPieces: PieceSet.of([0, 9]) }), 1);
  swarm.registerPeer(registration('b', { knownLayout: layout }), 2);
  assertInvariants(swarm);
  assert.deepEqual(Array.from(swarm.peer('a')?.pieces ?? []), [0]);
  const granted = swarm.piecesFinished('a', { pieces: [0], from: 'source' }, 3);
  assertInvariants(swarm);
  assert(!granted.some(({ kind }) => kind === 'revoke-origin-lease'), 'the other piece is still missing');
});
