import type { Logger } from '../../core/process/logger.ts';
import type { AnswerPace } from '../../rpc/answer-pace.ts';
import type { SchedulerKinds } from '../../swarm/peer/download/starvation.ts';
import type { DownloadRecording, MachineSetup } from '../recordings.ts';
import type { Sources } from '../source/sources.ts';
import type { PieceClient } from '../transport/piece-client.ts';
import type { ContentHasher } from './proof/content-hasher.ts';
import type { AskParent, SyncPieces } from './exchange/parent-link.ts';
import type { SyncImported } from './exchange/sync-imported.ts';
import type { PieceAnnouncer } from './exchange/piece-announcer.ts';
import type { PieceHasher } from './proof/piece-hasher.ts';
import type { OpenPeerStream } from './session/scheduler-session.ts';
import type { TrafficShaper } from './traffic-shaper.ts';

/** What every download of this daemon shares. */
export interface DownloadContext {
  readonly hostId: string;
  readonly sources: Pick<Sources, 'open' | 'stat'>;
  readonly pieces: PieceClient;
  readonly hasher: ContentHasher;
  /** Undefined where pieces are not compared with the origin's digests. */
  readonly pieceHasher: PieceHasher | undefined;
  readonly shaper: TrafficShaper;
  /** The request is entitled to content that the origin gives only to some callers. */
  readonly entitled: boolean;
  /** Frees disk space for content of this size; rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly schedulerKinds: () => SchedulerKinds;
  /** A peer id for a new registration. */
  readonly newPeerId: () => string;
  /** Tells the children of this task what this node holds. */
  readonly announcer: () => PieceAnnouncer;
  readonly openPeerStream: OpenPeerStream;
  /** Calls back when a scheduler has accepted this host again; the returned function ends that. */
  readonly onTaken: (listener: () => void) => () => void;
  readonly syncPieces: SyncPieces;
  /** How parents of the original announce imported content of either kind. */
  readonly syncImported: SyncImported;
  readonly syncPersistent: SyncImported;
  /** Absent where downloads are not recorded. */
  readonly record: ((setup: MachineSetup) => DownloadRecording) | undefined;
  readonly askParent: AskParent;
  /** How long other nodes currently take to answer. */
  readonly pace: AnswerPace;
  readonly concurrentPieceCount: number;
  readonly originConnections: number;
  readonly pieceTimeoutMs: number;
  /** How long a download with nothing to do waits for the scheduler before it goes to the origin. */
  readonly scheduleTimeoutMs: number;
  readonly logger: Logger;
}
