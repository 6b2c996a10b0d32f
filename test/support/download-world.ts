/** What a runner of a download's machine knows, kept beside the machine: every effect is held against it. */
import assert from 'node:assert/strict';
import type { RangeSpec } from '../../src/core/byte-range.ts';
import { PieceSet } from '../../src/swarm/shared/piece-set.ts';
import { type Random, seededRandom } from '../../src/swarm/shared/random.ts';
import { defaultPickerLimits } from '../../src/swarm/peer/picker-limits.ts';
import type { PeerEffect } from '../../src/swarm/peer/download/effects.ts';
import type { PeerEvent, RequestDrop, RequestFailure } from '../../src/swarm/peer/download/events.ts';
import { downloadLimits } from '../../src/swarm/peer/download/limits.ts';
import type { OriginLease } from '../../src/swarm/peer/download/origin-lease.ts';
import type { PeerMachine } from '../../src/swarm/peer/download/peer-machine.ts';
import {
  readRecording,
  recordedMachine,
  replay,
  startLine,
  stepLine,
} from '../../src/swarm/peer/download/recording.ts';

export const pieceLengthBytes = 4 * 2 ** 20;
export const limits = { ...defaultPickerLimits, maxRunning: 4 };
const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000 };

export type Ending = RequestFailure | RequestDrop;

export interface Asked {
  readonly parentId: string;
  readonly piece: number;
}

export class DownloadWorld {
  readonly machine: PeerMachine;
  readonly held = new PieceSet();
  readonly listening = new Set<string>();
  /** Of these the stream of announcements is open. */
  readonly #streams = new Set<string>();
  /** Requests by `parent piece`. */
  readonly asked = new Map<string, Asked>();
  /** What is fetched from the origin. */
  readonly fetches = new Map<number, OriginLease>();
  /** Of these the request has failed, and waits to be sent again. */
  readonly broken = new Set<number>();
  readonly banned = new Set<string>();
  readonly doubted = new Set<string>();
  readonly pieceCount: number;
  session: 'none' | 'asked' | 'open' = 'none';
  knowsLayout = false;
  /** Leases that name pieces, given before anybody knew which bytes those are. */
  readonly #early = new Set<string>();
  /** What readers of a part wait for. */
  readonly readers = new Map<number, RangeSpec>();
  /** Of these the scheduler has heard. */
  #told = new Set<number>();
  #lastReader = 0;
  /** Events that follow at once, when all effects of a step are carried out. */
  readonly #answers: PeerEvent[] = [];
  /** Everything is here, and the machine knows. */
  verified = false;
  /** What the scheduler of this session has heard of. */
  reported = new PieceSet();
  failed: string | undefined;
  nowMs = 0;
  #mayFail = false;
  readonly #random: Random;
  #recording: string;

  constructor(seed: number, pieceCount: number, settleMs: number) {
    this.#random = seededRandom(seed);
    this.pieceCount = pieceCount;
    const start = { taskId: 't', peerId: 'p', seed, limits, settleMs, ...rules };
    this.machine = recordedMachine(start);
    this.#recording = startLine(start);
  }

  chance(below: number): number {
    return Math.floor(this.#random() * below);
  }

  send(event: PeerEvent): void {
    if (this.failed !== undefined) return;
    const { nowMs } = this;
    const moment = { nowMs, bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0, schedulers: 'held' } as const;
    this.#note(event);
    this.#mayFail = event.kind === 'origin-failed' || event.kind === 'session-ended';
    const effects = this.machine.step(event, moment);
    this.#recording += stepLine(moment, event, effects);
    for (const effect of effects) this.#check(effect);
    if (this.failed !== undefined) return;
    if (this.session === 'open') this.checkTold();
    assert.equal(this.machine.isIdle, this.asked.size === 0, 'what is under way is known on both sides');
    assert.equal(this.machine.parentCount, this.listening.size);
    const whole = this.machine.leases.pieces({ whole: true });
    for (const { piece } of this.asked.values())
      assert(!whole.has(piece), `piece ${piece} is expected of a parent although all of it comes from the origin`);
    const answer = this.#answers.shift();
    if (answer) this.send(answer);
  }

  #note(event: PeerEvent): void {
    if (event.kind === 'lease-revoked') this.#early.delete(event.leaseId);
    if (event.kind !== 'lease-granted' || this.knowsLayout || event.lease.readerRange) return;
    if (event.lease.first > 0 || event.lease.end !== undefined) this.#early.add(event.lease.id);
  }

