/** The scheduler's swarm in single scenarios; swarm.property.test.ts searches for the unforeseen ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../shared/decisions.ts';
import { allFeatures, originalFeatures, type HostInfo, type RegisterPeer } from '../shared/events.ts';
import { assertInvariants } from './invariants.ts';
import { defaultSwarmLimits, type SwarmLimits } from './limits.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';
import { Swarm } from './swarm.ts';

const pieceCount = 10;
const layout = { contentLengthBytes: pieceCount * 2 ** 20, pieceLengthBytes: 2 ** 20 };

function newSwarm(hosts: readonly string[], limits: Partial<SwarmLimits> = {}): Swarm {
  const swarm = new Swarm({ random: seededRandom(1), limits });
  for (const hostId of hosts) swarm.announceHost(hostInfo(hostId), 0);
  return swarm;
}

function hostInfo(hostId: string): HostInfo {
  return {
    hostId,
    type: hostId.startsWith('seed') ? 'seed' : 'normal',
    idc: '',
    location: '',
    loadLimit: 10,
    maxTxBitsPerSec: 1e9,
    disableShared: false,
    announceIntervalMs: 60_000,
  };
}

/** The peer is named after its host. */
function registration(name: string, priority = 0): RegisterPeer {
  return {
    peerId: name,
    taskId: 'task',
    hostId: name,
    url: 'http://origin/object',
    priority,
    needBackToSource: name.startsWith('seed'),
    disableBackToSource: false,
    knownLayout: layout,
    features: allFeatures,
  };
}

function register(swarm: Swarm, name: string, nowMs: number, priority = 0): Decision[] {
  return swarm.registerPeer(registration(name, priority), nowMs);
}

function leases(decisions: readonly Decision[]): unknown[] {
  return decisions.flatMap((one) => (one.kind === 'grant-origin-lease' ? [{ peer: one.peerId, ...one.range }] : []));
}

/** One peer holds everything, and another is its child. */
function parentAndChild(): Swarm {
  const swarm = newSwarm(['parent', 'child', 'stranger']);
  register(swarm, 'parent', 0);
  swarm.piecesFinished('parent', { pieces: PieceSet.range(0, pieceCount), from: 'source' }, 1);
  swarm.peerFinished('parent', 1);
  register(swarm, 'child', 2);
  assert(swarm.peer('child')?.parents.has('parent'));
  return swarm;
}

test('a piece that its last holder lacks after all is leased at once, the parent stays', () => {
  const swarm = parentAndChild();
  const decisions = swarm.pieceFailed('child', 'parent', 'not-held', 3, 4);
  assert.deepEqual(leases(decisions), [{ peer: 'child', first: 4, end: 5 }]);
  assert.equal(swarm.task('task')?.holders[4], 0);
  assert(swarm.peer('child')?.parents.has('parent'));
  assertInvariants(swarm);
  swarm.piecesFinished('parent', { pieces: [4], from: 'source' }, 4);
  assert.equal(swarm.task('task')?.holders[4], 1, 'the next report of the parent counts again');
});

test('while one of the original is at the origin, which fetches all that it lacks, nobody else is sent for a part of it', () => {
  const swarm = newSwarm(['seed', 'one', 'two']);
  for (const name of ['one', 'two']) swarm.registerPeer({ ...registration(name), heldPieces: PieceSet.of([2, 6]) }, 0);
  const decisions = swarm.registerPeer({ ...registration('seed'), features: originalFeatures }, 0);
  const later = swarm.piecesFinished('seed', { pieces: [0, 1, 2, 3, 4, 5], from: 'source' }, 1000);
  assert.deepEqual(leases([...decisions, ...later]), [{ peer: 'seed', first: 0, end: pieceCount }]);
  assertInvariants(swarm);
});

test('only a child that lacks the piece can say that its parent does not hold it', () => {
  const swarm = parentAndChild();
  swarm.piecesFinished('child', { pieces: [4], from: 'parent' }, 3);
  swarm.registerPeer(
    {
      peerId: 'stranger',
      taskId: 'other',
      hostId: 'stranger',
      url: 'http://origin/other',
      priority: 0,
      needBackToSource: false,
      disableBackToSource: false,
      features: allFeatures,
    },
    3,
  );
  assert.deepEqual(swarm.pieceFailed('child', 'parent', 'not-held', 4, 4), []);
  assert.deepEqual(swarm.pieceFailed('stranger', 'parent', 'not-held', 4, 5), []);
  assert.equal(swarm.task('task')?.holders[4], 2);
  assert.equal(swarm.task('task')?.holders[5], 1);
});

