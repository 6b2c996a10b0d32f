/** Whose word counts about content without a known digest, and what happens to hosts that lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../shared/decisions.ts';
import { allFeatures } from '../shared/events.ts';
import { digestBytes } from '../shared/piece-digests.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';
import { assertInvariants } from './invariants.ts';
import { Swarm } from './swarm.ts';

const pieceCount = 40;
const knownLayout = { contentLengthBytes: pieceCount * 2 ** 20, pieceLengthBytes: 2 ** 20 };

/** The first of these peers gets the lease for everything. */
function swarmOf(...names: readonly string[]): Swarm {
  const swarm = new Swarm({ random: seededRandom(1) });
  for (const name of names) announce(swarm, name);
  for (const name of names) register(swarm, name);
  return swarm;
}

function announce(swarm: Swarm, hostId: string, witness?: string): void {
  const type = hostId.startsWith('seed') ? 'seed' : 'normal';
  const idle = { idc: '', location: '', loadLimit: 40, maxTxBitsPerSec: 1e9, disableShared: false };
  swarm.announceHost({ hostId, witness, type, announceIntervalMs: 60_000, ...idle }, 0);
}

function register(swarm: Swarm, name: string, taskId = 'task'): Decision[] {
  const needBackToSource = name.startsWith('seed');
  return swarm.registerPeer(
    {
      peerId: taskId === 'task' ? name : `${name}/${taskId}`,
      hostId: name,
      taskId,
      url: 'http://origin/object',
      priority: 0,
      needBackToSource,
      disableBackToSource: false,
      knownLayout,
      features: allFeatures,
    },
    0,
  );
}

/** Reports the digests of all pieces, or of one. */
function tell(swarm: Swarm, name: string, version: number, piece?: number, nowMs = 10): Decision[] {
  const digests = new Uint8Array((piece === undefined ? pieceCount : 1) * digestBytes).fill(version);
  const told = { first: piece ?? 0, digests, validator: '"1"', checked: piece !== undefined };
  const decisions = swarm.pieceDigests(name, told, nowMs);
  assertInvariants(swarm);
  return decisions;
}

function struckOff(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((one) => (one.kind === 'host-struck-off' ? [one.hostId] : []));
}

function checks(decisions: readonly Decision[]): { by: string; piece: number }[] {
  return decisions.flatMap((one) => (one.kind === 'check-piece' ? [{ by: one.peerId, piece: one.piece }] : []));
}

test('what a seed tells is certain, and everybody else hears of it', () => {
  const swarm = swarmOf('seed', 'a', 'b');
  const told = tell(swarm, 'seed', 7).flatMap((one) => (one.kind === 'piece-digests' ? [one] : []));
  assert.deepEqual(told.map(({ peerId }) => peerId).sort(), ['a', 'b', 'seed']);
  for (const { first, digests, certain } of told)
    assert.deepEqual([first, digests.length, certain], [0, pieceCount * digestBytes, true]);
  const late = register(swarm, 'a');
  assert.ok(late.some((one) => one.kind === 'piece-digests' && one.digests.length === pieceCount * digestBytes));
});

test('nobody tells what he was not sent for', () => {
  const swarm = swarmOf('seed', 'a');
  assert.deepEqual(tell(swarm, 'a', 9), []);
  const told = tell(swarm, 'seed', 7).find((one) => one.kind === 'piece-digests');
  assert.equal(told?.digests[0], 7);
});

test('a member that was at the origin is tried on a piece it cannot foresee, by somebody else', () => {
  const swarm = swarmOf('first', 'a', 'b');
  const [check] = checks(tell(swarm, 'first', 7));
  assert.ok(check && check.by !== 'first');
  const told = tell(swarm, check.by, 7, check.piece, 20).find((one) => one.kind === 'piece-digests');
  assert.deepEqual([told?.first, told?.certain], [check.piece, true]);
});

