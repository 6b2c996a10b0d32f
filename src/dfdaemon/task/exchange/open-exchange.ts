/** The exchange of one download with its parents, with what every download of this daemon works with. */
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadContext } from '../download-context.ts';
import { ParentLink } from './parent-link.ts';
import { PieceExchange, type ExchangeEvents, type ProvePiece } from './piece-exchange.ts';
import type { TaskRate } from '../traffic-shaper.ts';

interface ExchangeOfDownload {
  readonly peerId: string;
  readonly rate: TaskRate;
  readonly prove: ProvePiece;
  readonly events: ExchangeEvents;
}

export function openExchange(
  context: DownloadContext,
  stored: StoredTask,
  { peerId, rate, prove, events }: ExchangeOfDownload,
): PieceExchange {
  const { entitled, hostId, pieces, syncPieces, askParent, pace, record, logger } = context;
  const { concurrentPieceCount, pieceTimeoutMs } = context;
  return new PieceExchange({
    taskId: stored.id,
    peerId,
    entitled,
    hostId,
    stored,
    pieces,
    pace,
    record,
    concurrentPieceCount,
    pieceTimeoutMs,
    limiters: () => rate.fromPeers,
    logger,
    openLink: (parent, news, missing) =>
      // Without a right this node does not use the scheduler's word to get restricted content.
      new ParentLink(entitled ? parent : { ...parent, ticket: undefined }, {
        taskId: stored.id,
        hostId,
        sync: syncPieces,
        ask: askParent,
        news,
        missing,
        logger,
      }),
    prove,
    events,
  });
}
