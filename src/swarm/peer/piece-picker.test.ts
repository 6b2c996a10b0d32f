import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPickerLimits } from './picker-limits.ts';
import { PiecePicker, type PickerOptions } from './piece-picker.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { seededRandom } from '../shared/random.ts';

const pieceLengthBytes = 4 * 2 ** 20;

function picker(options: Partial<PickerOptions> = {}): PiecePicker {
  return new PiecePicker({
    pieceCount: 20,
    pieceLengthBytes,
    random: seededRandom(3),
    limits: { maxWaiting: 8 },
    ...options,
  });
}

function withParents(subject: PiecePicker, ...holdings: readonly number[][]): PiecePicker {
  for (const [number, pieces] of holdings.entries()) {
    subject.parentAdded(`p${number}`);
    subject.parentHas(`p${number}`, PieceSet.of(pieces));
  }
  return subject;
}

test('takes the rarest piece of an idle parent', () => {
  const subject = withParents(picker({ held: PieceSet.of([9]), limits: { maxWaiting: 1 } }), [1, 2, 3], [1, 2], [1, 2]);
  subject.parentLoad('p1', 1);
  subject.parentLoad('p2', 1);
  assert.deepEqual(subject.next(0), [{ parentId: 'p0', piece: 3, hedge: false }]);
});

test('a reader’s window comes before rarer pieces elsewhere', () => {
  const subject = withParents(
    picker({ held: PieceSet.of([9]), limits: { maxWaiting: 1, readerWindow: 2 } }),
    [0, 1, 15],
    [0, 1],
  );
  subject.setReadPositions([0]);
  const [request] = subject.next(0);
  assert(request && request.piece <= 1);
});

test('never asks twice for a piece, and ends when everything is there', () => {
  const all = [...PieceSet.range(0, 20)];
  const subject = withParents(picker(), all, all, all);
  let nowMs = 0;
  const seen = new Set<number>();
  while (!subject.isComplete) {
    const requests = subject.next(nowMs);
    assert(requests.length > 0);
    nowMs += 10;
    for (const { parentId, piece } of requests) {
      assert(!seen.has(piece));
      seen.add(piece);
      assert.deepEqual(subject.pieceArrived(piece, parentId, nowMs), []);
    }
  }
  assert.equal(subject.inFlightCount, 0);
});

test('wrong bytes ban the parent, and its pieces are asked of others', () => {
  const subject = withParents(picker(), [4]);
  assert.deepEqual(
    subject.next(0).map((request) => request.piece),
    [4],
  );
  subject.requestFailed('p0', 4, 'corrupt', 5);
  assert.equal(subject.parentAdded('p0'), false);
  subject.parentAdded('other');
  subject.parentHas('other', 4);
  assert.deepEqual(subject.next(6), [{ parentId: 'other', piece: 4, hedge: false }]);
});

test('a late piece is asked of a second parent, and the loser is to be cancelled', () => {
  const subject = withParents(picker(), [4]);
  subject.next(0);
  subject.parentAdded('second');
  subject.parentHas('second', 4);
  const dueMs = subject.nextWakeMs(0);
  assert(dueMs !== undefined);
  assert.deepEqual(subject.next(dueMs), [{ parentId: 'second', piece: 4, hedge: true }]);
  assert.deepEqual(subject.pieceArrived(4, 'second', dueMs + 1), [{ parentId: 'p0', piece: 4, hedge: false }]);
  assert.equal(subject.inFlightCount, 0);
});

test('where the second request takes over from the first, a piece that takes long arrives all the same', () => {
  // As long as it takes both of two parents, and far longer than the first patience.
  const pieceMs = 1_500;
  const subject = withParents(picker(), [4]);
  subject.parentAdded('second');
  subject.parentHas('second', 4);
  const [first] = subject.next(0);
  let running = { parentId: first?.parentId ?? '', sinceMs: 0 };
  for (let nowMs = 1; nowMs - running.sinceMs < pieceMs; nowMs += 1) {
    assert(nowMs < 10 * pieceMs, 'the two take the piece from each other for ever');
    for (const { parentId, hedge } of subject.next(nowMs)) {
      assert(hedge);
      subject.requestCancelled(running.parentId, 4);
      running = { parentId, sinceMs: nowMs };
    }
  }
});

