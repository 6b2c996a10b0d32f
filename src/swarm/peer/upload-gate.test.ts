import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UploadGate, type Uplink, type UploadRequest } from './upload-gate.ts';

const capacityBytesPerSec = 1000;
const at = (bytesPerSec: number): Uplink => ({ bytesPerSec });
const ask = (childId: string, piece: number, patient = false): UploadRequest => ({
  childId,
  taskId: 'task',
  piece,
  patient,
});

test('one upload at a time while it fills the uplink; whoever comes then is sent elsewhere', () => {
  const gate = new UploadGate({ maxActive: 8, capacityBytesPerSec });
  assert(gate.request(ask('a', 0), 0, at(0)));
  assert.equal(gate.start(0, at(0))?.childId, 'a');
  assert.equal(gate.request(ask('b', 1), 100, at(capacityBytesPerSec)), false);
  assert.equal(gate.load, 1);
  gate.ended();
  assert(gate.request(ask('b', 1), 101, at(0)));
});

test('a second upload starts as soon as the first leaves a part of the uplink idle, up to the limit', () => {
  const gate = new UploadGate({ maxActive: 2, capacityBytesPerSec });
  for (const [place, childId] of ['a', 'b'].entries()) {
    assert(gate.request(ask(childId, place), place * 100, at(300)));
    assert.equal(gate.start(place * 100, at(300))?.childId, childId);
  }
  assert.equal(gate.request(ask('c', 2), 200, at(300)), false);
});

test('at the origin a few are sent at once, however full the uplink looks', () => {
  const gate = new UploadGate({ maxActive: 8, capacityBytesPerSec });
  gate.atOrigin = true;
  for (const [place, childId] of ['a', 'b', 'c'].entries()) {
    assert(gate.request(ask(childId, place), place, at(capacityBytesPerSec)));
    assert.equal(gate.start(place, at(capacityBytesPerSec))?.childId, childId);
  }
  assert(gate.request(ask('d', 3), 3, at(capacityBytesPerSec)));
  assert.equal(gate.start(3, at(capacityBytesPerSec)), undefined, 'the fourth waits');
});

test('at the origin one waits; patient children wait anywhere, and leave with their requests', () => {
  const gate = new UploadGate({ maxActive: 1, capacityBytesPerSec });
  gate.request(ask('a', 0), 0, at(0));
  gate.start(0, at(0));
  assert.equal(gate.request(ask('b', 1), 1, at(900)), false);
  gate.atOrigin = true;
  assert(gate.request(ask('b', 1), 1, at(900)));
  assert.equal(gate.request(ask('c', 2), 1, at(900)), false);
  assert(gate.request(ask('d', 3, true), 1, at(900)));
  assert.equal(gate.load, 3);
  assert(gate.cancel('b', 'task', 1));
  assert.equal(gate.cancel('b', 'task', 1), false);
  gate.childLeft('d');
  assert.equal(gate.load, 1);
});

test('of those that wait, the piece sent to the fewest goes first', () => {
  const gate = new UploadGate({ maxActive: 1, capacityBytesPerSec });
  gate.request(ask('a', 7), 0, at(0));
  gate.start(0, at(0));
  gate.request(ask('b', 7, true), 1, at(900));
  gate.request(ask('c', 8, true), 2, at(900));
  gate.ended();
  assert.equal(gate.start(100, at(0))?.childId, 'c');
});

test('for each upload that is about to end one request is taken, and begins when it has', () => {
  const gate = new UploadGate({ maxActive: 8, capacityBytesPerSec });
  gate.request(ask('a', 0), 0, at(0));
  gate.start(0, at(0));
  const ending = { ...at(capacityBytesPerSec), endingSoon: 1 };
  assert(gate.request(ask('b', 1), 100, ending));
  assert.equal(gate.request(ask('c', 2), 100, ending), false, 'the place is promised');
  assert.equal(gate.start(100, ending), undefined, 'not before the first has left');
  gate.ended();
  assert.equal(gate.start(101, ending)?.childId, 'b');
});
