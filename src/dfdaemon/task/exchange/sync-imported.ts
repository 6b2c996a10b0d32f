/**
 * Daemons of the original announce imported content by a separate call and serve its pieces to a separate request.
 * Their ordinary call answers that the task does not exist.
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
