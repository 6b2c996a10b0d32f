/** Which peers may wait for content that nobody is fetching, and which are refused at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../shared/decisions.ts';
import { allFeatures, type RegisterPeer } from '../shared/events.ts';
import { seededRandom } from '../shared/random.ts';
import { assertInvariants } from './invariants.ts';
import { defaultSwarmLimits } from './limits.ts';
import { Swarm } from './swarm.ts';

const host = {
  idc: '',
  location: '',
  loadLimit: 10,
  maxTxBitsPerSec: 1e9,
  disableShared: false,
  announceIntervalMs: 60_000,
};

function newSwarm(hosts: readonly string[]): Swarm {
  const swarm = new Swarm({ random: seededRandom(1) });
  for (const hostId of hosts) swarm.announceHost({ ...host, hostId, type: hostId === 'seed' ? 'seed' : 'normal' }, 0);
  return swarm;
}

/** The peer may not go to the origin unless it is a seed. */
function register(swarm: Swarm, name: string, more: Partial<RegisterPeer> = {}, nowMs = 0): Decision[] {
  const isSeed = name === 'seed';
  const origin = { needBackToSource: isSeed, disableBackToSource: !isSeed, features: allFeatures };
  const names = { peerId: name, hostId: name, taskId: 'task', url: 'http://origin/object' };
  const decisions = swarm.registerPeer({ ...names, priority: 0, ...origin, ...more }, nowMs);
  assertInvariants(swarm);
  return decisions;
}

function refused(decisions: readonly Decision[]): unknown[] {
  return decisions.flatMap((one) => (one.kind === 'fail-peer' ? [[one.peerId, one.code]] : []));
}

const hasFallback = true;

test('who has another way is told at once that nobody brings the content, others wait for somebody who may', () => {
  const swarm = newSwarm(['peer', 'other']);
  assert.deepEqual(refused(register(swarm, 'other')), []);
  assert.deepEqual(refused(register(swarm, 'peer', { hasFallback })), [['peer', 'FAILED_PRECONDITION']]);
  assert.deepEqual(refused(swarm.tick(defaultSwarmLimits.waitMs - 1)), []);
  assert.deepEqual(refused(swarm.tick(defaultSwarmLimits.waitMs)), [['other', 'FAILED_PRECONDITION']]);
});

test('not while a seed may come, and as soon as it does not', () => {
  const swarm = newSwarm(['seed', 'peer']);
  const asked = register(swarm, 'peer', { hasFallback });
  assert.deepEqual(
    asked.map(({ kind }) => kind),
    ['trigger-seed'],
  );
  assert.deepEqual(refused(swarm.seedDownloadFailed('task', 'seed', 1)), [['peer', 'FAILED_PRECONDITION']]);
});

test('not while somebody who may is at it, and in the event in which that one leaves', () => {
  const swarm = newSwarm(['worker', 'peer']);
  register(swarm, 'worker', { disableBackToSource: false });
  assert.deepEqual(refused(register(swarm, 'peer', { hasFallback }, 1)), []);
  const left = swarm.peerLeft('worker', 2);
  const later = swarm.tick(2 + defaultSwarmLimits.reportGraceMs);
  assert.deepEqual(refused([...left, ...later]), [['peer', 'FAILED_PRECONDITION']]);
});

test('a scheduler that has just started may hear of somebody still', () => {
  const swarm = new Swarm({ random: seededRandom(1), startedAtMs: 0 });
  swarm.announceHost({ ...host, hostId: 'peer', type: 'normal' }, 0);
  assert.deepEqual(refused(register(swarm, 'peer', { hasFallback }, 1)), []);
  assert.deepEqual(refused(swarm.tick(defaultSwarmLimits.resumeMs + 1)), [['peer', 'FAILED_PRECONDITION']]);
});
