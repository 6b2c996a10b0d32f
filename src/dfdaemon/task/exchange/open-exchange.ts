/** The exchange of one download with its parents, with what every download of this daemon works with. */
import type { PeerEvent } from '../../../swarm/peer/download/events.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadContext } from '../download-context.ts';
import { ParentLink } from './parent-link.ts';
import { PieceExchange, type ExchangeEvents, type ProvePiece } from './piece-exchange.ts';
import type { TaskRate } from '../traffic-shaper.ts';

interface ExchangeOfDownload {
  readonly rate: TaskRate;
  readonly prove: ProvePiece;
  /** Tells the machine. */
  readonly take: (event: PeerEvent) => void;
  readonly events: ExchangeEvents;
}

export function openExchange(
  context: DownloadContext,
  stored: StoredTask,
  { rate, prove, take, events }: ExchangeOfDownload,
): PieceExchange {
  const { entitled, hostId, pieces, syncPieces, askParent, pieceTimeoutMs, logger } = context;
  return new PieceExchange({
    taskId: stored.id,
    entitled,
    stored,
    pieces,
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
    take,
    events,
  });
}
