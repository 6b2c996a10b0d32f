/** What the scheduler learns from a seed it asks to download. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { Download, Host } from '../../src/rpc/generated/common/v2/common.ts';
import { DfdaemonUploadDefinition, DownloadTaskResponse } from '../../src/rpc/generated/dfdaemon/v2/dfdaemon.ts';
import { schedulerHeader } from '../../src/rpc/features.ts';
import { RpcServer } from '../../src/rpc/server.ts';
import { SeedDownloads } from '../../src/scheduler/seed-downloads.ts';

void describe('a seed that downloads', () => {
  void it('hears who asks, and tells what the origin answered', { timeout: 60_000 }, async () => {
    const responseHeader = { 'Content-Type': 'text/plain' };
    let asker: unknown;
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
      downloadTask: async function* (_request, { metadata }) {
        asker = metadata.get(schedulerHeader)[0];
        const value = { contentLength: 1, responseHeader, pieces: [], isFinished: false, range: undefined };
        yield DownloadTaskResponse.fromPartial({ response: { $case: 'downloadTaskStartedResponse', value } });
      },
    });
    await server.start();
    await using channels = new Channels();
    const answered = Promise.withResolvers<unknown>();
    await using downloads = new SeedDownloads({
      channels,
      ownAddress: () => '10.0.0.1:8002',
      timeoutMs: 10_000,
      logger: silentLogger,
      onFailure: () => answered.reject(new Error('the seed failed')),
      onAnswer: (taskId, header) => answered.resolve({ taskId, header }),
    });
    const seed = Host.fromPartial({ id: 'seed', ip: '127.0.0.1', port: server.port, type: 1 });
    downloads.start('task', seed, Download.fromPartial({ url: 'http://origin/file' }));
    assert.deepEqual(await answered.promise, { taskId: 'task', header: responseHeader });
    assert.equal(asker, '10.0.0.1:8002');
  });
});
