import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { DragonflyError } from '../../src/core/errors.ts';
import { Owned } from '../../src/core/process/lifecycle.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { announcesSwarm } from '../../src/rpc/features.ts';
import { DfdaemonUploadDefinition, DownloadTaskResponse, SyncPiecesResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { HealthDefinition } from '../../gen/grpc/health/v1/health.ts';
import { ManagerDefinition } from '../../gen/manager/v2/manager.ts';
import { AnnouncePeerRequest, AnnouncePeerResponse, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { Download, Task } from '../../gen/common/v2/common.ts';
import { RpcServer, type Handlers, type RpcServerOptions } from '../../src/rpc/server/server.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { waitFor } from '../support/wait-for.ts';

const taskId = 'a'.repeat(64);
const peer = { hostId: '127.0.0.1-host', taskId, peerId: '127.0.0.1-host-1' };
const started = (): AnnouncePeerRequest =>
  AnnouncePeerRequest.fromPartial({ ...peer, request: { $case: 'downloadPeerStartedRequest', value: {} } });
const emptyTask = (): AnnouncePeerResponse =>
  AnnouncePeerResponse.fromPartial({ response: { $case: 'emptyTaskResponse', value: {} } });

const owned = new Owned();
after(() => owned[Symbol.asyncDispose]());

async function serve(handlers: Handlers<typeof SchedulerDefinition>, options: RpcServerOptions = {}) {
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, options).addService(SchedulerDefinition, handlers);
  await server.start();
  owned.add('server', server);
  const channels = owned.add('channels', new Channels());
  return { server, channels, client: createClient(SchedulerDefinition, channels, server.address) };
}

describe('unary calls', () => {
  it('carry request, answer, metadata and features both ways', async () => {
    let caller = '';
    let hasSwarm = false;
    const { client } = await serve(
      {
        statTask: async (request, context) => {
          caller = context.peerHost;
          hasSwarm = context.callerHasSwarm && context.metadata.get('x-extra')[0] === 'yes';
          return Task.fromPartial({ id: request.taskId, contentLength: 2 ** 40 });
        },
      },
      { features: ['swarm1'] },
    );
    let announced = false;
    const task = await client.statTask(peer, {
      metadata: { 'x-extra': 'yes' },
      onMetadata: (metadata) => (announced = announcesSwarm(metadata)),
    });
    assert.equal(task.id, taskId);
    assert.equal(task.contentLength, 2 ** 40);
    assert.equal(caller, '127.0.0.1');
    assert.ok(hasSwarm);
    assert.ok(announced);
  });

  it('carry code, message, hint and the answer of the origin of a failure', async () => {
    const { client } = await serve({
      statTask: () =>
        Promise.reject(
          new DragonflyError('SOURCE_STATUS', 'the origin said 403', {
            hint: 'Ask für Zugang.',
            details: { statusCode: 403, header: { 'x-reason': 'no' } },
          }),
        ),
    });
    await assert.rejects(client.statTask(peer), (error: DragonflyError) => {
      assert.equal(error.code, 'SOURCE_STATUS');
      assert.equal(error.message, 'the origin said 403');
      assert.equal(error.hint, 'Ask für Zugang.');
      assert.deepEqual(error.details, { statusCode: 403, header: { 'x-reason': 'no' } });
      return true;
    });
  });

  it('without a handler are UNSUPPORTED', async () => {
    const { client } = await serve({});
    await assert.rejects(client.statTask(peer), { code: 'UNSUPPORTED' });
  });

  it('end at their deadline and at the signal, and the handler learns of it', async () => {
    const aborted: Promise<unknown>[] = [];
    const { client } = await serve({
      statTask: async (_request, context) => {
        aborted.push(once(context.signal, 'abort'));
        await aborted.at(-1);
        throw new DragonflyError('INTERNAL', 'nobody hears this');
      },
    });
    await assert.rejects(client.statTask(peer, { timeoutMs: 50 }), { code: 'DEADLINE_EXCEEDED' });
    const controller = new AbortController();
    const call = client.statTask(peer, { signal: controller.signal });
    while (aborted.length < 2) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new DOMException('stop', 'AbortError'));
    await assert.rejects(call, { code: 'CANCELLED' });
    await Promise.all(aborted);
  });

  it('to nobody are UNAVAILABLE and name the address', async () => {
    const channels = owned.add('channels', new Channels());
    const client = createClient(SchedulerDefinition, channels, '127.0.0.1:1');
    await assert.rejects(client.statTask(peer), { code: 'UNAVAILABLE', message: /127\.0\.0\.1:1/ });
    await assert.rejects(channels.ready('127.0.0.1:1', { timeoutMs: 100 }), { code: 'UNAVAILABLE' });
  });
});

