/** What a scheduler answers daemons of the original about persistent tasks, and what its own extension adds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Host } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import {
  AnnouncePersistentPeerRequest,
  UploadPersistentTaskStartedRequest,
  type AnnouncePersistentPeerResponse,
} from '../../gen/scheduler/v2/scheduler.ts';
import { persistentTaskId } from '../../src/core/ids.ts';
import { toKeptContent } from '../../src/rpc/fields/kept-content.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { SchedulerFixture } from './fixture.ts';

const timeout = 30_000;
const ofOriginal = { metadata: { 'x-dragonfly-features': 'none' } };
const object = { url: 's3://bucket/key', region: 'us-east-1', endpoint: 'http://store' };
const taskId = persistentTaskId(object);
const contentLength = 5 * 2 ** 20;

type Request = NonNullable<AnnouncePersistentPeerRequest['request']>;

/** One conversation of a daemon of the original about the task. */
class Peer {
  readonly #requests = new MessageQueue<AnnouncePersistentPeerRequest>();
  readonly #answers: AsyncIterator<AnnouncePersistentPeerResponse>;
  readonly #host: Host;

  constructor({ client }: SchedulerFixture, host: Host) {
    this.#host = host;
    this.#answers = client.announcePersistentPeer(this.#requests, ofOriginal)[Symbol.asyncIterator]();
  }

