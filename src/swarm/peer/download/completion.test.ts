/** When a download is complete, what it reports, and what happens when its content is corrupt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent } from './events.ts';
import { downloadLimits } from './limits.ts';
import { wholeTask } from './origin-lease.ts';
import { PeerMachine } from './peer-machine.ts';

const pieceLengthBytes = 2 ** 20;

/** A download of three pieces with one parent that holds all of them. */
class Run {
  readonly machine: PeerMachine;
  nowMs = 0;
  #effects: PeerEffect[] = [];

  constructor(wanted: PieceSet | undefined, extended = true) {
    const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000, settleMs: 0 };
    this.machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) } });
    this.send({ kind: 'started', held: new PieceSet() }, { kind: 'wanted', pieces: wanted });
    this.send({ kind: 'session-opened', extended });
    const how = { contentLengthBytes: 3 * pieceLengthBytes, pieceLengthBytes, pieceCount: 3 };
    this.send({ kind: 'layout-known', ...how, held: new PieceSet() });
    this.send({ kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
    this.send({ kind: 'parent-has', parentId: 'parent', pieces: PieceSet.range(0, 3) });
  }

  send(...events: readonly PeerEvent[]): void {
    for (const event of events) {
      const { nowMs } = this;
      const moment = { nowMs, schedulers: 'held', bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 } as const;
      this.#effects.push(...this.machine.step(event, moment));
    }
  }

  land(...pieces: readonly number[]): void {
    for (const piece of pieces)
      this.send({ kind: 'piece-landed', piece, parentId: 'parent', bytes: pieceLengthBytes, costMs: 10 });
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.machine.dueMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      this.send({ kind: 'tick' });
    }
    this.nowMs = untilMs;
  }

  /** Effects of these kinds since the last call. */
  taken(...kinds: readonly PeerEffect['kind'][]): readonly PeerEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects.filter(({ kind }) => kinds.includes(kind));
  }
}

test('what is complete is verified, reported and finished', () => {
  const run = new Run(undefined);
  run.land(0, 1, 2);
  assert.deepEqual(run.taken('verify', 'finish'), [{ kind: 'verify', whole: true }]);
  run.send({ kind: 'verified' });
  const [report, finish] = run.taken('report-pieces', 'finish');
  assert.ok(report?.kind === 'report-pieces' && finish?.kind === 'finish');
  assert.equal(report.sources[0]?.bytes, 3 * pieceLengthBytes);
  assert.deepEqual(finish, { kind: 'finish', whole: true, fromOrigin: false });
});

test('a part is complete when nothing is fetched from the origin any more', () => {
  const run = new Run(PieceSet.of([1]));
  run.send({ kind: 'lease-granted', lease: wholeTask });
  run.land(1);
  assert.deepEqual(run.taken('verify'), []);
  run.send({ kind: 'lease-revoked', leaseId: wholeTask.id });
  assert.deepEqual(run.taken('verify'), [{ kind: 'verify', whole: false }]);
});

test('a piece that the disk loses meanwhile is asked for again, and no verdict on what was there counts', () => {
  const run = new Run(undefined);
  run.land(0, 1, 2);
  run.taken();
  run.send({ kind: 'piece-lost', piece: 1 }, { kind: 'unproven', code: 'FAILED_PRECONDITION' });
  const [asked, ...others] = run.taken('request-piece', 'fail', 'finish');
  assert.ok(asked?.kind === 'request-piece' && asked.piece === 1 && others.length === 0);
  run.land(1);
  run.send({ kind: 'verified' });
  assert.deepEqual(
    run.taken('verify', 'finish').map(({ kind }) => kind),
    ['verify', 'finish'],
  );
});