test('a holder that promised signs of life and falls silent loses the lease, and nobody counts on its pieces until it is back', () => {
  const { leaseSilentMs } = defaultSwarmLimits;
  const alive = { aliveEveryMs: 100, originSilent: false };
  const swarm = newSwarm(['first', 'second']);
  register(swarm, 'first', 0);
  register(swarm, 'second', 1);
  swarm.originProgress('first', alive, 900);
  swarm.piecesFinished('first', { pieces: [0, 1], from: 'source' }, 1000);
  swarm.piecesFinished('second', { pieces: [0], from: 'first' }, 1000);
  for (let nowMs = 1050; nowMs <= 2000; nowMs += 50)
    swarm.originProgress('first', { ...alive, originSilent: true }, nowMs);
  assert.deepEqual(leases(swarm.tick(2000 + leaseSilentMs - 1)), []);
  const decisions = swarm.tick(2000 + leaseSilentMs);
  assert.deepEqual(
    leases(decisions),
    [{ peer: 'second', first: 1, end: pieceCount }],
    'the silent one alone had piece 1',
  );
  assertInvariants(swarm);
  swarm.piecesFinished('first', { pieces: [2], from: 'source' }, 4000);
  assert.equal(swarm.task('task')?.holders[1], 1, 'it is back');
  assertInvariants(swarm);
});

test('a lease without progress goes to somebody else', () => {
  const { leaseStallMs } = defaultSwarmLimits;
  const swarm = newSwarm(['first', 'second']);
  assert.deepEqual(leases(register(swarm, 'first', 0)), [{ peer: 'first', first: 0, end: pieceCount }]);
  register(swarm, 'second', 1);
  swarm.piecesFinished('first', { pieces: [0, 1], from: 'source' }, 5000);
  assert.deepEqual(leases(swarm.tick(5000 + leaseStallMs - 1)), [], 'progress has moved the deadline');
  const decisions = swarm.tick(5000 + leaseStallMs);
  assert.deepEqual(leases(decisions), [{ peer: 'second', first: 2, end: pieceCount }]);
  assert(decisions.some((one) => one.kind === 'revoke-origin-lease' && one.peerId === 'first'));
  assertInvariants(swarm);
});

test('a daemon of the original, which tells of whole pieces only, has more time for each', () => {
  const { leaseStallMs, originalLeaseStallMs } = defaultSwarmLimits;
  const swarm = newSwarm(['first', 'second']);
  swarm.registerPeer({ ...registration('first'), features: originalFeatures }, 0);
  register(swarm, 'second', 1);
  assert.deepEqual(leases(swarm.tick(leaseStallMs)), []);
  // The hosts stay announced throughout.
  for (const name of ['first', 'second']) swarm.announceHost(hostInfo(name), originalLeaseStallMs - 1);
  assert.deepEqual(leases(swarm.tick(originalLeaseStallMs)), [{ peer: 'second', first: 0, end: pieceCount }]);
});

test('when a lease holder leaves, those who got pieces of it report before the origin is asked again', () => {
  const { reportGraceMs } = defaultSwarmLimits;
  const swarm = newSwarm(['first', 'second']);
  register(swarm, 'first', 0);
  register(swarm, 'second', 1);
  swarm.piecesFinished('first', { pieces: [0], from: 'source' }, 100);
  assert.deepEqual(leases(swarm.peerLeft('first', 200)), []);
  assert.deepEqual(leases(swarm.piecesFinished('second', { pieces: [0, 1, 2], from: 'first' }, 300)), []);
  assert.deepEqual(leases(swarm.tick(199 + reportGraceMs)), []);
  assert.deepEqual(leases(swarm.tick(200 + reportGraceMs)), [{ peer: 'second', first: 3, end: pieceCount }]);
});

test('a lease holder that leaves with nothing is replaced at once', () => {
  const swarm = newSwarm(['first', 'second']);
  register(swarm, 'first', 0);
  register(swarm, 'second', 1);
  assert.deepEqual(leases(swarm.peerLeft('first', 200)), [{ peer: 'second', first: 0, end: pieceCount }]);
});

