import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import {
  DfdaemonUploadDefinition,
  DownloadTaskResponse,
  type DownloadTaskRequest,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { SchedulerDefinition, TaskHolding } from '../../gen/scheduler/v2/scheduler.ts';
import { SchedulerRing } from '../../src/rpc/scheduler-ring.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { DragonflyError } from '../../src/core/errors.ts';
import { HoldingRelay } from '../support/holding-relay.ts';
import { waitFor } from '../support/wait-for.ts';
import { contentLength, pieceLength, SchedulerFixture, taskId, url } from './fixture.ts';

const timeout = 120_000;

/** A seed's gRPC side: says what it was asked, and answers as told. */
async function startSeed(fixture: SchedulerFixture, answer: () => Promise<void>) {
  const asked: DownloadTaskRequest[] = [];
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
    downloadTask: async function* (request) {
      asked.push(request);
      await answer();
      yield DownloadTaskResponse.fromPartial({
        hostId: 'seed',
        taskId,
        peerId: 'peer',
        response: { $case: 'downloadTaskStartedResponse', value: {} },
      });
    },
  });
  await server.start();
  fixture.owned.add('seed', server);
  const host = await fixture.host({ type: 1, port: server.port });
  return { host, asked };
}

function holding(peerId: string, fields: Parameters<typeof TaskHolding.fromPartial>[0] = {}): TaskHolding {
  return TaskHolding.fromPartial({
    taskId,
    peerId,
    download: { url },
    taskMetadata: { contentLength, pieceLength },
    finished: true,
    ...fields,
  });
}

void describe('seeds', () => {
  void it(
    'fetch first: the seed is called with the request, gets the lease, and serves who waits',
    { timeout },
    async () => {
      await using fixture = await SchedulerFixture.start();
      const seedDone = Promise.withResolvers<void>();
      const seed = await startSeed(fixture, () => seedDone.promise);
      const peer = fixture.peer(await fixture.host()).register({
        outputPath: '/tmp/out',
        range: { start: 5, length: 6 },
        tag: 'v1',
        requestHeader: { accept: '*/*' },
      });
      await waitFor('the call of the seed', () => seed.asked.length > 0);
      const { download } = seed.asked[0] ?? {};
      assert.equal(download?.url, url);
      assert.equal(download?.tag, 'v1');
      assert.equal(download?.needBackToSource, true);
      assert.equal(download?.outputPath, undefined, 'the output is the business of the asking host');
      assert.equal(download?.range, undefined, 'a seed fetches all of it');
      assert.deepEqual({ ...download?.requestHeader }, { accept: '*/*' });
      const seedPeer = fixture.peer(seed.host).register({ needBackToSource: true, tag: 'v1' });
      assert.ok((await seedPeer.expect('needBackToSourceResponse')).originLease);
      const offer = await peer.expect('normalTaskResponse');
      assert.equal(offer.candidateParents[0]?.id, seedPeer.id);
      assert.equal(offer.candidateParents[0]?.host?.type, 1);
      seedDone.resolve();
    },
  );

  void it('that fail are followed by the next one', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const failing = () => Promise.reject(new DragonflyError('NO_SPACE', 'the disk is full'));
    const seeds = await Promise.all([startSeed(fixture, failing), startSeed(fixture, failing)]);
    const peer = fixture.peer(await fixture.host()).register();
    // Both refuse, so the peer gets the lease itself in the end.
    await peer.expect('needBackToSourceResponse');
    assert.deepEqual(
      seeds.map(({ asked }) => asked.length),
      [1, 1],
    );
  });

  void it('refused for want of credentials leave the origin to the host that has them', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const over = Promise.withResolvers<void>();
    const seed = await startSeed(fixture, () => over.promise);
    const peer = fixture.peer(await fixture.host()).register();
    await waitFor('the call of the seed', () => seed.asked.length > 0);
    const seedPeer = fixture.peer(seed.host).register({ needBackToSource: true });
    const lease = (await seedPeer.expect('needBackToSourceResponse')).originLease;
    const backend = { message: 'the origin said 401', header: {}, statusCode: 401 };
    seedPeer.send({
      $case: 'originLeaseFailedRequest',
      value: { leaseId: lease?.id ?? '', cause: { $case: 'backend', value: backend }, temporary: false },
    });
    over.reject(new DragonflyError('SOURCE_STATUS', 'the origin said 401', { details: { statusCode: 401 } }));
    const own = (await peer.expect('needBackToSourceResponse')).originLease;
    peer.send({
      $case: 'originLeaseFailedRequest',
      value: { leaseId: own?.id ?? '', cause: { $case: 'backend', value: backend }, temporary: false },
    });
    await assert.rejects(peer.expect('emptyTaskResponse'), { code: 'SOURCE_STATUS' });
  });

  void it('are peers like others when seeds are switched off', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start('seedPeer: { enable: false }');
    const seed = await startSeed(fixture, () => Promise.resolve());
    const peer = fixture.peer(await fixture.host()).register();
    await peer.expect('needBackToSourceResponse');
    assert.equal(seed.asked.length, 0);
  });
});

