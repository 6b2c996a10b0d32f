/** How the scheduler decides about readers of a range. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { Decision } from '../../shared/decisions.ts';
import { allFeatures, type RegisterPeer } from '../../shared/events.ts';
import { assertInvariants } from '../invariants.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import { Swarm } from '../swarm.ts';

const mib = 2 ** 20;
const layout = { contentLengthBytes: 100 * mib, pieceLengthBytes: 4 * mib };
const pieceCount = 25;
const tail: RangeSpec = { first: 100 * mib - 5000, last: 100 * mib - 1 };
const middle: RangeSpec = { first: 40 * mib, last: 48 * mib - 1 };

function newSwarm(hosts: readonly string[]): Swarm {
  const swarm = new Swarm({ random: seededRandom(1) });
  for (const hostId of hosts) {
    swarm.announceHost(
      {
        hostId,
        type: hostId.startsWith('seed') ? 'seed' : 'normal',
        idc: '',
        location: '',
        maxTxBitsPerSec: 0,
        disableShared: false,
        announceIntervalMs: 60_000,
      },
      0,
    );
  }
  return swarm;
}

function register(swarm: Swarm, name: string, facts: Partial<RegisterPeer> = {}, nowMs = 0): Decision[] {
  const seed = name.startsWith('seed');
  const decisions = swarm.registerPeer(
    {
      peerId: name,
      taskId: 'task',
      hostId: name,
      url: 'http://origin/object',
      priority: 6,
      needBackToSource: seed,
      disableBackToSource: false,
      features: allFeatures,
      ...facts,
    },
    nowMs,
  );
  assertInvariants(swarm);
  return decisions;
}

/** Who may fetch which pieces, and for which reader; `only` when the decision contains no pieces. */
function grants(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((one) => {
    if (one.kind !== 'grant-origin-lease') return [];
    const { first, end } = one.range;
    return [
      `${one.peerId} ${first === end ? 'only' : `${first}…${end ?? ''}`}${one.readerRange ? ' for a reader' : ''}`,
    ];
  });
}

function seedAtTheOrigin(swarm: Swarm): void {
  register(swarm, 'seed');
  swarm.taskMetadata('seed', layout, 10, true);
  swarm.piecesFinished('seed', { pieces: PieceSet.range(0, 2), from: 'source' }, 2000);
}

test('the first reader of what nobody knows goes to the origin at once, and a seed for the rest', () => {
  const swarm = newSwarm(['seed', 'a']);
  const decisions = register(swarm, 'a', { readerRange: tail });
  assert.deepEqual(grants(decisions), ['a 0… for a reader']);
  assert.ok(decisions.some(({ kind }) => kind === 'trigger-seed'));
  // The range is a few bytes, which the seed fetches with their whole piece.
  assert.deepEqual(grants(swarm.taskMetadata('a', layout, 10, true)), ['a only for a reader']);
  assert.deepEqual(grants(register(swarm, 'seed')), ['seed 0…25']);
});

test('without a seed the pieces the reader is in are the reader’s, and nothing else is fetched', () => {
  const swarm = newSwarm(['a', 'b']);
  register(swarm, 'a', { readerRange: tail });
  assert.deepEqual(grants(swarm.taskMetadata('a', layout, 10, true)), ['a 24…25 for a reader']);
  swarm.piecesFinished('a', { pieces: [24], from: 'source' }, 20);
  assert.deepEqual(grants(swarm.peerLeftOff('a', 30)), []);
  assert.equal(swarm.peer('a')?.state, 'Succeeded');
  assertInvariants(swarm);
  // what was fetched is not fetched again
  assert.deepEqual(grants(register(swarm, 'b', { readerRange: tail }, 40)), []);
});

test('what a seed is far from is cut out of its lease; it goes on behind the cut when it is there', () => {
  const swarm = newSwarm(['seed', 'a', 'b']);
  seedAtTheOrigin(swarm);
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: middle }, 2000)), ['seed 0…10', 'a 10…12 for a reader']);
  // another reader of the same range gets it from the first one
  assert.deepEqual(grants(register(swarm, 'b', { readerRange: middle }, 2000)), []);
  swarm.piecesFinished('a', { pieces: [10, 11], from: 'source' }, 2100);
  const rest = swarm.piecesFinished('seed', { pieces: PieceSet.range(2, 8), from: 'source' }, 9000);
  assert.deepEqual(grants(rest), ['seed 12…25']);
  assertInvariants(swarm);
});

test('a little that a seed brings anyhow is fetched twice, until that is no longer little', () => {
  const swarm = newSwarm(['seed', 'a']);
  seedAtTheOrigin(swarm);
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: tail }, 2000)), ['a only for a reader']);
  const megabyte = (at: number): RangeSpec => ({ first: at * mib, last: (at + 1) * mib - 1 });
  assert.deepEqual(grants(swarm.readerAsks('a', megabyte(50), 2000)), ['a only for a reader']);
  assert.deepEqual(grants(swarm.readerAsks('a', megabyte(70), 2000)), ['seed 0…17', 'a 17…18 for a reader']);
});

test('what is being fetched right now, or comes soon, is waited for', () => {
  const swarm = newSwarm(['seed', 'a']);
  register(swarm, 'seed');
  swarm.taskMetadata('seed', layout, 0, true);
  swarm.piecesFinished('seed', { pieces: PieceSet.range(0, 8), from: 'source' }, 80); // 10 ms a piece
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: { first: 32 * mib, last: 48 * mib } }, 80)), []);
});

