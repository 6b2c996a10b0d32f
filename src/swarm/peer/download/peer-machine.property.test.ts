/** The machine of a download against a world that does what it likes, and in the end lets one honest parent answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PieceSet } from '../../shared/piece-set.ts';
import { type Random, seededRandom } from '../../shared/random.ts';
import { defaultPickerLimits } from '../picker-limits.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent, RequestDrop, RequestFailure } from './events.ts';
import type { PeerMachine } from './peer-machine.ts';
import { readRecording, recordedMachine, replay, startLine, stepLine } from './recording.ts';

const parents = 4;
const limits = { ...defaultPickerLimits, maxRunning: 4 };

/** Keeps the books a runner keeps, and holds every effect against them. */
class World {
  readonly machine: PeerMachine;
  readonly held = new PieceSet();
  readonly listening = new Set<string>();
  /** Requests by `parent piece`. */
  readonly asked = new Map<string, { readonly parentId: string; readonly piece: number }>();
  atOrigin = new PieceSet();
  readonly banned = new Set<string>();
  /** Asked for a sign of life. */
  readonly doubted = new Set<string>();
  readonly pieceCount: number;
  nowMs = 0;
  readonly #random: Random;
  #recording: string;

  constructor(seed: number, pieceCount: number, settleMs: number) {
    this.#random = seededRandom(seed);
    this.pieceCount = pieceCount;
    const start = { taskId: 't', peerId: 'p', seed, limits, settleMs };
    this.machine = recordedMachine(start);
    this.#recording = startLine(start);
  }

  chance(below: number): number {
    return Math.floor(this.#random() * below);
  }

  send(event: PeerEvent): void {
    const moment = { nowMs: this.nowMs, bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 };
    const effects = this.machine.step(event, moment);
    this.#recording += stepLine(moment, event, effects);
    for (const effect of effects) this.#check(effect);
    assert.equal(this.machine.isIdle, this.asked.size === 0, 'what is under way is known on both sides');
    assert.equal(this.machine.parentCount, this.listening.size);
  }

  #check(effect: PeerEffect): void {
    switch (effect.kind) {
      case 'sync-with-parent':
        assert(!this.listening.has(effect.parentId) && !this.banned.has(effect.parentId));
        this.listening.add(effect.parentId);
        return;
      case 'leave-parent':
        assert(this.listening.delete(effect.parentId), 'a parent is left that nobody listens to');
        for (const [key, { parentId }] of this.asked) if (parentId === effect.parentId) this.asked.delete(key);
        return;
      case 'request-piece': {
        const { parentId, piece, hedge } = effect;
        assert(this.listening.has(parentId), 'a parent is asked that nobody listens to');
        assert(!this.held.has(piece), `piece ${piece} is asked for although it is here`);
        assert(!this.atOrigin.has(piece), `piece ${piece} is asked for although it comes from the origin`);
        const copies = [...this.asked.values()].filter((other) => other.piece === piece);
        assert.equal(hedge, copies.length > 0, `piece ${piece} is asked for ${copies.length + 1} times`);
        assert(copies.length < limits.maxCopies && copies.every((other) => other.parentId !== parentId));
        this.asked.set(`${parentId} ${piece}`, { parentId, piece });
        return;
      }
      case 'cancel-piece':
        assert(this.asked.delete(`${effect.parentId} ${effect.piece}`), 'a request is cancelled that was not made');
        return;
      case 'ask-parent':
        assert(this.listening.has(effect.parentId), 'a parent is asked for life that nobody listens to');
        this.doubted.add(effect.parentId);
        return;
      case 'report-parent':
        return;
    }
  }

  /** Of those that are asked whether they are there, these answer. */
  answer(parentIds: Iterable<string>): void {
    for (const parentId of parentIds) if (this.doubted.delete(parentId)) this.send({ kind: 'parent-alive', parentId });
  }

