/** Bounds of imports, with their units and reasons. */
export const importLimits = {
  /** Imports at once: each reads a file, writes another and hashes it. */
  atOnce: 8,
  /** Threads that have read and wait for the next content, and for how long. */
  idleThreads: 2,
  idleThreadMs: 10_000,
  /** Maximum length of the answer of the program that reads as another user: one line about a path. */
  userReaderAnswerBytes: 64 * 1024,
  /** Whole import when the request names no time. */
  timeoutMs: 30 * 60_000,
  /** Longest time a timer can wait, 24 days. */
  longestTimeoutMs: 2 ** 31 - 1,
  /** A scheduler that is away is asked again after so long, twice as long each time. */
  retryMs: 200,
  mostRetryMs: 5_000,
  /** To take back what did not become an import. */
  takeBackMs: 10_000,
} as const;
