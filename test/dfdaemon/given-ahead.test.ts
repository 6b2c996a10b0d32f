/** A reader that got the beginning of a piece from an attempt that was given up. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { StoredTask } from '../../src/dfdaemon/storage/stored-task.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { GivenAhead } from '../../src/dfdaemon/task/exchange/given-ahead.ts';
import { contentBytes, hasCode, scratchDirectory, taskIdOf } from '../storage/fixtures.ts';

const pieceLengthBytes = 4 * 2 ** 20;
const right = contentBytes(pieceLengthBytes, 1);
const half = pieceLengthBytes / 2;

async function emptyTask(t: TestContext): Promise<StoredTask> {
  const store = await TaskStore.open({ directory: scratchDirectory(t) });
  t.after(() => store[Symbol.asyncDispose]());
  const task = store.open(taskIdOf('ahead'), { url: 'http://origin/x' });
  task.setLayout({ contentLengthBytes: pieceLengthBytes, pieceLengthBytes });
  return task;
}

/** An attempt brings the bytes, a reader gets them, and it is given up. */
async function giveUpAfter(task: StoredTask, bytes: Buffer): Promise<GivenAhead> {
  const writer = task.writePiece(0);
  await writer.writeBlock(bytes);
  writer.vouch();
  const ahead = new GivenAhead(task, 0);
  ahead.give(bytes.length);
  assert.equal(ahead.isTorn, false);
  await writer.abort();
  assert.equal(ahead.isTorn, true);
  return ahead;
}

async function bring(task: StoredTask, bytes: Buffer): Promise<void> {
  const writer = task.writePiece(0);
  await writer.writeBlock(bytes);
  await writer.commit({ source: 'another', costMs: 1 });
}

test('goes on when the piece that comes instead is the same', async (t) => {
  const task = await emptyTask(t);
  const ahead = await giveUpAfter(task, right.subarray(0, half));
  await bring(task, right);
  await ahead.compare();
  assert.equal(ahead.isTorn, false);
});

test('breaks when it was given something else', async (t) => {
  const task = await emptyTask(t);
  const wrong = Buffer.from(right.subarray(0, half));
  wrong.writeUInt8(wrong.readUInt8(1000) ^ 1, 1000);
  const ahead = await giveUpAfter(task, wrong);
  await bring(task, right);
  await assert.rejects(ahead.compare(), hasCode('DIGEST_MISMATCH'));
});

test('what it is given while the attempt is being given up is compared, too', async (t) => {
  const task = await emptyTask(t);
  const writer = task.writePiece(0);
  await writer.writeBlock(right.subarray(0, half));
  writer.vouch();
  writer.incoming.given(1);
  const ending = writer.abort();
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve(); // what was given is on its way back from the disk
  const ahead = new GivenAhead(task, 0);
  ahead.give(half);
  await ending;
  assert.equal(ahead.isTorn, true);
  await bring(task, right);
  await ahead.compare();
});

test('has nothing to fear from an attempt that ends well', async (t) => {
  const task = await emptyTask(t);
  const writer = task.writePiece(0);
  await writer.writeBlock(right);
  writer.vouch();
  const ahead = new GivenAhead(task, 0);
  ahead.give(right.length);
  await writer.commit({ source: 'origin', costMs: 1 });
  assert.equal(ahead.isTorn, false);
  assert.equal(task.incoming(0), undefined);
});
