/** What the request for a download and the configuration of its node say. */
export interface DownloadRules {
  /** This node may fetch from the origin without the scheduler's word. */
  readonly mayGoToOrigin: boolean;
  /** Whoever asked is answered in another way when this download fails: as soon worth it as the origin would be. */
  readonly hasFallback?: boolean;
  /** Everything will be wanted, once the first reader has been told what there is. */
  readonly prefetch?: boolean;
  /** How long a scheduler may leave this download without anything to do. */
  readonly scheduleTimeoutMs: number;
  /** How long parents that are there may. */
  readonly pieceTimeoutMs: number;
}
