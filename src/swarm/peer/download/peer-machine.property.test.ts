/** The machine of a download against a world that does what it likes, and in the end lets one honest parent, or the origin, give. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PieceSet } from '../../shared/piece-set.ts';
import { type Random, seededRandom } from '../../shared/random.ts';
import { defaultPickerLimits } from '../picker-limits.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent, RequestDrop, RequestFailure } from './events.ts';
import { downloadLimits } from './limits.ts';
import { type OriginLease, wholeTask } from './origin-lease.ts';
import type { PeerMachine } from './peer-machine.ts';
import { readRecording, recordedMachine, replay, startLine, stepLine } from './recording.ts';

const parents = 4;
const pieceLengthBytes = 4 * 2 ** 20;
const limits = { ...defaultPickerLimits, maxRunning: 4 };
const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000 };

type Ending = RequestFailure | RequestDrop;

interface Asked {
  readonly parentId: string;
  readonly piece: number;
}

/** Keeps the books a runner keeps, and holds every effect against them. */
class World {
  readonly machine: PeerMachine;
  readonly held = new PieceSet();
  readonly listening = new Set<string>();
  /** Of these the stream of announcements is open. */
  readonly #streams = new Set<string>();
  /** Requests by `parent piece`. */
  readonly asked = new Map<string, Asked>();
  /** What is fetched from the origin. */
  readonly fetches = new Map<number, OriginLease>();
  readonly banned = new Set<string>();
  readonly doubted = new Set<string>();
  readonly pieceCount: number;
  session: 'none' | 'asked' | 'open' = 'none';
  knowsLayout = false;
  /** Leases that name pieces, given before anybody knew which bytes those are. */
  readonly #early = new Set<string>();
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
    assert.equal(this.machine.isIdle, this.asked.size === 0, 'what is under way is known on both sides');
    assert.equal(this.machine.parentCount, this.listening.size);
    const whole = this.machine.leases.pieces({ whole: true });
    for (const { piece } of this.asked.values())
      assert(!whole.has(piece), `piece ${piece} is expected of a parent although all of it comes from the origin`);
  }

  #note(event: PeerEvent): void {
    if (event.kind === 'lease-revoked') this.#early.delete(event.leaseId);
    if (event.kind !== 'lease-granted' || this.knowsLayout || event.lease.reader) return;
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
      case 'open-session':
        assert.equal(this.session, 'none', 'a second session is opened');
        this.session = 'asked';
        return;
      case 'ask-scheduler':
        assert.equal(this.session, 'open', 'a scheduler is asked that is not there');
        return;
      case 'go-to-origin':
        assert.equal(this.fetches.size, 0, 'a node goes to the origin that is there');
        return this.send({ kind: 'lease-granted', lease: wholeTask, by: 'self' });
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

  /** Of those that are asked whether they are there, these answer. */
  answer(parentIds: Iterable<string>): void {
    for (const parentId of parentIds) if (this.doubted.delete(parentId)) this.send({ kind: 'parent-alive', parentId });
  }

  /** A request ends: its piece is here. */
  land(request: Asked): void {
    this.held.add(request.piece);
    this.asked.delete(`${request.parentId} ${request.piece}`);
    this.send({ kind: 'piece-landed', ...request, bytes: pieceLengthBytes, costMs: 9 });
  }

  /** One more piece of a fetch is here; after the last the fetch has ended. */
  fetchNext([fetch, { first, end = this.pieceCount }]: readonly [number, OriginLease]): void {
    if (!this.knowsLayout) this.begin();
    const piece = this.held.firstMissing(first, Math.min(end, this.pieceCount));
    if (piece === undefined) {
      this.fetches.delete(fetch);
      return this.send({ kind: 'origin-fetched', fetch });
    }
    this.held.add(piece);
    this.send({ kind: 'piece-landed', piece, parentId: undefined, bytes: pieceLengthBytes, costMs: 9 });
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

  /** Time goes on to the next thing the machine waits for, at most so far. */
  pass(mostMs: number): void {
    const untilMs = this.nowMs + mostMs;
    for (let ticks = 0; this.machine.dueMs <= untilMs && this.failed === undefined; ticks += 1) {
      if (this.machine.dueMs > this.nowMs) ticks = 0;
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      this.send({ kind: 'tick' });
      this.answer(['honest']);
      assert(ticks < 5, 'a tick at its time leaves the same tick due');
    }
    this.nowMs = untilMs;
  }
}

