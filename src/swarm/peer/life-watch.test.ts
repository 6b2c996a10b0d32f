import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LifeWatch } from './life-watch.ts';

const limits = { quietMs: 200, lifeMs: 500, lifeMostMs: 3000, lateMs: 50 };
const owes = (): boolean => true;

function at(nowMs: number, answerMs = 0): { nowMs: number; answerMs: number } {
  return { nowMs, answerMs };
}

/** Looks this many times, each time when it is due. */
function look(watch: LifeWatch): { nowMs: number; ask: readonly string[]; silent: readonly string[] } {
  const nowMs = watch.dueMs;
  return { nowMs, ...watch.check(at(nowMs), owes) };
}

test('who is quiet is asked, and lost only when it does not answer', () => {
  const watch = new LifeWatch(limits);
  watch.added('a', 0);
  watch.heard('a', 10);
  watch.expect(10);
  assert.deepEqual(watch.check(at(100), owes), { ask: [], silent: [] }, 'not due');
  assert.deepEqual(look(watch).ask, []);
  const asked = look(watch);
  assert.deepEqual(asked.ask, ['a']);
  assert.ok(asked.nowMs >= 210);
  watch.heard('a', asked.nowMs + 5);
  for (let round = 0; round < 5; round += 1) {
    const { ask, silent, nowMs } = look(watch);
    assert.deepEqual(silent, []);
    if (ask.length > 0) watch.heard('a', nowMs + 5);
  }
  let lost: readonly string[] = [];
  for (let round = 0; round < 3 && lost.length === 0; round += 1) lost = look(watch).silent;
  assert.deepEqual(lost, ['a']);
  assert.equal(watch.dueMs, Infinity);
});

test('who owes nothing may be quiet for ever, but for its first word', () => {
  const watch = new LifeWatch(limits);
  watch.added('known', 0);
  watch.added('never heard', 0);
  watch.heard('known', 1);
  const seen: string[] = [];
  for (let round = 0; round < 5 && watch.dueMs < Infinity; round += 1) {
    const { ask, silent } = watch.check(at(watch.dueMs), () => false);
    seen.push(...ask, ...silent);
  }
  assert.deepEqual(seen, ['never heard', 'never heard']);
});

test('where answers take long, they may', () => {
  const watch = new LifeWatch(limits);
  watch.added('a', 0);
  const first = look(watch);
  assert.deepEqual(first.ask, ['a']);
  watch.heard('a', first.nowMs + 400);
  let asked = look(watch);
  while (asked.ask.length === 0) asked = look(watch);
  assert.equal(watch.dueMs - asked.nowMs, 1600);
});

test('where others took long to answer, a parent may before it has ever answered', () => {
  const watch = new LifeWatch(limits);
  watch.added('a', 0);
  const { ask } = watch.check(at(watch.dueMs, 600), owes);
  assert.deepEqual(ask, ['a']);
  assert.equal(watch.dueMs, 200 + 2400);
});

test('who looks late looks again, and not for ever', () => {
  const watch = new LifeWatch(limits);
  watch.added('a', 0);
  assert.deepEqual(look(watch).ask, ['a']);
  let looks = 0;
  for (let silent: readonly string[] = []; silent.length === 0; looks += 1)
    ({ silent } = watch.check(at(watch.dueMs + 300), owes));
  assert.equal(looks, 4);
});
