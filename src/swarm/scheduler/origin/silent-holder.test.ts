/** Lease holders on overloaded machines: a late sign of life does not mean that the holder is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../../shared/decisions.ts';
import { allFeatures } from '../../shared/events.ts';
import { seededRandom } from '../../shared/random.ts';
import { Swarm } from '../swarm.ts';

const layout = { contentLengthBytes: 20_208, pieceLengthBytes: 4 * 2 ** 20 };
const waits = { aliveEveryMs: 125, originSilent: true };

function newSwarm(): Swarm {
  const swarm = new Swarm({ random: seededRandom(1) });
  const facts = { idc: '', location: '', maxTxBitsPerSec: 0, disableShared: false, announceIntervalMs: 60_000 };
  for (const hostId of ['one', 'two']) swarm.announceHost({ hostId, type: 'normal', ...facts }, 0);
  return swarm;
}

function register(
  swarm: Swarm,
  hostId: string,
  taskId: string,
  nowMs: number,
  { disableBackToSource = false } = {},
): Decision[] {
  const peerId = `${hostId} ${taskId}`;
  const rules = { priority: 6, needBackToSource: false, disableBackToSource, features: allFeatures };
  return swarm.registerPeer({ peerId, taskId, hostId, url: `http://origin/${taskId}`, ...rules }, nowMs);
}

/** Ticks whenever the swarm is due, until the given time. */
function leasesUntil(swarm: Swarm, untilMs: number): string[] {
  const holders: string[] = [];
  for (let dueMs = swarm.nextTickMs() ?? Infinity; dueMs < untilMs; dueMs = swarm.nextTickMs() ?? Infinity)
    for (const one of swarm.tick(dueMs)) if (one.kind === 'grant-origin-lease') holders.push(one.peerId);
  return holders;
}

test('a holder whose answer has come keeps its lease while its next heartbeat is late', () => {
  const swarm = newSwarm();
  register(swarm, 'one', 'layer', 525);
  for (const nowMs of [657, 679, 805, 957, 1087, 1215, 1334]) swarm.originProgress('one layer', waits, nowMs);
  swarm.taskMetadata('one layer', layout, 1496);
  register(swarm, 'two', 'layer', 1752);
  assert.deepEqual(leasesUntil(swarm, 2057), [], 'what it has said last was 561 ms ago');
  swarm.originProgress('one layer', waits, 2057);
  swarm.piecesFinished('one layer', { pieces: [0], from: 'source' }, 2185);
  assert.equal(swarm.task('layer')?.holders[0], 1);
});

test('a host that speaks of one task is not gone for another', () => {
  const swarm = newSwarm();
  register(swarm, 'one', 'layer', 0);
  register(swarm, 'one', 'other', 0);
  register(swarm, 'two', 'layer', 0);
  swarm.originProgress('one layer', waits, 100);
  swarm.originProgress('one other', waits, 600);
  assert.deepEqual(leasesUntil(swarm, 1150), []);
  assert.deepEqual(leasesUntil(swarm, 1250), ['two layer'], 'after 600 ms without a word');
});

test('a host that was late with one task is waited for with the next', () => {
  const swarm = newSwarm();
  register(swarm, 'one', 'layer', 0);
  for (const nowMs of [100, 550]) swarm.originProgress('one layer', waits, nowMs);
  swarm.piecesFinished('one layer', { pieces: [0], from: 'source' }, 600);
  register(swarm, 'one', 'next', 1000);
  register(swarm, 'two', 'next', 1000);
  swarm.originProgress('one next', waits, 1100);
  assert.deepEqual(leasesUntil(swarm, 2500), []);
  assert.deepEqual(leasesUntil(swarm, 3000), ['two next']);
});

/**
 * The first peer is at the origin and gives signs of life at this interval; the second waits for what it fetches. @returns who
 * was sent to the origin meanwhile.
 */
function sentWhileLate(everyMs: number, { getsPieces = false, mayGo = true } = {}): string[] {
  const swarm = newSwarm();
  register(swarm, 'one', 'layer', 0);
  swarm.taskMetadata('one layer', { ...layout, contentLengthBytes: 20 * layout.pieceLengthBytes }, 100);
  register(swarm, 'two', 'layer', 0, { disableBackToSource: !mayGo });
  const sent: string[] = [];
  let piece = 0;
  for (let nowMs = 150, gapMs = 150; nowMs < 8000; nowMs += gapMs) {
    gapMs = Math.min(everyMs, 3 * gapMs);
    sent.push(...leasesUntil(swarm, nowMs));
    swarm.originProgress('one layer', { aliveEveryMs: 125, originSilent: false }, nowMs);
    if (!getsPieces || nowMs < 1000 * (piece + 1) || piece === 5) continue;
    swarm.piecesFinished('one layer', { pieces: [piece], from: 'source' }, nowMs);
    swarm.piecesFinished('two layer', { pieces: [piece], from: 'one layer' }, nowMs);
    piece += 1;
  }
  return sent;
}

test('whoever says something now and then only, while others get nothing of what it fetches, is as good as silent', () => {
  assert.deepEqual(sentWhileLate(1200), ['two layer']);
  assert.deepEqual(sentWhileLate(150), [], 'an origin may be slow');
  assert.deepEqual(sentWhileLate(1200, { getsPieces: true }), [], 'a busy machine that gives is left alone');
  assert.deepEqual(sentWhileLate(1200, { mayGo: false }), [], 'nobody else could go');
});
