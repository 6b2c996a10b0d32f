/** A server knows who has connected to its unix socket, by the word of the kernel. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { test } from 'node:test';
import type { Caller } from '../../src/rpc/server/caller.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DeleteTaskRequest, DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { callAs } from '../support/call-as.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('the user of a unix socket, and the address of a TCP connection', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory('df-caller-');
  const socketPath = directory.join('x.sock');
  const callers: Caller[] = [];
  const start = async (address: Parameters<typeof RpcServer.create>[0]): Promise<RpcServer> => {
    const server = RpcServer.create(address).addService(DfdaemonUploadDefinition, {
      deleteTask: async (_request, context) => {
        callers.push(context.caller);
        return {};
      },
    });
    await server.start();
    return server;
  };
  await using local = await start({ socketPath, mode: 0o666 });
  await using tcp = await start({ host: '127.0.0.1', port: 0 });
  await using channels = new Channels();
  const request = { taskId: 'a'.repeat(64), remoteIp: undefined };
  await createClient(DfdaemonUploadDefinition, channels, local.address).deleteTask(request);
  await createClient(DfdaemonUploadDefinition, channels, tcp.address).deleteTask(request);
  const [own, overTcp] = callers;
  assert.partialDeepStrictEqual(own, { kind: 'local', uid: process.geteuid?.(), gid: process.getegid?.() });
  assert.deepEqual(overTcp, { kind: 'stranger', address: '127.0.0.1', onThisMachine: true });

  if (process.geteuid?.() !== 0) return; // only root can be somebody else
  chmodSync(directory.path, 0o755);
  const task = DeleteTaskRequest.encode(request).finish();
  const user = { uid: 65_534, gid: 65_533 };
  assert.equal(await callAs(user, socketPath, '/dfdaemon.v2.DfdaemonUpload/DeleteTask', task), 0);
  assert.deepEqual(callers[2], { kind: 'local', ...user, groups: [] });
});
