import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxAllRecordedMoves, maxEndedRecordings, maxRecordedMoves, recordedStepMs } from '../limits.ts';
import { RecordingShelf } from './recording-shelf.ts';
import type { RecordedEnd, Recording } from './recording.ts';

const end = (id: string): RecordedEnd => ({ id, node: () => ({ hostName: id, ip: '', idc: '', type: 'normal' }) });

/** Step, child, parent, pieces of each move; the parent is a name, or `origin`. */
function told(recording: Recording): string[] {
  const moves = recording.moves();
  const nameOf = (index: number): string => recording.peers[index]?.hostName ?? '?';
  return Array.from({ length: moves.length / 4 }, (_, index) => {
    const [step = 0, child = 0, parent = 0, pieces = 0] = moves.slice(index * 4, index * 4 + 4);
    return `${step} ${parent === 0 ? 'origin' : nameOf(parent - 1)} > ${nameOf(child)} ${pieces}`;
  });
}

const piecesOf = (recording: Recording): number =>
  recording.moves().reduce((sum, number, index) => (index % 4 === 3 ? sum + number : sum), 0);

test('a recording says who got how many pieces from whom, step by step', () => {
  const recording = new RecordingShelf().begin(1_000);
  recording.began('seed', end('seed').node(), 1_000);
  recording.began('peer', end('peer').node(), 1_040);
  recording.moved(end('seed'), undefined, 2, 1_010);
  recording.moved(end('seed'), undefined, 1, 1_020);
  recording.moved(end('peer'), end('seed'), 1, 1_000 + recordedStepMs);
  recording.moved(end('peer'), end('older'), 1, 1_000 + recordedStepMs);
  recording.ended('peer', false, 1_500);
  assert.deepEqual(told(recording), ['0 origin > seed 3', '1 seed > peer 1', '1 older > peer 1']);
  assert.deepEqual(
    recording.peers.map(({ hostName, beganMs, endedMs, heldBefore }) => [hostName, beganMs, endedMs, heldBefore]),
    [
      ['seed', 0, 0, false],
      ['peer', 40, 500, false],
      ['older', 0, 0, true],
    ],
  );
});

test('too many moves are told less finely, and none is lost', () => {
  const recording = new RecordingShelf().begin(0);
  const peers = Array.from({ length: 100 }, (_, index) => end(`peer-${index}`));
  let moved = 0;
  for (let step = 0; moved < 3 * maxRecordedMoves; step += 1) {
    for (const to of peers) {
      recording.moved(to, undefined, 1, step * recordedStepMs);
      moved += 1;
    }
  }
  assert.ok(recording.capacity <= maxRecordedMoves);
  assert.ok(recording.stepMs > recordedStepMs);
  assert.equal(piecesOf(recording), moved);
  const steps = recording.moves().filter((_, index) => index % 4 === 0);
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  );
});

test('a distribution of days fits as well', () => {
  const recording = new RecordingShelf().begin(0);
  const dayMs = 86_400_000;
  for (let hour = 0; hour < 72; hour += 1) recording.moved(end('peer'), undefined, 1, (hour * dayMs) / 24);
  assert.equal(piecesOf(recording), 72);
  assert.equal((recording.moves().at(-4) ?? 0) * recording.stepMs <= 3 * dayMs, true);
});

test('ended recordings are bounded, and make room for those that run', () => {
  const shelf = new RecordingShelf();
  const filled = (): Recording => {
    const recording = shelf.begin(0);
    for (let move = 0; move < maxRecordedMoves; move += 1)
      recording.moved(end(`peer-${move % 50}`), undefined, 1, Math.floor(move / 50) * recordedStepMs);
    return recording;
  };
  const fitting = Math.floor(maxAllRecordedMoves / maxRecordedMoves);
  for (let number = 1; number <= fitting; number += 1) shelf.keep(number, filled());
  assert.ok(shelf.ofDistribution(1));
  const running = filled();
  assert.equal(shelf.ofDistribution(1), undefined);
  assert.equal(piecesOf(running), maxRecordedMoves);
  for (let number = 100; number < 100 + maxEndedRecordings; number += 1) {
    const small = shelf.begin(0);
    small.moved(end('a'), end('b'), 1, 0);
    shelf.keep(number, small);
  }
  assert.equal(shelf.ofDistribution(fitting), undefined);
  assert.ok(shelf.ofDistribution(100));
});

test('one node alone is no picture', () => {
  const shelf = new RecordingShelf();
  const recording = shelf.begin(0);
  recording.moved(end('a'), undefined, 1, 0);
  shelf.keep(1, recording);
  assert.equal(shelf.ofDistribution(1), undefined);
});
