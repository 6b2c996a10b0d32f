import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient } from '../../src/rpc/client.ts';
import { Disk, Network } from '../../gen/common/v2/common.ts';
import { SchedulerLiveDefinition, type HostState, type Link, type TaskFrame } from '../../gen/scheduler/v2/live.ts';
import { BeatHostRequest } from '../../gen/scheduler/v2/scheduler.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { contentLength, pieceLength, SchedulerFixture, taskId } from './fixture.ts';

const timeout = 120_000;
const intervalMs = 100;

const live = (fixture: SchedulerFixture) =>
  createClient(SchedulerLiveDefinition, fixture.channels, fixture.scheduler.addresses.grpc);

void describe('watching', () => {
  void it('a task shows peers, who gives to whom, and the end', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const unknown = live(fixture).watchTask({ taskId, intervalMs })[Symbol.asyncIterator]();
    await assert.rejects(unknown.next(), { code: 'NOT_FOUND' });

    const first = fixture.peer(await fixture.host()).register();
    await first.expect('needBackToSourceResponse');
    first.metadata();
    const second = fixture.peer(await fixture.host({ network: undefined })).register();
    await second.expect('normalTaskResponse');
    const frames = live(fixture).watchTask({ taskId, intervalMs })[Symbol.asyncIterator]();
    const picture = new Picture();
    picture.take((await frames.next()).value as TaskFrame);
    assert.equal(picture.snapshots, 1);
    assert.equal(picture.peers.size, 2);
    assert.equal(picture.peers.get(first.id)?.hostName, 'host-1');
    assert.equal(picture.links.get(`${first.id} ${second.id}`)?.open, true);

    first.finished(0b1111);
    second.finished(0b11, first.id);
    const until = async (what: string, condition: () => boolean): Promise<void> => {
      while (!condition()) {
        const frame = await frames.next();
        if (frame.done === true) throw new Error(`the stream ended before ${what}`);
        picture.take(frame.value);
      }
    };
    await until('both reports', () => picture.links.get(`${first.id} ${second.id}`)?.pieces === 2);
    assert.equal(picture.peers.get(first.id)?.originPieces, 4);
    assert.equal(picture.peers.get(second.id)?.finishedPieces, 2);
    assert.equal(picture.frame?.task?.originBytes, 4 * pieceLength);
    assert.equal(picture.frame.task.peerBytes, 2 * pieceLength);
    assert.equal(picture.snapshots, 1, 'only the first frame is whole');

    first.finished(0b11_1111_0000).done();
    await until('the end of the first', () => (picture.peers.get(first.id)?.finishedAtMs ?? 0) > 0);
    assert.equal(picture.frame?.task?.peersFinished, 1);
    second.cut();
    await until('the second to be gone', () => !picture.peers.has(second.id));
  });

  void it('all tasks shows totals, changes and what is gone', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const host = await fixture.host();
    const frames = live(fixture).watchTasks({ intervalMs })[Symbol.asyncIterator]();
    const next = async () => {
      const frame = await frames.next();
      assert.ok(frame.done !== true);
      return frame.value;
    };
    const empty = await next();
    assert.equal(empty.snapshot, true);
    assert.deepEqual(empty.tasks, []);
    assert.equal(empty.hosts, 1);
    const peer = fixture.peer(host).register({ tag: 'v1' });
    await peer.expect('needBackToSourceResponse');
    peer.metadata().finished(0b1);
    let frame = await next();
    while (frame.originBytes === 0) frame = await next();
    assert.equal(frame.snapshot, false);
    const [task] = frame.tasks;
    assert.equal(task?.id, taskId);
    assert.equal(task.tag, 'v1');
    assert.equal(task.contentLength, contentLength);
    assert.equal(task.peersRunning, 1);
    assert.equal(frame.originBytes, pieceLength);
  });

  void it(
    'all hosts: who joins, stands still, comes back, is lost and says goodbye, with since when',
    { timeout },
    async () => {
      await using fixture = await SchedulerFixture.start('', { heldHostGraceMs: 50 });
      const build = { gitVersion: '3.1.4', platform: 'linux/x64' };
      const disk = Disk.fromPartial({ total: 1000, free: 40 });
      const host = await fixture.host({ build, disk, network: Network.fromPartial({ idc: 'a', location: 'eu|de' }) });
      const other = await fixture.host({ type: 1 });
      const held = new AbortController();
      const holding = fixture.client.holdHost({ hostId: host.id }, { signal: held.signal })[Symbol.asyncIterator]();
      await holding.next();

      const hosts = new Map<string, HostState>();
      const frames = live(fixture).watchHosts({ intervalMs })[Symbol.asyncIterator]();
      const until = async (hostId: string, condition: (state: HostState) => boolean): Promise<HostState> => {
        for (;;) {
          const state = hosts.get(hostId);
          if (state && condition(state)) return state;
          const frame = await frames.next();
          assert.ok(frame.done !== true);
          for (const news of frame.value.hosts) hosts.set(news.id, news);
        }
      };
      const joined = await until(host.id, ({ state }) => state === 'online');
      assert.deepEqual(
        [joined.name, joined.type, joined.version, joined.idc, joined.location, joined.diskTotal, joined.diskFree],
        ['host-1', 'normal', '3.1.4', 'a', 'eu|de', 1000, 40],
      );
      assert.equal((await until(other.id, () => true)).type, 'seed');

      const beats = new MessageQueue<BeatHostRequest>();
      const beating = fixture.client.beatHost(beats, { signal: held.signal });
      beating.catch(() => undefined);
      const beat = BeatHostRequest.fromPartial({ hostId: host.id, diskTotal: 1000, diskFree: 500 });
      beats.push(beat);
      await until(host.id, ({ diskFree }) => diskFree === 500);
      const silent = await until(host.id, ({ state }) => state === 'silent');
      assert.equal(silent.sinceMs, silent.lastWordMs);
      beats.push(beat);
      await until(host.id, ({ state }) => state === 'online');

      held.abort();
      const lost = await until(host.id, ({ state }) => state === 'lost');
      assert.equal(lost.reason, 'stream');
      assert.equal(lost.joinedAtMs, joined.joinedAtMs);
      assert.equal(lost.diskFree, 500);
      await fixture.client.deleteHost({ hostId: other.id });
      await until(other.id, ({ state }) => state === 'left');
      await fixture.client.announceHost({ host, interval: { seconds: 300, nanos: 0 } });
      assert.ok((await until(host.id, ({ state }) => state === 'online')).joinedAtMs > lost.joinedAtMs);
    },
  );

  void it('ends when the scheduler stops', { timeout }, async () => {
    const fixture = await SchedulerFixture.start();
    const frames = live(fixture).watchTasks({ intervalMs: 60_000 })[Symbol.asyncIterator]();
    await frames.next();
    const end = frames.next();
    await fixture.scheduler[Symbol.asyncDispose]();
    assert.equal((await end).done, true);
    await fixture[Symbol.asyncDispose]();
  });
});

/** What a console would show. */
class Picture {
  readonly peers = new Map<string, NonNullable<TaskFrame['peers'][number]>>();
  readonly links = new Map<string, Link>();
  frame: TaskFrame | undefined;
  snapshots = 0;

  take(frame: TaskFrame): void {
    this.frame = frame;
    if (frame.snapshot) this.snapshots += 1;
    for (const peer of frame.peers) this.peers.set(peer.id, peer);
    for (const peerId of frame.removed) this.peers.delete(peerId);
    for (const link of frame.links) this.links.set(`${link.parentId} ${link.childId}`, link);
  }
}
