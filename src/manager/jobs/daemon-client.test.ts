/** How the manager interprets the answers of daemons. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DfdaemonUploadDefinition, StatLocalTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DragonflyError } from '../../core/errors.ts';
import { Channels } from '../../rpc/channels.ts';
import { RpcServer } from '../../rpc/server/server.ts';
import { DaemonClient } from './daemon-client.ts';
import type { ClusterHost } from './host-selection.ts';

const [absent, held] = ['a'.repeat(64), 'b'.repeat(64)];

test('a task that a daemon of the original does not have is deleted there, one that it cannot delete is not', async () => {
  await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
    deleteTask: async ({ taskId }) => {
      throw new DragonflyError('INTERNAL', `task ${taskId} not found`);
    },
    statLocalTask: async ({ taskId }) => {
      if (taskId === absent) throw new DragonflyError('NOT_FOUND', `local task not found: ${taskId}`);
      return StatLocalTaskResponse.fromPartial({ taskId });
    },
  });
  await server.start();
  await using channels = new Channels();
  const host = { ip: '127.0.0.1', port: server.port } as ClusterHost;
  const { signal } = new AbortController();
  const daemons = new DaemonClient(channels);
  await daemons.delete(host, absent, signal);
  await assert.rejects(daemons.delete(host, held, signal), { code: 'INTERNAL' });
});
