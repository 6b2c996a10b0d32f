import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aborted } from '../../core/process/lifecycle.ts';
import { together } from './together.ts';

test('the first failure ends the others, which have ended when it is told', async () => {
  const ended: string[] = [];
  const failing = (): Promise<void> => Promise.reject(new Error('disk full'));
  const waiting = async (signal: AbortSignal): Promise<void> => {
    await aborted(signal);
    await new Promise(setImmediate);
    ended.push('waiting');
    signal.throwIfAborted();
  };
  await assert.rejects(together(new AbortController().signal, [waiting, failing, waiting]), /disk full/);
  assert.deepEqual(ended, ['waiting', 'waiting']);
});

test('whoever aborts it is told so', async () => {
  const controller = new AbortController();
  const run = together(controller.signal, [(signal) => aborted(signal).then(() => signal.throwIfAborted())]);
  controller.abort(new Error('stopped'));
  await assert.rejects(run, /stopped/);
});