test('a seed takes the upper half of a lease, but nothing that somebody holds', () => {
  const swarm = newSwarm(['first', 'second'], { stripePieces: 2 });
  register(swarm, 'first', 0);
  for (const seed of ['seed-late', 'seed-later']) swarm.announceHost(hostInfo(seed), 1);
  assert.deepEqual(leases(register(swarm, 'seed-late', 1)), [
    { peer: 'first', first: 0, end: 5 },
    { peer: 'seed-late', first: 5, end: 10 },
  ]);
  register(swarm, 'second', 2);
  swarm.piecesFinished('second', { pieces: PieceSet.range(0, pieceCount), from: 'elsewhere' }, 3);
  assert.deepEqual(leases(register(swarm, 'seed-later', 4)), []);
  assertInvariants(swarm);
});

test('a seed that does not come in time is passed over', () => {
  const swarm = newSwarm(['seed', 'first']);
  assert.deepEqual(
    register(swarm, 'first', 0).map((one) => one.kind),
    ['trigger-seed'],
  );
  assert.deepEqual(leases(swarm.tick(defaultSwarmLimits.seedTriggerMs)), [
    { peer: 'first', first: 0, end: pieceCount },
  ]);
});

test('a host that was started as a seed anew is asked from then on', () => {
  const swarm = newSwarm(['host', 'first']);
  swarm.announceHost({ ...hostInfo('host'), type: 'seed' }, 1);
  assert.deepEqual(
    register(swarm, 'first', 2).map((one) => one.kind),
    ['trigger-seed'],
  );
});

test('content in large pieces has more neighbours, from when that is known', () => {
  const names = Array.from({ length: 12 }, (_, index) => `host-${index}`);
  const neighbours = (pieceLengthBytes: number): number => {
    const swarm = newSwarm(names, { exchangeTarget: 4, exchangeLimit: 8 });
    for (const name of names) {
      swarm.registerPeer({ ...registration(name), knownLayout: undefined }, 0);
    }
    swarm.taskMetadata('host-0', { contentLengthBytes: 10 * pieceLengthBytes, pieceLengthBytes }, 1);
    assertInvariants(swarm);
    return swarm.peer('host-11')?.parents.size ?? 0;
  };
  assert(neighbours(32 * 2 ** 20) > neighbours(4 * 2 ** 20));
});

const firstDecisions: readonly [priority: number, what: string][] = [
  [0, 'trigger-seed'],
  [1, 'fail-peer FAILED_PRECONDITION'],
  [2, 'fail-peer NOT_FOUND'],
  [3, 'grant-origin-lease'],
  [4, 'trigger-seed'],
  [5, 'trigger-seed'],
  [6, 'trigger-seed'],
];

for (const [priority, what] of firstDecisions) {
  test(`the first download with priority ${priority}: ${what}`, () => {
    const swarm = newSwarm(['seed', 'first']);
    const decisions = register(swarm, 'first', 0, priority);
    assert.deepEqual(
      decisions.map((one) => (one.kind === 'fail-peer' ? `${one.kind} ${one.code}` : one.kind)),
      [what],
    );
  });
}

test('forbidden priorities get what others hold', () => {
  const swarm = parentAndChild();
  const told = register(swarm, 'stranger', 3, 2).filter((one) => one.peerId === 'stranger');
  assert.deepEqual(
    told.map((one) => one.kind),
    ['offer-parents'],
  );
});

test('several that fail at the origin at the same moment are one failure', () => {
  const seeds = ['seed-1', 'seed-2', 'seed-3'];
  const swarm = newSwarm(seeds, { stripePieces: 1, originAttempts: 3 });
  const holders = seeds.flatMap((seed) => leases(register(swarm, seed, 0)));
  assert.equal(holders.length > 2, true, 'all of them are at the origin');
  const failure = { permanent: false, error: { message: 'the origin is down' } };
  for (const seed of seeds) assert.deepEqual(swarm.originFailed(seed, failure, 10), []);
  assert.equal(swarm.task('task')?.originFailures, 1);
  assert(leases(swarm.tick(2000)).length > 0, 'after a pause somebody is sent there again');
  assertInvariants(swarm);
});

