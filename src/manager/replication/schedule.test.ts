import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { matchesGlob } from './glob.ts';
import { copiesToStart, isListDue, type CopyTimes } from './schedule.ts';

const rule = { enabled: 1, interval_ms: 0, asked_at: 0, listed_at: 0, retry_at: 0 };
const free = { concurrency: 2, rate_bytes_per_sec: 0 };
const waiting = (id: number, values: Partial<CopyTimes> = {}): CopyTimes => ({
  id,
  cluster_id: 1,
  state: 'waiting',
  attempt: 0,
  retry_at: 0,
  started_at: 0,
  ended_at: 0,
  bytes: 0,
  ...values,
});

describe('when a rule lists its tags', () => {
  test('when it was asked to after the last time, and when its interval is over', () => {
    assert.equal(isListDue(rule, 1_000), false);
    assert.equal(isListDue({ ...rule, asked_at: 2, listed_at: 1 }, 1_000), true);
    assert.equal(isListDue({ ...rule, interval_ms: 500, listed_at: 600 }, 1_000), false);
    assert.equal(isListDue({ ...rule, interval_ms: 500, listed_at: 500 }, 1_000), true);
  });
  test('not while it is paused, nor before a registry may be asked again', () => {
    assert.equal(isListDue({ ...rule, asked_at: 2, enabled: 0 }, 1_000), false);
    assert.equal(isListDue({ ...rule, asked_at: 2, retry_at: 1_001 }, 1_000), false);
  });
});

describe('what begins', () => {
  test('as many as fit in each cluster, what failed before last, and nothing before its rest is over', () => {
    const open = [
      waiting(1, { attempt: 1 }),
      waiting(2),
      waiting(3),
      waiting(4, { cluster_id: 2, state: 'running' }),
      waiting(5, { cluster_id: 2 }),
      waiting(6, { cluster_id: 2 }),
      waiting(7, { cluster_id: 3, retry_at: 101 }),
    ];
    assert.deepEqual(copiesToStart(free, { open, ended: [] }, 100), [2, 3, 5]);
  });
  test('a cluster in which all fails is tried with one, after longer and longer rests; others go on', () => {
    const failed = (count: number): CopyTimes[] =>
      Array.from({ length: count }, (_, id) => waiting(id + 10, { attempt: 1, ended_at: 1_000 + id }));
    const open = [waiting(1), waiting(2), waiting(3, { cluster_id: 2 })];
    assert.deepEqual(copiesToStart(free, { open, ended: failed(3) }, 1_010), [1, 2, 3]);
    assert.deepEqual(copiesToStart(free, { open, ended: failed(4) }, 1_010), [3]);
    assert.deepEqual(copiesToStart(free, { open, ended: failed(4) }, 3_003), [1, 3]);
    assert.deepEqual(copiesToStart(free, { open, ended: failed(6) }, 3_005), [3]);
    const arrived = waiting(20, { state: 'proven', ended_at: 2_000 });
    assert.deepEqual(copiesToStart(free, { open, ended: [...failed(4), arrived] }, 2_001), [1, 2, 3]);
  });
  test('with a bound on the rate one after the other, each with the time of its bytes', () => {
    const pace = { concurrency: 8, rate_bytes_per_sec: 1_000 };
    const open = [waiting(1), waiting(2)];
    const ended = [waiting(3, { state: 'proven', started_at: 1_000, ended_at: 1_100, bytes: 5_000 })];
    assert.deepEqual(copiesToStart(pace, { open, ended }, 5_999), []);
    assert.deepEqual(copiesToStart(pace, { open, ended }, 6_000), [1]);
    assert.deepEqual(copiesToStart(pace, { open: [waiting(9, { state: 'running' }), ...open], ended }, 6_000), []);
  });
});

test('a star stands for anything, everything else for itself', () => {
  for (const [glob, text, matches] of [
    ['v*', 'v1.2', true],
    ['v*', 'av1', false],
    ['team/*', 'team/a/b', true],
    ['1.2', '1x2', false],
    ['*', '', true],
    ['a+b', 'aab', false],
  ] as const)
    assert.equal(matchesGlob(glob, text), matches, `${glob} ${text}`);
});
