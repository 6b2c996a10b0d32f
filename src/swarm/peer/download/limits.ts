/** Deadlines and retries of one download, as its machine keeps them. */
export const downloadLimits = {
  /** Without any parent that could still give something, and no scheduler that is known to be there, this node goes to the origin itself. */
  starvedMs: 500,
  /** One that was there a moment ago, or when the download began, is waited for as long: it restarts, or its connection broke. */
  schedulerReturnMs: 10_000,
  /** A scheduler that holds this host and has not taken the stream yet: long enough to leave one that keeps silent for the next. */
  schedulerAnswerMs: 6000,
  /** So long a scheduler that leases the origin may give a download nothing at all before it is asked for something. */
  nothingGivenMs: 2000,
  /** A scheduler that is there is asked so often for something to do before this node goes to the origin without a lease. */
  starvedAsks: 3,
  /** Attempts at the stream of announcements from a parent before the parent counts as lost. */
  parentStreamAttempts: 2,
  /** One that ended in order is opened again after this, while pieces are missing: a parent of the original tells at once what it has, and ends it. */
  parentStreamPauseMs: 250,
  /** Finished pieces are reported in one message this often; the first one goes out at once. */
  reportIntervalMs: 100,
  /** Reconnections to schedulers during one download. */
  sessionAttempts: 16,
  sessionBackoffMs: 250,
  sessionBackoffMaxMs: 5000,
  /** Attempts at the origin with one request that bring nothing, with growing pauses, before its lease counts as failed. */
  originAttempts: 4,
  originBackoffMs: 200,
  originBackoffMaxMs: 5000,
  /** Longest pause an origin's Retry-After may ask for before the lease counts as failed. */
  retryAfterMaxMs: 30_000,
  /** Without a scheduler: how soon a reader is looked at again who waits for what is on its way, and how long that may take before its bytes are fetched beside it. */
  readerLookMs: 20,
  readerWaitMs: 100,
  /** A range up to this length is fetched twice rather than cut out of what brings its pieces anyhow. */
  doubledBytes: 2 ** 20,
  /** All that is fetched twice in this way, as a share of the content. */
  doubledShare: 0.02,
  /** Heartbeat interval to the scheduler while this node holds an origin lease; a heartbeat says whether bytes flow. */
  leaseAliveMs: 125,
  /** After a reader has got the bytes it waits for, of content nobody knew: time for the scheduler to say whose the pieces are. */
  leaseResolvedMs: 2000,
} as const;
