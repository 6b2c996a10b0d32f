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
  /** 0 in the same place … 1 when nothing is known to be shared. The picker takes the nearer of equal parents. */
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
  /** Drop these parents; only sent to daemons with the exchange feature. An empty list answers a request: somebody brings it. */
  | { readonly kind: 'withdraw-parents'; readonly parentIds: readonly string[] }
  /** Content length and piece length are known; sent before anything that needs them. */
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
       * Bytes that a reader of this peer waits for. They are fetched before the pieces of other leases. While the
       * layout is unknown, they alone decide what is fetched. With an empty range of pieces the lease is for these
       * bytes only.
       */
      readonly readerRange?: RangeSpec;
      /** When it expires, unless progress is reported before; every report extends it. */
      readonly expiresAtMs: number;
    }
  /** Stop fetching; complete pieces may be kept and reported. */
  | { readonly kind: 'revoke-origin-lease'; readonly leaseId: number; readonly reason: string }
  /** Make this seed host download the task, on behalf of the peer `peerId`. The seed registers itself. */
  | { readonly kind: 'trigger-seed'; readonly hostId: string }
  /** Digests that pieces have at the origin, `digestBytes` each; empty when the digest is no longer known. */
  | { readonly kind: 'piece-digests'; readonly first: number; readonly digests: Uint8Array; readonly certain: boolean }
  /** Fetch this piece from the origin and report its digest. */
  | { readonly kind: 'check-piece'; readonly piece: number }
  /** This host was found to lie; only to be logged. */
  | { readonly kind: 'host-struck-off'; readonly hostId: string; readonly accusers: readonly string[] }
  /** The content has no bytes. */
  | { readonly kind: 'empty-task' }
  /** The peer is registered as a holder; nothing else to do. */
  | { readonly kind: 'metadata-only' }
  /** The stream ends with this error: rejected by priority, or out of attempts, with the origin's own answer in `details`. */
  | {
      readonly kind: 'fail-peer';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details?: ErrorDetails | undefined;
    }
);