void describe('hosts', () => {
  void it('are listed by type and forgotten with their peers', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const normal = await fixture.host();
    const seed = await fixture.host({ type: 1 });
    const ids = async (type?: number) =>
      (await fixture.client.listHosts(type === undefined ? {} : { type })).hosts.map((host) => host.id).sort();
    assert.deepEqual(await ids(), [normal.id, seed.id].sort());
    assert.deepEqual(await ids(1), [seed.id]);
    assert.deepEqual(await ids(0), [normal.id]);
    await fixture.client.announceTasks({ hostId: normal.id, holdings: [holding('peer-1')] });
    await fixture.client.deleteHost({ hostId: normal.id });
    assert.deepEqual(await ids(), [seed.id]);
    await assert.rejects(fixture.client.statPeer({ hostId: normal.id, taskId, peerId: 'peer-1' }), {
      code: 'NOT_FOUND',
    });
  });

  void it('held by a stream are gone soon after it breaks, and not when it is reopened', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start('', { heldHostGraceMs: 100 });
    const host = await fixture.host();
    const hold = async () => {
      const channels = new Channels();
      const client = createClient(SchedulerDefinition, channels, fixture.scheduler.addresses.grpc);
      const stream = client.holdHost({ hostId: host.id })[Symbol.asyncIterator]();
      await stream.next();
      stream.next().catch(() => undefined);
      return channels;
    };
    const first = await hold();
    const second = await hold();
    await first[Symbol.asyncDispose]();
    await waitFor('one holder', () => fixture.scheduler.brain.hosts.get(host.id)?.holders === 1);
    await second[Symbol.asyncDispose]();
    await waitFor('the host to be gone', () => fixture.scheduler.brain.swarm.host(host.id) === undefined);
    const unknown = fixture.client.holdHost({ hostId: host.id })[Symbol.asyncIterator]();
    await assert.rejects(unknown.next(), { code: 'HOST_UNKNOWN' });
  });
});

