import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../swarm/shared/decisions.ts';
import { allFeatures, type HostInfo } from '../swarm/shared/events.ts';
import { seededRandom } from '../swarm/shared/random.ts';
import { Swarm } from '../swarm/scheduler/swarm.ts';
import { SwarmDriver } from './swarm-driver.ts';

const host: HostInfo = {
  hostId: 'a',
  type: 'normal',
  idc: '',
  location: '',
  maxTxBitsPerSec: 0,
  disableShared: false,
  announceIntervalMs: 30_000,
};

test('an event that throws delivers nothing, writes nothing beside the swarm, and the swarm is ticked all the same', async () => {
  // The lease of the only peer stalls within moments and is then granted anew.
  const swarm = new Swarm({ random: seededRandom(1), limits: { leaseStallMs: 5, blockParentMs: 5 } });
  const delivered: Decision[] = [];
  const revoked = Promise.withResolvers<void>();
  await using driver = new SwarmDriver({
    swarm,
    deliver: (decision) => {
      delivered.push(decision);
      if (decision.kind === 'revoke-origin-lease') revoked.resolve();
    },
  });
  const order: string[] = [];
  // Called on the swarm directly, so that the driver has not set a timer yet.
  swarm.announceHost(host, performance.now());
  const request = {
    peerId: 'p',
    taskId: 't',
    hostId: 'a',
    url: 'http://origin/x',
    priority: 0,
    needBackToSource: true,
    disableBackToSource: false,
    features: allFeatures,
  };
  swarm.registerPeer(request, performance.now());
  const unknown = (): void =>
    driver.run(
      (each, nowMs) => each.peerFinished('nobody', nowMs),
      () => order.push('taken'),
    );
  assert.throws(unknown, { code: 'PEER_UNKNOWN' });
  assert.deepEqual([order, delivered], [[], []]);
  await revoked.promise;
  driver.run(
    (each, nowMs) => each.registerPeer({ ...request, peerId: 'q' }, nowMs),
    () => order.push(`taken with ${delivered.filter(({ peerId }) => peerId === 'q').length} delivered`),
  );
  assert.deepEqual(order, ['taken with 0 delivered']);
});
