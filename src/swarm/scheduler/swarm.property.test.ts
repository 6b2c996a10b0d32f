import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError } from '../../core/errors.ts';
import { allFeatures, type HostInfo, originalFeatures, type ParentFailure } from '../shared/events.ts';
import { assertInvariants } from './invariants.ts';
import type { SwarmMode } from './matchmaker.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';
import { Swarm } from './swarm.ts';

const hostCount = 8;
const taskCount = 2;
const failures: readonly ParentFailure[] = ['temporary', 'corrupt', 'not-held'];
const layout = { contentLengthBytes: 40 * 2 ** 20, pieceLengthBytes: 4 * 2 ** 20 };

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
  fc.nat(19),
  fc.nat(hostCount - 1),
  fc.nat(taskCount - 1),
  fc.nat(9),
  fc.constantFrom(0, 1, 100, 4000, 40_000),
);

/** One event of any kind about any host, legal or not; errors with a code are fine, anything else is not. */
function apply(swarm: Swarm, [kind, hostNumber, taskNumber, detail]: Step, nowMs: number): void {
  const peerId = `peer-${hostNumber}-${taskNumber}`;
  const parentId = `peer-${detail % hostCount}-${taskNumber}`;
  const reader: RangeSpec =
    detail === 7
      ? { suffix: 5000 }
      : { first: detail * 5_000_000, last: detail * 5_000_000 + (detail % 2 === 0 ? 99 : 9_000_000) };
  const register = (extended: boolean, reads = false): unknown =>
    swarm.registerPeer(
      {
        peerId,
        taskId: `task-${taskNumber}`,
        hostId: `host-${hostNumber}`,
        url: 'http://origin/object',
        priority: detail % 7,
        needBackToSource: hostNumber < 2,
        disableBackToSource: detail === 9,
        knownLayout: extended ? undefined : layout,
        reader: reads ? reader : undefined,
        range: detail === 3 ? { start: 0, length: 12 * 2 ** 20 } : undefined,
        features: extended ? allFeatures : originalFeatures,
      },
      nowMs,
    );
  const events: (() => unknown)[] = [
    () => swarm.announceHost(host(hostNumber), nowMs),
    () => register(true),
    () => register(true),
    () => register(false),
    () => register(true, true),
    () => swarm.readerAsks(peerId, detail === 8 ? { first: 0, last: undefined } : reader, nowMs),
    () => swarm.peerLeftOff(peerId, nowMs),
    () => swarm.taskMetadata(peerId, layout, nowMs, detail > 2),
    () => swarm.taskMetadata(peerId, layout, nowMs),
    () => swarm.piecesFinished(peerId, { pieces: [detail, (detail + 1) % 10], from: 'source' }, nowMs),
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
    () => swarm.hostLeft(`host-${hostNumber}`, nowMs),
    () => swarm.seedDownloadFailed(`task-${taskNumber}`, `host-${hostNumber}`, nowMs),
    () =>
      swarm.announceHeld(
        `host-${hostNumber}`,
        [
          {
            taskId: `task-${taskNumber}`,
            peerId: `held-${hostNumber}-${taskNumber}`,
            url: 'http://origin/object',
            layout,
            pieces: PieceSet.of([detail]),
          },
        ],
        nowMs,
      ),
  ];
  try {
    events[kind]?.();
  } catch (error) {
    assert(error instanceof DragonflyError && error.code !== 'INTERNAL', `${String(error)}`);
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
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
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
