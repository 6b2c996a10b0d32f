/** Who may speak for a host that is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '../../src/rpc/server/caller.ts';
import { Host } from '../../gen/common/v2/common.ts';
import { HostRegistry } from '../../src/scheduler/hosts/host-registry.ts';
import {
  ownerOf,
  requireAnnounceable,
  requireNode,
  requireOwnHost,
  requireSeed,
} from '../../src/scheduler/hosts/own-host.ts';
import { Swarm } from '../../src/swarm/scheduler/swarm.ts';

const id = '10.9.0.1-node';
const address = '10.9.0.1';
const intervalMs = 300_000;
const normal = { type: 'normal', idc: '', location: '', maxTxBitsPerSec: 0, disableShared: false } as const;

function calling(peerHost: string, hostId?: string) {
  const remote = { address: peerHost, onThisMachine: false };
  const caller: Caller =
    hostId === undefined
      ? { kind: 'stranger', ...remote }
      : { kind: 'member', role: 'peer', hostId, clusterId: undefined, proof: 'certificate', ...remote };
  return { caller, identityRequired: false, peerHost };
}

function clusterWith(owner: ReturnType<typeof calling>, { seenMsAgo = 0, holders = 0 } = {}) {
  const hosts = new HostRegistry();
  const swarm = new Swarm({ random: Math.random });
  hosts.announce(Host.fromPartial({ id }), { unreachable: false, owner: ownerOf(owner) });
  const known = hosts.get(id);
  if (known) known.holders = holders;
  swarm.announceHost({ hostId: id, announceIntervalMs: intervalMs, ...normal }, performance.now() - seenMsAgo);
  return { hosts, swarm };
}

const refused = { code: 'PERMISSION_DENIED' };
const may = (from: ReturnType<typeof calling>, cluster: ReturnType<typeof clusterWith>) => (): void =>
  requireOwnHost(id, from, cluster);

test('a host without a certificate is spoken for from where it was announced', () => {
  const cluster = clusterWith(calling(address));
  assert.doesNotThrow(may(calling(address), cluster));
  assert.throws(may(calling('10.9.0.2'), cluster), refused);
  assert.throws(may(calling('127.0.0.1'), cluster), refused, 'nor by programs of the machine of the scheduler');
});

test('whoever is named by the address he calls from comes before one who is not', () => {
  const cluster = clusterWith(calling('10.9.0.2'), { holders: 1 });
  assert.doesNotThrow(may(calling(address), cluster), 'somebody had taken its name');
  assert.throws(may(calling('10.9.0.3'), cluster), refused);
});

test('one that has moved is taken over when the old one is silent', () => {
  const moved = calling('10.9.0.7');
  assert.throws(may(moved, clusterWith(calling(address), { seenMsAgo: intervalMs })), refused);
  assert.doesNotThrow(may(moved, clusterWith(calling(address), { seenMsAgo: 2 * intervalMs })));
  const held = clusterWith(calling(address), { seenMsAgo: 2 * intervalMs, holders: 1 });
  assert.throws(may(moved, held), refused, 'a stream holds it');
});

test('what has shown a certificate is not spoken for without one', () => {
  const cluster = clusterWith(calling(address, id), { holders: 1, seenMsAgo: 2 * intervalMs });
  assert.doesNotThrow(may(calling('10.9.0.9', id), cluster));
  assert.throws(may(calling(address), cluster), refused);
  assert.throws(may(calling(address, '10.9.0.1-other'), cluster), refused, 'nor with that of another');
  assert.doesNotThrow(may(calling(address), clusterWith(calling(address, id))), 'unless it is gone: a step back');
});

test('a certificate is for one place, and nobody is sent elsewhere with it', () => {
  const cluster = clusterWith(calling(address, id));
  const announce = (ip: string, from: ReturnType<typeof calling>) => (): void =>
    requireAnnounceable(Host.fromPartial({ id, ip }), from, cluster);
  assert.doesNotThrow(announce(address, calling('10.8.0.1', id)), 'also from behind a translated address');
  assert.throws(announce('10.9.0.2', calling(address, id)), refused);
  assert.throws(announce('10.9.0.11', calling(address, id)), refused);
  const plain = clusterWith(calling(address));
  assert.doesNotThrow(
    () => requireAnnounceable(Host.fromPartial({ id, ip: '192.0.2.1' }), calling(address), plain),
    'without certificates addresses are translated, and nobody can tell',
  );
});

test('what is open to everybody is the word of a seed, by its certificate', () => {
  const seed = calling(address, id);
  const asSeed = { ...seed, caller: { ...seed.caller, role: 'seed', proof: 'certificate' } as Caller };
  assert.doesNotThrow(() => requireSeed(asSeed));
  assert.throws(() => requireSeed(seed), refused, 'a peer');
  assert.throws(() => requireSeed(calling(address)), refused, 'a stranger');
  const byKey = { ...asSeed, caller: { ...asSeed.caller, proof: 'key' } as Caller };
  assert.throws(() => requireSeed(byKey), refused);
});

test('what tasks there are is told to machines with a node', () => {
  const cluster = clusterWith(calling(address));
  assert.doesNotThrow(() => requireNode(calling(address), cluster));
  assert.doesNotThrow(() => requireNode(calling('127.0.0.1'), cluster));
  assert.doesNotThrow(() => requireNode(calling('10.9.0.9', id), cluster));
  assert.throws(() => requireNode(calling('10.9.0.2'), cluster), refused);
  cluster.hosts.delete(id);
  assert.throws(() => requireNode(calling(address), cluster), refused);
});

/** A host that others told of: who may announce it, and who may speak for it before. */
function introduced(from: ReturnType<typeof calling>) {
  const hosts = new HostRegistry();
  const swarm = new Swarm({ random: Math.random });
  const host = Host.fromPartial({ id, ip: address });
  hosts.announce(host, { unreachable: false, owner: { isCertified: false, address }, introduced: true });
  swarm.announceHost({ hostId: id, announceIntervalMs: intervalMs, ...normal }, performance.now());
  const announce = (caller: ReturnType<typeof calling>): void => requireAnnounceable(host, caller, { hosts, swarm });
  const announceFirst = (): void => {
    announce(from);
    hosts.announce(host, { unreachable: false, owner: ownerOf(from) });
  };
  return { cluster: { hosts, swarm }, announce, announceFirst };
}