test('whoever tells false digests is struck off when two others have seen it, and what he told is forgotten', () => {
  const swarm = swarmOf('liar', 'a', 'b', 'c');
  const [check] = checks(tell(swarm, 'liar', 6));
  assert.ok(check);
  const disputed = tell(swarm, check.by, 7, check.piece, 20);
  assert.deepEqual(struckOff(disputed), [], 'one word against another');
  // The next peer is asked when the current check is over.
  const [second] = checks(swarm.tick(5000));
  assert.ok(second && second.by !== check.by && second.by !== 'liar' && second.piece === check.piece);
  const settled = tell(swarm, second.by, 7, check.piece, 5010);
  assert.deepEqual(struckOff(settled), ['liar']);
  assert.equal(swarm.peer('liar')?.lease, undefined);
  const left = settled.filter((one) => one.kind === 'piece-digests' && one.peerId === 'c');
  assert.ok(left.some((one) => one.kind === 'piece-digests' && one.digests.length === 0));
});

test("a seed's word strikes off whoever told otherwise", () => {
  const swarm = swarmOf('liar', 'a');
  tell(swarm, 'liar', 6);
  announce(swarm, 'seed');
  register(swarm, 'seed');
  assert.deepEqual(struckOff(tell(swarm, 'seed', 7)), ['liar']);
});

test('an origin that has another version makes nobody a liar', () => {
  const swarm = swarmOf('first', 'a');
  tell(swarm, 'first', 6);
  announce(swarm, 'seed');
  register(swarm, 'seed');
  const digests = new Uint8Array(digestBytes).fill(7);
  const decisions = swarm.pieceDigests('seed', { first: 0, digests, validator: '"2"', checked: false }, 20);
  assert.deepEqual(struckOff(decisions), []);
});

/** The seed holds everything, and all others get it from each other. */
function served(...names: readonly string[]): Swarm {
  const swarm = swarmOf('seed', ...names);
  tell(swarm, 'seed', 7);
  swarm.piecesFinished('seed', { pieces: Array.from({ length: pieceCount }, (_, piece) => piece), from: 'source' }, 20);
  for (const name of names) swarm.piecesFinished(name, { pieces: [0], from: 'seed' }, 30);
  return swarm;
}

test('one accuser strikes nobody off, however often and whomever he accuses; two do', () => {
  const swarm = served('a', 'b', 'c', 'd', 'e', 'f');
  for (const accused of ['a', 'b', 'c', 'd', 'e', 'a', 'a'])
    assert.deepEqual(struckOff(swarm.pieceFailed('f', accused, 'corrupt', 40, 1)), []);
  assert.deepEqual(struckOff(swarm.pieceFailed('b', 'a', 'corrupt', 50, 1)), [], 'who accuses all does not count');
  assert.deepEqual(struckOff(swarm.pieceFailed('c', 'a', 'corrupt', 60, 1)), ['a']);
  assertInvariants(swarm);
});

test('many names at one address have one word, as accusers and as tellers', () => {
  const swarm = served('a', 'b', 'c', 'd');
  for (const name of ['b', 'c', 'd']) announce(swarm, name, '10.0.0.66');
  for (const by of ['b', 'c', 'd']) assert.deepEqual(struckOff(swarm.pieceFailed(by, 'a', 'corrupt', 40, 1)), []);
  announce(swarm, 'd', '10.0.0.67');
  assert.deepEqual(struckOff(swarm.pieceFailed('d', 'a', 'corrupt', 50, 2)), ['a']);

  const told = swarmOf('first', 'second', 'third');
  for (const name of ['first', 'second']) announce(told, name, '10.0.0.66');
  const [check] = checks(tell(told, 'first', 6));
  assert.equal(check?.by, 'third', 'not the same under another name');
  tell(told, 'second', 6, check?.piece);
  tell(told, 'third', 7, check?.piece);
  assert.equal(told.task('task')?.digests?.known.isDisputed(check?.piece ?? 0), true, 'two names are no majority');
});

test('leaving and coming back does not clear a liar', () => {
  const swarm = served('a', 'b', 'c');
  swarm.pieceFailed('b', 'a', 'corrupt', 40, 1);
  assert.deepEqual(struckOff(swarm.pieceFailed('c', 'a', 'corrupt', 50, 1)), ['a']);
  swarm.hostLeft('a', 60);
  announce(swarm, 'a');
  register(swarm, 'a', 'another');
  assert.equal(swarm.peer('a/another')?.sharing, false);
  assert.equal(swarm.peer('a/another')?.lease, undefined);
});