test('on a slow line a piece that comes in as fast as it can is not late', () => {
  const subject = withParents(picker(), [4]);
  const [first] = subject.next(0);
  subject.parentAdded('second');
  subject.parentHas('second', 4);
  subject.requestStarted(first?.parentId ?? '', 4, 10);
  const pieceMs = 2_000;
  const rate = (1000 * pieceLengthBytes) / pieceMs;
  for (let nowMs = 11; nowMs < 4 * pieceMs; nowMs += 10) assert.deepEqual(subject.next(nowMs, rate), [], `${nowMs} ms`);
  assert.equal(subject.next(4 * pieceMs, rate).length, 1, 'it is late now');
});

test('a short last piece does not make a parent look faster than it is', () => {
  const last = 100_000;
  const subject = withParents(
    picker({ wanted: PieceSet.of([4, 19]), contentLengthBytes: 19 * pieceLengthBytes + last }),
    [19],
    [4],
  );
  const [request] = subject.next(0).filter(({ piece }) => piece === 19);
  subject.requestStarted(request?.parentId ?? '', 19, 1);
  subject.requestCancelled('p1', 4);
  subject.pieceArrived(19, request?.parentId, 20);
  subject.parentHas('p0', 4);
  const [next] = subject.next(20);
  subject.requestStarted(next?.parentId ?? '', 4, 21);
  const usualMs = (pieceLengthBytes / last) * 20;
  assert.ok((subject.nextWakeMs(21) ?? 0) >= usualMs, `${subject.nextWakeMs(21)} is not ${usualMs}`);
});

test('a parent that trickles is not the pace of the line', () => {
  const subject = withParents(picker({ pieceCount: 6 }), [0, 1, 2, 3, 4]);
  let nowMs = 0;
  for (let got = 0; got < 5; nowMs += 1)
    for (const { parentId, piece } of subject.next(nowMs)) {
      subject.requestStarted(parentId, piece, nowMs);
      subject.pieceArrived(piece, parentId, (nowMs += 20));
      got += 1;
    }
  subject.parentAdded('slow');
  subject.parentHas('slow', 5);
  assert.equal(subject.next(nowMs)[0]?.parentId, 'slow');
  subject.requestStarted('slow', 5, nowMs);
  subject.parentHas('p0', 5);
  const waits = Array.from({ length: 200 }, (_, step) => 10 * step);
  const waitMs = waits.find((wait) => subject.next(nowMs + wait, 2 ** 16).length > 0);
  assert.ok(waitMs !== undefined && waitMs <= 1100, `${waitMs}`);
});

test('on a line that stands still the piece is late as ever', () => {
  const subject = withParents(picker(), [4]);
  const [first] = subject.next(0);
  subject.parentAdded('second');
  subject.parentHas('second', 4);
  subject.requestStarted(first?.parentId ?? '', 4, 10);
  const rate = pieceLengthBytes / 2;
  for (let nowMs = 20; nowMs < 1000; nowMs += 10) assert.deepEqual(subject.next(nowMs, rate), []);
  assert.deepEqual(subject.next(subject.nextWakeMs(1000) ?? 0, 0), [{ parentId: 'second', piece: 4, hedge: true }]);
});

test('a piece of which the last bytes are on their way is not asked for again at that moment', () => {
  const subject = withParents(picker(), [4]);
  const [first] = subject.next(0);
  subject.parentAdded('second');
  subject.parentHas('second', 4);
  const dueMs = subject.nextWakeMs(0) ?? 0;
  subject.pieceEnding(first?.parentId ?? '', 4, dueMs);
  assert.deepEqual(subject.next(dueMs), []);
  assert.equal(subject.next(dueMs + 10_000).length, 1);
});

test('a busy parent is left alone until it says that it has time', () => {
  const subject = withParents(picker({ limits: { maxWaiting: 1, busyMs: 1000 } }), [4]);
  subject.next(0);
  subject.requestFailed('p0', 4, 'busy', 1);
  assert.deepEqual(subject.next(2), []);
  subject.parentLoad('p0', 0);
  assert.equal(subject.next(3).length, 1);
});

