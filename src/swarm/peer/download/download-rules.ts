/** What the request for a download and the configuration of its node determine. */
export interface DownloadRules {
  /** This node may fetch from the origin without the scheduler's word. */
  readonly mayGoToOrigin: boolean;
  /** The caller has a fallback when this download fails, so failing early is as good as going to the origin. */
  readonly hasFallback?: boolean;
  /** Everything becomes wanted once the first reader knows the layout. */
  readonly prefetch?: boolean;
  /** How long a scheduler may leave this download with nothing to do. */
  readonly scheduleTimeoutMs: number;
  /** How long live parents may leave it with nothing to do. */
  readonly pieceTimeoutMs: number;
}
