/** Calls are counted as dashboards made for Go servers read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DragonflyError } from '../../src/core/errors.ts';
import { Registry } from '../../src/core/metrics.ts';
import { CallMetrics } from '../../src/rpc/server/call-metrics.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { waitFor } from '../support/wait-for.ts';

test('every call, by kind, service, method and status', { timeout: 60_000 }, async () => {
  const registry = new Registry();
  await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { metrics: new CallMetrics(registry) });
  let known = true;
  server.addService(DfdaemonUploadDefinition, {
    deleteTask: async () => {
      if (known) return {};
      throw new DragonflyError('NOT_FOUND', 'no such task');
    },
  });
  await server.start();
  await using channels = new Channels();
  const client = createClient(DfdaemonUploadDefinition, channels, server.address);
  const request = { taskId: 'a'.repeat(64), remoteIp: undefined };
  await client.deleteTask(request);
  known = false;
  await assert.rejects(client.deleteTask(request), { code: 'NOT_FOUND' });

  const call = 'grpc_type="unary",grpc_service="dfdaemon.v2.DfdaemonUpload",grpc_method="DeleteTask"';
  const expected = [
    `grpc_server_started_total{${call}} 2`,
    `grpc_server_handled_total{${call},grpc_code="OK"} 1`,
    `grpc_server_handled_total{${call},grpc_code="NotFound"} 1`,
  ];
  await waitFor('both calls to be counted', async () => {
    const text = await registry.metrics();
    return expected.every((line) => text.includes(line));
  });
});
