/** Limits of imports, with their units and reasons. */
export const importLimits = {
  /** Concurrent imports: each reads a file, writes another and hashes it. */
  atOnce: 8,
  /** Scan threads that wait for the next content, and for how long. */
  idleThreads: 2,
  idleThreadMs: 10_000,
  /** The longest answer of the program that reads as another user: one line about a path. */
  userReaderAnswerBytes: 64 * 1024,
  /** Deadline of a whole import when the request names none. */
  timeoutMs: 30 * 60_000,
  /** The longest time a timer can wait, 24 days. */
  longestTimeoutMs: 2 ** 31 - 1,
  /** First retry delay for a scheduler that is away; it doubles each time. */
  retryMs: 200,
  mostRetryMs: 5_000,
  /** Time to undo what did not become an import. */
  takeBackMs: 10_000,
  /** Contents that are uploaded to stores at once, and parts of each: a part is one connection and no memory. */
  uploadsAtOnce: 2,
  partsAtOnce: 4,
  /** First retry delay for a store that could not be written to; it doubles each time. */
  uploadRetryMs: 1_000,
  mostUploadRetryMs: 600_000,
  /** How long an upload waits for a scheduler, which may have just started, to know the task; after that it begins without it. */
  knownMs: 60_000,
  readBlockBytes: 2 ** 20,
  /** A list of a thousand parts takes a third of this. */
  storeAnswerBytes: 2 ** 20,
} as const;