void describe('tasks', () => {
  void it('announced in bulk after a restart have parents at once', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const holder = await fixture.host();
    const { rejectedTaskIds } = await fixture.client.announceTasks({
      hostId: holder.id,
      holdings: [
        holding('peer-whole'),
        holding('peer-unknown', { taskId: 'd'.repeat(64), taskMetadata: { pieceLength }, finished: false }),
        holding('peer-other', { taskMetadata: { contentLength: 1, pieceLength } }),
      ],
    });
    assert.deepEqual(rejectedTaskIds, ['d'.repeat(64), taskId], 'without a length, or at odds with what is known');
    const rejected = await fixture.client.announceTasks({
      hostId: holder.id,
      holdings: [holding('peer-odd', { taskId: 'f'.repeat(64), finished: false, pieces: Uint8Array.of(0, 0, 0, 1) })],
    });
    assert.deepEqual(rejected.rejectedTaskIds, ['f'.repeat(64)], 'a piece outside of the content');
    assert.equal(fixture.scheduler.brain.facts.get('f'.repeat(64)), undefined, 'nothing is kept of what was rejected');
    await assert.rejects(fixture.client.statTask({ hostId: 'h', taskId: 'f'.repeat(64) }), { code: 'NOT_FOUND' });
    const peer = fixture.peer(await fixture.host()).register();
    const metadata = await peer.expect('taskMetadataResponse');
    assert.equal(metadata.contentLength, contentLength);
    assert.equal((await peer.expect('normalTaskResponse')).candidateParents[0]?.id, 'peer-whole');
    await assert.rejects(fixture.client.announceTasks({ hostId: 'nobody', holdings: [] }), { code: 'NOT_FOUND' });
  });

  void it('are deleted host by host', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const hosts = [await fixture.host(), await fixture.host()] as const;
    for (const host of hosts) {
      await fixture.client.announceTasks({ hostId: host.id, holdings: [holding(`peer-of-${host.id}`)] });
    }
    await fixture.client.deleteTask({ hostId: hosts[0].id, taskId });
    assert.equal((await fixture.client.statTask({ hostId: 'h', taskId })).peerCount, 1);
    await assert.rejects(fixture.client.deleteTask({ hostId: 'nobody', taskId }), { code: 'NOT_FOUND' });
    await assert.rejects(fixture.client.statTask({ hostId: 'h', taskId: 'e'.repeat(64) }), { code: 'NOT_FOUND' });
    await fixture.client.deletePeer({ hostId: hosts[1].id, taskId, peerId: `peer-of-${hosts[1].id}` });
    assert.equal((await fixture.client.statTask({ hostId: 'h', taskId })).peerCount, 0);
  });
});

void describe('schedulers on a ring', () => {
  void it('take over from each other; each announcement tells the instance', { timeout }, async () => {
    await using one = await SchedulerFixture.start();
    await using two = await SchedulerFixture.start();
    const channels = one.owned.add('ring channels', new Channels());
    const failed: string[] = [];
    const ring = new SchedulerRing(channels, { onFailure: (address) => failed.push(address) });
    await assert.rejects(
      ring.call(taskId, (client) => client.statTask({ hostId: 'h', taskId })),
      { code: 'UNAVAILABLE', message: /no scheduler is known/ },
    );
    const addresses = [one, two].map(({ scheduler }) => scheduler.addresses.grpc);
    ring.update([...addresses, '127.0.0.1:1']);
    const host = await one.host();
    const results = await ring.announceHost({ host, interval: undefined });
    assert.deepEqual(
      results.map(({ error }) => error?.code),
      [undefined, undefined, 'UNAVAILABLE'],
    );
    assert.notEqual(results[0]?.instance, '');
    assert.notEqual(results[0]?.instance, results[1]?.instance);
    assert.deepEqual(failed, ['127.0.0.1:1']);
    assert.equal(ring.owners(taskId).at(-1)?.address, '127.0.0.1:1', 'the one that failed is asked last');

    ring.update(addresses);
    const owner = ring.owners(taskId)[0];
    const [ownerFixture, other] = owner?.address === addresses[0] ? [one, two] : [two, one];
    await ownerFixture.scheduler[Symbol.asyncDispose]();
    await ring.announceTasks(other.scheduler.addresses.grpc, { hostId: host.id, holdings: [holding('held')] });
    const task = await ring.call(taskId, (client) => client.statTask({ hostId: host.id, taskId }));
    assert.equal(task.id, taskId);
    const stream = await ring.openPeerStream(
      taskId,
      (async function* () {
        yield {
          hostId: host.id,
          taskId,
          peerId: 'peer',
          request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url }) } } as const,
        };
        await new Promise(() => undefined);
      })(),
      { signal: AbortSignal.timeout(timeout) },
    );
    assert.ok(stream.extended);
    assert.equal(stream.address, other.scheduler.addresses.grpc);
    const answer = await stream.responses[Symbol.asyncIterator]().next();
    assert.ok(answer.done !== true);
    ring.update(['127.0.0.1:1']);
    await assert.rejects(
      ring.call(taskId, (client) => client.statTask({ hostId: host.id, taskId })),
      {
        code: 'UNAVAILABLE',
      },
    );
  });
  void it('are passed over while they keep silent, where the caller sets a time', { timeout }, async () => {
    await using one = await SchedulerFixture.start();
    await using two = await SchedulerFixture.start();
    await using relay = await HoldingRelay.start(one.scheduler.addresses.grpc);
    const ring = new SchedulerRing(one.channels, {
      answerMs: (address) => (address === relay.address ? 50 : undefined),
    });
    ring.update([relay.address, two.scheduler.addresses.grpc]);
    const host = await two.host();
    await ring.announceHost({ host, interval: undefined });
    const tasks = Array.from({ length: 1000 }, (_, number) => number.toString(16).padStart(64, '0'));
    const task = tasks.find((id) => ring.owners(id)[0]?.address === relay.address) ?? '';
    relay.hold();
    const registration = {
      hostId: host.id,
      taskId: task,
      peerId: 'peer',
      request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url }) } } as const,
    };
    const stream = await ring.openPeerStream(
      task,
      (async function* () {
        yield registration;
        await new Promise(() => undefined);
      })(),
      { signal: AbortSignal.timeout(timeout) },
    );
    assert.equal(stream.address, two.scheduler.addresses.grpc);
    assert.equal(ring.owners(task).at(-1)?.address, relay.address, 'the silent one is asked last');
    assert.ok((await stream.responses[Symbol.asyncIterator]().next()).done !== true, 'the registration was repeated');
  });
  void it('are taken for dead when they stop after they have taken a stream', { timeout }, async () => {
    await using one = await SchedulerFixture.start();
    await using relay = await HoldingRelay.start(one.scheduler.addresses.grpc);
    await using channels = new Channels();
    const ring = new SchedulerRing(channels, { answerMs: () => 500 });
    ring.update([relay.address]);
    const host = await one.host();
    await ring.announceHost({ host, interval: undefined });
    const ended = { signal: AbortSignal.timeout(timeout) };
    const stream = await ring.openPeerStream(
      'f'.repeat(64),
      (async function* () {
        yield {
          hostId: host.id,
          taskId: 'f'.repeat(64),
          peerId: 'peer',
          request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url }) } } as const,
        };
        await new Promise(() => undefined);
      })(),
      { signal: ended.signal },
    );
    await stream.responses[Symbol.asyncIterator]().next();
    relay.hold();
    await assert.rejects(stream.silence(ended.signal), { code: 'UNAVAILABLE' });
    relay.release();
  });
});