test('what another scheduler has found counts here, also of a host that comes later', () => {
  const swarm = served('a', 'b');
  swarm.strikeOff('a', 40);
  swarm.strikeOff('later', 40);
  announce(swarm, 'later');
  register(swarm, 'later');
  for (const name of ['a', 'later']) assert.equal(swarm.peer(name)?.sharing, false, name);
  assert.equal(swarm.peer('b')?.parents.has('a'), false);
  assertInvariants(swarm);
});

test('bytes that are not what one member alone has told accuse nobody until it is known who is right', () => {
  const swarm = swarmOf('first', 'a', 'b', 'c');
  const [audit] = checks(tell(swarm, 'first', 6));
  swarm.piecesFinished('first', { pieces: [5], from: 'source' }, 20);
  swarm.piecesFinished('a', { pieces: [5], from: 'first' }, 25);
  for (const by of ['b', 'c']) assert.deepEqual(struckOff(swarm.pieceFailed(by, 'a', 'corrupt', 30, 5)), []);
  assert.ok((swarm.peer('b')?.blocked.get('a') ?? Infinity) < 1000, 'it may be asked again soon');
  assert.ok(audit);
  const [check] = checks(swarm.tick(5000));
  assert.ok(check);
});

test('whoever accuses others of what he claims himself does not silence them', () => {
  const names = ['a', 'b', 'liar'];
  const swarm = new Swarm({ random: seededRandom(1) });
  for (const name of names) announce(swarm, name);
  const held = { taskId: 'task', url: 'http://origin/object', layout: knownLayout };
  swarm.announceHeld('liar', { ...held, peerId: 'old', pieces: PieceSet.range(0, pieceCount) }, 0);
  for (const name of names) register(swarm, name);
  for (const name of ['a', 'b']) {
    swarm.piecesFinished(name, { pieces: [0], from: 'old' }, 30);
    swarm.pieceFailed('liar', name, 'corrupt', 40, 0);
    assert.equal(swarm.peer(name)?.pieces.count, 0, 'what it holds no longer counts');
  }
  assert.deepEqual(struckOff(swarm.pieceFailed('a', 'old', 'corrupt', 50, 3)), []);
  assert.deepEqual(struckOff(swarm.pieceFailed('b', 'liar', 'corrupt', 60, 3)), ['liar']);
  assertInvariants(swarm);
});

test('who breaks off at the origin lets all others go first, under whatever names', () => {
  const swarm = new Swarm({ random: seededRandom(1) });
  for (const name of ['liar', 'honest']) announce(swarm, name);
  const request = { taskId: 'task', url: 'http://origin/object', priority: 6, disableBackToSource: false };
  const join = (peerId: string, hostId: string): void =>
    void swarm.registerPeer(
      { ...request, peerId, hostId, needBackToSource: hostId === 'liar', knownLayout, features: allFeatures },
      0,
    );
  for (const name of ['liar-1', 'liar-2', 'liar-3']) join(name, 'liar');
  join('honest', 'honest');
  assert.ok(swarm.peer('liar-1')?.lease);
  const error = { message: 'broken off' };
  swarm.originFailed('liar-1', { permanent: false, error }, 10);
  swarm.tick(60_000);
  assert.ok(swarm.peer('honest')?.lease);
  assertInvariants(swarm);
});

test('what a parent gave comes to light when it has left, and counts when it is back', () => {
  const swarm = swarmOf('seed', 'a', 'b', 'liar');
  tell(swarm, 'seed', 7);
  swarm.piecesFinished('liar', { pieces: PieceSet.range(0, pieceCount), from: 'seed' }, 20);
  swarm.peerFinished('liar', 20);
  const children = ['a', 'b'].filter((name) => swarm.peer(name)?.parents.has('liar'));
  assert.deepEqual(children, ['a', 'b'], 'the scene is as told');
  swarm.peerLeft('liar', 30);
  assert.deepEqual(struckOff(swarm.pieceFailed('a', 'liar', 'corrupt', 40, 3)), []);
  assert.deepEqual(struckOff(swarm.pieceFailed('b', 'liar', 'corrupt', 50, 3)), ['liar']);
  assert.deepEqual(
    struckOff(swarm.pieceFailed('b', 'nobody', 'corrupt', 60, 3)),
    [],
    'who was no parent is not accused',
  );
  assertInvariants(swarm);
});