test('one member may say that the origin refuses, two end the download of everybody', () => {
  const names = ['first', 'second', 'third'];
  const swarm = newSwarm(names);
  for (const name of names) register(swarm, name, 0);
  const failure = { permanent: true, error: { message: 'not there', details: { statusCode: 404 } } };
  const told = (decisions: readonly Decision[]): string[] =>
    decisions.flatMap((one) => (one.kind === 'fail-peer' ? [one.peerId] : []));
  const once = swarm.originFailed('first', failure, 10);
  assert.deepEqual(told(once), ['first']);
  const next = once.find((one) => one.kind === 'grant-origin-lease')?.peerId;
  assert.ok(next !== undefined, 'another asks at once');
  const rest = names.filter((name) => name !== 'first').sort();
  assert.deepEqual(told(swarm.originFailed(next, failure, 20)).sort(), rest);
  assertInvariants(swarm);
});

test('what a seed says of the origin is believed', () => {
  const swarm = newSwarm(['seed', 'peer']);
  register(swarm, 'peer', 0);
  register(swarm, 'seed', 0);
  const failure = { permanent: true, error: { message: 'not there', details: { statusCode: 404 } } };
  const told = swarm.originFailed('seed', failure, 10).flatMap((one) => (one.kind === 'fail-peer' ? [one.peerId] : []));
  assert.deepEqual(told.sort(), ['peer', 'seed']);
});

test('a crowd that waited for the first root gets its parents in several short events, at once one after the other', () => {
  const names = Array.from({ length: 200 }, (_, index) => `peer-${index}`);
  const swarm = newSwarm(['seed', ...names]);
  for (const name of names) register(swarm, name, 1);
  const edges = (decisions: readonly Decision[]): number =>
    decisions.reduce((sum, one) => sum + (one.kind === 'offer-parents' ? one.parents.length : 0), 0);
  const { edgesPerSettling, exchangeTarget } = defaultSwarmLimits;
  const most = 2 * (edgesPerSettling + exchangeTarget + 2); // an exchange has two ends
  const perEvent = [edges(register(swarm, 'seed', 2))];
  while ((swarm.nextTickMs() ?? Infinity) <= 2) perEvent.push(edges(swarm.tick(2)));
  assert(perEvent.length > 5 && Math.max(...perEvent) <= most, perEvent.join(' '));
  for (const name of names) assert((swarm.peer(name)?.parents.size ?? 0) >= exchangeTarget / 2, name);
  assertInvariants(swarm);
});

test('a lease is taken back when others hold all that it was for, and its holder is sent to them', () => {
  const { leaseStallMs, stallCheckMs } = defaultSwarmLimits;
  const swarm = newSwarm(['seed', 'peer'], { originalLeaseStallMs: leaseStallMs });
  swarm.registerPeer({ ...registration('seed'), features: originalFeatures }, 0);
  register(swarm, 'peer', 1);
  // A peer of the original reports only whole pieces, so at a slow origin it seems to stall before its first one.
  const stalled = swarm.tick(leaseStallMs + 1);
  assert.deepEqual(leases(stalled), [{ peer: 'peer', first: 0, end: pieceCount }]);
  swarm.piecesFinished('seed', { pieces: PieceSet.range(0, pieceCount), from: 'source' }, leaseStallMs + 2_000);
  const later = swarm.tick(leaseStallMs + 2_000 + stallCheckMs);
  assert.ok(later.some((one) => one.kind === 'revoke-origin-lease' && one.peerId === 'peer'));
  assert.equal(swarm.peer('peer')?.lease, undefined);
  assert(swarm.peer('peer')?.parents.has('seed'));
  assertInvariants(swarm);
});

test('who gets nothing of a parent that answers goes to the origin sooner the faster it had come on', () => {
  const { stalledMs, stalledLeastMs, stallCheckMs } = defaultSwarmLimits;
  /** The time from the last piece until the child may go to the origin, ticking as often as the scheduler does. */
  const patience = (pauseMs: number): number => {
    const swarm = parentAndChild();
    const lastMs = 2 + 2 * pauseMs;
    for (const piece of [0, 1, 2])
      swarm.piecesFinished('child', { pieces: [piece], from: 'parent' }, 2 + piece * pauseMs);
    for (let nowMs = lastMs; nowMs < lastMs + 2 * stalledMs; nowMs += 100)
      if (leases(swarm.tick(nowMs)).length > 0) return nowMs - lastMs;
    return Number.POSITIVE_INFINITY;
  };
  const fast = patience(300);
  assert.ok(fast >= stalledLeastMs && fast <= stalledLeastMs + stallCheckMs, String(fast));
  const slow = patience(10_000);
  assert.ok(slow >= stalledMs && slow <= stalledMs + stallCheckMs, String(slow));
});

