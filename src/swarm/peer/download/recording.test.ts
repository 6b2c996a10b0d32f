import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { defaultPickerLimits } from '../picker-limits.ts';
import type { PeerEvent } from './events.ts';
import { readRecording, recordedMachine, replay, startLine, stepLine } from './recording.ts';

const start = {
  taskId: 'task',
  peerId: 'me',
  seed: 7,
  limits: defaultPickerLimits,
  settleMs: 0,
  mayGoToOrigin: true,
  scheduleTimeoutMs: 30_000,
  pieceTimeoutMs: 20_000,
};

/** A parent as the daemon knows it. */
const parent = { peerId: 'parent', distance: 0, ip: '203.0.113.9', ticket: Buffer.from('secret') };

const events: readonly PeerEvent[] = [
  { kind: 'wanted', pieces: PieceSet.of([0, 1, 2, 5, 8]) },
  { kind: 'parents-offered', parents: [parent], replace: false },
  {
    kind: 'layout-known',
    contentLengthBytes: 9 * 1024,
    pieceCount: 9,
    pieceLengthBytes: 1024,
    held: PieceSet.of([2]),
  },
  { kind: 'parent-has', parentId: 'parent', pieces: PieceSet.range(0, 9) },
  { kind: 'parent-offers', parentId: 'parent', pieces: new Set([5]) },
  { kind: 'read-positions', pieces: [0] },
  { kind: 'started', held: new PieceSet() },
  { kind: 'session-ended', extended: true, code: 'UNAVAILABLE', originSaid: false, mayDiffer: false },
  { kind: 'lease-granted', lease: { id: '1', first: 7, end: 9 } },
  { kind: 'tick' },
];

function record(): string {
  const machine = recordedMachine(start);
  let text = startLine(start);
  for (const [index, event] of events.entries()) {
    const moment = {
      nowMs: 1000 / 3 + index * 100,
      bytesPerSec: 1e6,
      latestBytesPerSec: 0,
      answerMs: 0,
      schedulers: 'held',
    } as const;
    text += stepLine(moment, event, machine.step(event, moment));
  }
  return text;
}

test('what was recorded leads to the same requests again', () => {
  const steps = [...replay(readRecording(record()))];
  assert.equal(steps.length, events.length);
  assert(steps.every(({ isSame }) => isSame));
  const asked = steps.flatMap(({ today }) => today.filter(({ kind }) => kind === 'request-piece'));
  assert(asked.length > 0, 'a recording in which nothing is asked for proves nothing');
});

test('of a parent it keeps neither address nor right', () => {
  assert.doesNotMatch(record(), /203\.0\.113|ticket|secret/);
});

test('tells the first step at which the machine would do something else', () => {
  const changed = record().replace('"kind":"request-piece"', '"kind":"cancel-piece"');
  const last = [...replay(readRecording(changed))].at(-1);
  assert.equal(last?.isSame, false);
  assert.equal(last.today[0]?.kind, 'request-piece');
});

test('is good up to where it was cut, and says what is no recording', () => {
  const text = record();
  const cut = readRecording(text.slice(0, -10));
  assert.equal(cut.isCut, true);
  assert.equal(cut.steps.length, events.length - 1);
  for (const bad of ['', '{}\n', `${startLine(start)}{"at":[1,2,3]}\n`, `${startLine(start)}nonsense\n`])
    assert.throws(() => readRecording(bad), { code: 'INVALID_ARGUMENT' });
});
