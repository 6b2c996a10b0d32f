/** A parent of the original reports the requested pieces one by one, then ends the stream. The machine opens it again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyncPersistentCachePiecesResponse, SyncPiecesResponse } from '../../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { silentLogger } from '../../../core/process/logger.ts';
import { ParentLink, type ParentNews, type SyncPieces } from './parent-link.ts';
import { syncEither } from './sync-imported.ts';

const parent = { peerId: 'parent', hostId: 'host', hostname: 'host', idc: '', ip: '127.0.0.1', port: 1, distance: 1 };
const pieceNews = (number: number) => ({ number, length: 1, ip: '127.0.0.1', tcpPort: 4005 });

/** Resolves when the child was told of this many pieces, or has lost the parent. */
async function told(sync: SyncPieces, missing: () => readonly number[] | undefined, count: number) {
  const numbers = new Set<number>();
  const enough = Promise.withResolvers<void>();
  const nothing = (): void => undefined;
  const news: ParentNews = {
    has: (pieces) => {
      for (const piece of pieces) numbers.add(piece);
      if (numbers.size === count) enough.resolve();
    },
    offers: nothing,
    load: nothing,
    layout: nothing,
    restricted: nothing,
    refused: (error) => enough.reject(error),
    ended: (end) => {
      if (end === 'ended') setImmediate(() => link.open());
      else enough.reject(new Error(`${end} after ${numbers.size} pieces`));
    },
  };
  const options = { taskId: 'a'.repeat(64), hostId: 'child', ask: async () => undefined, logger: silentLogger };
  const link: ParentLink = new ParentLink(parent, { ...options, sync, news, missing });
  link.open();
  await enough.promise;
  link.close();
  return { numbers: [...numbers], address: link.pieceAddress };
}

test('it is asked again once the layout is known, which comes by another way', { timeout: 10_000 }, async () => {
  let layoutKnown = false;
  const asked: number[][] = [];
  const sync: SyncPieces = async function* (_parent, { interestedPieceNumbers }) {
    asked.push(interestedPieceNumbers);
    for (const number of interestedPieceNumbers) yield SyncPiecesResponse.fromPartial(pieceNews(number));
    setImmediate(() => (layoutKnown = true));
  };
  const { numbers } = await told(sync, () => (layoutKnown ? [0, 1, 2, 3] : undefined), 4);
  assert.deepEqual(numbers, [0, 1, 2, 3]);
  assert.deepEqual(asked, [[0], [0, 1, 2, 3]]);
});

test('of imported content it tells by a call of its own', { timeout: 10_000 }, async () => {
  const sync: SyncPieces = async function* ({ peerId }, { taskId }) {
    if (peerId === 'parent') throw new DragonflyError('INTERNAL', `task ${taskId} not found`);
    yield SyncPiecesResponse.fromPartial({});
  };
  const either = syncEither(
    sync,
    async function* (_parent, { interestedPieceNumbers }) {
      for (const number of interestedPieceNumbers)
        yield SyncPersistentCachePiecesResponse.fromPartial(pieceNews(number));
    },
    'persistent cache',
  );
  const { numbers, address } = await told(either, () => [0, 1], 2);
  assert.deepEqual(numbers, [0, 1]);
  assert.equal(address?.imported, 'persistent cache');
});