const endings = 'busy temporary gone corrupt no-address claimed cancelled'.split(' ') as Ending[];
const kinds = 25;

/** Something happens, likely or not. */
function disturb(world: World, kind: number): void {
  const parentId = `parent-${world.chance(parents)}`;
  const piece = world.chance(world.pieceCount);
  const [first] = [...world.asked.values()].slice(world.chance(Math.max(1, world.asked.size)));
  const [fetch] = [...world.fetches].slice(world.chance(Math.max(1, world.fetches.size)));
  switch (kind) {
    case 0:
      return world.send({
        kind: 'parents-offered',
        parents: [{ peerId: parentId, distance: world.chance(2) }],
        replace: world.chance(8) === 0,
      });
    case 1:
      return world.send({ kind: 'parent-has', parentId, pieces: piece });
    case 2:
      return world.send({ kind: 'parent-offers', parentId, pieces: [piece] });
    case 3:
      return world.send({ kind: 'parent-load', parentId, uploads: world.chance(4) });
    case 4:
      return world.chance(2) === 0 ? world.lose(parentId) : world.endStream(parentId);
    case 5:
      return world.send({ kind: 'parents-withdrawn', parentIds: [parentId] });
    case 6:
      return first && world.send({ kind: 'piece-begun', ...first });
    case 7:
      return first && world.send({ kind: 'piece-ending', ...first });
    case 8:
      return first && world.land(first);
    case 9:
      return first && world.end(first, endings[world.chance(endings.length)] ?? 'busy');
    case 10: {
      const reader = { first: piece * pieceLengthBytes, last: piece * pieceLengthBytes + 99 };
      const lease: OriginLease = [
        { id: '1', first: piece, end: piece + 1 + world.chance(3) },
        { id: '1', first: 0, end: undefined },
        { id: '2', first: piece, end: undefined },
        { id: '3', first: piece, end: piece + 1, reader },
        { id: '3', first: piece, end: piece, reader, readerOnly: true },
      ][world.chance(5)] as OriginLease;
      return world.send({ kind: 'lease-granted', lease, by: 'scheduler' });
    }
    case 11:
      return fetch && world.fetchNext(fetch);
    case 12:
      return world.send({ kind: 'readers-at', pieces: [piece] });
    case 13:
      return world.answer(Array.from(world.doubted));
    case 14:
      return world.send({ kind: 'lease-revoked', leaseId: String(1 + world.chance(3)) });
    case 15:
      if (!fetch) return;
      world.fetches.delete(fetch[0]);
      return world.send({
        kind: 'origin-failed',
        fetch: fetch[0],
        code: world.chance(2) === 0 ? 'UNSUPPORTED' : 'SOURCE_UNREACHABLE',
        temporary: true,
      });
    case 16:
      if (world.session !== 'asked') return world.loseSession();
      world.session = 'open';
      return world.send({ kind: 'session-opened', extended: true });
    case 17:
      return world.send({ kind: 'host-taken' });
    case 18:
      return fetch && world.send({ kind: 'origin-answered', fetch: fetch[0], ranges: world.chance(2) === 0 });
    case 19: {
      const [held] = [...world.held].slice(world.chance(Math.max(1, world.held.count)));
      if (held === undefined) return;
      world.held.delete(held);
      world.reported.delete(held);
      world.verified = false;
      return world.send({ kind: 'piece-lost', piece: held });
    }
    default:
      return world.pass([0, 1, 60, 1500, 6000][kind - 20] ?? 0);
  }
}

