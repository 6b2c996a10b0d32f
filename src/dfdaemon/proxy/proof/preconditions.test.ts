import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgePreconditions, type Judgement } from './preconditions.ts';

const date = 'Fri, 20 Nov 2026 10:00:00 GMT';
const before = 'Fri, 20 Nov 2026 09:59:59 GMT';
const stored = { etag: '"v1"', 'last-modified': date, date: 'Sat, 21 Nov 2026 10:00:00 GMT' };
const part = { range: 'bytes=0-1' };

test('preconditions are judged in the order of RFC 9110 §13.2.2', () => {
  const cases: readonly [Record<string, string>, Judgement][] = [
    [{}, 'go'],
    [{ 'if-match': '"v1"' }, 'go'],
    [{ 'if-match': '"v0", "v1"' }, 'go'],
    [{ 'if-match': '*' }, 'go'],
    [{ 'if-match': '"v0"' }, 'failed'],
    [{ 'if-match': 'W/"v1"' }, 'failed'],
    [{ 'if-unmodified-since': date }, 'go'],
    [{ 'if-unmodified-since': before }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'go'],
    [{ 'if-match': '"v1"', 'if-unmodified-since': before }, 'go'],
    [{ 'if-none-match': '"v1"' }, 'notModified'],
    [{ 'if-none-match': 'W/"v1"' }, 'notModified'],
    [{ 'if-none-match': '*' }, 'notModified'],
    [{ 'if-none-match': '"v0"', 'if-modified-since': date }, 'go'],
    [{ 'if-modified-since': date }, 'notModified'],
    [{ 'if-modified-since': before }, 'go'],
    [{ 'if-match': '"v0"', 'if-none-match': '"v1"' }, 'failed'],
    [{ ...part, 'if-range': '"v1"' }, 'go'],
    [{ ...part, 'if-range': '"v0"' }, 'ignoreRange'],
    [{ ...part, 'if-range': 'W/"v1"' }, 'ignoreRange'],
    [{ ...part, 'if-range': date }, 'go'],
    [{ ...part, 'if-range': before }, 'ignoreRange'],
    [{ 'if-range': '"v0"' }, 'go'],
  ];
  for (const [request, expected] of cases)
    assert.equal(judgePreconditions(request, stored), expected, JSON.stringify(request));
});

test('a weak entity tag matches no strong condition', () => {
  const weak = { ...stored, etag: 'W/"v1"' };
  assert.equal(judgePreconditions({ 'if-match': 'W/"v1"' }, weak), 'failed');
  assert.equal(judgePreconditions({ ...part, 'if-range': '"v1"' }, weak), 'ignoreRange');
  assert.equal(judgePreconditions({ 'if-none-match': '"v1"' }, weak), 'notModified');
});
