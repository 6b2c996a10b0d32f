/** A seed of the original that a scheduler has called, and whose stream breaks while it is at the origin. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Piece } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, type DownloadTaskResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { waitFor } from '../support/wait-for.ts';
import { contentLength, pieceLength, SchedulerFixture, taskId } from './fixture.ts';

const timeout = 120_000;
const known = { actualContentLength: contentLength, actualPieceLength: pieceLength };
const pieces = contentLength / pieceLength;

void describe('a seed that was called', () => {
  void it('is heard by the call when its stream breaks, and holds everything when that ends', { timeout }, async () => {
    const answers = new MessageQueue<DownloadTaskResponse>();
    const called = Promise.withResolvers<void>();
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
      downloadTask: async function* () {
        called.resolve();
        yield* answers;
      },
    });
    await server.start();
    await using fixture = await SchedulerFixture.start();
    const { brain } = fixture.scheduler;
    const seedHost = await fixture.host({ port: server.port, type: 1 });
    const peer = fixture.peer(await fixture.host()).register();
    await called.promise;

    const seed = fixture.peer(seedHost, { extended: false }).register({ ...known, needBackToSource: true });
    const ids = { hostId: seedHost.id, taskId, peerId: seed.id };
    const fetched = (number: number): void => {
      const piece = Piece.fromPartial({ number, length: pieceLength, trafficType: 0 });
      answers.push({ ...ids, response: { $case: 'downloadPieceFinishedResponse', value: { piece, more: [] } } });
    };
    await seed.expect('needBackToSourceResponse');
    fetched(0);
    await waitFor('the first piece', () => brain.swarm.peer(seed.id)?.pieces.count === 1);
    const offer = await peer.expect('normalTaskResponse');
    assert.equal(offer.candidateParents[0]?.id, seed.id);

    seed.cut();
    await assert.rejects(seed.expect('emptyTaskResponse'));
    await waitFor('the end of the stream', () => brain.swarm.peer(seed.id)?.deaf === true);
    for (let number = 1; number < pieces; number += 1) fetched(number);
    await waitFor('all pieces', () => brain.swarm.peer(seed.id)?.pieces.count === pieces);
    answers.end();
    await waitFor('the end of the call', () => brain.swarm.peer(seed.id)?.state === 'Succeeded');
    assert.ok(brain.swarm.peer(peer.id)?.parents.has(seed.id));
    peer.finished(0b11_1111_1111, seed.id).done();
    for (let answer = await peer.next(); answer !== undefined; answer = await peer.next())
      assert.notEqual(answer.$case, 'needBackToSourceResponse', 'the origin is asked by the seed alone');
  });

  void it('is a holder when it has answered, though it registers at another scheduler', { timeout }, async () => {
    const called = Promise.withResolvers<string>();
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
      downloadTask: async function* () {
        const ids = { hostId: await called.promise, taskId, peerId: 'of-another-ring' };
        const value = { contentLength, range: undefined, responseHeader: {}, pieces: [], isFinished: true };
        yield { ...ids, response: { $case: 'downloadTaskStartedResponse', value } };
      },
    });
    await server.start();
    await using fixture = await SchedulerFixture.start();
    const seedHost = await fixture.host({ port: server.port, type: 1 });
    const peer = fixture.peer(await fixture.host(), { extended: false });
    const given = peer.register({ ...known, actualPieceCount: pieces }).expect('normalTaskResponse');
    called.resolve(seedHost.id);
    const { candidateParents } = await given;
    assert.deepEqual(
      candidateParents.map(({ id, host }) => [id, host?.id]),
      [['of-another-ring', seedHost.id]],
    );
  });
});