describe('streams', () => {
  it('bidirectional: every message answered in order, half-close ends it', async () => {
    const { client } = await serve({
      announcePeer: async function* (requests) {
        for await (const _request of requests) yield emptyTask();
      },
    });
    const requests = new MessageQueue<AnnouncePeerRequest>();
    let answers = 0;
    for (let count = 0; count < 100; count += 1) requests.push(started());
    for await (const answer of client.announcePeer(requests)) {
      assert.equal(answer.response?.$case, 'emptyTaskResponse');
      answers += 1;
      if (answers === 100) requests.end();
    }
    assert.equal(answers, 100);
  });

  it('a caller that leaves ends the handler and its own requests', async () => {
    const left = Promise.withResolvers<void>();
    const { client } = await serve({
      announcePeer: async function* (_requests, context) {
        try {
          yield emptyTask();
          await once(context.signal, 'abort');
        } finally {
          left.resolve();
        }
      },
    });
    const requests = new MessageQueue<AnnouncePeerRequest>();
    for await (const _answer of client.announcePeer(requests)) break;
    await left.promise;
    assert.ok(requests.ended);
  });

  it('requests that throw cancel the call, which throws the same', async () => {
    const { client } = await serve({
      announcePeer: async function* (requests) {
        for await (const _request of requests) yield emptyTask();
      },
    });
    const requests = new MessageQueue<AnnouncePeerRequest>();
    requests.push(started());
    requests.fail(new DragonflyError('STORAGE', 'the disk broke'));
    await assert.rejects(
      async () => {
        for await (const _answer of client.announcePeer(requests)) continue;
      },
      { code: 'STORAGE' },
    );
  });

  it('server stream: a slow reader slows the writer down', async () => {
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 });
    let sent = 0;
    const content = Buffer.alloc(2 ** 20);
    server.addService(DfdaemonUploadDefinition, {
      downloadTask: async function* () {
        for (; sent < 200; sent += 1) {
          yield DownloadTaskResponse.fromPartial({
            ...peer,
            response: { $case: 'downloadPieceFinishedResponse', value: { piece: { number: sent, content } } },
          });
        }
      },
    });
    await server.start();
    owned.add('server', server);
    const channels = owned.add('channels', new Channels());
    const client = createClient(DfdaemonUploadDefinition, channels, server.address);
    const stream = client
      .downloadTask({ download: Download.fromPartial({ url: 'http://origin/file' }) })
      [Symbol.asyncIterator]();
    await stream.next();
    let before = -1;
    // The writer stands still once the windows are full, long before all 200 MiB are sent.
    while (sent !== before) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(sent < 150, `${sent} messages were sent to a reader that read one`);
    let received = 1;
    while ((await stream.next()).done !== true) received += 1;
    assert.equal(received, 200);
  });

  it('client stream', async () => {
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 });
    let beats = 0;
    server.addService(ManagerDefinition, {
      keepAlive: async (requests) => {
        for await (const _request of requests) beats += 1;
        return {};
      },
    });
    await server.start();
    owned.add('server', server);
    const client = createClient(ManagerDefinition, owned.add('channels', new Channels()), server.address);
    const requests = new MessageQueue<{ sourceType: 0; hostname: string; clusterId: number; ip: string }>();
    for (let count = 0; count < 3; count += 1)
      requests.push({ sourceType: 0, hostname: 'host', clusterId: 1, ip: '127.0.0.1' });
    requests.end();
    await client.keepAlive(requests);
    assert.equal(beats, 3);
  });
});

