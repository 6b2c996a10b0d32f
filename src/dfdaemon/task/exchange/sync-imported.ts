/**
 * Daemons of the original tell of imported content by a call of its own, and give its pieces to a request of its own. By the call for
 * everything else they say that there is no such task.
 */
import { toDragonflyError } from '../../../core/errors.ts';
import {
  SyncPiecesResponse,
  type SyncPersistentCachePiecesRequest,
  type SyncPersistentCachePiecesResponse,
} from '../../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { ParentAddress, ParentMessage, SyncPieces } from './parent-link.ts';

export type SyncImported = (
  parent: ParentAddress,
  request: SyncPersistentCachePiecesRequest,
  signal: AbortSignal,
) => AsyncIterable<SyncPersistentCachePiecesResponse>;

export function syncEither(
  sync: SyncPieces,
  ofOriginal: SyncImported,
  imported: NonNullable<ParentMessage['imported']>,
): SyncPieces {
  return async function* (parent, request, signal) {
    let heard = false;
    try {
      for await (const message of sync(parent, request, signal)) {
        heard = true;
        yield message;
      }
      return;
    } catch (error) {
      if (heard || toDragonflyError(error).code !== 'INTERNAL') throw error;
    }
    const { hostId, taskId, interestedPieceNumbers } = request;
    for await (const told of ofOriginal(parent, { hostId, taskId, interestedPieceNumbers }, signal))
      yield { ...SyncPiecesResponse.fromPartial(told), imported };
  };
}
