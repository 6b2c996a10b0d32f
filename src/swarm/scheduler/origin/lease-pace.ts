/** When the holder of a lease comes to a piece, as far as its reports tell. Pure. */

export interface LeaseCourse {
  /** First piece of the lease, and the first one its holder has not reported. */
  readonly first: number;
  readonly at: number;
  /** When the origin had answered, or the lease was granted. */
  readonly sinceMs: number;
  readonly reportedAtMs: number;
}

/** As fast as it has been since the origin's answer; infinite before its first piece. */
export function msPerPiece({ first, at, sinceMs, reportedAtMs }: LeaseCourse): number {
  return at > first ? Math.max(0, reportedAtMs - sinceMs) / (at - first) : Infinity;
}

/**
 * Milliseconds until it is at this piece; negative when it should be there already, infinite when that cannot be told. Pieces go
 * on coming between two reports; a holder that is later than a report, or than a piece takes, is not believed to have gone on.
 */
export function comesInMs(course: LeaseCourse, piece: number, nowMs: number, reportEveryMs: number): number {
  const pace = msPerPiece(course);
  if (pace === Infinity) return Infinity;
  return (piece - course.at) * pace - Math.min(nowMs - course.reportedAtMs, Math.max(pace, reportEveryMs));
}
