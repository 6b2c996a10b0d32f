/** Who waits for something before a task is opened waits no longer than he wants to. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { TaskEngine, type EngineOptions } from '../../src/dfdaemon/task/engine.ts';
import type { DownloadRequest } from '../../src/dfdaemon/task/open-task.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const url = 'https://registry.example/v2/app/blobs/sha256:' + 'a'.repeat(64);

test('a caller that leaves does not wait for the copy of a blob under its other id', { timeout: 30_000 }, async () => {
  await using directory = await temporaryDirectory('df-engine-');
  await using store = await TaskStore.open({ directory: directory.join('store') });
  const began = Promise.withResolvers<void>();
  const copied = Promise.withResolvers<void>();
  const options = {
    store,
    admit: () => undefined,
    nodeLocal: { means: () => false, check: () => Promise.reject(new Error('the next step')) },
    context: { sources: { requireSupported: () => undefined } },
    bringTwin: () => (began.resolve(), copied.promise),
  } as unknown as EngineOptions;
  await using engine = new TaskEngine(options);
  const request = { url, header: {}, caller: { kind: 'local' } } as unknown as DownloadRequest;
  const leaving = new AbortController();
  const opening = engine.open(request, leaving.signal);
  await began.promise;
  leaving.abort();
  await assert.rejects(opening, { name: 'AbortError' });
  const { signal } = new AbortController();
  const staying = engine.open(request, signal);
  copied.resolve();
  await assert.rejects(staying, /the next step/);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