const unknown = { code: 'HOST_UNKNOWN' };
const introductions = [
  { name: 'from where it is said to be', from: calling(address), before: undefined },
  { name: 'from elsewhere', from: calling('10.9.0.7'), before: unknown },
  { name: "from the scheduler's own machine", from: calling('127.0.0.1'), before: unknown },
  { name: 'with its certificate, from elsewhere', from: calling('10.9.0.7', id), before: undefined },
];

for (const { name, from, before } of introductions)
  test(`a host that others told of announces itself ${name}`, () => {
    const { cluster, announceFirst } = introduced(from);
    if (before) assert.throws(may(from, cluster), before, 'until then it is not announced');
    else assert.doesNotThrow(may(from, cluster));
    announceFirst();
    assert.equal(cluster.hosts.get(id)?.introduced, false);
    assert.doesNotThrow(may(from, cluster), 'from then on it is its own');
    const certified = ownerOf(from).isCertified;
    const stranger = calling('10.9.0.8');
    assert.throws(may(stranger, cluster), refused);
    assert.throws(() => requireAnnounceable(Host.fromPartial({ id, ip: address }), stranger, cluster), refused);
    if (certified) assert.throws(may(calling(address), cluster), refused);
  });

test('what others told of a host gives nobody any right', () => {
  const { cluster } = introduced(calling(address));
  assert.throws(() => requireNode(calling(address), cluster), refused, 'its machine is not known to have a node');
  assert.throws(may(calling(address, '10.9.0.1-other'), cluster), refused, 'nor has a certificate of another');
  for (const stranger of [calling('10.9.0.7'), calling('127.0.0.1')]) assert.throws(may(stranger, cluster), unknown);
});