  #check(effect: PeerEffect): void {
    switch (effect.kind) {
      case 'sync-with-parent':
        assert(!this.#streams.has(effect.parentId) && !this.banned.has(effect.parentId));
        this.#streams.add(effect.parentId);
        this.listening.add(effect.parentId);
        return;
      case 'leave-parent':
        assert(this.listening.delete(effect.parentId), 'a parent is left that nobody listens to');
        this.#streams.delete(effect.parentId);
        for (const [key, { parentId }] of this.asked) if (parentId === effect.parentId) this.asked.delete(key);
        return;
      case 'request-piece':
        return this.#checkRequest(effect);
      case 'cancel-piece':
        assert(this.asked.delete(`${effect.parentId} ${effect.piece}`), 'a request is cancelled that was not made');
        return;
      case 'ask-parent':
        assert(this.listening.has(effect.parentId), 'a parent is asked for life that nobody listens to');
        this.doubted.add(effect.parentId);
        return;
      case 'leave-session':
        this.session = 'none';
        return;
      case 'open-session':
        assert.equal(this.session, 'none', 'a second session is opened');
        this.session = 'asked';
        this.#told = new Set(
          Array.from(this.readers.keys()).filter((one) => this.readers.get(one) === effect.readerRange),
        );
        return;
      case 'ask-scheduler':
        assert.equal(this.session, 'open', 'a scheduler is asked that is not there');
        return;
      case 'nobody-gives':
        assert.equal(this.fetches.size, 0, 'a node goes to the origin that is there');
        return;
      case 'ask-for-reader':
        assert.equal(this.session, 'open', 'a scheduler is asked that is not there');
        for (const [reader, range] of this.readers) if (range === effect.range) this.#told.add(reader);
        return;
      case 'measure-readers':
        return this.#measure(effect);
      case 'fetch-origin': {
        const same = [...this.fetches.values()].filter(({ id }) => id === effect.lease.id);
        assert.equal(same.length, 0, 'two fetches for one lease');
        this.fetches.set(effect.fetch, effect.lease);
        return;
      }
      case 'change-origin-run':
        assert(this.fetches.has(effect.fetch), 'a fetch is changed that is not there');
        this.fetches.set(effect.fetch, effect.lease);
        return;
      case 'stop-origin':
        assert(this.fetches.delete(effect.fetch), 'a fetch is stopped that is not there');
        this.broken.delete(effect.fetch);
        return;
      case 'resume-origin':
        assert(this.broken.delete(effect.fetch), 'a request is sent again that has not failed');
        return;
      case 'report-lease-alive':
        assert(this.fetches.size > 0, 'a heartbeat without a fetch');
        return;
      case 'verify':
        assert.equal(this.held.count, this.pieceCount, 'what is not complete is verified');
        this.verified = true;
        return;
      case 'report-held':
        assert.deepEqual([...effect.held], [...this.held], 'what is told to be held is not what is held');
        this.reported = effect.held;
        return;
      case 'report-pieces':
        for (const { pieces } of effect.sources) this.reported.addAll(pieces);
        return;
      case 'fail':
        assert(this.#mayFail, `failed: ${effect.because}`);
        this.failed = effect.because;
        return;
      default:
    }
  }

