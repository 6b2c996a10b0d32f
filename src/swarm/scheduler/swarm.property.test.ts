import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { Decision } from '../shared/decisions.ts';
import { allFeatures, type HostInfo, originalFeatures, type ParentFailure, type TaskLayout } from '../shared/events.ts';
import { assertInvariants } from './invariants.ts';
import type { SwarmMode } from './matchmaker.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';
import { Swarm } from './swarm.ts';

const hostCount = 8;
const taskCount = 2;
const failures: readonly ParentFailure[] = ['temporary', 'corrupt', 'not-held'];
const layout = { contentLengthBytes: 40 * 2 ** 20, pieceLengthBytes: 4 * 2 ** 20 };
/** Layouts that contradict the first one, or that no content can have. */
const layouts: Readonly<Record<number, TaskLayout>> = {
  1: { contentLengthBytes: 2 ** 20, pieceLengthBytes: 4 * 2 ** 20 },
  2: { contentLengthBytes: 2 ** 50, pieceLengthBytes: 1 },
  4: { contentLengthBytes: -1, pieceLengthBytes: 0 },
};

function host(number: number): HostInfo {
  return {
    hostId: `host-${number}`,
    type: number < 2 ? 'seed' : 'normal',
    idc: number % 2 === 0 ? 'a' : 'b',
    location: '',
    loadLimit: 2,
    maxTxBitsPerSec: 1e9,
    disableShared: number === hostCount - 1,
    announceIntervalMs: 30_000,
  };
}

type Step = readonly [kind: number, host: number, task: number, detail: number, waitMs: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(23),
  fc.nat(hostCount - 1),
  fc.nat(taskCount - 1),
  fc.nat(9),
  fc.constantFrom(0, 1, 100, 4000, 40_000),
);

/** One event of any kind about any host, legal or not. Returns undefined for an error with a code, which is fine; any other error is a bug. */
function apply(
  swarm: Swarm,
  [kind, hostNumber, taskNumber, detail]: Step,
  nowMs: number,
): readonly Decision[] | undefined {
  const peerId = `peer-${hostNumber}-${taskNumber}`;
  const parentId = `peer-${detail % hostCount}-${taskNumber}`;
  const readerRange: RangeSpec =
    detail === 7
      ? { suffix: 5000 }
      : { first: detail * 5_000_000, last: detail * 5_000_000 + (detail % 2 === 0 ? 99 : 9_000_000) };
  const register = (extended: boolean, reads = false): Decision[] =>
    swarm.registerPeer(
      {
        peerId,
        taskId: `task-${taskNumber}`,
        hostId: `host-${hostNumber}`,
        url: 'http://origin/object',
        priority: detail % 7,
        needBackToSource: hostNumber < 2,
        disableBackToSource: detail === 9,
        knownLayout: extended ? undefined : (layouts[detail] ?? layout),
        heldPieces: detail > 6 ? PieceSet.of([detail + 2]) : undefined,
        metadataOnly: detail === 6,
        readerRange: reads ? readerRange : undefined,
        range: detail === 3 ? { start: 0, length: 12 * 2 ** 20 } : undefined,
        features: extended ? allFeatures : originalFeatures,
      },
      nowMs,
    );
  const events: (() => Decision[])[] = [
    () => swarm.announceHost(host(hostNumber), nowMs),
    () => register(true),
    () => register(true),
    () => register(false),
    () => register(true, true),
    () => swarm.readerAsks(peerId, detail === 8 ? { first: 0, last: undefined } : readerRange, nowMs),
    () => swarm.peerLeftOff(peerId, nowMs),
    () => swarm.taskMetadata(peerId, layouts[detail] ?? layout, nowMs, detail > 2),
    () => swarm.taskMetadata(peerId, layout, nowMs),
    () => swarm.piecesFinished(peerId, { pieces: [detail, (detail + 1) % 11], from: 'source' }, nowMs),
    () =>
      swarm.piecesFinished(peerId, { pieces: PieceSet.range(0, detail), from: parentId, rateBytesPerSec: 1e6 }, nowMs),
    () => swarm.pieceFailed(peerId, parentId, failures[detail % failures.length] ?? 'temporary', nowMs, detail),
    () => swarm.reschedule(peerId, [parentId], nowMs),
    () =>
      swarm.originFailed(
        peerId,
        { permanent: detail === 0, error: { message: 'refused', details: { statusCode: 503 } } },
        nowMs,
      ),
    () => swarm.peerFinished(peerId, nowMs),
    () => swarm.peerFailed(peerId, nowMs),
    () => swarm.peerLeft(peerId, nowMs),
    () => (swarm.calls.answered(peerId, `host-${hostNumber}`), []),
    () => swarm.calls.told(peerId, { pieces: [detail, (detail + 1) % 11], from: 'source' }, nowMs),
    () => swarm.calls.streamBroke(peerId, nowMs),
    () => swarm.calls.ended(peerId, detail % 2 === 0, nowMs),
    () => swarm.hostLeft(`host-${hostNumber}`, nowMs),
    () => swarm.seedDownloadFailed(`task-${taskNumber}`, `host-${hostNumber}`, nowMs),
    () =>
      swarm.announceHeld(
        `host-${hostNumber}`,
        {
          taskId: `task-${taskNumber}`,
          peerId: `held-${hostNumber}-${taskNumber}`,
          url: 'http://origin/object',
          layout: layouts[detail] ?? layout,
          pieces: PieceSet.of([detail === 5 ? 10 : detail]),
        },
        nowMs,
      ),
  ];
  try {
    return events[kind]?.();
  } catch (error) {
    assert(error instanceof DragonflyError && error.code !== 'INTERNAL', `${String(error)}`);
    return undefined;
  }
}

