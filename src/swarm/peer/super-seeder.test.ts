import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Announcement, defaultSuperSeederOptions, SuperSeeder } from './super-seeder.ts';

function seeder(pieces: readonly number[], children: readonly string[], shared: readonly number[] = []): SuperSeeder {
  const one = new SuperSeeder({ claimMs: 1000, patienceMs: 15_000, passes: 2 }, shared);
  for (const child of children) one.childJoined(child);
  for (const piece of pieces) one.pieceHeld(piece);
  return one;
}

const short = (announcements: readonly Announcement[]): string[] =>
  announcements.map(({ childId, piece, exclusive }) => `${childId}${piece}${exclusive ? '!' : ''}`).sort();

test('every child hears of a piece of its own, and of the next when it has taken it', () => {
  const one = seeder([0, 1, 2], ['a', 'b']);
  assert.deepEqual(short(one.next(0)), ['a0!', 'b1!']);
  one.pieceSpread(0);
  assert.deepEqual(short(one.next(1)), ['a2!']);
});

test('a piece that nobody comes for is offered to another child, and then everybody may have it', () => {
  const one = seeder([0], ['a', 'b', 'c']);
  one.allHeld();
  assert.deepEqual(short(one.next(0)), ['a0!']);
  assert.equal(one.nextWakeMs(), 1000);
  assert.deepEqual(short(one.next(999)), []);
  assert.deepEqual(short(one.next(1000)), ['b0!']);
  assert.deepEqual(short(one.next(2000)), ['a0', 'b0', 'c0'], 'who let it pass has it from elsewhere');
});

test('a child that has asked gets the time that a slow uplink needs', () => {
  const one = seeder([0], ['a', 'b']);
  one.next(0);
  one.pieceAsked(0, 900);
  one.pieceAsked(0, 5000);
  assert.equal(one.nextWakeMs(), 15_900, 'asking again wins nothing');
  assert.deepEqual(short(one.next(15_899)), []);
  assert.deepEqual(short(one.next(15_900)), ['b0!']);
});

test('a child that has begun to take a piece and stops lets it pass, not one that takes it slowly', () => {
  const one = seeder([0], ['a', 'b']);
  one.next(0);
  one.pieceAsked(0, 0);
  for (let nowMs = 500; nowMs <= 8000; nowMs += 500) {
    one.pieceTaken(0, nowMs);
    assert.deepEqual(short(one.next(nowMs)), []);
  }
  assert.equal(one.nextWakeMs(), 10_000, 'four of its pauses');
  assert.deepEqual(short(one.next(10_000)), ['b0!']);
});

test('with another lease the new pieces are spread first again, the old ones stay common', () => {
  const one = seeder([0], ['a', 'b']);
  one.next(0);
  one.pieceSpread(0);
  one.allHeld();
  assert.deepEqual(short(one.next(1)), ['a0', 'b0']);
  one.moreComes();
  one.pieceHeld(1);
  one.childJoined('c');
  assert.deepEqual(short(one.next(2)), ['b1!', 'c0']);
  one.pieceSpread(1);
  assert.deepEqual(short(one.next(3)), [], 'more may come from the origin');
});

test('what was offered to a child that leaves is offered to another', () => {
  const one = seeder([0], ['a', 'b']);
  one.next(0);
  one.childLeft('a');
  assert.deepEqual(short(one.next(1)), ['b0!']);
});

test('once everything has been sent, everybody may have everything', () => {
  const one = seeder([0, 1], ['a', 'b']);
  one.next(0);
  one.pieceSpread(0);
  one.pieceSpread(1);
  assert.deepEqual(short(one.next(1)), [], 'more may come from the origin');
  one.allHeld();
  assert.deepEqual(short(one.next(2)), ['a0', 'a1', 'b0', 'b1']);
  one.childJoined('c');
  assert.deepEqual(short(one.next(3)), ['c0', 'c1']);
});

test('what was held before the lease is told to everybody at once', () => {
  const one = seeder([0, 1], ['a', 'b'], [0]);
  assert.deepEqual(short(one.next(0)), ['a0', 'a1!', 'b0']);
});

test('what comes from another node during the lease is told to everybody at once', () => {
  const one = seeder([0], ['a', 'b']);
  one.next(0);
  one.pieceShared(1);
  assert.deepEqual(short(one.next(1)), ['a1', 'b1'], 'an offer of what a child has already would stand until its end');
  one.pieceShared(0);
  assert.deepEqual(short(one.next(2)), [], 'an offer stays one');
});

test('a piece that did not come after all is offered anew, to the same child too', () => {
  const one = seeder([0], ['a']);
  assert.deepEqual(short(one.next(0)), ['a0!']);
  one.pieceLost(0);
  assert.deepEqual(short(one.next(1)), [], 'there is nothing to offer now');
  one.pieceHeld(0);
  assert.deepEqual(short(one.next(2)), ['a0!']);
});

test('a piece everybody was told of that did not come after all is told anew when it does', () => {
  const one = seeder([0], ['a']);
  one.next(0);
  one.allHeld();
  assert.deepEqual(short(one.next(1000)), ['a0'], 'nobody came for the offer');
  one.pieceLost(0);
  one.moreComes();
  one.pieceHeld(0);
  assert.deepEqual(short(one.next(1001)), ['a0!']);
});

test('a child that came and was sent away is waited for no longer than one that did not come', () => {
  const { claimMs } = defaultSuperSeederOptions;
  const one = seeder([0, 1], ['a', 'b']);
  assert.deepEqual(short(one.next(0)), ['a0!', 'b1!']);
  one.pieceAsked(0, 10);
  one.pieceAsked(1, 10);
  one.pieceSpread(1);
  one.allHeld();
  one.pieceRefused(0, 20);
  assert.deepEqual(short(one.next(20 + claimMs - 1)), []);
  assert.deepEqual(short(one.next(20 + claimMs)), ['b0!'], 'it got the piece elsewhere');
  one.pieceAsked(0, 2000);
  one.pieceTaken(0, 2100);
  one.pieceRefused(0, 2200);
  assert.deepEqual(short(one.next(2200 + claimMs)).toSorted(), ['a0', 'a1', 'b0', 'b1']);
});