/** One parent has all, and does what it is asked; others keep silent, and the scheduler takes back what it gave. */
function completeFromParent(world: World): void {
  for (const { id } of Array.from(world.fetches.values())) world.send({ kind: 'lease-revoked', leaseId: id });
  world.send({ kind: 'parents-offered', parents: [{ peerId: 'mute', distance: 0 }], replace: false });
  world.pass(3 * limits.lifeMostMs);
  assert(!world.listening.has('mute'), 'a parent that never says a word is kept');
  if (world.held.count === world.pieceCount) return;
  for (const { id } of Array.from(world.fetches.values())) world.send({ kind: 'lease-revoked', leaseId: id });
  world.send({ kind: 'parents-offered', parents: [{ peerId: 'honest', distance: 0 }], replace: false });
  world.send({ kind: 'parent-has', parentId: 'honest', pieces: PieceSet.range(0, world.pieceCount) });
  let refusals = world.chance(4);
  for (let round = 0; world.held.count < world.pieceCount; round += 1) {
    assert(round < 200, `${world.pieceCount - world.held.count} pieces are asked of nobody`);
    const mine = [...world.asked.values()].find(({ parentId }) => parentId === 'honest');
    if (mine && refusals > 0) {
      refusals -= 1;
      refuse(world, mine);
    } else if (mine) world.land(mine);
    else {
      // The transport gives up what nobody answers.
      const [silent] = world.asked.values();
      if (silent && round % 4 === 3) world.end(silent, 'temporary');
      assert(world.machine.dueMs < Infinity || world.asked.size > 0, 'nothing is under way, and nothing due');
      world.pass(1000);
    }
  }
}

/** The parent has something else to do, and says nothing more: it is asked again all the same. */
function refuse(world: World, request: Asked): void {
  world.end(request, 'busy');
  const isAlone = world.asked.size === 0;
  world.pass(2 * limits.busyMs);
  assert(!isAlone || world.asked.size > 0, 'one that was busy is not asked again');
}

/** Every parent is gone and no scheduler answers: the node has to think of the origin itself. */
function completeFromOrigin(world: World): void {
  for (const parentId of Array.from(world.listening)) world.lose(parentId);
  for (let round = 0; world.held.count < world.pieceCount && world.failed === undefined; round += 1) {
    assert(round < 200, `${world.pieceCount - world.held.count} pieces are fetched by nobody`);
    const [fetch] = world.fetches;
    if (fetch) world.fetchNext(fetch);
    else {
      world.loseSession();
      assert(world.machine.dueMs < Infinity, 'nothing is under way, and nothing due');
      world.pass(40_000);
    }
  }
}

for (const settleMs of [0, 0.2]) {
  for (const complete of [completeFromParent, completeFromOrigin]) {
    test(`whatever happens, every piece is asked for until it is here (${complete.name}, settling for ${settleMs} ms)`, () => {
      const steps = fc.array(fc.nat(kinds - 1), { maxLength: 150, size: 'max' });
      fc.assert(
        fc.property(steps, fc.nat(), fc.nat(40), (disturbances, seed, known) => {
          const world = new World(seed, 1 + (seed % 12), settleMs);
          world.send({ kind: 'started', held: world.held });
          world.send({ kind: 'wanted', pieces: undefined });
          for (const [place, kind] of disturbances.entries()) {
            if (place === known) world.begin();
            disturb(world, kind);
          }
          world.begin();
          if (world.failed === undefined) complete(world);
          if (world.failed === undefined) {
            assert.equal(world.asked.size, 0, 'with the last piece all else is cancelled');
            assert(world.verified, 'everything is here, and nobody finds out whether it is right');
            world.send({ kind: 'verified' });
            assert(world.session !== 'open' || world.reported.hasAll(world.held), 'a piece was not reported');
          }
          world.checkRecording();
        }),
        { numRuns: 400 },
      );
    });
  }
}