const beds: readonly (readonly [SwarmMode, crossZonePeers: number])[] = [
  ['swarm', 0],
  ['swarm', 1],
  ['dag', 0],
  ['tree', 0],
];

for (const [mode, crossZonePeers] of beds) {
  test(`invariants hold after every event in ${mode} mode, ${crossZonePeers || 'all'} crossing between zones`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.integer(), (steps, seed) => {
        const swarm = new Swarm({
          random: seededRandom(seed),
          mode,
          limits: { backboneChildren: 2, exchangeTarget: 3, exchangeLimit: 4, crossZonePeers },
        });
        let nowMs = 0;
        for (let number = 0; number < hostCount; number += 1) swarm.announceHost(host(number), nowMs);
        for (const one of steps) {
          nowMs += one[4];
          apply(swarm, one, nowMs);
          assertInvariants(swarm);
          const dueMs = swarm.nextTickMs();
          if (dueMs !== undefined && dueMs <= nowMs) swarm.tick(nowMs);
          assertInvariants(swarm);
        }
      }),
      { numRuns: 300 },
    );
  });
}

/** The visible state of a swarm: hosts, tasks, peers with their edges and leases, and its next due time. */
function stateOf(swarm: Swarm): string {
  const all = { hosts: [...swarm.hosts()], tasks: [...swarm.tasks()], dueMs: swarm.nextTickMs() };
  return inspect(all, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity });
}

test('an event that throws changes nothing and decides nothing', () => {
  let rejections = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.integer(), (steps, seed) => {
      const limits = { peersPerTask: 6, hosts: hostCount - 1, backboneChildren: 2 };
      const swarm = new Swarm({ random: seededRandom(seed), limits });
      // This twin never gets the events that the other swarm rejects: randomness, deadlines, ids and decisions must stay the same
      // in both.
      const twin = new Swarm({ random: seededRandom(seed), limits });
      let nowMs = 0;
      for (let number = 0; number < limits.hosts; number += 1)
        for (const each of [swarm, twin]) each.announceHost(host(number), nowMs);
      for (const one of steps) {
        nowMs += one[4];
        const before = stateOf(swarm);
        const decisions = apply(swarm, one, nowMs);
        if (decisions) assert.deepEqual(apply(twin, one, nowMs), decisions);
        else {
          rejections += 1;
          assert.equal(stateOf(swarm), before);
        }
        const dueMs = swarm.nextTickMs();
        assert.equal(twin.nextTickMs(), dueMs);
        if (dueMs !== undefined && dueMs <= nowMs) assert.deepEqual(twin.tick(nowMs), swarm.tick(nowMs));
      }
      assert.equal(stateOf(twin), stateOf(swarm));
    }),
    { numRuns: 150 },
  );
  assert.ok(rejections > 100, `${rejections} events were rejected`);
});