test('a refusal from before the parent had less to do counts for nothing', () => {
  const subject = withParents(picker({ limits: { maxWaiting: 1, busyMs: 1000 } }), [4]);
  subject.next(0);
  subject.parentLoad('p0', 0); // overtakes the refusal
  subject.requestFailed('p0', 4, 'busy', 1);
  assert.equal(subject.next(2).length, 1);
});

test('a parent that is busy with nobody else is asked again while its piece still comes in', () => {
  const subject = withParents(picker({ limits: { maxWaiting: 1, tryBusyMs: 1000 } }), [4, 5, 6]);
  for (let piece = 0; piece < 3; piece += 1) {
    const [request] = subject.next(piece);
    assert(request);
    subject.requestStarted('p0', request.piece, piece);
    subject.parentLoad('p0', 1);
    assert.deepEqual(subject.next(piece), []);
    subject.pieceEnding('p0', request.piece, 0);
  }
});

test('of parents that say they are busy one is tried in a while', () => {
  const subject = withParents(picker({ limits: { maxWaiting: 4, tryBusyMs: 100 } }), [4], [5], [6]);
  subject.parentLoad('p0', 1);
  subject.parentLoad('p1', 1);
  assert.equal(subject.next(0).length, 2, 'the idle one and one of the busy');
  assert.deepEqual(subject.next(2), []);
  assert.equal(subject.nextWakeMs(2), 100);
  assert.equal(subject.next(100).length, 1);
});

test('what a near parent holds does not come over the long way, however busy the near one is', () => {
  const subject = picker({ pieceCount: 3, held: PieceSet.of([2]) });
  subject.parentAdded('near', { distance: 0.4 });
  subject.parentAdded('far', { distance: 1 });
  subject.parentHas('near', 0);
  subject.parentLoad('near', 1);
  subject.parentHas('far', PieceSet.of([0, 1]));
  assert.deepEqual(subject.next(0)[0], { parentId: 'far', piece: 1, hedge: false });
  assert(subject.next(1000).every(({ parentId, hedge }) => parentId === 'near' || hedge));
});

test('a near parent that keeps failing does not stand in the way of a far one', () => {
  const subject = picker({ pieceCount: 2, held: PieceSet.of([1]) });
  subject.parentAdded('near', { distance: 0.4 });
  subject.parentAdded('far', { distance: 1 });
  subject.parentHas('near', 0);
  subject.parentHas('far', 0);
  for (let failure = 0; failure < defaultPickerLimits.failuresToDemote; failure += 1) {
    assert.equal(subject.next(failure)[0]?.parentId, 'near');
    subject.requestFailed('near', 0, 'temporary', failure);
  }
  assert.equal(subject.next(10)[0]?.parentId, 'far');
});

test('what comes from the origin is not asked of parents', () => {
  const subject = withParents(picker(), [4, 5]);
  subject.originFetching(PieceSet.of([4]));
  assert.deepEqual(
    subject.next(0).map((request) => request.piece),
    [5],
  );
  subject.originReleased();
  subject.requestFailed('p0', 5, 'gone', 1);
  assert.deepEqual(
    subject.next(2).map((request) => request.piece),
    [4],
  );
});

test('an offered piece is asked for at once and holds up no other, waiting or coming in', () => {
  const subject = withParents(picker({ limits: { maxWaiting: 1 } }), [1, 2, 3], [1]);
  subject.parentOffers('p1', 7);
  const [offered, other] = subject.next(0);
  assert.deepEqual(offered, { parentId: 'p1', piece: 7, hedge: false });
  assert.equal(other?.parentId, 'p0');
  assert(subject.inFlightCount === 1, 'the offered one does not count');
  subject.requestStarted('p1', 7, 1);
  subject.pieceArrived(other.piece, 'p0', 2);
  assert.equal(subject.next(3).length, 1, 'while the offered one comes in another is asked for');
  assert.deepEqual(subject.pieceArrived(7, 'p1', 4), []);
});
