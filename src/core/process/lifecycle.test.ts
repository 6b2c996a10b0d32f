import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { deadlineSignal, onAbort, orAborted } from './lifecycle.ts';

test('onAbort acts once, at once when the signal has aborted already, and leaves nothing behind', () => {
  const controller = new AbortController();
  let acts = 0;
  const count = (): void => void (acts += 1);
  {
    using _gone = onAbort(controller.signal, count);
  }
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  using _listening = onAbort(controller.signal, count);
  controller.abort();
  assert.equal(acts, 1);
  using _late = onAbort(controller.signal, count);
  assert.equal(acts, 2);
  using _never = onAbort(undefined, count);
  assert.equal(acts, 2);
});

test('a deadline ends with its parent, and lets go of it', () => {
  const parent = new AbortController();
  const reason = new Error('enough');
  const done = deadlineSignal(parent.signal, 60_000);
  done[Symbol.dispose]();
  assert.equal(getEventListeners(parent.signal, 'abort').length, 0);
  using running = deadlineSignal(parent.signal, 60_000);
  parent.abort(reason);
  assert.equal(running.signal.reason, reason);
  using late = deadlineSignal(parent.signal, 60_000);
  assert.equal(late.signal.reason, reason);
});

test('a wait ends with the work or with the signal, and leaves nothing on either', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const never = new Promise<void>(() => undefined);
  assert.equal(await orAborted(Promise.resolve(7), signal), 7);
  const failure = new Error('the work failed');
  await assert.rejects(orAborted(Promise.reject(failure), signal), failure);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  const waiting = orAborted(never, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(orAborted(never, signal), reason);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
