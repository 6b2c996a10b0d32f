/** What happens to a download, as its machine sees it. The runner turns messages, bodies and timers into these. */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { ErrorCode } from '../../../core/errors.ts';
import type { PieceSet } from '../../shared/piece-set.ts';
import type { HostLoad } from '../host-load.ts';
import type { OriginLease } from './origin-lease.ts';
import type { OriginFailure } from './origin-retries.ts';
import type { StreamEnd } from './parent-streams.ts';
import type { LandedPiece } from './piece-reports.ts';
import type { ReaderMeasure } from './part-readers.ts';
import type { SessionEnd } from './session-watch.ts';
import type { SchedulerKinds } from './starvation.ts';

/** What the machine reads of its surroundings besides the event. */
export interface Moment {
  /** Any monotonic clock. */
  readonly nowMs: number;
  /** Current rate of all piece bodies together, by which another request is judged. */
  readonly bytesPerSec: number;
  /** The same over the last 75 ms. */
  readonly latestBytesPerSec: number;
  /** The longest time that other nodes recently took to answer anything, as far as this node knows. */
  readonly answerMs: number;
  readonly schedulers: SchedulerKinds;
}

export interface ParentOffer {
  readonly peerId: string;
  /** 0 in the same place, 1 when nothing is known to be shared. */
  readonly distance: number;
  /** Shared by all downloads that hear of this host's load; absent where each keeps its own. */
  readonly load?: HostLoad;
}

/** The parent's doing: busy (asked again soon), failed for now, sent a corrupt piece, or does not hold the piece. */
export type RequestFailure = 'busy' | 'temporary' | 'corrupt' | 'gone';

/**
 * Caused by this node, so it says nothing about the parent: the parent's piece server is unknown, another writer has
 * the piece, a second request took over from a late one, or the piece is no longer wanted from this parent.
 */
export type RequestDrop = 'no-address' | 'claimed' | 'taken-over' | 'cancelled';

export type PeerEvent = SessionEvent | OriginEvent | ExchangeEvent;

/** Between the download, its scheduler and its readers, and how the download ends. */
export type SessionEvent =
  /** Comes first. `held`: what is on disk from before. */
  | { readonly kind: 'started'; readonly held: PieceSet }
  /** A scheduler has accepted the stream. `extended`: it grants leases. */
  | { readonly kind: 'session-opened'; readonly extended: boolean }
  /** `mayDiffer`: this node has credentials of its own, so the origin may answer it differently. */
  | ({ readonly kind: 'session-ended'; readonly mayDiffer: boolean } & SessionEnd)
  /** A scheduler has accepted this host, perhaps again after a restart. */
  | { readonly kind: 'host-taken' }
  /** A reader wants a part. `isHere`: all its bytes are on disk. */
  | { readonly kind: 'reader-came'; readonly reader: number; readonly range: RangeSpec; readonly isHere: boolean }
  | { readonly kind: 'reader-left'; readonly reader: number }
  /** The answer to `measure-readers`. */
  | {
      readonly kind: 'readers-measured';
      readonly measures: readonly ReaderMeasure[];
      readonly nextPiece: number | undefined;
      readonly alone: boolean;
    }
  /** No reader is left. */
  | { readonly kind: 'readers-left' }
  /** What `verify` concerned is right. */
  | { readonly kind: 'verified' }
  /** It is wrong, or cannot be verified. */
  | { readonly kind: 'unproven'; readonly code: ErrorCode }
  /** The disk accepts no more writes. */
  | { readonly kind: 'storage-failed' }
  /** The download has failed for another reason, and waits for nothing any more. */
  | { readonly kind: 'settled' }
  /** Pieces of other nodes proved corrupt: nothing more is taken from any of them. */
  | { readonly kind: 'others-disproved' }
  /** Everything that other nodes gave is deleted. */
  | { readonly kind: 'started-over' };

/** Origin leases, and what became of their fetches. */
export type OriginEvent =
  | { readonly kind: 'lease-granted'; readonly lease: OriginLease }
  | { readonly kind: 'lease-revoked'; readonly leaseId: string }
  /** Other nodes cannot tell what the content is, or may not give it. */
  | { readonly kind: 'origin-needed' }
  /** @param ranges whether the origin supports byte ranges; undefined when the answer does not tell. */
  | { readonly kind: 'origin-answered'; readonly fetch: number; readonly ranges: boolean | undefined }
  /** Every piece of the run was fetched, or came from elsewhere. */
  | { readonly kind: 'origin-fetched'; readonly fetch: number }
  /** A request of the fetch has failed. It waits for `resume-origin` or `stop-origin`. */
  | ({ readonly kind: 'origin-failed' } & OriginFailure);

/** The exchange of pieces with parents, and the clock. */
export type ExchangeEvent =
  /** How the content is cut into pieces, and which of them are here. */
  | {
      readonly kind: 'layout-known';
      readonly contentLengthBytes: number;
      readonly pieceCount: number;
      readonly pieceLengthBytes: number;
      readonly held: PieceSet;
    }
  /** `replace`: these are all the parents, as schedulers of the original tell them. */
  | { readonly kind: 'parents-offered'; readonly parents: readonly ParentOffer[]; readonly replace: boolean }
  /** An empty list: the scheduler was asked for something, and promises that somebody brings it. */
  | { readonly kind: 'parents-withdrawn'; readonly parentIds: readonly string[] }
  /** A parent holds these pieces as well. */
  | { readonly kind: 'parent-has'; readonly parentId: string; readonly pieces: PieceSet | number }
  /** Super-seeding: the parent wants this child to take these pieces now and pass them on. */
  | { readonly kind: 'parent-offers'; readonly parentId: string; readonly pieces: Iterable<number> }
  /** Uploads running and waiting at the parent; undefined when its shared HostLoad was updated. */
  | { readonly kind: 'parent-load'; readonly parentId: string; readonly uploads: number | undefined }
  /** The parent was asked for a sign of life, and gave one. */
  | { readonly kind: 'parent-alive'; readonly parentId: string }
  /** The stream of its announcements has ended. */
  | { readonly kind: 'parent-stream-ended'; readonly parentId: string; readonly end: StreamEnd }
  /** The parent refuses this node, or holds other content. */
  | { readonly kind: 'parent-useless'; readonly parentId: string }
  /** The first bytes of a requested piece came in. */
  | { readonly kind: 'piece-begun'; readonly parentId: string; readonly piece: number }
  /** The rest of it will be here within about a round trip. */
  | { readonly kind: 'piece-ending'; readonly parentId: string; readonly piece: number }
  /** A verified piece is on disk. */
  | ({ readonly kind: 'piece-landed' } & LandedPiece)
  /** The piece is no longer on disk: the disk returned other bytes. */
  | { readonly kind: 'piece-lost'; readonly piece: number }
  | {
      readonly kind: 'request-failed';
      readonly parentId: string;
      readonly piece: number;
      readonly reason: RequestFailure;
    }
  | {
      readonly kind: 'request-dropped';
      readonly parentId: string;
      readonly piece: number;
      readonly reason: RequestDrop;
    }
  /** A piece of this parent that had been accepted proved corrupt. */
  | { readonly kind: 'parent-lied'; readonly parentId: string; readonly piece: number }
  /** More of the content is wanted; everything, when undefined. */
  | { readonly kind: 'wanted'; readonly pieces: PieceSet | undefined }
  /** The pieces at which in-order readers wait now. */
  | { readonly kind: 'read-positions'; readonly pieces: readonly number[] }
  /** Sent when `dueMs` has come. */
  | { readonly kind: 'tick' };
