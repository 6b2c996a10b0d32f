import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeBundle } from '../../src/core/bundle/bundle.ts';
import type { DragonflyError } from '../../src/core/errors.ts';
import { taskId as idOf } from '../../src/core/ids.ts';
import { textForBundle } from '../../src/core/task-name.ts';
import { allFeatures } from '../../src/swarm/shared/events.ts';
import { waitFor } from '../support/wait-for.ts';
import { contentLength, pieceLength, SchedulerFixture, taskId, url } from './fixture.ts';

const timeout = 120_000;

void describe('a peer of this implementation', () => {
  void it(
    'alone gets the origin lease, tells what it learns, and becomes the parent of those who wait',
    { timeout },
    async () => {
      await using fixture = await SchedulerFixture.start();
      const first = fixture.peer(await fixture.host()).register();
      const lease = (await first.expect('needBackToSourceResponse')).originLease;
      assert.ok(lease && lease.id !== '');
      assert.equal(lease.firstPiece, 0);
      assert.equal(lease.pieceCount, 0, 'to the end while the length is unknown');
      assert.ok((lease.ttl?.seconds ?? 0) > 0);

      const second = fixture.peer(await fixture.host()).register();
      const offer = await second.expect('normalTaskResponse');
      assert.equal(offer.candidateParents[0]?.id, first.id);
      assert.equal(offer.candidateParents[0]?.host?.ip, '127.0.0.1');
      assert.ok(offer.additional);
      assert.ok(offer.parentLinks.some((link) => link.peerId === first.id));

      first.metadata({ etag: '"1"' });
      const metadata = await second.expect('taskMetadataResponse');
      assert.equal(metadata.contentLength, contentLength);
      assert.equal(metadata.pieceLength, pieceLength);
      assert.deepEqual({ ...metadata.responseHeader }, { etag: '"1"' });
      assert.equal(metadata.rangesSupported, true);

      first.finished(0b11_1111_1111).done();
      await assert.doesNotReject(async () => {
        while ((await first.next()) !== undefined) continue;
      });
      second.finished(0b1, first.id).finished(0b11_1111_1110, first.id).done();
      while ((await second.next()) !== undefined) continue;
      const task = await fixture.client.statTask({ hostId: 'h', taskId });
      assert.equal(task.state, 'Succeeded');
      assert.equal(task.contentLength, contentLength);
      assert.equal(task.peerCount, 2);
      const peer = await fixture.client.statPeer({ hostId: 'h', taskId, peerId: second.id });
      assert.equal(peer.state, 'Succeeded');
      assert.equal(peer.task?.url, url);
    },
  );

  void it('is refused with a list of files that its task is not named by', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const tree = 'http://origin.test/tree/';
    const list = (path: string) => makeBundle([{ path, lengthBytes: 1, validator: '"1"' }]);
    const meant = list('a');
    const text = textForBundle(tree, [], { listDigest: meant.listDigest, rest: 'x' });
    const task = idOf({ url: tree, contentForCalculatingTaskId: text });
    const named = { url: tree, contentForCalculatingTaskId: text };
    const forged = fixture.peer(await fixture.host(), { task }).register({ ...named, bundle: list('b').packed });
    await assert.rejects(forged.next(), { code: 'PERMISSION_DENIED' });
    const first = fixture.peer(await fixture.host(), { task }).register({ ...named, bundle: meant.packed });
    await first.expect('needBackToSourceResponse');
    const kept = fixture.scheduler.brain.facts.get(task)?.download.bundle;
    assert.ok(kept && Buffer.compare(kept, meant.packed) === 0);
  });

  void it('hears of newcomers that come in one moment in one message', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const first = fixture.peer(await fixture.host()).register();
    await first.expect('needBackToSourceResponse');
    const second = fixture.peer(await fixture.host()).register();
    await second.expect('normalTaskResponse');
    const hosts = [await fixture.host(), await fixture.host(), await fixture.host()];
    const { brain } = fixture.scheduler;
    for (const { id } of hosts) {
      const ids = { peerId: `${id}-peer`, taskId, hostId: id, url, priority: 0, features: allFeatures };
      const origin = { needBackToSource: false, disableBackToSource: false };
      brain.run((swarm, nowMs) => swarm.registerPeer({ ...ids, ...origin }, nowMs));
    }
    const { candidateParents } = await second.expect('normalTaskResponse');
    assert.deepEqual(
      candidateParents.map(({ id }) => id),
      hosts.map(({ id }) => `${id}-peer`),
    );
  });

  void it('whose second registration is rejected goes on with its first', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const host = await fixture.host();
    const first = fixture.peer(host).register();
    await first.expect('needBackToSourceResponse');
    first.metadata().finished(0b11);
    await waitFor('the report', () => fixture.scheduler.brain.swarm.peer(first.id)?.pieces.count === 2);
    const again = fixture.peer(host, { id: first.id });
    again.register({ actualContentLength: 1, actualPieceLength: pieceLength });
    await assert.rejects(again.next(), { code: 'INVALID_ARGUMENT' });
    assert.ok(fixture.scheduler.brain.swarm.peer(first.id)?.lease, 'its lease is its own still');
    first.finished(0b11_1111_1100).done();
    while ((await first.next()) !== undefined) continue;
    assert.equal(fixture.scheduler.brain.swarm.peer(first.id)?.state, 'Succeeded');
  });

  void it('that is cut off gives its lease to the next one', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const first = fixture.peer(await fixture.host()).register();
    await first.expect('needBackToSourceResponse');
    first.metadata().finished(0b11);
    const second = fixture.peer(await fixture.host()).register();
    await second.expect('normalTaskResponse');
    second.finished(0b1, first.id);
    await waitFor('the report', () => fixture.scheduler.brain.swarm.peer(second.id)?.pieces.count === 1);
    first.cut();
    await assert.rejects(first.expect('emptyTaskResponse'));
    const dropped = await second.expect('dropParentsResponse');
    assert.deepEqual(dropped.peerIds, [first.id]);
    const lease = (await second.expect('needBackToSourceResponse')).originLease;
    assert.equal(lease?.firstPiece, 1, 'what it holds already is not fetched again');
    assert.equal(lease?.pieceCount, 9);
  });

  void it('whose parent turns out not to hold a piece fetches it itself', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const first = fixture.peer(await fixture.host()).register();
    await first.expect('needBackToSourceResponse');
    first.metadata().finished(0b11_1111_1111).done();
    while ((await first.next()) !== undefined) continue;
    const second = fixture.peer(await fixture.host()).register();
    await second.expect('normalTaskResponse');
    second.finished(0b1, first.id);
    second.send({
      $case: 'downloadPieceFailedRequest',
      value: { parentId: first.id, temporary: true, notHeld: true, pieceNumber: 4 },
    });
    const lease = (await second.expect('needBackToSourceResponse')).originLease;
    assert.equal(lease?.firstPiece, 4);
    assert.equal(lease?.pieceCount, 1);
  });

  void it('is told what the origin answered, when the answer is final', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const first = fixture.peer(await fixture.host()).register();
    const lease = (await first.expect('needBackToSourceResponse')).originLease;
    const waiting = fixture.peer(await fixture.host()).register();
    await waiting.expect('normalTaskResponse');
    const backend = { message: 'the origin said 404', header: { server: 'test' }, statusCode: 404 };
    const refused = (peer: typeof first, leaseId = ''): void => {
      const value = { leaseId, cause: { $case: 'backend' as const, value: backend }, temporary: false };
      peer.send({ $case: 'originLeaseFailedRequest', value });
    };
    refused(first, lease?.id);
    // One member's word is final for itself; another asks once more.
    refused(waiting, (await waiting.expect('needBackToSourceResponse')).originLease?.id);
    for (const peer of [first, waiting]) {
      await assert.rejects(
        async () => {
          while ((await peer.next()) !== undefined) continue;
        },
        (error: DragonflyError) => {
          assert.equal(error.code, 'SOURCE_STATUS');
          assert.equal(error.details?.statusCode, 404);
          assert.deepEqual(error.details.header, { server: 'test' });
          return true;
        },
      );
    }
  });

  void it('without bytes', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const peer = fixture
      .peer(await fixture.host())
      .register({ actualContentLength: 0, actualPieceLength: pieceLength });
    await peer.expect('emptyTaskResponse');
  });
});

