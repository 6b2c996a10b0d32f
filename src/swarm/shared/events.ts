/** What the shell reports to the swarm: plain values, made from messages of either kind of daemon. */
import type { RangeSpec } from '../../core/byte-range.ts';
import type { ErrorDetails } from '../../core/errors.ts';
import type { PieceSet } from './piece-set.ts';

export type HostType = 'normal' | 'seed';

export interface HostInfo {
  readonly hostId: string;
  /**
   * Groups hosts that may be the same machine, so that their accusations and confirmations count once. Absent where the
   * host has proven its identity.
   */
  readonly witness?: string | undefined;
  readonly type: HostType;
  /** Compared case-insensitively; empty for unknown. */
  readonly idc: string;
  /** `country|province|…`, up to five elements, broadest first. */
  readonly location: string;
  /** Overrides the limit of the host's type. */
  readonly loadLimit?: number | undefined;
  /** Uplink capacity, 0 for unknown. */
  readonly maxTxBitsPerSec: number;
  /** The host downloads but never uploads. */
  readonly disableShared: boolean;
  /** Silence for twice this time means the host is dead. */
  readonly announceIntervalMs: number;
}

/** What the daemon behind a peer understands beyond the original protocol. */
export interface PeerFeatures {
  /** Origin leases over piece ranges. Without: the whole task back to source. */
  readonly leases: boolean;
  /** Incomplete peers that exchange pieces both ways, with parents added and withdrawn while running. Otherwise acyclic, with complete lists only. */
  readonly exchange: boolean;
  /** Bitmaps of finished pieces instead of one message for each. */
  readonly batchedReports: boolean;
  /** It reports digests of the pieces it fetches from the origin, and verifies pieces from others. */
  readonly digests: boolean;
}

export const originalFeatures: PeerFeatures = { leases: false, exchange: false, batchedReports: false, digests: false };
export const allFeatures: PeerFeatures = { leases: true, exchange: true, batchedReports: true, digests: true };

export interface TaskLayout {
  readonly contentLengthBytes: number;
  readonly pieceLengthBytes: number;
}

export interface RegisterPeer {
  readonly peerId: string;
  readonly taskId: string;
  readonly hostId: string;
  readonly url: string;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  readonly digest?: string | undefined;
  /** 0…6, already resolved with the application table; see firstDownload. */
  readonly priority: number;
  /** Bytes wanted; absent for the whole content. */
  readonly range?: { readonly start: number; readonly length: number } | undefined;
  /** In place of `range`, from daemons of this implementation: a reader waits for these bytes, which are all that the download is for. */
  readonly readerRange?: RangeSpec | undefined;
  /** The daemon asks to fetch from the origin itself, as seeds always do. It still gets no lease for what others fetch or hold. */
  readonly needBackToSource: boolean;
  readonly disableBackToSource: boolean;
  /** Its caller has a fallback: it is told as soon as nobody is left who could bring the content. */
  readonly hasFallback?: boolean | undefined;
  /** The peer already holds everything and only announces it. */
  readonly metadataOnly?: boolean | undefined;
  /** Daemons of the original always know it, since they ask the origin first; ours learn it from the swarm. */
  readonly knownLayout?: TaskLayout | undefined;
  /** Pieces from an interrupted download, or from before a restart. */
  readonly heldPieces?: PieceSet | undefined;
  /** Piece requests in flight at once (original default 8). */
  readonly concurrentPieceCount?: number | undefined;
  readonly features: PeerFeatures;
}

export interface PiecesFinished {
  readonly pieces: Iterable<number>;
  /** Peer id of the parent, or `source`. */
  readonly from: string;
  /** Rate at which this parent sent, when measured. */
  readonly rateBytesPerSec?: number | undefined;
  /** Download time of one piece, for formulas that use it. */
  readonly costMs?: number | undefined;
}

/** Why the origin refused, in the words for the user. */
export interface OriginError {
  readonly message: string;
  readonly details?: ErrorDetails | undefined;
}

export interface HeldTask {
  readonly taskId: string;
  readonly peerId: string;
  readonly url: string;
  readonly layout: TaskLayout;
  readonly pieces: PieceSet;
}

/** What a child says of a parent: no piece came, the piece was corrupt, or the parent does not hold it. */
export type ParentFailure = 'temporary' | 'corrupt' | 'not-held';

/** A heartbeat of the holder of an origin lease. */
export interface OriginSign {
  /** The next heartbeat comes within this time; 0 when none is promised. */
  readonly aliveEveryMs: number;
  /** Nothing has come from the origin since the last heartbeat. */
  readonly originSilent: boolean;
}
