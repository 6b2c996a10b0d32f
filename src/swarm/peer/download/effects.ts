/** What a download's machine wants done. The runner carries effects out in order, and reports what came of them as events. */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { PieceSet } from '../../shared/piece-set.ts';
import type { OriginLease } from './origin-lease.ts';
import type { LandedPiece } from './piece-reports.ts';

/** What a child tells the scheduler of a parent; `lost` when its announcements have ended. */
export type ParentFault = 'temporary' | 'corrupt' | 'gone' | 'lost';

export type PeerEffect = DownloadEffect | SessionEffect | OriginEffect | ExchangeEffect;

/** For the download as a whole. */
export type DownloadEffect =
  /** Whether the download can only wait. */
  | { readonly kind: 'waiting'; readonly isWaiting: boolean }
  /** Nobody has given anything for this long: this node goes to the origin without a lease. */
  | { readonly kind: 'nobody-gives'; readonly patienceMs: number }
  /**
   * Find out how far the bytes of these readers are, and where the fetch is; `readers-measured` follows at once.
   * `alone`: because this node goes to the origin without a lease; repeated in the answer.
   */
  | {
      readonly kind: 'measure-readers';
      readonly readers: readonly { readonly reader: number; readonly range: RangeSpec }[];
      readonly fetch: number | undefined;
      readonly alone: boolean;
    }
  /** Everything wanted is here: verify it. Ends with `verified` or `unproven`. `whole`: the whole content. */
  | { readonly kind: 'verify'; readonly whole: boolean }
  /** The download has succeeded. */
  | { readonly kind: 'finish'; readonly whole: boolean; readonly fromOrigin: boolean }
  /** Delete what other nodes gave, and fetch it from the origin instead. Ends with `started-over`. */
  | { readonly kind: 'start-over' }
  /** No reader is left, and nothing is being fetched for one. */
  | { readonly kind: 'leave-off' }
  /** `starved`: nobody has given anything for this long. Otherwise the error is that of the event. */
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
   * Ends with `session-ended`, with or without `session-opened` before. `renewId`: under another peer id, as the
   * original requires. `readerRange`: the download is for a part, of which this range comes first.
   */
  | { readonly kind: 'open-session'; readonly renewId: boolean; readonly readerRange: RangeSpec | undefined }
  /** Report that this download has ended for the scheduler, and listen no more. */
  | { readonly kind: 'leave-session' }
  /** Nothing has come for so long: ask for parents or a lease. */
  | { readonly kind: 'ask-scheduler'; readonly patienceMs: number }
  /** A reader waits for these bytes: ask for a lease, unless somebody is about to have them. */
  | { readonly kind: 'ask-for-reader'; readonly range: RangeSpec }
  /** Tell the scheduler. */
  | { readonly kind: 'report-held'; readonly held: PieceSet }
  | { readonly kind: 'report-pieces'; readonly sources: readonly PieceSource[] }
  /** For a scheduler of the original, which gets a report for each piece. */
  | ({ readonly kind: 'report-piece' } & LandedPiece)
  | {
      readonly kind: 'report-parent';
      readonly parentId: string;
      readonly piece: number | undefined;
      readonly fault: ParentFault;
    }
  | { readonly kind: 'report-lease-started'; readonly leaseId: string }
  /** This node is at the origin although no piece may be complete yet. */
  | { readonly kind: 'report-lease-alive' }
  | { readonly kind: 'report-lease-failed'; readonly leaseId: string; readonly temporary: boolean }
  /** What the origin has told of the content, if anything. */
  | { readonly kind: 'report-layout'; readonly ranges: boolean | undefined };

export type OriginEffect =
  /** Ends with `origin-fetched` or `origin-failed`, after `origin-answered`. Starts when cancelled requests for its pieces have let go. */
  | { readonly kind: 'fetch-origin'; readonly fetch: number; readonly lease: OriginLease }
  /** Continue the fetch with another range; `onlyEnd`: only its end differs. */
  | {
      readonly kind: 'change-origin-run';
      readonly fetch: number;
      readonly lease: OriginLease;
      readonly onlyEnd: boolean;
    }
  /** Send a failed request again, from where it broke. */
  | { readonly kind: 'resume-origin'; readonly fetch: number; readonly request: number }
  /** The outcome of that fetch no longer matters. */
  | { readonly kind: 'stop-origin'; readonly fetch: number }
  /** This node is at the origin: children get what it fetches, each a different piece first. */
  | { readonly kind: 'origin-begun' }
  | { readonly kind: 'origin-left' };

export type ExchangeEffect =
  /** Listen to the parent's announcements, for the first time or again. Ends with `parent-stream-ended` or `parent-useless`. */
  | { readonly kind: 'sync-with-parent'; readonly parentId: string }
  /** Check that the parent is alive: `parent-alive` follows, or nothing. */
  | { readonly kind: 'ask-parent'; readonly parentId: string }
  /** Close that stream, and cancel every request to the parent. */
  | { readonly kind: 'leave-parent'; readonly parentId: string }
  /**
   * Ends with one of piece-landed, request-failed, request-dropped. `hedge`: a second request for a piece that is late
   * elsewhere.
   */
  | { readonly kind: 'request-piece'; readonly parentId: string; readonly piece: number; readonly hedge: boolean }
  /** The outcome of that request no longer matters. */
  | { readonly kind: 'cancel-piece'; readonly parentId: string; readonly piece: number };
