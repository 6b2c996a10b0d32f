/** What a download's machine wants done. Whoever runs the machine carries effects out in their order, and tells what came of them. */

/** What a child tells the scheduler of a parent; `lost` when its announcements have ended. */
export type ParentFault = 'temporary' | 'corrupt' | 'gone' | 'lost';

export type PeerEffect =
  /** Listen to what the parent announces, until it is lost or left. */
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
  | { readonly kind: 'cancel-piece'; readonly parentId: string; readonly piece: number }
  /** Tell the scheduler. */
  | {
      readonly kind: 'report-parent';
      readonly parentId: string;
      readonly piece: number | undefined;
      readonly fault: ParentFault;
    };
