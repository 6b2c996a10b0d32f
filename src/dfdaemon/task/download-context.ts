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

/** What every download of this daemon works with. */
export interface DownloadContext {
  readonly hostId: string;
  readonly sources: Pick<Sources, 'open' | 'stat'>;
  readonly pieces: PieceClient;
  readonly hasher: ContentHasher;
  /** Undefined where pieces are not compared with what they are at the origin. */
  readonly pieceHasher: PieceHasher | undefined;
  readonly shaper: TrafficShaper;
  /** The request has a right to what an origin gives to some only. */
  readonly entitled: boolean;
  /** Sees to the disk space for content of this size; rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly schedulerKinds: () => SchedulerKinds;
  /** An id for a new registration in a swarm. */
  readonly newPeerId: () => string;
  /** Tells the children of this task what this node holds. */
  readonly announcer: () => PieceAnnouncer;
  readonly openPeerStream: OpenPeerStream;
  /** Calls back when a scheduler has taken this host anew; the result ends that. */
  readonly onTaken: (listener: () => void) => () => void;
  readonly syncPieces: SyncPieces;
  /** How parents of the original tell of imported content, of either kind. */
  readonly syncImported: SyncImported;
  readonly syncPersistent: SyncImported;
  /** Absent where downloads are not recorded. */
  readonly record: ((setup: MachineSetup) => DownloadRecording) | undefined;
  readonly askParent: AskParent;
  /** How long other nodes take to answer. */
  readonly pace: AnswerPace;
  readonly concurrentPieceCount: number;
  readonly originConnections: number;
  readonly pieceTimeoutMs: number;
  /** How long the scheduler may leave this download without anything to do before it goes to the origin. */
  readonly scheduleTimeoutMs: number;
  readonly logger: Logger;
}