describe('the server', () => {
  it('refuses calls above its rate', async () => {
    const { client } = await serve(
      { statTask: () => Promise.resolve(Task.fromPartial({})) },
      { limits: { requestsPerSec: 2 } },
    );
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => client.statTask(peer)));
    const refused = results.filter(
      (result) => result.status === 'rejected' && (result.reason as DragonflyError).code === 'RESOURCE_EXHAUSTED',
    );
    assert.ok(refused.length >= 5, `${refused.length} refused`);
    assert.ok(results.some((result) => result.status === 'fulfilled'));
  });

  it('answers health checks, and watchers hear of the drain', async () => {
    const { server, channels } = await serve({});
    const health = createClient(HealthDefinition, channels, server.address);
    assert.equal((await health.check({ service: '' })).status, 1);
    assert.equal((await health.check({ service: 'scheduler.v2.Scheduler' })).status, 1);
    await assert.rejects(health.check({ service: 'no.such.Service' }), { code: 'NOT_FOUND' });
    const seen: number[] = [];
    let closing: Promise<void> | undefined;
    for await (const { status } of health.watch({ service: 'scheduler.v2.Scheduler' })) {
      seen.push(status);
      closing ??= server[Symbol.asyncDispose]();
    }
    await closing;
    assert.deepEqual(seen, [1, 2]);
  });

  it('lets running calls end when it stops, and cuts those that do not', async () => {
    const gate = Promise.withResolvers<void>();
    const { server, client } = await serve(
      {
        statTask: async (request) => {
          await gate.promise;
          return Task.fromPartial({ id: request.taskId });
        },
        announcePeer: async function* (_requests, context) {
          yield emptyTask();
          await once(context.signal, 'abort');
        },
      },
      { limits: { drainDeadlineMs: 3_000 } },
    );
    const finishing = client.statTask(peer);
    const stuck = client.announcePeer(new MessageQueue<AnnouncePeerRequest>())[Symbol.asyncIterator]();
    await stuck.next();
    const closing = server[Symbol.asyncDispose]();
    gate.resolve();
    assert.equal((await finishing).id, taskId);
    await assert.rejects(
      stuck.next(),
      (error: DragonflyError) => error.code === 'UNAVAILABLE' || error.code === 'CANCELLED',
    );
    await closing;
    await assert.rejects(client.statTask(peer), { code: 'UNAVAILABLE' });
  });

  it('has places for so many calls, of which one caller takes a part', async () => {
    const { client } = await serve(
      {
        announcePeer: async function* (_requests, context) {
          yield emptyTask();
          await once(context.signal, 'abort');
        },
        statTask: async (request) => Task.fromPartial({ id: request.taskId }),
      },
      { limits: { calls: 8 } },
    );
    const open = async () => {
      const ends = new AbortController();
      const answers = client.announcePeer(new MessageQueue<AnnouncePeerRequest>(), { signal: ends.signal });
      await answers[Symbol.asyncIterator]().next();
      return ends;
    };
    const [first] = [await open(), await open()];
    await assert.rejects(open(), { code: 'RESOURCE_EXHAUSTED' });
    await assert.rejects(client.statTask(peer), { code: 'RESOURCE_EXHAUSTED' });
    first?.abort();
    await waitFor('its place', () =>
      client.statTask(peer).then(
        () => true,
        () => false,
      ),
    );
  });

  it('says so when its port is taken', async () => {
    const { server } = await serve({});
    const second = RpcServer.create({ host: '127.0.0.1', port: server.port });
    await assert.rejects(second.start(), { code: 'IN_USE' });
    await second[Symbol.asyncDispose]();
  });
});

it('bitmaps and the extension fields survive the wire', async () => {
  const message = SyncPiecesResponse.fromPartial({ bitmap: Uint8Array.of(5, 128), finished: true, contentLength: 7 });
  const decoded = SyncPiecesResponse.decode(SyncPiecesResponse.encode(message).finish());
  assert.deepEqual([...decoded.bitmap], [5, 128]);
  assert.equal(decoded.finished, true);
  assert.equal(decoded.contentLength, 7);
  const beyond = Task.decode(Task.encode(Task.fromPartial({ contentLength: 2 ** 60 })).finish());
  assert.equal(beyond.contentLength, Number.MAX_SAFE_INTEGER);
});
