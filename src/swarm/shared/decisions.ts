/** Effects of the swarm. The shell executes decisions in order; each names the peer whose stream it goes to. */
import type { ErrorCode, ErrorDetails } from '../../core/errors.ts';
import type { RangeSpec } from '../../core/byte-range.ts';
import type { TaskLayout } from './events.ts';

/** `backbone` edges are acyclic and lead to a root; `exchange` edges join peers that are both incomplete. */
export type EdgeKind = 'backbone' | 'exchange';

export interface OfferedParent {
  readonly peerId: string;
  readonly hostId: string;
  readonly edge: EdgeKind;
  /** 0 = same place … 1 = nothing known in common. The picker takes the nearer of equal parents. */
  readonly distance: number;
}

/** Pieces `first` … `end` − 1; `end` undefined while the length is unknown: from byte 0 to wherever the content ends. */
export interface LeaseRange {
  readonly first: number;
  readonly end: number | undefined;
}

export type Decision = { readonly peerId: string; readonly taskId: string } & (
  | {
      /** `replace`: these are all the parents (original daemons). Otherwise add them to those the peer has. */
      readonly kind: 'offer-parents';
      readonly parents: readonly OfferedParent[];
      readonly replace: boolean;
    }
  /** Drop these parents; only sent to daemons with the exchange feature. None: the peer asked for something, and somebody brings it. */
  | { readonly kind: 'withdraw-parents'; readonly parentIds: readonly string[] }
  /** Content length and piece length are known now; sent before anything that needs them. */
  | { readonly kind: 'task-layout'; readonly layout: TaskLayout }
  | {
      /**
       * Only this peer may fetch these pieces from the origin, in ascending order, with one request. A grant with the id
       * of a lease already held replaces its range. `wholeTask`: an original daemon, told to go back to source.
       */
      readonly kind: 'grant-origin-lease';
      readonly leaseId: number;
      readonly range: LeaseRange;
      readonly wholeTask: boolean;
      /**
       * Bytes that a reader of this peer waits for: they come first, beside what other leases bring. They alone decide what is
       * fetched while nobody knows how the content is cut. With a range of no pieces it is for these bytes only.
       */
      readonly readerRange?: RangeSpec;
      /** Unless progress is reported before; every report moves it. */
      readonly expiresAtMs: number;
    }
  /** Stop fetching; what is complete may be kept and reported. */
  | { readonly kind: 'revoke-origin-lease'; readonly leaseId: number; readonly reason: string }
  /** Make this seed host download the task; `peerId` is the peer on whose behalf. It registers by itself. */
  | { readonly kind: 'trigger-seed'; readonly hostId: string }
  /** What pieces are at the origin, `digestBytes` each; none at all when nobody knows any more what the piece is. */
  | { readonly kind: 'piece-digests'; readonly first: number; readonly digests: Uint8Array; readonly certain: boolean }
  /** Ask the origin for this piece, and tell its digest. */
  | { readonly kind: 'check-piece'; readonly piece: number }
  /** This host was found to lie; to be logged, with no other consequence. */
  | { readonly kind: 'host-struck-off'; readonly hostId: string; readonly accusers: readonly string[] }
  /** The content has no bytes. */
  | { readonly kind: 'empty-task' }
  /** The peer is known as a holder, nothing to do. */
  | { readonly kind: 'metadata-only' }
  /** The stream ends with this error: refused by priority, or out of attempts with the origin's own answer in `details`. */
  | {
      readonly kind: 'fail-peer';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details?: ErrorDetails | undefined;
    }
);
