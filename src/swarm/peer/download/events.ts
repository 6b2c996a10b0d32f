/** What happens to a download, as its machine hears of it. Whoever runs the machine turns messages, bodies and timers into these. */
import type { PieceSet } from '../../shared/piece-set.ts';
import type { HostLoad } from '../host-load.ts';

/** What the machine reads of the world besides the event. */
export interface Moment {
  /** Any clock that never goes back. */
  readonly nowMs: number;
  /** What all piece bodies bring in together now, by which one more request is judged. */
  readonly bytesPerSec: number;
  /** The same over the last 75 ms. */
  readonly latestBytesPerSec: number;
  /** How long others took at most to answer lately, whatever they were asked, as far as this node knows. */
  readonly answerMs: number;
}

export interface ParentOffer {
  readonly peerId: string;
  /** 0 in the same place, 1 with nothing known in common. */
  readonly distance: number;
  /** Shared by all who hear of this host's load; absent where each hears for itself. */
  readonly load?: HostLoad;
}

/** The parent's doing: busy (asked again soon), failed for now, wrong bytes, or it does not hold the piece. */
export type RequestFailure = 'busy' | 'temporary' | 'corrupt' | 'gone';

/**
 * Our own doing, no word about the parent: it has not told where it serves pieces, somebody else writes the piece just now,
 * a second request took over from a late one, or the piece is no longer wanted from here.
 */
export type RequestDrop = 'no-address' | 'claimed' | 'taken-over' | 'cancelled';

export type PeerEvent =
  /** How the content is cut, and what of it is wanted (all, when absent) and held. */
  | {
      readonly kind: 'layout-known';
      readonly pieceCount: number;
      readonly pieceLengthBytes: number;
      readonly wanted: PieceSet | undefined;
      readonly held: PieceSet;
    }
  /** `replace`: these are all the parents there are, as the original's schedulers tell them. */
  | { readonly kind: 'parents-offered'; readonly parents: readonly ParentOffer[]; readonly replace: boolean }
  | { readonly kind: 'parents-withdrawn'; readonly parentIds: readonly string[] }
  /** A parent holds these pieces as well. */
  | { readonly kind: 'parent-has'; readonly parentId: string; readonly pieces: PieceSet | number }
  /** Super-seeding: the parent wants this child to take these pieces now and pass them on. */
  | { readonly kind: 'parent-offers'; readonly parentId: string; readonly pieces: Iterable<number> }
  /** Uploads running and waiting at the parent; undefined when its shared HostLoad has heard them. */
  | { readonly kind: 'parent-load'; readonly parentId: string; readonly uploads: number | undefined }
  /** It was asked for a sign of life, and gave one. */
  | { readonly kind: 'parent-alive'; readonly parentId: string }
  /** The stream of announcements broke, and does not come back. */
  | { readonly kind: 'parent-lost'; readonly parentId: string }
  /** The first bytes of a requested piece came in. */
  | { readonly kind: 'piece-begun'; readonly parentId: string; readonly piece: number }
  /** The rest of it will be here within about a round trip. */
  | { readonly kind: 'piece-ending'; readonly parentId: string; readonly piece: number }
  /** A verified piece is on disk. `parentId` undefined: from the origin. */
  | { readonly kind: 'piece-landed'; readonly piece: number; readonly parentId: string | undefined }
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
  /** A reader came: these pieces are wanted, too. */
  | { readonly kind: 'wanted'; readonly pieces: PieceSet }
  /** Where readers in order wait now. */
  | { readonly kind: 'readers-at'; readonly pieces: readonly number[] }
  /** All pieces of which this node brings bytes from the origin itself; the rest is asked of parents. */
  | { readonly kind: 'origin-fetching'; readonly pieces: PieceSet }
  /** Time has passed: to be sent at `dueMs`. */
  | { readonly kind: 'tick' };
