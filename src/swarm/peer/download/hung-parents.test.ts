/** A hung parent delays nothing for long; a parent that is merely slow is waited for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent } from './events.ts';
import { PeerMachine } from './peer-machine.ts';

const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000 };

/** A download of four pieces in virtual time. */
class Run {
  readonly machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) }, settleMs: 0 });
  readonly effects: PeerEffect[] = [];
  /** Parents that answer when they are asked whether they are alive. */
  readonly alive: ReadonlySet<string>;
  nowMs = 0;

  constructor(alive: readonly string[], parents: readonly string[]) {
    this.alive = new Set(alive);
    const held = new PieceSet();
    const how = { contentLengthBytes: 2 ** 24, pieceCount: 4, pieceLengthBytes: 2 ** 22 };
    this.send({ kind: 'wanted', pieces: undefined });
    this.send({ kind: 'layout-known', ...how, held });
    this.offer(parents);
  }

  offer(parents: readonly string[]): void {
    const offered = parents.map((peerId) => ({ peerId, distance: 0 }));
    this.send({ kind: 'parents-offered', parents: offered, replace: false });
    for (const parentId of parents) this.send({ kind: 'parent-has', parentId, pieces: PieceSet.range(0, 4) });
  }

  send(event: PeerEvent): void {
    const { nowMs } = this;
    const moment = { nowMs, schedulers: 'held', bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 } as const;
    const effects = this.machine.step(event, moment);
    this.effects.push(...effects);
    for (const effect of effects)
      if (effect.kind === 'ask-parent' && this.alive.has(effect.parentId))
        this.send({ kind: 'parent-alive', parentId: effect.parentId });
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.machine.dueMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      this.send({ kind: 'tick' });
    }
    this.nowMs = untilMs;
  }

  asked(parentId: string): number[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'request-piece' && effect.parentId === parentId ? [effect.piece] : [],
    );
  }
}

test('the pieces that a hung parent owes are asked of another within a second', () => {
  const run = new Run(['well'], ['hung']);
  run.pass(50);
  const [piece] = run.asked('hung');
  assert.notEqual(piece, undefined);
  run.send({ kind: 'piece-begun', parentId: 'hung', piece: piece as number });
  run.offer(['well']);
  run.pass(1000);
  assert.ok(run.effects.some((effect) => effect.kind === 'leave-parent' && effect.parentId === 'hung'));
  assert.ok(run.effects.some((effect) => effect.kind === 'report-parent' && effect.fault === 'lost'));
  const fromWell = run.asked('well');
  for (const number of fromWell)
    run.send({ kind: 'piece-landed', piece: number, parentId: 'well', bytes: 2 ** 22, costMs: 9 });
  run.pass(1000);
  assert.ok(run.asked('well').includes(piece as number), 'what had begun is taken over');
});

test('without any other parent the scheduler hears of it, so that it can send somebody to the origin', () => {
  const run = new Run([], ['hung']);
  run.pass(1000);
  assert.equal(run.machine.parentCount, 0);
  assert.ok(run.machine.isIdle);
  assert.ok(run.effects.some((effect) => effect.kind === 'report-parent' && effect.fault === 'lost'));
});

test('a parent that never says a word is lost, too', () => {
  const run = new Run([], []);
  run.send({ kind: 'parents-offered', parents: [{ peerId: 'mute', distance: 0 }], replace: false });
  run.pass(1000);
  assert.equal(run.machine.parentCount, 0);
});

test('a slow parent that is there is waited for', () => {
  const run = new Run(['slow'], ['slow']);
  run.pass(15_000);
  assert.equal(run.machine.parentCount, 1);
  assert.ok(!run.effects.some((effect) => effect.kind === 'report-parent'));
});