test('at a pace that cannot be told yet nothing is cut before a moment has passed, and never at a fast origin', () => {
  const swarm = newSwarm(['seed', 'a']);
  register(swarm, 'seed');
  swarm.taskMetadata('seed', layout, 2, true);
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: middle }, 3)), []);
  const fast = swarm.piecesFinished('seed', { pieces: PieceSet.range(0, 8), from: 'source' }, 40);
  assert.deepEqual(grants(fast), []);
  assert.deepEqual(grants(swarm.tick(51)), []);
  assert.deepEqual(swarm.peer('seed')?.lease?.range, { first: 0, end: pieceCount });
  assertInvariants(swarm);
});

test('how long the origin took to answer is no part of the pace of what comes after', () => {
  const swarm = newSwarm(['seed', 'a']);
  register(swarm, 'seed');
  swarm.taskMetadata('seed', layout, 2000, true);
  swarm.piecesFinished('seed', { pieces: PieceSet.range(0, 8), from: 'source' }, 2080); // 10 ms a piece
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: middle }, 2080)), []);
});

test('pieces have been coming since the last report', () => {
  const swarm = newSwarm(['seed', 'a']);
  register(swarm, 'seed');
  swarm.taskMetadata('seed', layout, 2, true);
  swarm.piecesFinished('seed', { pieces: [0], from: 'source' }, 12); // 10 ms a piece
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: middle }, 72)), []);
});

test('a piece that has been coming for most of its time is waited for', () => {
  const swarm = newSwarm(['seed', 'a']);
  register(swarm, 'seed');
  swarm.taskMetadata('seed', layout, 2, true);
  swarm.piecesFinished('seed', { pieces: PieceSet.range(0, 9), from: 'source' }, 4500); // 500 ms a piece
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: middle }, 4970)), []);
});

test('readers of different parts of what nobody knows go at once, one of an overlapping part when the layout is known', () => {
  const swarm = newSwarm(['a', 'b', 'c']);
  const part = (index: number): RangeSpec => ({ first: index * 8 * mib, last: (index + 1) * 8 * mib - 1 });
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: part(0) })), ['a 0… for a reader']);
  assert.deepEqual(grants(register(swarm, 'b', { readerRange: part(3) })), ['b 0… for a reader']);
  assert.deepEqual(grants(register(swarm, 'c', { readerRange: { first: 4 * mib, last: 12 * mib - 1 } })), []);
  assert.deepEqual(grants(swarm.taskMetadata('b', layout, 10, true)), [
    'a 0…2 for a reader',
    'b 6…8 for a reader',
    'c 2…3 for a reader',
  ]);
  assertInvariants(swarm);
  // Half of what c wants is being fetched by a; whether it will arrive soon is decided a moment later.
  assert.deepEqual(grants(swarm.tick(49)), []);
  assert.deepEqual(grants(swarm.tick(50)), ['a 0…1 for a reader', 'c 1…2 for a reader']);
  assertInvariants(swarm);
});

test('nor do two readers of what may be one piece go for it both', () => {
  const swarm = newSwarm(['a', 'b']);
  assert.deepEqual(grants(register(swarm, 'a', { readerRange: { first: 0, last: mib - 1 } })), ['a 0… for a reader']);
  assert.deepEqual(grants(register(swarm, 'b', { readerRange: { first: 3 * mib, last: 4 * mib - 1 } })), []);
  assert.deepEqual(grants(swarm.taskMetadata('a', layout, 10, true)), ['a 0…1 for a reader', 'b only for a reader']);
});

test('an origin that gives no ranges is read by one for all', () => {
  const swarm = newSwarm(['a', 'b']);
  register(swarm, 'a', { readerRange: middle });
  register(swarm, 'b', { readerRange: tail });
  const decisions = swarm.taskMetadata('a', layout, 10, false);
  assert.deepEqual(grants(decisions).slice(0, 1), ['a 0…']);
  assert.deepEqual(
    decisions.flatMap((one) => (one.kind === 'revoke-origin-lease' ? [one.peerId] : [])),
    ['b'],
  );
  assertInvariants(swarm);
  assert.deepEqual(grants(swarm.readerAsks('b', { first: 0, last: 99 }, 20)), []);
});

test('a reader whose node may not go to the origin gets a seed’s fetch', () => {
  const swarm = newSwarm(['seed', 'a']);
  seedAtTheOrigin(swarm);
  const decisions = register(swarm, 'a', { readerRange: middle, disableBackToSource: true }, 2000);
  assert.deepEqual(grants(decisions), ['seed 0…10', 'seed 10…12 for a reader']);
});

test('what a failed fetch of a reader leaves is leased again, and others go on', () => {
  const swarm = newSwarm(['seed', 'a']);
  seedAtTheOrigin(swarm);
  const granted = register(swarm, 'a', { readerRange: middle }, 2000).find(
    (one) => one.kind === 'grant-origin-lease' && one.readerRange,
  );
  const leaseId = granted?.kind === 'grant-origin-lease' ? granted.leaseId : undefined;
  swarm.originFailed('a', { permanent: false, error: { message: 'too many' }, leaseId }, 2100);
  assert.equal(swarm.peer('seed')?.lease?.range.end, 10);
  swarm.piecesFinished('seed', { pieces: PieceSet.range(2, 8), from: 'source' }, 9000);
  assert.deepEqual(swarm.peer('seed')?.lease?.range, { first: 10, end: pieceCount });
  assertInvariants(swarm);
});

test('a part that turns out to be wanted whole is', () => {
  const swarm = newSwarm(['a']);
  register(swarm, 'a', { readerRange: middle });
  swarm.taskMetadata('a', layout, 10, true);
  swarm.piecesFinished('a', { pieces: [10, 11], from: 'source' }, 20);
  assert.deepEqual(grants(swarm.readerAsks('a', { first: 0, last: undefined }, 30)), ['a 12…25']);
  assert.deepEqual(swarm.peer('a')?.wanted, undefined);
});
