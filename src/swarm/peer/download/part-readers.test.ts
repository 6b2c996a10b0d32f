/** Readers of a part: what the scheduler is told of them, and how a node decides without a scheduler. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent } from './events.ts';
import { downloadLimits } from './limits.ts';
import { wholeTask, type OriginLease } from './origin-lease.ts';
import { PeerMachine } from './peer-machine.ts';

const pieceLengthBytes = 2 ** 22;
const layout: PeerEvent = {
  kind: 'layout-known',
  contentLengthBytes: 100 * pieceLengthBytes,
  pieceLengthBytes,
  pieceCount: 100,
  held: new PieceSet(),
};
/** A range of this length in the middle of the content. */
const range = (bytes: number) => ({ first: 50 * pieceLengthBytes, last: 50 * pieceLengthBytes + bytes - 1 });

class Run {
  readonly machine: PeerMachine;
  nowMs = 0;
  #effects: PeerEffect[] = [];

  readonly #schedulers: 'held' | 'none';

  constructor({ schedulers = 'held', prefetch = false }: { schedulers?: 'held' | 'none'; prefetch?: boolean } = {}) {
    const rules = { mayGoToOrigin: true, prefetch, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000, settleMs: 0 };
    this.#schedulers = schedulers;
    this.machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) } });
  }

  send(...events: readonly PeerEvent[]): void {
    for (const event of events) {
      const { nowMs } = this;
      const moment = { nowMs, schedulers: this.#schedulers, bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 };
      this.#effects.push(...this.machine.step(event, moment));
    }
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.machine.dueMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      this.send({ kind: 'tick' });
    }
    this.nowMs = untilMs;
  }

  /** Effects of this kind since the last call. */
  taken<Kind extends PeerEffect['kind']>(kind: Kind): readonly Extract<PeerEffect, { kind: Kind }>[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects.filter((effect): effect is Extract<PeerEffect, { kind: Kind }> => effect.kind === kind);
  }

  /** A download of the whole content that went to the origin by itself, and a reader who comes later. */
  static atOrigin(bytes: number): Run {
    const run = new Run({ schedulers: 'none' });
    run.send({ kind: 'started', held: new PieceSet() }, { kind: 'wanted', pieces: undefined }, layout);
    run.pass(0);
    assert.equal(run.taken('fetch-origin').length, 1);
    run.send({ kind: 'reader-came', reader: 1, range: range(bytes), isHere: false });
    run.pass(downloadLimits.readerLookMs);
    assert.equal(run.taken('measure-readers').length, 1);
    return run;
  }

  measured(comesInMs: number | undefined, nextPiece = 0, isHere = false): void {
    this.send({ kind: 'readers-measured', measures: [{ reader: 1, isHere, comesInMs }], nextPiece, alone: false });
  }
}

function leasesOf(effects: readonly { readonly lease: OriginLease }[]): readonly OriginLease[] {
  return effects.map(({ lease }) => lease);
}

test('a session begins with one reader, hears of the others when it is open, and of the whole when that is wanted', () => {
  const run = new Run();
  run.send({ kind: 'reader-came', reader: 1, range: range(9), isHere: false });
  run.send({ kind: 'reader-came', reader: 2, range: range(99), isHere: false });
  run.send({ kind: 'started', held: new PieceSet() });
  assert.deepEqual(
    run.taken('open-session').map(({ readerRange }) => readerRange),
    [range(9)],
  );
  run.send({ kind: 'session-opened', extended: true });
  assert.deepEqual(
    run.taken('ask-for-reader').map((asked) => asked.range),
    [range(99)],
  );
  run.send({ kind: 'reader-came', reader: 3, range: range(5), isHere: false });
  run.send({ kind: 'reader-came', reader: 4, range: range(6), isHere: true });
  run.send({ kind: 'wanted', pieces: undefined });
  assert.deepEqual(
    run.taken('ask-for-reader').map((asked) => asked.range),
    [range(5), { first: 0, last: undefined }],
  );
});

