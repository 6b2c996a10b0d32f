import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { AnswerPace } from './answer-pace.ts';

test('the longest answer counts, and fades', (t: TestContext) => {
  let nowMs = 1000;
  t.mock.method(performance, 'now', () => nowMs);
  const pace = new AnswerPace(() => 0.5);
  assert.equal(pace.longestMs, 0);
  pace.answered('a', 400);
  pace.answered('a', 10);
  assert.equal(pace.longestMs, 400);
  nowMs += 20_000;
  assert.equal(pace.longestMs, 200);
  pace.answered('a', 300);
  assert.equal(pace.longestMs, 300);
});

test('a crowded machine tells before anybody has answered', (t: TestContext) => {
  let nowMs = 1000;
  t.mock.method(performance, 'now', () => nowMs);
  let load = 6;
  const pace = new AnswerPace(() => load);
  assert.equal(pace.longestMs, 1000);
  load = 0;
  assert.equal(pace.longestMs, 1000, 'it is not looked at each time');
  nowMs += 1000;
  assert.equal(pace.longestMs, 0);
});

test('one that is slow alone makes nobody patient, unless there is nobody else to judge by', (t: TestContext) => {
  t.mock.method(performance, 'now', () => 1000);
  const pace = new AnswerPace(() => 0.5);
  pace.answered('sick', 2000);
  assert.equal(pace.longestMs, 2000);
  pace.answered('well', 5);
  assert.equal(pace.longestMs, 5);
  pace.answered('another', 300);
  assert.equal(pace.longestMs, 300);
});

test('what was measured a short while ago says more than the load of the machine', (t: TestContext) => {
  let nowMs = 1000;
  t.mock.method(performance, 'now', () => nowMs);
  const pace = new AnswerPace(() => 6);
  pace.answered('a', 100);
  assert.equal(pace.longestMs, 250);
  nowMs += 20_000;
  assert.equal(pace.longestMs, 1000);
});
