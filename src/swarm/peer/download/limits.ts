/** Deadlines and retry counts of one download's machine. */
export const downloadLimits = {
  /** With no parent that could still give something, and no scheduler known to be alive, this node goes to the origin after this time. */
  starvedMs: 500,
  /** A scheduler that was there a moment ago, or when the download began, gets this long to come back: it restarts, or its connection broke. */
  schedulerReturnMs: 10_000,
  /** Time for a scheduler that holds this host to accept the stream: long enough to leave a silent one for the next. */
  schedulerAnswerMs: 6000,
  /** How long a scheduler that grants leases may give a download nothing before it is asked for something. */
  nothingGivenMs: 2000,
  /** How many times a live scheduler is asked for something to do before this node goes to the origin without a lease. */
  starvedAsks: 3,
  /** Attempts to open a parent's stream of announcements before the parent counts as lost. */
  parentStreamAttempts: 2,
  /**
   * Pause before a stream that ended normally is opened again while pieces are missing: parents of the original announce what
   * they have and end it.
   */
  parentStreamPauseMs: 250,
  /** Finished pieces are reported in one message this often; the first one goes out at once. */
  reportIntervalMs: 100,
  /** Reconnections to schedulers during one download. */
  sessionAttempts: 16,
  sessionBackoffMs: 250,
  sessionBackoffMaxMs: 5000,
  /** Failed attempts in a row, without progress, before the lease counts as failed. Pauses grow between them. */
  originAttempts: 4,
  originBackoffMs: 200,
  originBackoffMaxMs: 5000,
  /** Longest pause an origin's Retry-After may ask for before the lease counts as failed. */
  retryAfterMaxMs: 30_000,
  /**
   * Without a scheduler: the interval at which waiting readers are checked, and how long bytes may take to arrive before they are
   * fetched separately.
   */
  readerLookMs: 20,
  readerWaitMs: 100,
  /** A range up to this length is fetched twice rather than cut out of the fetch that brings its pieces anyway. */
  doubledBytes: 2 ** 20,
  /** Maximum share of the content that is fetched twice in this way. */
  doubledShare: 0.02,
  /** Heartbeat interval to the scheduler while this node holds an origin lease; a heartbeat says whether bytes flow. */
  leaseAliveMs: 125,
  /** When a reader has its bytes of content that was unknown before: time for the scheduler to say who fetches the pieces. */
  leaseResolvedMs: 2000,
} as const;
