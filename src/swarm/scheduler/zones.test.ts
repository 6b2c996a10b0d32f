import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allFeatures, type RegisterPeer } from '../shared/events.ts';
import { assertInvariants } from './invariants.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';
import { Swarm } from './swarm.ts';

const pieceCount = 10;
const knownLayout = { contentLengthBytes: pieceCount * 2 ** 20, pieceLengthBytes: 2 ** 20 };

/** A host is named after its data centre, and so is its peer. */
const zoneOf = (name: string): string => name.split('-')[0] ?? '';
const names = (zone: string, count: number): string[] =>
  Array.from({ length: count }, (_, place) => `${zone}-${place}`);

function announce(swarm: Swarm, hostId: string): void {
  swarm.announceHost(
    {
      hostId,
      type: 'normal',
      idc: zoneOf(hostId),
      location: '',
      loadLimit: 10,
      maxTxBitsPerSec: 1e9,
      disableShared: false,
      announceIntervalMs: 60_000,
    },
    0,
  );
}

function register(swarm: Swarm, name: string, nowMs: number, more: Partial<RegisterPeer> = {}): void {
  announce(swarm, name);
  swarm.registerPeer(
    {
      peerId: name,
      taskId: 'task',
      hostId: name,
      url: 'http://origin/object',
      priority: 0,
      needBackToSource: false,
      disableBackToSource: false,
      knownLayout,
      features: allFeatures,
      ...more,
    },
    nowMs,
  );
  assertInvariants(swarm);
}

/** One peer in the west holds everything, and the others join. */
function crowd(crossZonePeers: number, others: readonly string[]): Swarm {
  const swarm = new Swarm({ random: seededRandom(1), limits: { crossZonePeers, crossAfterMs: 1000 } });
  register(swarm, 'west-root', 0);
  swarm.piecesFinished('west-root', { pieces: PieceSet.range(0, pieceCount), from: 'source' }, 1);
  swarm.peerFinished('west-root', 1);
  for (const name of others) register(swarm, name, 2);
  return swarm;
}

function parentsOf(swarm: Swarm, name: string): string[] {
  return [...(swarm.peer(name)?.parents.keys() ?? [])];
}

/** The peers that have a parent in another data centre. */
function crossing(swarm: Swarm, peers: readonly string[]): string[] {
  return peers.filter((name) => parentsOf(swarm, name).some((parent) => zoneOf(parent) !== zoneOf(name)));
}

const west = names('west', 20);
const east = names('east', 20);

test('as a rule everybody has parents in every data centre', () => {
  const swarm = crowd(0, [...west, ...east]);
  assert(crossing(swarm, west).length > 15);
  assert(crossing(swarm, east).length > 15);
});

test('where few may cross, a few of each data centre do, and all have a parent', () => {
  const swarm = crowd(2, [...west, ...east]);
  assert.equal(crossing(swarm, east).length, 2);
  assert.deepEqual(crossing(swarm, west), [], 'one of their own has everything');
  for (const name of [...west, ...east]) assert(parentsOf(swarm, name).length > 0, `${name} has no parent`);
});

test('when those that cross are gone, others do', () => {
  const swarm = crowd(2, east);
  const gates = crossing(swarm, east);
  for (const gate of gates) swarm.peerLeft(gate, 3);
  assertInvariants(swarm);
  const left = east.filter((name) => !gates.includes(name));
  const heirs = crossing(swarm, left);
  assert(heirs.length > 0 && heirs.length <= 2, `${heirs.length} cross now`);
});

test('when those that cross have everything, nobody else does', () => {
  const swarm = crowd(1, east);
  const [gate = ''] = crossing(swarm, east);
  swarm.piecesFinished(gate, { pieces: PieceSet.range(0, pieceCount), from: 'west-root' }, 3);
  swarm.peerFinished(gate, 3);
  const late = names('east', 30).slice(east.length);
  for (const name of late) register(swarm, name, 4);
  swarm.tick(500);
  const others = [...east, ...late].filter((name) => name !== gate);
  assert.deepEqual(crossing(swarm, others), []);
  for (const name of others) assert(parentsOf(swarm, name).length > 0, `${name} has no parent`);
  swarm.peerLeft(gate, 600);
  swarm.tick(2000);
  assert.equal(crossing(swarm, others).length, 1, 'the content has left the data centre with it');
});

test('a data centre with a part of the content goes on crossing for the rest', () => {
  const swarm = crowd(1, []);
  register(swarm, 'east-part', 3, { range: { start: 0, length: 2 ** 20 } });
  swarm.piecesFinished('east-part', { pieces: PieceSet.range(0, 1), from: 'west-root' }, 4);
  swarm.peerFinished('east-part', 4);
  for (const name of east) register(swarm, name, 5);
  assert.equal(crossing(swarm, east).length, 1);
});

test('whoever gets nothing for a while is helped by his own data centre first, and in the end from afar', () => {
  const swarm = crowd(1, ['east-0', 'east-1']);
  swarm.piecesFinished('east-0', { pieces: PieceSet.range(0, 1), from: 'west-root' }, 3);
  swarm.piecesFinished('east-1', { pieces: PieceSet.range(0, 1), from: 'east-0' }, 4);
  const pause = (fromMs: number, toMs: number): void => {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100) swarm.tick(nowMs);
    assertInvariants(swarm);
  };
  pause(100, 9_500);
  assert.deepEqual(crossing(swarm, ['east-1']), [], 'the one that crosses may be busy');
  pause(9_600, 13_000);
  assert.deepEqual(crossing(swarm, ['east-1']), ['east-1']);
});

test('whoever gets no parent nearby gets one far away in the end', () => {
  const swarm = crowd(1, ['east-0', 'east-1']);
  assert.deepEqual(parentsOf(swarm, 'east-1'), ['east-0']);
  swarm.reschedule('east-1', ['east-0'], 10);
  assert.deepEqual(parentsOf(swarm, 'east-1'), []);
  swarm.tick(1100);
  assert.deepEqual(parentsOf(swarm, 'east-1'), ['west-root']);
  assertInvariants(swarm);
});

test('a wait for the first source does not make everybody cross', () => {
  const swarm = new Swarm({ random: seededRandom(1), limits: { crossZonePeers: 2, crossAfterMs: 1000 } });
  announce(swarm, 'west-seed');
  for (const name of east) register(swarm, name, 0, { disableBackToSource: true });
  register(swarm, 'west-seed', 5000, { needBackToSource: true });
  for (const name of east) assert(parentsOf(swarm, name).length > 0, `${name} has no parent`);
  assert.equal(crossing(swarm, east).length, 2);
});

test('who reads a part, and who does not say where it is, crosses all the same', () => {
  const swarm = crowd(1, ['east-0']);
  register(swarm, 'east-1', 4, { range: { start: 0, length: 2 ** 20 } });
  register(swarm, '-1', 4);
  assert(parentsOf(swarm, 'east-1').includes('west-root'));
  assert(parentsOf(swarm, '-1').includes('west-root'));
});