  /** A request ends: its piece is here. */
  land(request: { readonly parentId: string; readonly piece: number }): void {
    this.held.add(request.piece);
    this.asked.delete(`${request.parentId} ${request.piece}`);
    this.send({ kind: 'piece-landed', ...request });
  }

  lose(parentId: string): void {
    this.listening.delete(parentId);
    for (const [key, request] of this.asked) if (request.parentId === parentId) this.asked.delete(key);
    this.send({ kind: 'parent-lost', parentId });
  }

  end(request: { readonly parentId: string; readonly piece: number }, reason: RequestFailure | RequestDrop): void {
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
    while (this.machine.dueMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      const before = this.machine.dueMs;
      this.send({ kind: 'tick' });
      this.answer(['honest']);
      assert(this.machine.dueMs > before, 'a tick at its time leaves the same tick due');
    }
    this.nowMs = untilMs;
  }
}

const endings: readonly (RequestFailure | RequestDrop)[] = [
  'busy',
  'temporary',
  'gone',
  'corrupt',
  'no-address',
  'claimed',
  'cancelled',
];

/** Something happens, likely or not. */
function disturb(world: World, kind: number): void {
  const parentId = `parent-${world.chance(parents)}`;
  const piece = world.chance(world.pieceCount);
  const [first] = [...world.asked.values()].slice(world.chance(Math.max(1, world.asked.size)));
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
      return world.listening.has(parentId) ? world.lose(parentId) : undefined;
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
      world.atOrigin = PieceSet.of([piece, world.chance(world.pieceCount)]).difference(world.held);
      return world.send({ kind: 'origin-fetching', pieces: world.atOrigin });
    }
    case 11: {
      const [landed] = world.atOrigin;
      if (landed === undefined) return;
      world.atOrigin.delete(landed);
      world.held.add(landed);
      return world.send({ kind: 'piece-landed', piece: landed, parentId: undefined });
    }
    case 12:
      return world.send({ kind: 'readers-at', pieces: [piece] });
    case 13:
      return world.answer(Array.from(world.doubted));
    default:
      return world.pass([0, 1, 60, 1500, 6000][kind - 14] ?? 0);
  }
}

for (const settleMs of [0, 0.2]) {
  test(`whatever happens, every piece is asked for until it is here (settling for ${settleMs} ms)`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat(18), { maxLength: 150, size: 'max' }), fc.nat(), fc.nat(40), (steps, seed, known) => {
        const world = new World(seed, 1 + (seed % 12), settleMs);
        const begin = (): void =>
          world.send({
            kind: 'layout-known',
            pieceCount: world.pieceCount,
            pieceLengthBytes: 4 * 2 ** 20,
            wanted: undefined,
            held: world.held,
          });
        for (const [place, kind] of steps.entries()) {
          if (place === known) begin();
          disturb(world, kind);
        }
        begin();
        // From here on one parent has all, and does what it is asked; others keep silent.
        world.atOrigin = new PieceSet();
        world.send({ kind: 'origin-fetching', pieces: world.atOrigin });
        world.send({ kind: 'parents-offered', parents: [{ peerId: 'honest', distance: 0 }], replace: false });
        world.send({ kind: 'parent-has', parentId: 'honest', pieces: PieceSet.range(0, world.pieceCount) });
        for (let round = 0; world.held.count < world.pieceCount; round += 1) {
          assert(round < 200, `${world.pieceCount - world.held.count} pieces are asked of nobody`);
          const mine = [...world.asked.values()].find(({ parentId }) => parentId === 'honest');
          if (mine) world.land(mine);
          else {
            // The transport gives up what nobody answers.
            const [silent] = world.asked.values();
            if (silent && round % 4 === 3) world.end(silent, 'temporary');
            assert(world.machine.dueMs < Infinity || world.asked.size > 0, 'nothing is under way, and nothing due');
            world.pass(1000);
          }
        }
        assert.equal(world.asked.size, 0, 'with the last piece every other request is cancelled');
        world.checkRecording();
      }),
      { numRuns: 400 },
    );
  });
}
