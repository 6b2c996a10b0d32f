/** What a child of this implementation hears from a parent that holds everything. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thisProcess } from '../../src/rpc/server/caller.ts';
import type { CallContext } from '../../src/rpc/call-context.ts';
import { SyncPiecesRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { ControlPlane } from '../../src/dfdaemon/cluster/control-plane.ts';
import { ReadGuard } from '../../src/dfdaemon/rpc/read-guard.ts';
import { syncPieces } from '../../src/dfdaemon/rpc/sync-pieces.ts';
import { NodeLocal } from '../../src/dfdaemon/task/node-local.ts';
import { PieceAnnouncer } from '../../src/dfdaemon/task/exchange/piece-announcer.ts';
import { UploadDesk } from '../../src/dfdaemon/transport/upload-desk.ts';
import { PieceSet } from '../../src/swarm/shared/piece-set.ts';
import { pieceLengthBytes, startParent, taskId, transportContent } from './fixtures.ts';

test('that it is free again, too: a child it has sent away comes back then', async (t) => {
  const content = transportContent(2 * pieceLengthBytes);
  await using desk = new UploadDesk({ maxActive: 1 });
  const { store, server, task } = await startParent(t, content, { uploads: desk });
  using announcer = new PieceAnnouncer(task);
  const controlPlane = new ControlPlane(silentLogger);
  const guard = new ReadGuard({ store, controlPlane, nodeLocal: new NodeLocal(() => []), openToAll: false });
  const child = new AbortController();
  const context = { signal: child.signal, callerHasSwarm: true, caller: thisProcess } as CallContext;
  const news = syncPieces(SyncPiecesRequest.fromPartial({ taskId, hostId: 'child' }), context, {
    store,
    guard,
    piecePort: { ip: '127.0.0.1', port: server.port, tls: false },
    uploads: desk,
    announcer: () => announcer,
  });
  const first = (await news.next()).value;
  assert(first?.finished);
  assert.equal(PieceSet.fromBytes(first.bitmap).count, 2);
  assert.equal(first.tcpPort, server.port);
  assert.equal(first.contentLength, content.length);

  const asked = { childId: 'another', taskId, piece: 0, bytes: pieceLengthBytes };
  const turn = await desk.enter(asked, child.signal);
  const { value: busy } = await news.next();
  assert.equal(busy?.load, 1);
  const known = [busy?.tcpPort, busy?.contentLength, busy?.pieceLength, busy?.bitmap.length, busy?.vortexTaskId];
  assert.deepEqual(known, [undefined, undefined, 0, 0, ''], 'what it knows is not said again');
  turn?.[Symbol.dispose]();
  assert.equal((await news.next()).value?.load, 0);

  child.abort();
  assert.equal((await news.next()).done, true, 'it ends with the child');
});

test('of the origin, each stream hears of every piece, also a second one of the same host', async (t) => {
  const content = transportContent(2 * pieceLengthBytes);
  await using desk = new UploadDesk({ maxActive: 1 });
  const { store, server, task } = await startParent(t, content, { uploads: desk });
  using announcer = new PieceAnnouncer(task);
  announcer.leaseBegan();
  const controlPlane = new ControlPlane(silentLogger);
  const guard = new ReadGuard({ store, controlPlane, nodeLocal: new NodeLocal(() => []), openToAll: false });
  const leaving = new AbortController();
  const context = { signal: leaving.signal, callerHasSwarm: true, caller: thisProcess } as CallContext;
  const parts = { store, guard, piecePort: { ip: '127.0.0.1', port: server.port, tls: false }, uploads: desk };
  const heard = [new PieceSet(), new PieceSet()];
  const streams = heard.map(async (pieces) => {
    const request = SyncPiecesRequest.fromPartial({ taskId, hostId: 'child' });
    // The first one has broken, but its end has not been noticed yet when the second begins.
    for await (const { bitmap } of syncPieces(request, context, { ...parts, announcer: () => announcer })) {
      for (const piece of PieceSet.fromBytes(bitmap)) pieces.add(piece);
      if (heard.every(({ count }) => count === 2)) leaving.abort();
    }
  });
  announcer.leaseEnded();
  await Promise.all(streams);
  assert.deepEqual(
    heard.map(({ count }) => count),
    [2, 2],
  );
});
