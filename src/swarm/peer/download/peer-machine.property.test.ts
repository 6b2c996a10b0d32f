/** The machine of a download in a world that behaves arbitrarily, until in the end one honest parent, or the origin, delivers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Asked,
  DownloadWorld,
  type Ending,
  limits,
  pieceLengthBytes,
} from '../../../../test/support/download-world.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import type { OriginLease } from './origin-lease.ts';

const parents = 4;

const endings = 'busy temporary gone corrupt no-address claimed cancelled'.split(' ') as Ending[];
const kinds = 28;

/** An arbitrary event, likely or not. */
function disturb(world: DownloadWorld, kind: number): void {
  const parentId = `parent-${world.chance(parents)}`;
  const piece = world.chance(world.pieceCount);
  const [first] = [...world.asked.values()].slice(world.chance(Math.max(1, world.asked.size)));
  const [fetch] = [...world.fetches].slice(world.chance(Math.max(1, world.fetches.size)));
  switch (kind) {
    case 0:
      return world.send({
        kind: 'parents-offered',
        parents: [{ peerId: parentId, distance: world.chance(2) }],
        replace: world.chance(8) === 0,
      });
    case 1:
      return world.send({ kind: 'parent-has', parentId, pieces: piece });
    case 2:
      return world.send({ kind: 'parent-offers', parentId, pieces: [piece] });
    case 3:
      return world.send({ kind: 'parent-load', parentId, uploads: world.chance(4) });
    case 4:
      return world.chance(2) === 0 ? world.lose(parentId) : world.endStream(parentId);
    case 5:
      return world.send({ kind: 'parents-withdrawn', parentIds: [parentId] });
    case 6:
      return first && world.send({ kind: 'piece-begun', ...first });
    case 7:
      return first && world.send({ kind: 'piece-ending', ...first });
    case 8:
      return first && world.land(first);
    case 9:
      return first && world.end(first, endings[world.chance(endings.length)] ?? 'busy');
    case 10: {
      const readerRange = { first: piece * pieceLengthBytes, last: piece * pieceLengthBytes + 99 };
      const lease: OriginLease = [
        { id: '1', first: piece, end: piece + 1 + world.chance(3) },
        { id: '1', first: 0, end: undefined },
        { id: '2', first: piece, end: undefined },
        { id: '3', first: piece, end: piece + 1, readerRange },
        { id: '3', first: piece, end: piece, readerRange, readerOnly: true },
      ][world.chance(5)] as OriginLease;
      return world.send({ kind: 'lease-granted', lease });
    }
    case 11:
      return fetch && world.fetchNext(fetch);
    case 12:
      return world.send({ kind: 'read-positions', pieces: [piece] });
    case 13:
      return world.answer(Array.from(world.doubted));
    case 14:
      return world.send({ kind: 'lease-revoked', leaseId: String(1 + world.chance(3)) });
    case 15:
      return fetch && world.breakFetch(fetch[0]);
    case 16:
      if (world.session !== 'asked') return world.loseSession();
      world.session = 'open';
      return world.send({ kind: 'session-opened', extended: true });
    case 17:
      return world.send({ kind: 'host-taken' });
    case 18:
      if (!fetch || world.broken.has(fetch[0])) return;
      return world.send({ kind: 'origin-answered', fetch: fetch[0], ranges: world.chance(2) === 0 });
    case 19: {
      const [held] = [...world.held].slice(world.chance(Math.max(1, world.held.count)));
      if (held === undefined) return;
      world.held.delete(held);
      world.reported.delete(held);
      world.verified = false;
      return world.send({ kind: 'piece-lost', piece: held });
    }
    case 20:
      return world.readerComes(piece);
    case 21: {
      const [reader] = [...world.readers.keys()].slice(world.chance(Math.max(1, world.readers.size)));
      if (reader === undefined) return;
      world.readers.delete(reader);
      return world.send({ kind: 'reader-left', reader });
    }
    case 22: // slow parents, so that a second one is asked
      return world.pass(4000, world.listening);
    default:
      return world.pass([0, 1, 60, 1500, 6000][kind - 23] ?? 0);
  }
}

