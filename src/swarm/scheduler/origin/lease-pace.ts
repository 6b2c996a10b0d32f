/** When the holder of a lease will get to a piece, judged by its reports. Pure. */

export interface LeaseCourse {
  /** First piece of the lease, and the first one its holder has not reported. */
  readonly first: number;
  readonly at: number;
  /** When the origin had answered, or the lease was granted. */
  readonly sinceMs: number;
  readonly reportedAtMs: number;
}

/** Average since the origin's answer; infinite before its first piece. */
export function msPerPiece({ first, at, sinceMs, reportedAtMs }: LeaseCourse): number {
  return at > first ? Math.max(0, reportedAtMs - sinceMs) / (at - first) : Infinity;
}

/**
 * Milliseconds until the holder gets to this piece; negative when it should be there already, infinite when that cannot
 * be estimated. Pieces keep arriving between two reports; a holder whose report, or next piece, is overdue is not
 * assumed to progress.
 */
export function comesInMs(course: LeaseCourse, piece: number, nowMs: number, reportEveryMs: number): number {
  const pace = msPerPiece(course);
  if (pace === Infinity) return Infinity;
  return (piece - course.at) * pace - Math.min(nowMs - course.reportedAtMs, Math.max(pace, reportEveryMs));
}