test('a lost session is told of every reader who is still there', () => {
  const run = new Run();
  run.send({ kind: 'reader-came', reader: 1, range: range(9), isHere: false });
  run.send({ kind: 'reader-came', reader: 2, range: range(99), isHere: false });
  run.send({ kind: 'started', held: new PieceSet() }, { kind: 'session-opened', extended: true });
  run.send({ kind: 'reader-left', reader: 1 });
  run.send({ kind: 'session-ended', extended: true, code: 'UNAVAILABLE', originSaid: false, mayDiffer: false });
  run.taken('open-session');
  run.pass(downloadLimits.sessionBackoffMs);
  assert.deepEqual(
    run.taken('open-session').map(({ readerRange }) => readerRange),
    [range(99)],
  );
});

test('what comes soon is waited for, and looked at again', () => {
  const run = Run.atOrigin(9);
  run.measured(downloadLimits.readerWaitMs);
  run.pass(downloadLimits.readerWaitMs - 1);
  assert.equal(run.taken('measure-readers').length, 0);
  run.pass(1);
  assert.equal(run.taken('measure-readers').length, 1);
  run.measured(1);
  run.pass(downloadLimits.readerLookMs);
  assert.equal(run.taken('measure-readers').length, 1);
  run.measured(undefined, 0, true);
  run.pass(1000);
  assert.equal(run.taken('measure-readers').length, 0, 'it has what it waited for');
});

test('a few bytes that would come late are fetched twice, up to a share of the content', () => {
  const run = Run.atOrigin(9);
  run.measured(undefined);
  const [lease] = leasesOf(run.taken('fetch-origin'));
  assert.deepEqual(lease, { id: 'reader-1', first: 0, end: 0, readerRange: range(9), readerOnly: true });
});

test('anything longer is cut out of the fetch that would bring it late, unless that has come to it', () => {
  const run = Run.atOrigin(8 * pieceLengthBytes);
  run.measured(undefined, 49);
  const reader = range(8 * pieceLengthBytes);
  assert.deepEqual(leasesOf(run.taken('change-origin-run')), [{ ...wholeTask, end: 50 }]);
  const late = Run.atOrigin(8 * pieceLengthBytes);
  late.measured(undefined, 50);
  assert.deepEqual(late.taken('fetch-origin'), []);
  run.send({ kind: 'reader-left', reader: 1 });
  assert.ok([...run.machine.leases.pieces({ whole: false })].includes(57), `${reader.last} is brought to its end`);
});

test('a node that goes to the origin by itself serves its readers first; with the rest behind where that is wanted', () => {
  const alone = (prefetch: boolean): OriginLease[] => {
    const run = new Run({ schedulers: 'none', prefetch });
    run.send({ kind: 'reader-came', reader: 1, range: range(9), isHere: false });
    run.send({ kind: 'started', held: new PieceSet() });
    run.send({ kind: 'tick' });
    const [asked] = run.taken('measure-readers');
    assert.deepEqual(asked, {
      kind: 'measure-readers',
      readers: [{ reader: 1, range: range(9) }],
      fetch: undefined,
      alone: true,
    });
    const measures = [{ reader: 1, isHere: false, comesInMs: undefined }];
    run.send({ kind: 'readers-measured', measures, nextPiece: undefined, alone: true });
    return [...leasesOf(run.taken('fetch-origin'))];
  };
  assert.deepEqual(alone(false), [{ id: 'reader-1', first: 0, end: undefined, readerRange: range(9) }]);
  assert.deepEqual(alone(true), [{ ...wholeTask, readerRange: { first: range(9).first, last: undefined } }]);
});

test('where the bytes of all readers are here, it fetches what is missing of the whole', () => {
  const run = new Run({ schedulers: 'none' });
  run.send({ kind: 'reader-came', reader: 1, range: range(9), isHere: true });
  run.send({ kind: 'started', held: new PieceSet() });
  run.send({ kind: 'tick' });
  const measures = [{ reader: 1, isHere: true, comesInMs: undefined }];
  run.send({ kind: 'readers-measured', measures, nextPiece: undefined, alone: true });
  assert.deepEqual(leasesOf(run.taken('fetch-origin')), [wholeTask]);
});