/** One parent holds everything and serves every request; the others are silent, and the scheduler revokes its leases. */
function completeFromParent(world: DownloadWorld): void {
  for (const { id } of Array.from(world.fetches.values())) world.send({ kind: 'lease-revoked', leaseId: id });
  world.send({ kind: 'parents-offered', parents: [{ peerId: 'mute', distance: 0 }], replace: false });
  world.pass(3 * limits.lifeMostMs);
  assert(!world.listening.has('mute'), 'a parent that never says a word is kept');
  if (world.held.count === world.pieceCount) return;
  for (const { id } of Array.from(world.fetches.values())) world.send({ kind: 'lease-revoked', leaseId: id });
  world.send({ kind: 'parents-offered', parents: [{ peerId: 'honest', distance: 0 }], replace: false });
  world.send({ kind: 'parent-has', parentId: 'honest', pieces: PieceSet.range(0, world.pieceCount) });
  let refusals = world.chance(4);
  for (let round = 0; world.held.count < world.pieceCount; round += 1) {
    assert(round < 200, `${world.pieceCount - world.held.count} pieces are asked of nobody`);
    const mine = [...world.asked.values()].find(({ parentId }) => parentId === 'honest');
    if (mine && refusals > 0) {
      refusals -= 1;
      refuse(world, mine);
    } else if (mine) world.land(mine);
    else {
      // The transport gives up requests that nobody answers.
      const [silent] = world.asked.values();
      if (silent && round % 4 === 3) world.end(silent, 'temporary');
      assert(world.machine.dueMs < Infinity || world.asked.size > 0, 'nothing is under way, and nothing due');
      world.pass(1000);
    }
  }
}

/** The parent refuses because it is busy, and announces nothing afterwards; it must be asked again all the same. */
function refuse(world: DownloadWorld, request: Asked): void {
  world.end(request, 'busy');
  const isAlone = world.asked.size === 0;
  world.pass(2 * limits.busyMs);
  assert(!isAlone || world.asked.size > 0, 'one that was busy is not asked again');
}

/** Every parent is gone and no scheduler answers, so the node has to go to the origin by itself. */
function completeFromOrigin(world: DownloadWorld): void {
  for (const parentId of Array.from(world.listening)) world.lose(parentId);
  for (let round = 0; world.held.count < world.pieceCount && world.failed === undefined; round += 1) {
    assert(round < 200, `${world.pieceCount - world.held.count} pieces are fetched by nobody`);
    const [fetch] = world.fetches;
    if (fetch && world.broken.has(fetch[0])) world.pass(30_000);
    else if (fetch) world.fetchNext(fetch);
    else {
      world.loseSession();
      assert(world.machine.dueMs < Infinity, 'nothing is under way, and nothing due');
      world.pass(40_000);
    }
  }
}

for (const settleMs of [0, 0.2]) {
  for (const complete of [completeFromParent, completeFromOrigin]) {
    test(`whatever happens, every piece is asked for until it is here (${complete.name}, settling for ${settleMs} ms)`, () => {
      const steps = fc.array(fc.nat(kinds - 1), { maxLength: 150, size: 'max' });
      fc.assert(
        fc.property(steps, fc.nat(), fc.nat(40), (disturbances, seed, known) => {
          const world = new DownloadWorld(seed, 1 + (seed % 12), settleMs);
          world.send({ kind: 'started', held: world.held });
          world.send({ kind: 'wanted', pieces: undefined });
          for (const [place, kind] of disturbances.entries()) {
            if (place === known) world.begin();
            disturb(world, kind);
          }
          world.begin();
          if (world.failed === undefined) complete(world);
          if (world.failed === undefined) {
            assert.equal(world.asked.size, 0, 'with the last piece all else is cancelled');
            assert(world.verified, 'everything is here, and nobody finds out whether it is right');
            world.send({ kind: 'verified' });
            assert(world.session !== 'open' || world.reported.hasAll(world.held), 'a piece was not reported');
          }
          world.checkRecording();
        }),
        { numRuns: 400 },
      );
    });
  }
}

/** Random sequences lead to a second request rarely, so this one is made. */
test('when a late piece comes from a second parent, the request to the first is cancelled', () => {
  const world = new DownloadWorld(1, 2, 0);
  world.send({ kind: 'started', held: world.held });
  world.send({ kind: 'wanted', pieces: undefined });
  world.begin();
  const offer = (parentId: string): void => {
    world.send({ kind: 'parents-offered', parents: [{ peerId: parentId, distance: 0 }], replace: false });
    world.send({ kind: 'parent-has', parentId, pieces: 0 });
  };
  offer('first');
  offer('second');
  for (let rounds = 0; world.asked.size < 2 && rounds < 20; rounds += 1) world.pass(500, world.listening);
  const second = world.asked.get('second 0');
  assert(second && world.asked.has('first 0'), 'a late piece is not asked of a second parent');
  world.land(second);
  assert.equal(world.asked.size, 0);
});