test('who may not go to the origin is told its refusal at once when a seed was the only one who may', () => {
  const swarm = newSwarm(['seed', 'peer']);
  const asked = swarm.registerPeer({ ...registration('peer'), disableBackToSource: true, knownLayout: undefined }, 0);
  assert.ok(asked.some((one) => one.kind === 'trigger-seed'));
  swarm.registerPeer({ ...registration('seed'), knownLayout: undefined }, 1);
  const error = { message: 'the origin answered 401', details: { statusCode: 401 } };
  swarm.originFailed('seed', { permanent: false, error }, 2);
  const told = swarm.seedDownloadFailed('task', 'seed', 3);
  assert.deepEqual(
    told.flatMap((one) => (one.kind === 'fail-peer' ? [[one.peerId, one.code, one.details?.statusCode]] : [])),
    [['peer', 'SOURCE_STATUS', 401]],
  );
  assertInvariants(swarm);
});

test('who comes back in the middle to a scheduler that has restarted is not sent to the origin before the one who is there', () => {
  const swarm = new Swarm({ random: seededRandom(1), startedAtMs: 0 });
  for (const hostId of ['peer', 'seed']) swarm.announceHost(hostInfo(hostId), 0);
  register(swarm, 'peer', 100);
  const { resumeMs, resumeKnownMs } = defaultSwarmLimits;
  assert.deepEqual(leases(swarm.tick(resumeMs + 1)), []);
  register(swarm, 'seed', resumeKnownMs - 100);
  assert.deepEqual(leases(swarm.tick(resumeKnownMs + 1)), [{ peer: 'seed', first: 0, end: pieceCount }]);
});

test('who knows the content from a lease of this scheduler is not waited for', () => {
  const swarm = new Swarm({ random: seededRandom(1), startedAtMs: 0 });
  for (const hostId of ['first', 'second']) swarm.announceHost(hostInfo(hostId), 0);
  const { knownLayout: _unknown, ...fresh } = registration('first');
  swarm.registerPeer(fresh, 100);
  const { resumeMs } = defaultSwarmLimits;
  assert.equal(leases(swarm.tick(resumeMs + 1)).length, 1);
  swarm.taskMetadata('first', layout, resumeMs + 2);
  register(swarm, 'second', resumeMs + 3);
  const error = { message: 'the origin answered 503', details: { statusCode: 503 } };
  swarm.originFailed('first', { permanent: false, error }, resumeMs + 4);
  assert.equal(leases(swarm.tick(resumeMs + 3000)).length, 1);
});

test('what nobody has begun waits a moment only', () => {
  const swarm = new Swarm({ random: seededRandom(1), startedAtMs: 0 });
  swarm.announceHost(hostInfo('peer'), 0);
  const { knownLayout: _unknown, ...fresh } = registration('peer');
  assert.deepEqual(leases(swarm.registerPeer(fresh, 100)), []);
  assert.deepEqual(leases(swarm.tick(defaultSwarmLimits.resumeMs + 1)), [{ peer: 'peer', first: 0, end: undefined }]);
});

test('who has left its parent and asks for something is told that the first piece is on its way, as long as it is', () => {
  const swarm = newSwarm(['first', 'second']);
  const told = (decisions: readonly Decision[]): unknown[] =>
    decisions.flatMap((one) => (one.kind === 'withdraw-parents' ? [[one.peerId, ...one.parentIds]] : []));
  register(swarm, 'first', 0);
  register(swarm, 'second', 1);
  // A parent at the origin that gives no sign of life, for example because its machine is overloaded.
  swarm.pieceFailed('second', 'first', 'temporary', 1000);
  assert.deepEqual(told(swarm.reschedule('second', [], 3000)), [['second']]);
  assert.deepEqual(told(swarm.reschedule('first', [], 3001)), [], 'it is at the origin itself');
  swarm.piecesFinished('first', { pieces: [0], from: 'source' }, 3002);
  assert.deepEqual(told(swarm.reschedule('second', [], 3003)), [], 'somebody holds what it does not get');
});
