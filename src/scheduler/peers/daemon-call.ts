/** Follows a call that makes a daemon download until it ends, and reports its answers as news of the downloading peer. */
import { TrafficType, type Piece } from '../../../gen/common/v2/common.ts';
import type { DownloadTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { PiecesFinished } from '../../swarm/shared/events.ts';
import { msFromDuration } from '../messages.ts';

export interface CallEvents {
  readonly answered: (peerId: string, hostId: string) => void;
  readonly told: (peerId: string, report: PiecesFinished) => void;
  /** @param done true when the daemon holds the whole task. */
  readonly ended: (peerId: string, done: boolean) => void;
}

/**
 * Resolves with the peer that the daemon has named, when it has all of it; empty when it named none.
 * @param onAnswer called with each answer as it comes
 */
export async function hearCall(
  answers: AsyncIterable<DownloadTaskResponse>,
  hostId: string,
  { answered, told, ended }: CallEvents,
  onAnswer?: (answer: DownloadTaskResponse) => void,
): Promise<string> {
  let named = '';
  let done = false;
  try {
    for await (const answer of answers) {
      onAnswer?.(answer);
      const { peerId, response } = answer;
      if (named === '' && peerId !== '') answered((named = peerId), hostId);
      const piece = response?.$case === 'downloadPieceFinishedResponse' ? response.value.piece : undefined;
      if (piece && peerId === named) told(peerId, reportOf(piece));
    }
    done = true;
    return named;
  } finally {
    if (named !== '') ended(named, done);
  }
}

function reportOf({ number, trafficType, parentId, cost }: Piece): PiecesFinished {
  const from = trafficType === TrafficType.LOCAL_PEER ? 'local' : (parentId ?? 'source');
  return { pieces: [number], from, costMs: msFromDuration(cost) };
}
