/** What a download's machine wants done. Whoever runs the machine carries effects out in their order, and tells what came of them. */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { PieceSet } from '../../shared/piece-set.ts';
import type { OriginLease } from './origin-lease.ts';
import type { LandedPiece } from './piece-reports.ts';

/** What a child tells the scheduler of a parent; `lost` when its announcements have ended. */
export type ParentFault = 'temporary' | 'corrupt' | 'gone' | 'lost';

export type PeerEffect = DownloadEffect | SessionEffect | OriginEffect | ExchangeEffect;

/** For the download as a whole. */
export type DownloadEffect =
  /** Whether there is nothing to do but to wait. */
  | { readonly kind: 'waiting'; readonly isWaiting: boolean }
  /** Nobody has given anything for so long: this node goes to the origin by itself. */
  | { readonly kind: 'nobody-gives'; readonly patienceMs: number }
  /**
   * Find out how far the bytes of these readers are, and where the fetch is: `readers-measured` follows at once. `alone`: since
   * this node goes to the origin by itself, to be said again.
   */
  | {
      readonly kind: 'measure-readers';
      readonly readers: readonly { readonly reader: number; readonly range: RangeSpec }[];
      readonly fetch: number | undefined;
      readonly alone: boolean;
    }
  /** Everything wanted is here: find out whether it is right. Ends with `verified` or `unproven`. `whole`: of the whole content. */
  | { readonly kind: 'verify'; readonly whole: boolean }
  /** The download has succeeded. */
  | { readonly kind: 'finish'; readonly whole: boolean; readonly fromOrigin: boolean }
  /** What other nodes gave is deleted, and fetched from the origin instead. Ends with `started-over`. */
  | { readonly kind: 'start-over' }
  /** Nobody reads any more, and nothing is under way for a reader. */
  | { readonly kind: 'leave-off' }
  /** `starved`: nobody has given anything for so long. Otherwise with the error that came with the event. */
  | { readonly kind: 'fail'; readonly because: FailureCause; readonly patienceMs: number };

export type FailureCause = 'starved' | 'refused' | 'origin' | 'no-origin' | 'unproven' | 'storage';

/** Pieces from one parent, or from the origin (undefined), and what they cost altogether. */
export interface PieceSource {
  readonly parentId: string | undefined;
  readonly pieces: PieceSet;
  readonly bytes: number;
  readonly costMs: number;
}

export type SessionEffect =
  /**
   * Ends with `session-ended`, after `session-opened` or without. `renewId`: under another peer id, as the original needs it.
   * `readerRange`: the download is for a part, of which this range comes first.
   */
  | { readonly kind: 'open-session'; readonly renewId: boolean; readonly readerRange: RangeSpec | undefined }
  /** Say that this download is over for the scheduler, and hear no more of it. */
  | { readonly kind: 'leave-session' }
  /** Nothing has come for so long: ask for parents or a lease. */
  | { readonly kind: 'ask-scheduler'; readonly patienceMs: number }
  /** A reader waits for these bytes: ask for a lease, unless somebody is about to have them. */
  | { readonly kind: 'ask-for-reader'; readonly range: RangeSpec }
  /** Tell the scheduler. */
  | { readonly kind: 'report-held'; readonly held: PieceSet }
  | { readonly kind: 'report-pieces'; readonly sources: readonly PieceSource[] }
  /** A scheduler of the original hears of each piece. */
  | ({ readonly kind: 'report-piece' } & LandedPiece)
  | {
      readonly kind: 'report-parent';
      readonly parentId: string;
      readonly piece: number | undefined;
      readonly fault: ParentFault;
    }
  | { readonly kind: 'report-lease-started'; readonly leaseId: string }
  /** This node is at the origin, though no piece may be complete yet. */
  | { readonly kind: 'report-lease-alive' }
  | { readonly kind: 'report-lease-failed'; readonly leaseId: string; readonly temporary: boolean }
  /** What the origin has told of the content, if it has told anything. */
  | { readonly kind: 'report-layout'; readonly ranges: boolean | undefined };

export type OriginEffect =
  /** `origin-answered`, then `origin-fetched` or `origin-failed` follow. It begins when what gave way to it has let go. */
  | { readonly kind: 'fetch-origin'; readonly fetch: number; readonly lease: OriginLease }
  /** The fetch goes on with another range; with another end only. */
  | {
      readonly kind: 'change-origin-run';
      readonly fetch: number;
      readonly lease: OriginLease;
      readonly onlyEnd: boolean;
    }
  /** Send a request that failed again, from where it broke. */
  | { readonly kind: 'resume-origin'; readonly fetch: number; readonly request: number }
  /** Nobody wants to hear of that fetch any more. */
  | { readonly kind: 'stop-origin'; readonly fetch: number }
  /** This node is at the origin: children get what it fetches, each something different first. */
  | { readonly kind: 'origin-begun' }
  | { readonly kind: 'origin-left' };

export type ExchangeEffect =
  /** Listen to what the parent announces, for the first time or anew. Ends with `parent-stream-ended` or `parent-useless`. */
  | { readonly kind: 'sync-with-parent'; readonly parentId: string }
  /** Find out whether it is there: `parent-alive` follows, or nothing. */
  | { readonly kind: 'ask-parent'; readonly parentId: string }
  /** Close that stream, and cancel whatever was asked of the parent. */
  | { readonly kind: 'leave-parent'; readonly parentId: string }
  /**
   * Ends with one of piece-landed, request-failed, request-dropped. `hedge`: a second request for a piece that is late
   * elsewhere.
   */
  | { readonly kind: 'request-piece'; readonly parentId: string; readonly piece: number; readonly hedge: boolean }
  /** The request is forgotten here: what becomes of it is of no interest. */
  | { readonly kind: 'cancel-piece'; readonly parentId: string; readonly piece: number };