  #checkRequest({ parentId, piece, hedge }: Extract<PeerEffect, { kind: 'request-piece' }>): void {
    assert(this.listening.has(parentId), 'a parent is asked that nobody listens to');
    assert(!this.held.has(piece), `piece ${piece} is asked for although it is here`);
    const atOrigin = this.machine.leases.pieces({ whole: false });
    assert(!atOrigin.has(piece), `piece ${piece} is asked for although it comes from the origin`);
    const copies = [...this.asked.values()].filter((other) => other.piece === piece);
    assert.equal(hedge, copies.length > 0, `piece ${piece} is asked for ${copies.length + 1} times`);
    assert(copies.length < limits.maxCopies && copies.every((other) => other.parentId !== parentId));
    this.asked.set(`${parentId} ${piece}`, { parentId, piece });
  }

  begin(): void {
    this.knowsLayout = true;
    const { pieceCount, held } = this;
    const how = { contentLengthBytes: pieceCount * pieceLengthBytes, pieceLengthBytes, pieceCount };
    this.send({ kind: 'layout-known', ...how, held });
    const isServed = this.fetches.size > 0 || this.failed !== undefined;
    assert(isServed || this.#early.size === 0, 'a lease from before the layout is forgotten');
    this.#early.clear();
  }

  /** A reader wants some bytes of a piece. */
  readerComes(piece: number): void {
    const range = { first: piece * pieceLengthBytes, last: piece * pieceLengthBytes + 99 };
    this.#lastReader += 1;
    this.readers.set(this.#lastReader, range);
    if (this.held.has(piece)) this.#told.add(this.#lastReader); // nothing is to be told
    this.send({ kind: 'reader-came', reader: this.#lastReader, range, isHere: this.held.has(piece) });
  }

  /** How far those are on whom the machine looks: here, on their way, or neither. */
  #measure({ readers, fetch, alone }: Extract<PeerEffect, { kind: 'measure-readers' }>): void {
    assert(fetch === undefined || this.fetches.has(fetch), 'a fetch is looked at that is not there');
    const measures = readers.map(({ reader, range }) => {
      assert.equal(this.readers.get(reader), range, 'a reader is looked at that is not there');
      const isHere = 'first' in range && this.held.has(Math.floor(range.first / pieceLengthBytes));
      const comesInMs = fetch === undefined ? undefined : [undefined, 1, 90, 500][this.chance(4)];
      return { reader, isHere, comesInMs };
    });
    const nextPiece = fetch === undefined ? undefined : this.chance(this.pieceCount);
    this.#answers.push({ kind: 'readers-measured', measures, nextPiece, alone });
  }

  /** The scheduler of a session that is open has heard of every reader whose bytes are missing. */
  checkTold(): void {
    for (const [reader, range] of this.readers) {
      const isHere = 'first' in range && this.held.has(Math.floor(range.first / pieceLengthBytes));
      assert(isHere || this.#told.has(reader), 'the scheduler has not heard of a reader');
    }
  }

  /** Of those that are asked whether they are there, these answer. */
  answer(parentIds: Iterable<string>): void {
    for (const parentId of parentIds) if (this.doubted.delete(parentId)) this.send({ kind: 'parent-alive', parentId });
  }

  /** A request ends: its piece is here. */
  land(request: Asked): void {
    this.held.add(request.piece);
    this.asked.delete(`${request.parentId} ${request.piece}`);
    this.send({ kind: 'piece-landed', ...request, bytes: pieceLengthBytes, costMs: 9 });
    const isAskedStill = [...this.asked.values()].some(({ piece }) => piece === request.piece);
    assert(!isAskedStill, 'the slower of two copies is not cancelled');
  }

  /** One more piece of a fetch is here; after the last the fetch has ended. */
  fetchNext([fetch, { first, end = this.pieceCount }]: readonly [number, OriginLease]): void {
    if (this.broken.has(fetch)) return;
    if (!this.knowsLayout) this.begin();
    const piece = this.held.firstMissing(first, Math.min(end, this.pieceCount));
    if (piece === undefined) {
      this.fetches.delete(fetch);
      return this.send({ kind: 'origin-fetched', fetch });
    }
    this.held.add(piece);
    this.send({ kind: 'piece-landed', piece, parentId: undefined, bytes: pieceLengthBytes, costMs: 9 });
  }

  /** The request of a fetch fails, for now or for good. */
  breakFetch(fetch: number): void {
    if (this.broken.has(fetch)) return;
    this.broken.add(fetch);
    const temporary = this.chance(3) > 0;
    const code = temporary ? 'SOURCE_UNREACHABLE' : 'UNSUPPORTED';
    const retryAfterMs = this.chance(4) === 0 ? 1000 * this.chance(60) : undefined;
    const progressed = this.chance(2) === 0;
    this.send({ kind: 'origin-failed', fetch, request: 0, code, temporary, progressed, retryAfterMs });
  }

  /** The stream of a parent ends, as often as the machine opens it at once. */
  lose(parentId: string): void {
    for (let times = 0; this.#streams.delete(parentId); times += 1) {
      assert(times < downloadLimits.parentStreamAttempts, 'a stream that breaks is opened for ever');
      this.send({ kind: 'parent-stream-ended', parentId, end: 'broke' });
    }
  }

  /** It ends in order: more may come, or the parent has told all it will ever have. */
  endStream(parentId: string): void {
    if (!this.#streams.delete(parentId)) return;
    this.send({ kind: 'parent-stream-ended', parentId, end: this.chance(2) === 0 ? 'ended' : 'told-all' });
  }

  loseSession(): void {
    if (this.session === 'none') return;
    this.session = 'none';
    this.send({ kind: 'session-ended', extended: true, code: 'UNAVAILABLE', originSaid: false, mayDiffer: false });
  }

  end(request: Asked, reason: Ending): void {
    this.asked.delete(`${request.parentId} ${request.piece}`);
    if (reason === 'corrupt') this.banned.add(request.parentId);
    if (reason === 'busy' || reason === 'temporary' || reason === 'gone' || reason === 'corrupt')
      this.send({ kind: 'request-failed', ...request, reason });
    else this.send({ kind: 'request-dropped', ...request, reason });
  }

  /** What was written down leads to the same effects again. */
  checkRecording(): void {
    const recording = readRecording(this.#recording);
    const steps = [...replay(recording)];
    assert(recording.steps.length > 0 && steps.length === recording.steps.length);
    assert(steps.every(({ isSame }) => isSame));
  }

  /** Time goes on to the next thing the machine waits for, at most so far. Those that are alive answer when they are asked. */
  pass(mostMs: number, alive: Iterable<string> = ['honest']): void {
    const untilMs = this.nowMs + mostMs;
    for (let ticks = 0; this.machine.dueMs <= untilMs && this.failed === undefined; ticks += 1) {
      if (this.machine.dueMs > this.nowMs) ticks = 0;
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      this.send({ kind: 'tick' });
      this.answer(alive);
      assert(ticks < 5, 'a tick at its time leaves the same tick due');
    }
    this.nowMs = untilMs;
  }
}
