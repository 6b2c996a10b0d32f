import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from './retry-after.ts';

test('Retry-After is read in both of its forms', () => {
  const nowMs = Date.parse('Sun, 29 Nov 2026 10:00:00 GMT');
  const cases: readonly [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['4', 4000],
    [' 0 ', 0],
    ['Sun, 29 Nov 2026 10:00:05 GMT', 5999],
    ['Sunday, 29-Nov-26 10:00:05 GMT', 5999],
    ['Sun, 29 Nov 2026 09:59:00 GMT', 0],
    ['soon', undefined],
    ['-3', undefined],
    ['1.5', undefined],
  ];
  for (const [text, expected] of cases) {
    const header = text === undefined ? {} : { 'retry-after': text };
    assert.equal(retryAfterMs(header, nowMs), expected, text);
  }
});
