import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { comesInMs, msPerPiece } from './lease-pace.ts';

const reportEveryMs = 100;

test('of a holder that goes on as it went the word is never too early, and late by no more than the last report was', () => {
  const some = fc.record({
    answeredAtMs: fc.integer({ min: 0, max: 10_000 }),
    pieceMs: fc.integer({ min: 1, max: 400 }),
    reportedAfterMs: fc.integer({ min: 1, max: 5000 }),
    sinceReportMs: fc.integer({ min: 0, max: reportEveryMs }),
    ahead: fc.integer({ min: 1, max: 1000 }),
    first: fc.integer({ min: 0, max: 1000 }),
  });
  fc.assert(
    fc.property(some, ({ answeredAtMs, pieceMs, reportedAfterMs, sinceReportMs, ahead, first }) => {
      const done = Math.floor(reportedAfterMs / pieceMs);
      fc.pre(done > 0);
      const reportedAtMs = answeredAtMs + reportedAfterMs;
      const nowMs = reportedAtMs + sinceReportMs;
      const course = { first, at: first + done, sinceMs: answeredAtMs, reportedAtMs };
      const told = comesInMs(course, first + done + ahead, nowMs, reportEveryMs);
      const real = answeredAtMs + (done + ahead) * pieceMs - nowMs;
      assert.ok(told >= real - 1e-6, `${told} ms for ${real} ms`);
      assert.ok(told <= real + ((done + ahead) * pieceMs) / done + 1e-6, `${told} ms for ${real} ms`);
    }),
  );
});

test('a holder that stands still is not believed to have come nearer', () => {
  const course = { first: 0, at: 10, sinceMs: 0, reportedAtMs: 100 };
  assert.equal(comesInMs(course, 30, 150, reportEveryMs), 150);
  assert.equal(comesInMs(course, 30, 200, reportEveryMs), 100);
  assert.equal(comesInMs(course, 30, 60_000, reportEveryMs), 100);
});

test('before the first piece nothing can be told', () => {
  const course = { first: 3, at: 3, sinceMs: 0, reportedAtMs: 0 };
  assert.equal(msPerPiece(course), Infinity);
  assert.equal(comesInMs(course, 3, 500, reportEveryMs), Infinity);
});