void describe('a peer of the original', () => {
  const original = { extended: false };
  const sizes = { actualContentLength: contentLength, actualPieceLength: pieceLength, actualPieceCount: 10 };

  void it('goes back to source, then serves others, and sees no extension', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    // Something listens there: a host that is complained about is dialled.
    const first = fixture.peer(await fixture.host({ port: fixture.scheduler.port }), original).register(sizes);
    const told = await first.expect('needBackToSourceResponse');
    assert.equal(told.originLease, undefined);
    first.send({ $case: 'downloadPeerBackToSourceStartedRequest', value: {} });
    for (let number = 0; number < 10; number += 1) {
      const piece = {
        number,
        offset: number * pieceLength,
        length: pieceLength,
        digest: 'crc32:1',
        cost: { seconds: 0, nanos: 5_000_000 },
        createdAt: new Date(),
      };
      first.send({ $case: 'downloadPieceBackToSourceFinishedRequest', value: { piece } });
    }
    first.send({ $case: 'downloadPeerBackToSourceFinishedRequest', value: {} });
    assert.equal(await first.next(), undefined, 'the stream ends without another message');

    const second = fixture.peer(await fixture.host(), original).register(sizes);
    const offer = await second.expect('normalTaskResponse');
    assert.equal(offer.candidateParents[0]?.id, first.id);
    assert.equal(offer.candidateParents[0]?.task?.id, taskId);
    assert.equal(offer.additional, false);
    assert.deepEqual(offer.parentLinks, []);
    second.send({ $case: 'downloadPeerStartedRequest', value: {} });
    second.send({
      $case: 'downloadPieceFailedRequest',
      value: { parentId: first.id, temporary: true, notHeld: false, pieceNumber: 0 },
    });
    const third = fixture.peer(await fixture.host(), original).register(sizes);
    await third.expect('normalTaskResponse');
    third.done();
    assert.equal(await third.next(), undefined);
  });

  void it('gets the answer of the origin when its back-to-source failed', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const peer = fixture.peer(await fixture.host(), original).register(sizes);
    await peer.expect('needBackToSourceResponse');
    const backend = { message: 'forbidden', header: {}, statusCode: 403 };
    peer.send({
      $case: 'downloadPieceBackToSourceFailedRequest',
      value: { response: { $case: 'backend', value: backend } },
    });
    peer.send({ $case: 'downloadPeerBackToSourceFailedRequest', value: { description: 'failed' } });
    await assert.rejects(peer.next(), { code: 'SOURCE_STATUS' });
  });

  void it('with priority 2 is refused as the first one, with priority 1 always', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const host = await fixture.host();
    await assert.rejects(
      fixture
        .peer(host, original)
        .register({ ...sizes, priority: 2 })
        .next(),
      { code: 'NOT_FOUND' },
    );
    await assert.rejects(
      fixture
        .peer(host, original)
        .register({ ...sizes, priority: 1 })
        .next(),
      {
        code: 'FAILED_PRECONDITION',
      },
    );
  });
});

void describe('a stream', () => {
  void it('of a host that is not announced is refused', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const host = await fixture.host();
    await fixture.client.deleteHost({ hostId: host.id });
    await assert.rejects(fixture.peer(host).register().next(), { code: 'HOST_UNKNOWN', hint: /Announce the host/ });
  });

  void it('must begin with the registration', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    await assert.rejects(
      fixture
        .peer(await fixture.host())
        .done()
        .next(),
      { code: 'FAILED_PRECONDITION' },
    );
  });

  void it('ends with UNAVAILABLE when the scheduler stops, at once', { timeout }, async () => {
    const fixture = await SchedulerFixture.start();
    const peer = fixture.peer(await fixture.host()).register();
    await peer.expect('needBackToSourceResponse');
    const closing = fixture.scheduler[Symbol.asyncDispose]();
    await assert.rejects(peer.next(), { code: 'UNAVAILABLE' });
    await closing;
    await fixture[Symbol.asyncDispose]();
  });
});
