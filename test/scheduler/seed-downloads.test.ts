/** What the scheduler learns from a seed it asks to download. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { Download, Host } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, DownloadTaskResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { schedulerHeader } from '../../src/rpc/features.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { HoldingRelay } from '../support/holding-relay.ts';
import { waitFor } from '../support/wait-for.ts';
import { SeedDownloads } from '../../src/scheduler/peers/seed-downloads.ts';

const unheard = { answered: () => undefined, told: () => undefined, ended: () => undefined };

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
      calls: unheard,
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

  void it(
    'is not called for a bundle by a version that would fetch the page of its directory',
    { timeout: 60_000 },
    async () => {
      const asked: (Uint8Array | undefined)[] = [];
      await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
        downloadTask: async function* ({ download }) {
          asked.push(download?.bundle);
          yield DownloadTaskResponse.fromPartial({});
        },
      });
      await server.start();
      await using channels = new Channels();
      const ended: string[] = [];
      await using downloads = new SeedDownloads({
        calls: unheard,
        channels,
        ownAddress: () => '10.0.0.1:8002',
        timeoutMs: 10_000,
        logger: silentLogger,
        onFailure: (taskId) => ended.push(`${taskId} failed`),
        onResult: (result) => ended.push(result),
      });
      const seed = { id: 'seed', ip: '127.0.0.1', port: server.port, type: 1 };
      const download = Download.fromPartial({ url: 'http://origin/tree/', bundle: Buffer.from('list') });
      downloads.start('old', Host.fromPartial(seed), download);
      await waitFor('the old one to be refused', () => ended.length === 2);
      downloads.start('new', Host.fromPartial({ ...seed, bundles: true }), download);
      await waitFor('the new one to end', () => ended.length === 3);
      assert.deepEqual(ended, ['failure', 'old failed', 'success']);
      assert.deepEqual(
        asked.map((list) => list && Buffer.from(list).toString()),
        ['list'],
      );
    },
  );

  void it('is given up when it gives no sign of life, not when it takes its time', { timeout: 60_000 }, async () => {
    const { promise: origin, resolve: originAnswers } = Promise.withResolvers<void>();
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
      downloadTask: async function* () {
        await origin;
        yield DownloadTaskResponse.fromPartial({});
      },
    });
    await server.start();
    await using relay = await HoldingRelay.start(`127.0.0.1:${server.port}`);
    await using channels = new Channels();
    const failed = Promise.withResolvers<string>();
    const ended: string[] = [];
    await using downloads = new SeedDownloads({
      calls: unheard,
      channels,
      ownAddress: () => '10.0.0.1:8002',
      timeoutMs: 60_000,
      logger: silentLogger,
      onFailure: (taskId) => failed.resolve(taskId),
      onResult: (result) => ended.push(result),
    });
    const at = (port: number): Host => Host.fromPartial({ id: `seed-${port}`, ip: '127.0.0.1', port, type: 1 });
    relay.hold();
    downloads.start('slow', at(server.port), Download.fromPartial({ url: 'http://origin/file' }));
    downloads.start(
      'hung',
      at(Number(relay.address.split(':')[1])),
      Download.fromPartial({ url: 'http://origin/file' }),
    );
    assert.equal(await failed.promise, 'hung');
    originAnswers();
    await waitFor('the slow one to end', () => ended.includes('success'));
    relay.release();
  });
});