void it('metrics carry the names of the original', { timeout }, async () => {
  await using fixture = await SchedulerFixture.start('metrics: { enable: true, addr: "127.0.0.1:0" }');
  const peer = fixture.peer(await fixture.host()).register();
  await peer.expect('needBackToSourceResponse');
  await assert.rejects(fixture.client.statTask({ hostId: 'h', taskId: 'e'.repeat(64) }));
  peer.metadata().finished(0b111);
  await waitFor('the report', () => fixture.scheduler.brain.swarm.peer(peer.id)?.pieces.count === 3);
  const text = await (await fetch(`http://${fixture.scheduler.addresses.metrics}/metrics`)).text();
  for (const line of [
    'dragonfly_scheduler_register_peer_total{priority="0",task_type="standard",host_type="normal"} 1',
    'dragonfly_scheduler_stat_task_total 1',
    'dragonfly_scheduler_stat_task_failure_total 1',
    'dragonfly_scheduler_announce_host_total 1',
    `dragonfly_scheduler_traffic{type="back_to_source",task_type="standard",host_type="normal"} ${3 * pieceLength}`,
    'dragonfly_scheduler_peers 1',
    'dragonfly_scheduler_concurrent_schedule_total 1',
    'dragonfly_scheduler_schedule_duration_milliseconds_count 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is missing`);
  }
  assert.equal((await fetch(`http://${fixture.scheduler.addresses.metrics}/server/ping`)).status, 200);
});

void it('a finished download counts by the size of its task', { timeout }, async () => {
  await using fixture = await SchedulerFixture.start();
  const peer = fixture.peer(await fixture.host()).register();
  await peer.expect('needBackToSourceResponse');
  peer.metadata().finished(0x3ff).done();
  await waitFor('the end', () => fixture.scheduler.brain.swarm.peer(peer.id)?.state === 'Succeeded');
  const text = await fixture.scheduler.brain.metrics.registry.metrics();
  assert.match(text, /^dragonfly_scheduler_download_peer_duration_milliseconds_count\{task_size_level="6"\} 1$/m);
});
