/** The unix socket of a gRPC server: whose it is, and what may lie in its place. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Task } from '../../gen/common/v2/common.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const taskId = 'a'.repeat(64);
const peer = { hostId: '127.0.0.1-host', taskId, peerId: '127.0.0.1-host-1' };

test('serves a unix socket with the wanted mode and replaces one that a dead process has left', async () => {
  await using directory = await temporaryDirectory('rpc-');
  const socketPath = directory.join('daemon.sock');
  const dies = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', dies, socketPath]);
  assert.ok((await lstat(socketPath)).isSocket());
  let local = false;
  const server = RpcServer.create({ socketPath, mode: 0o777 }).addService(SchedulerDefinition, {
    statTask: async (request, context) => {
      local = context.isLocalSocket;
      return Task.fromPartial({ id: request.taskId });
    },
  });
  await server.start();
  await using _server = server;
  await using channels = new Channels();
  assert.equal((await stat(socketPath)).mode & 0o777, 0o777);
  const client = createClient(SchedulerDefinition, channels, `unix:${socketPath}`);
  assert.equal((await client.statTask(peer)).id, taskId);
  assert.ok(local);
  const second = RpcServer.create({ socketPath, mode: 0o777 });
  await assert.rejects(second.start(), { code: 'IN_USE' });
  await second[Symbol.asyncDispose]();
  assert.equal((await client.statTask(peer)).id, taskId, 'whoever was refused takes nothing away');
});

test('takes nothing away that is no socket', async () => {
  await using directory = await temporaryDirectory('rpc-');
  const file = directory.join('file');
  await writeFile(file, 'of somebody else');
  await symlink(file, directory.join('link'));
  for (const name of ['file', 'link']) {
    const server = RpcServer.create({ socketPath: directory.join(name), mode: 0o777 });
    await assert.rejects(server.start(), { code: 'IN_USE', message: /is no socket/ });
    await server[Symbol.asyncDispose]();
    assert.equal(await readFile(directory.join(name), 'utf8'), 'of somebody else');
  }
});