  say(request: Request): void {
    this.#requests.push(
      AnnouncePersistentPeerRequest.fromPartial({
        hostId: this.#host.id,
        taskId,
        peerId: `${this.#host.id}-p`,
        request,
      }),
    );
  }

  async register(needBackToSource = false): Promise<AnnouncePersistentPeerResponse['response']> {
    const { url, region, endpoint } = object;
    const objectStorage = { region, endpoint } as never;
    const value = { url, objectStorage, persistent: false, pieceCount: 2, needBackToSource };
    this.say({ $case: 'registerPersistentPeerRequest', value });
    const { value: answer } = await this.#answers.next();
    return (answer as AnnouncePersistentPeerResponse).response;
  }

  async end(request: Request): Promise<void> {
    this.say(request);
    assert.equal((await this.#answers.next()).done, true);
  }
}

function started(host: Host, more: object = {}): UploadPersistentTaskStartedRequest {
  const { url, region, endpoint } = object;
  return UploadPersistentTaskStartedRequest.fromPartial({
    hostId: host.id,
    taskId,
    peerId: `${host.id}-p`,
    url,
    objectStorage: { region, endpoint },
    persistentReplicaCount: 1,
    contentLength,
    pieceCount: 2,
    ttl: { seconds: 3600, nanos: 0 },
    ...more,
  });
}

async function imported(scheduler: SchedulerFixture, host: Host): Promise<void> {
  await scheduler.client.uploadPersistentTaskStarted(started(host), ofOriginal);
  const ids = { hostId: host.id, taskId, peerId: `${host.id}-p` };
  const task = await scheduler.client.uploadPersistentTaskFinished({ ...ids, kept: undefined }, ofOriginal);
  assert.deepEqual(
    [task.state, task.contentLength, task.pieceCount, task.kept],
    ['Succeeded', contentLength, 2, undefined],
  );
}

describe('persistent tasks of daemons of the original', { timeout }, () => {
  test('are given from holder to holder, and counted', async () => {
    await using scheduler = await SchedulerFixture.start();
    const { client } = scheduler;
    const [a, b] = [await scheduler.host(), await scheduler.host()];
    await imported(scheduler, a);
    const peer = new Peer(scheduler, b);
    const answer = await peer.register();
    assert.equal(answer?.$case, 'normalPersistentTaskResponse');
    assert.deepEqual(
      answer.value.candidateParents.map(({ host, task }) => [host?.id, task?.id]),
      [[a.id, taskId]],
    );
    peer.say({ $case: 'downloadPersistentPeerStartedRequest', value: {} });
    await peer.end({ $case: 'downloadPersistentPeerFinishedRequest', value: {} });
    const stat = await client.statPersistentTask({ hostId: b.id, taskId }, ofOriginal);
    assert.deepEqual([stat.currentPersistentReplicaCount, stat.currentReplicaCount], [1, 2]);
    const { candidateParents } = answer.value;
    const told = await client.statPersistentPeer({ hostId: a.id, taskId, peerId: candidateParents[0]?.id ?? '' });
    assert.deepEqual([told.host?.id, told.persistent], [a.id, true]);
    await client.deletePersistentPeer({ hostId: b.id, taskId, peerId: `${b.id}-p` }, ofOriginal);
    assert.equal((await client.statPersistentTask({ hostId: b.id, taskId }, ofOriginal)).currentReplicaCount, 1);
    // It is no persistent cache task.
    await assert.rejects(client.statPersistentCacheTask({ hostId: b.id, taskId }, ofOriginal), { code: 'NOT_FOUND' });
    await client.deletePersistentTask({ hostId: a.id, taskId }, ofOriginal);
    await assert.rejects(client.statPersistentTask({ hostId: b.id, taskId }, ofOriginal), { code: 'NOT_FOUND' });
  });

  test('come from the store when nobody holds them, and when that is wanted', async () => {
    await using scheduler = await SchedulerFixture.start();
    const [a, b] = [await scheduler.host(), await scheduler.host()];
    await assert.rejects(new Peer(scheduler, b).register(), { code: 'NOT_FOUND' });
    await imported(scheduler, a);
    assert.equal((await new Peer(scheduler, b).register(true))?.$case, 'needBackToSourceResponse');
    await scheduler.client.deleteHost({ hostId: a.id }, ofOriginal);
    const peer = new Peer(scheduler, b);
    assert.equal((await peer.register())?.$case, 'needBackToSourceResponse');
    peer.say({ $case: 'downloadPersistentPeerBackToSourceStartedRequest', value: {} });
    await peer.end({ $case: 'downloadPersistentPeerBackToSourceFinishedRequest', value: {} });
    // Nobody knows what the store gave it.
    const { currentReplicaCount } = await scheduler.client.statPersistentTask({ hostId: b.id, taskId }, ofOriginal);
    assert.equal(currentReplicaCount, 0);
  });

  test('are deleted as what they are', async () => {
    const deleted = Promise.withResolvers<string>();
    await using daemon = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
      deletePersistentTask: async (request) => {
        deleted.resolve(request.taskId);
        return {};
      },
      deletePersistentCacheTask: async () => {
        deleted.reject(new Error('it is no persistent cache task'));
        return {};
      },
    });
    await daemon.start();
    await using scheduler = await SchedulerFixture.start();
    const host = Host.fromPartial({ id: '127.0.0.1-a', hostname: 'a', ip: '127.0.0.1', port: daemon.port });
    await scheduler.client.announceHost({ host, interval: { seconds: 300, nanos: 0 } }, ofOriginal);
    await imported(scheduler, host);
    await scheduler.client.deletePersistentTask({ hostId: host.id, taskId }, ofOriginal);
    assert.equal(await deleted.promise, taskId);
  });

  test('come from the nodes while their store does not have them', async () => {
    await using scheduler = await SchedulerFixture.start();
    const [a, b] = [await scheduler.host(), await scheduler.host()];
    const facts = { taskId, replicas: 1, createdMs: Date.now(), ttlMs: 3_600_000, owner: '' };
    const more = { contentLengthBytes: contentLength, pieceLengthBytes: 4 * 2 ** 20 };
    const kept = toKeptContent({ ...facts, ...more, object: { ...object, state: 'pending' } }, true);
    const ids = { hostId: a.id, taskId, peerId: `${a.id}-p` };
    await scheduler.client.uploadPersistentTaskStarted(started(a, { kept }));
    await scheduler.client.uploadPersistentTaskFinished({ ...ids, kept });
    assert.equal((await new Peer(scheduler, b).register(true))?.$case, 'normalPersistentTaskResponse');
  });

  test('go by the name of their object alone, and once', async () => {
    await using scheduler = await SchedulerFixture.start();
    const { client } = scheduler;
    const [a, b] = [await scheduler.host(), await scheduler.host()];
    for (const wrong of [{ url: 's3://bucket/other' }, { objectStorage: { region: 'r' } }, { taskId: 'a'.repeat(64) }])
      await assert.rejects(client.uploadPersistentTaskStarted(started(a, wrong), ofOriginal), {
        code: 'INVALID_ARGUMENT',
      });
    await client.uploadPersistentTaskStarted(started(a), ofOriginal);
    await assert.rejects(client.uploadPersistentTaskStarted(started(b), ofOriginal), { code: 'ALREADY_EXISTS' });
    await client.uploadPersistentTaskFailed({ hostId: a.id, taskId, peerId: `${a.id}-p` }, ofOriginal);
    await imported(scheduler, b);
  });
});
