/** A task that was removed and is asked for again: what children are told of it is about the new one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { taskId } from '../../src/core/ids.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';

test('a node that removed a task, and got it at the next try, gives it to others', { timeout: 120_000 }, async () => {
  await using swarm = await LocalSwarm.create();
  await using origin = await HttpOrigin.start();
  await swarm.startScheduler();
  const [holder, child] = [await swarm.startDaemon('holder'), await swarm.startDaemon('child')];
  const url = origin.url('/again');
  origin.add('/again', { content: randomBytes(9 * 2 ** 20) });
  await swarm.download(holder, { url });
  await swarm.client(holder).deleteTask({ taskId: taskId({ url }) });
  await swarm.download(holder, { url });
  const receipt = await swarm.download(child, { url });
  assert.equal(receipt.bytesFromOrigin, 0);
});
