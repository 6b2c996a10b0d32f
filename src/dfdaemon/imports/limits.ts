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
  /** Contents on their way to stores at once, and parts of each: a part is one connection and no memory. */
  uploadsAtOnce: 2,
  partsAtOnce: 4,
  /** A store that could not be written to is asked again after so long, twice as long each time. */
  uploadRetryMs: 1_000,
  mostUploadRetryMs: 600_000,
  /** A scheduler that has started, or is away, hears of a task within this time; then its content goes to the store without a word from there. */
  knownMs: 60_000,
  readBlockBytes: 2 ** 20,
  /** A list of a thousand parts is a third of it. */
  storeAnswerBytes: 2 ** 20,
} as const;
