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

/** @param onAnswer called with each answer as it arrives. */
export async function hearCall(
  answers: AsyncIterable<DownloadTaskResponse>,
  hostId: string,
  { answered, told, ended }: CallEvents,
  onAnswer?: (answer: DownloadTaskResponse) => void,
): Promise<void> {
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
  } finally {
    if (named !== '') ended(named, done);
  }
}

function reportOf({ number, trafficType, parentId, cost }: Piece): PiecesFinished {
  const from = trafficType === TrafficType.LOCAL_PEER ? 'local' : (parentId ?? 'source');
  return { pieces: [number], from, costMs: msFromDuration(cost) };
}