test('the scheduler hears that a piece is not held any more where no parent has it', () => {
  const run = new Run(undefined);
  run.land(0, 1, 2);
  run.taken();
  run.send({ kind: 'piece-lost', piece: 1 });
  assert.deepEqual(run.taken('leave-session', 'open-session'), [], 'a parent has it');
  run.land(1);
  run.send({ kind: 'parents-withdrawn', parentIds: ['parent'] }, { kind: 'piece-lost', piece: 1 });
  assert.deepEqual(run.taken('leave-session', 'open-session'), [
    { kind: 'leave-session' },
    { kind: 'open-session', renewId: true, readerRange: undefined },
  ]);
  run.send({ kind: 'session-opened', extended: true });
  assert.deepEqual(run.taken('report-held'), [{ kind: 'report-held', held: PieceSet.of([0, 2]) }]);
});

test('what other nodes forged is fetched again from the origin, once', () => {
  const run = new Run(undefined);
  run.land(0, 1, 2);
  run.send({ kind: 'unproven', code: 'DIGEST_MISMATCH' });
  assert.deepEqual(
    run.taken('leave-parent', 'leave-session', 'start-over', 'fail').map(({ kind }) => kind),
    ['leave-parent', 'leave-session', 'start-over'],
  );
  run.send({ kind: 'started-over' });
  const how = { contentLengthBytes: pieceLengthBytes, pieceLengthBytes, pieceCount: 1 };
  run.send({ kind: 'layout-known', ...how, held: new PieceSet() });
  run.send({ kind: 'piece-landed', piece: 0, parentId: undefined, bytes: pieceLengthBytes, costMs: 10 });
  assert.deepEqual(run.taken('verify'), [{ kind: 'verify', whole: true }]);
  run.send({ kind: 'unproven', code: 'DIGEST_MISMATCH' });
  assert.deepEqual(
    run.taken('start-over', 'fail').map(({ kind }) => kind),
    ['fail'],
  );
});

test('what is being verified when its last reader leaves is finished, or fails, and is not fetched again', () => {
  const run = new Run(undefined);
  run.land(0, 1, 2);
  run.send({ kind: 'readers-left' });
  assert.deepEqual(run.taken('leave-off'), []);
  run.send({ kind: 'verified' });
  assert.equal(run.taken('finish').length, 1);
  const forged = new Run(undefined);
  forged.land(0, 1, 2);
  forged.send({ kind: 'readers-left' }, { kind: 'unproven', code: 'DIGEST_MISMATCH' });
  assert.deepEqual(
    forged.taken('start-over', 'fail').map(({ kind }) => kind),
    ['fail'],
  );
});

test('what is incomplete when its last reader leaves is left off, also when the disk loses a piece meanwhile', () => {
  const run = new Run(undefined);
  run.land(0, 1);
  run.send({ kind: 'readers-left' });
  assert.equal(run.taken('leave-off').length, 1);
  const lost = new Run(undefined);
  lost.land(0, 1, 2);
  lost.send({ kind: 'readers-left' }, { kind: 'piece-lost', piece: 1 });
  assert.equal(lost.taken('leave-off').length, 1);
});

test('the first piece is reported at once, later ones together, and a new session hears of all', () => {
  const run = new Run(undefined);
  run.land(0);
  run.pass(0);
  assert.equal(run.taken('report-pieces').length, 1);
  run.land(1);
  run.pass(downloadLimits.reportIntervalMs - 1);
  assert.deepEqual(run.taken('report-pieces'), []);
  run.pass(1);
  assert.equal(run.taken('report-pieces').length, 1);
  run.send({ kind: 'session-ended', extended: true, code: 'UNAVAILABLE', originSaid: false, mayDiffer: false });
  run.pass(downloadLimits.sessionBackoffMs);
  run.send({ kind: 'session-opened', extended: true });
  assert.deepEqual(run.taken('report-held'), [{ kind: 'report-held', held: PieceSet.of([0, 1]) }]);
});

test('a scheduler of the original hears of each piece', () => {
  const run = new Run(undefined, false);
  run.land(0, 1);
  assert.deepEqual(
    run.taken('report-piece', 'report-pieces').map(({ kind }) => kind),
    ['report-piece', 'report-piece'],
  );
});
