/** When a parent's stream of announcements is opened again, and when the parent counts as lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent } from './events.ts';
import { downloadLimits } from './limits.ts';
import { PeerMachine } from './peer-machine.ts';

const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000, settleMs: 0 };

/** A download with one parent. Returns the kinds of the effects of each event that concern the parent itself. */
function started(held = new PieceSet()): (event: PeerEvent, nowMs?: number) => readonly PeerEffect['kind'][] {
  const machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) } });
  const send = (event: PeerEvent, nowMs = 0): readonly PeerEffect['kind'][] =>
    machine
      .step(event, { nowMs, schedulers: 'held', bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 })
      .map(({ kind }) => kind)
      .filter((kind) => ['sync-with-parent', 'leave-parent', 'report-parent'].includes(kind));
  send({ kind: 'wanted', pieces: undefined });
  send({ kind: 'layout-known', contentLengthBytes: 4, pieceLengthBytes: 1, pieceCount: 4, held });
  assert.deepEqual(send({ kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false }), [
    'sync-with-parent',
  ]);
  return send;
}

const parentId = 'parent';

test('a stream that breaks is opened again at once; the parent is lost when that breaks, too', () => {
  const send = started();
  const broke = { kind: 'parent-stream-ended', parentId, end: 'broke' } as const;
  assert.deepEqual(send(broke), ['sync-with-parent']);
  assert.deepEqual(send(broke), ['leave-parent', 'report-parent']);
  assert.deepEqual(send(broke), []);
});

test('one that ends in order is opened again after a while, and may break again then', () => {
  const send = started();
  send({ kind: 'parent-stream-ended', parentId, end: 'broke' });
  assert.deepEqual(send({ kind: 'parent-stream-ended', parentId, end: 'ended' }), []);
  assert.deepEqual(send({ kind: 'tick' }, downloadLimits.parentStreamPauseMs - 1), []);
  assert.deepEqual(send({ kind: 'tick' }, downloadLimits.parentStreamPauseMs), ['sync-with-parent']);
  assert.deepEqual(send({ kind: 'parent-stream-ended', parentId, end: 'broke' }, downloadLimits.parentStreamPauseMs), [
    'sync-with-parent',
  ]);
});

test('one that has told all, or of which nothing is needed, stays a parent and is not asked again', () => {
  const told = started();
  assert.deepEqual(told({ kind: 'parent-stream-ended', parentId, end: 'told-all' }), []);
  assert.ok(!told({ kind: 'tick' }, 400).includes('sync-with-parent'));
  const complete = started(PieceSet.range(0, 4));
  assert.deepEqual(complete({ kind: 'parent-stream-ended', parentId, end: 'ended' }), []);
  assert.deepEqual(complete({ kind: 'tick' }, 400), []);
});

test('one that refuses, or holds something else, is left at once', () => {
  const send = started();
  assert.deepEqual(send({ kind: 'parent-useless', parentId }), ['leave-parent', 'report-parent']);
});

test('one that ends before the length is known is opened again: it told of what was asked for alone', () => {
  const machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) } });
  const send = (event: PeerEvent, nowMs = 0): readonly PeerEffect['kind'][] =>
    machine
      .step(event, { nowMs, schedulers: 'held', bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 })
      .map(({ kind }) => kind);
  send({ kind: 'wanted', pieces: undefined });
  send({ kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
  send({ kind: 'parent-stream-ended', parentId, end: 'ended' });
  assert.ok(send({ kind: 'tick' }, downloadLimits.parentStreamPauseMs).includes('sync-with-parent'));
});
