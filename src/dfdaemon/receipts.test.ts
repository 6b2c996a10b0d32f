import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { silentLogger } from '../core/process/logger.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { Receipts } from './receipts.ts';
import type { Receipt } from './task/open-task.ts';

const receiptOf = (number: number): Receipt => ({
  taskId: `${number}`,
  peerId: 'peer',
  url: `http://user:secret@origin/${number}`,
  contentLengthBytes: 1,
  bytesFromOrigin: 1,
  bytesFromLocal: 0,
  originRequests: 1,
  parents: [],
  waits: 0,
  waitedMs: 0,
  retries: 0,
  verifiedDigest: undefined,
  firstByteMs: 1,
  costMs: 1,
  finishedAt: new Date(0),
});

test('receipts are all written, in their order, also those that come while others are', async () => {
  await using directory = await temporaryDirectory('df-receipts-');
  const file = directory.join('receipts.jsonl');
  const receipts = new Receipts(file, silentLogger);
  for (let number = 0; number < 50; number += 1) {
    receipts.add(receiptOf(number));
    if (number % 10 === 0) await receipts.flushed();
  }
  await receipts.flushed();
  const written = (await readFile(file, 'utf8')).trim().split('\n');
  const ids = written.map((line) => (JSON.parse(line) as { taskId: string }).taskId);
  assert.deepEqual(
    ids,
    Array.from({ length: 50 }, (_, number) => `${number}`),
  );
  assert.ok(!written.join('').includes('secret'));
});
