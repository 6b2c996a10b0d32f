/** What a download does with its leases, and with the results of their fetches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent } from './events.ts';
import { downloadLimits } from './limits.ts';
import { wholeTask, type OriginLease } from './origin-lease.ts';
import { PeerMachine } from './peer-machine.ts';

const pieceLengthBytes = 2 ** 20;
const layout: PeerEvent = {
  kind: 'layout-known',
  contentLengthBytes: 10 * pieceLengthBytes,
  pieceLengthBytes,
  pieceCount: 10,
  held: new PieceSet(),
};

class Run {
  readonly machine: PeerMachine;
  nowMs = 0;
  #effects: PeerEffect[] = [];

  /** @param wanted undefined for everything. */
  constructor(wanted?: PieceSet) {
    const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000, settleMs: 0 };
    this.machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) } });
    this.send(
      { kind: 'started', held: new PieceSet() },
      { kind: 'wanted', pieces: wanted },
      { kind: 'session-opened', extended: true },
    );
  }

  send(...events: readonly PeerEvent[]): void {
    for (const event of events) {
      const { nowMs } = this;
      const moment = { nowMs, schedulers: 'held', bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 } as const;
      this.#effects.push(...this.machine.step(event, moment));
    }
  }

  grant(lease: OriginLease): void {
    this.send({ kind: 'lease-granted', lease });
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

/** A failure of the first fetch's only request. */
const failure = {
  kind: 'origin-failed',
  fetch: 1,
  request: 0,
  code: 'SOURCE_UNREACHABLE',
  temporary: true,
  progressed: false,
  retryAfterMs: undefined,
} as const;

const fetches = ['fetch-origin', 'change-origin-run', 'stop-origin'] as const;

test('a lease for some pieces waits for the layout that names them', () => {
  const run = new Run();
  const lease = { id: '7', first: 3, end: 5 };
  run.grant(lease);
  assert.deepEqual(run.taken(...fetches), []);
  assert.equal(run.machine.leases.isActive, true);
  run.send(layout);
  assert.deepEqual(run.taken(...fetches), [{ kind: 'fetch-origin', fetch: 1, lease }]);
  assert.deepEqual([...run.machine.leases.pieces({ whole: true })], [3, 4]);
});

test('given again with the same id it changes its end; another one takes its place', () => {
  const run = new Run();
  run.send(layout);
  run.grant({ id: '1', first: 0, end: undefined });
  run.grant({ id: '1', first: 2, end: 6 });
  const changed = { id: '1', first: 0, end: 6 };
  assert.deepEqual(run.taken(...fetches).slice(1), [
    { kind: 'change-origin-run', fetch: 1, lease: changed, onlyEnd: true },
  ]);
  const other = { id: '2', first: 6, end: 10 };
  run.grant(other);
  assert.deepEqual(run.taken(...fetches), [
    { kind: 'stop-origin', fetch: 1 },
    { kind: 'fetch-origin', fetch: 2, lease: other },
  ]);
  run.send({ ...failure, code: 'STORAGE', temporary: false });
  assert.deepEqual(run.taken('fail', 'report-lease-failed'), [], 'nobody hears of a fetch that was stopped');
});

test('a reader has a lease beside the others, and the scheduler says which pieces its bytes lie in', () => {
  const run = new Run();
  run.send(layout);
  run.grant({ id: '1', first: 0, end: 4 });
  const readerRange = { first: 5 * pieceLengthBytes, last: 6 * pieceLengthBytes - 1 };
  run.grant({ id: '2', first: 0, end: undefined, readerRange });
  assert.deepEqual([...run.machine.leases.pieces({ whole: false })], [0, 1, 2, 3, 5]);
  run.send({ kind: 'origin-fetched', fetch: 2 }, { kind: 'origin-fetched', fetch: 1 });
  assert.equal(run.machine.leases.isActive, true, 'the scheduler is about to say whose piece 5 is');
  run.taken();
  run.pass(downloadLimits.leaseResolvedMs);
  assert.equal(run.machine.leases.isActive, false, 'it has said nothing');
  assert.deepEqual(run.taken('origin-left', 'report-lease-alive'), [{ kind: 'origin-left' }]);
});

test('what comes whole from the origin is not expected of parents any more', () => {
  const run = new Run();
  run.send(layout, { kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
  run.send({ kind: 'parent-has', parentId: 'parent', pieces: PieceSet.range(0, 2) });
  const [asked] = run.taken('request-piece');
  assert.ok(asked?.kind === 'request-piece');
  run.grant({ id: '1', first: 0, end: 2 });
  const { piece } = asked;
  assert.deepEqual(run.taken('cancel-piece', 'request-piece'), [{ kind: 'cancel-piece', parentId: 'parent', piece }]);
  run.send({ kind: 'lease-revoked', leaseId: '1' });
  assert.equal(run.taken('stop-origin', 'request-piece').length, 2);
});

test('the scheduler hears that a holder is there until its fetches have ended', () => {
  const run = new Run();
  run.send(layout);
  run.grant(wholeTask);
  run.pass(10 * downloadLimits.leaseAliveMs);
  assert.equal(run.taken('report-lease-alive').length, 11);
  run.send({ kind: 'origin-fetched', fetch: 1 });
  run.pass(1000);
  assert.deepEqual(run.taken('report-lease-alive'), []);
});

test("the origin's failure is the user's answer where nobody else can give anything, or nothing helps against it", () => {
  const failing = (
    code: 'SOURCE_STATUS' | 'NO_SPACE' | 'UNSUPPORTED' | 'CANCELLED',
    hasParent: boolean,
  ): readonly string[] => {
    const run = new Run();
    run.send(layout);
    if (hasParent) run.send({ kind: 'parents-offered', parents: [{ peerId: 'p', distance: 0 }], replace: false });
    run.grant(wholeTask);
    run.send({ ...failure, code, temporary: false });
    return run.taken('report-lease-failed', 'fail').map(({ kind }) => kind);
  };
  assert.deepEqual(failing('SOURCE_STATUS', false), ['report-lease-failed', 'fail']);
  assert.deepEqual(failing('SOURCE_STATUS', true), ['report-lease-failed']);
  assert.deepEqual(failing('NO_SPACE', true), ['report-lease-failed', 'fail']);
  assert.deepEqual(failing('UNSUPPORTED', false), ['report-lease-failed'], 'it is asked for everything instead');
  assert.deepEqual(
    failing('CANCELLED', true),
    ['fail'],
    'the answer is its caller’s alone, and says nothing of the origin',
  );
});

test('a request that fails for now is sent again, with growing pauses, until it has brought nothing several times in a row', () => {
  const run = new Run();
  run.send(layout);
  run.grant(wholeTask);
  run.taken();
  const { originAttempts, originBackoffMs } = downloadLimits;
  /** The longest pause before the next attempt, after this many failures in a row. */
  const longestMs = (failures: number): number => originBackoffMs * 2 ** (failures - 1);
  for (let failures = 1; failures < originAttempts; failures += 1) {
    run.send(failure);
    run.pass(longestMs(failures) / 2 - 1);
    assert.deepEqual(run.taken('resume-origin', 'fail'), []);
    run.pass(longestMs(failures) / 2 + 1);
    assert.deepEqual(run.taken('resume-origin'), [{ kind: 'resume-origin', fetch: 1, request: 0 }]);
  }
  run.send({ ...failure, progressed: true });
  run.pass(longestMs(1));
  assert.equal(run.taken('resume-origin').length, 1, 'it had brought something: the origin works');
  for (let failures = 2; failures < originAttempts; failures += 1) {
    run.send(failure);
    run.pass(longestMs(failures));
  }
  run.taken();
  run.send(failure);
  assert.deepEqual(
    run.taken('stop-origin', 'report-lease-failed', 'fail').map(({ kind }) => kind),
    ['stop-origin', 'report-lease-failed', 'fail'],
  );
});

test('while a request waits to be sent again, what parents have is asked of them', () => {
  const run = new Run();
  run.send(layout, { kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
  run.grant({ id: '1', first: 3, end: 10 });
  run.send({ kind: 'parent-has', parentId: 'parent', pieces: PieceSet.of([4]) });
  assert.deepEqual(run.taken('request-piece'), []);
  run.send({ ...failure, retryAfterMs: 100 });
  assert.deepEqual(run.taken('request-piece'), [{ kind: 'request-piece', parentId: 'parent', piece: 4, hedge: false }]);
  run.pass(100);
  assert.deepEqual(
    run.taken('resume-origin', 'cancel-piece').map(({ kind }) => kind),
    ['resume-origin', 'cancel-piece'],
  );
});

test('what a parent has got meanwhile at the beginning of the run is not fetched when the request is sent again', () => {
  const run = new Run();
  run.send(layout, { kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
  run.grant({ id: '1', first: 3, end: 10 });
  run.send({ ...failure, retryAfterMs: 100 });
  run.send({ kind: 'parent-has', parentId: 'parent', pieces: PieceSet.of([3, 4, 6]) });
  run.taken();
  run.pass(100);
  assert.deepEqual(run.taken('change-origin-run', 'resume-origin'), [
    { kind: 'change-origin-run', fetch: 1, lease: { id: '1', first: 5, end: 10 }, onlyEnd: false },
    { kind: 'resume-origin', fetch: 1, request: 0 },
  ]);
  assert.deepEqual([...run.machine.leases.pieces({ whole: true })], [5, 6, 7, 8, 9]);
  run.grant({ id: '1', first: 3, end: 8 });
  assert.deepEqual([...run.machine.leases.pieces({ whole: true })], [5, 6, 7]);
});

test('an origin is not asked before the time it names, and not waited for much too long', () => {
  const run = new Run();
  run.send(layout);
  run.grant(wholeTask);
  run.send({ ...failure, retryAfterMs: 3000 });
  run.pass(2999);
  assert.deepEqual(run.taken('resume-origin'), []);
  run.pass(1);
  assert.equal(run.taken('resume-origin').length, 1);
  run.send({ ...failure, retryAfterMs: downloadLimits.retryAfterMaxMs + 1 });
  assert.equal(run.taken('fail').length, 1);
});

test('each of several requests of a fetch has its own attempts, and one that gives up ends all', () => {
  const run = new Run();
  run.send(layout);
  run.grant(wholeTask);
  for (let request = 0; request < 2 * downloadLimits.originAttempts; request += 1) run.send({ ...failure, request });
  assert.deepEqual(run.taken('stop-origin'), []);
  run.send({ ...failure, request: 5, temporary: false });
  assert.equal(run.taken('stop-origin').length, 1);
  run.pass(60_000);
  assert.deepEqual(run.taken('resume-origin'), []);
});

test('when the last reader leaves, what was begun for one is finished first', () => {
  const run = new Run(PieceSet.of([0, 1]));
  run.send(layout);
  run.grant({ id: '1', first: 0, end: 2, readerRange: { first: 0, last: 9 } });
  run.send({ kind: 'readers-left' });
  assert.deepEqual(run.taken('leave-off'), []);
  run.send({ kind: 'origin-fetched', fetch: 1 });
  assert.deepEqual(run.taken('leave-off'), [{ kind: 'leave-off' }]);
});

test('a scheduler of the original that has restarted sends no node to the origin whose parents give', () => {
  const run = new Run();
  run.send(layout, { kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: true });
  run.send({ kind: 'piece-landed', piece: 0, parentId: 'parent', bytes: pieceLengthBytes, costMs: 9 });
  run.send({ kind: 'session-ended', extended: false, code: undefined, originSaid: false, mayDiffer: false });
  run.pass(downloadLimits.sessionBackoffMs);
  run.send({ kind: 'session-opened', extended: false });
  run.grant(wholeTask);
  assert.equal(run.machine.leases.isActive, false);
});

test('once others were found to give something else, nothing is taken from them', () => {
  const run = new Run();
  run.send(layout, { kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
  run.taken();
  run.send({ kind: 'others-disproved' }, { kind: 'started-over' });
  assert.deepEqual(
    run.taken('leave-parent', 'leave-session', 'fetch-origin').map(({ kind }) => kind),
    ['leave-parent', 'leave-session', 'fetch-origin'],
  );
  run.send({ kind: 'parents-offered', parents: [{ peerId: 'other', distance: 0 }], replace: false });
  run.grant({ id: '9', first: 0, end: 1 });
  assert.deepEqual(run.taken('sync-with-parent', 'stop-origin'), []);
});
