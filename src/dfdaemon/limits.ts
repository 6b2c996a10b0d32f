/** Every bound of the daemon's own logic, with its reason. Bounds of storage, transport and proxy stand in their rooms. */
export const daemonLimits = {
  /** So much of content on other nodes' word alone is compared with the origin. */
  originCheckBytes: 256 * 1024,
  /** Schedulers hear this often that this node lives, and how it is. */
  beatMs: 3000,
  /** Pieces of one download about which this node asks the origin for others. */
  originChecks: 4,
  /** How long a piece waits for its digest. */
  digestPatienceMs: 1000,
  /** Digests accepted while the number of pieces is unknown. */
  earlyDigests: 65_536,
  /** Concurrent downloads, since each holds sockets and buffers; further requests are refused, and clients retry. */
  concurrentDownloads: 512,
  /** Subscribers of one task; each costs a file descriptor. */
  subscribersPerTask: 4096,
  /**
   * A scheduler that holds this host, yet takes longer to take a stream, is treated as down; the next on the ring is asked. That long for a few
   * hosts, more for each, and that at most.
   */
  schedulerAnswerMs: 900,
  schedulerAnswerMsPerHost: 0.3,
  schedulerOpenTimeoutMs: 3000,
  /** A part of a run below this is not worth a request of its own. */
  originPartBytes: 32 * 2 ** 20,
  /** Tasks whose content is remembered to come from a single URL. */
  rememberedSources: 10_000,
  /** Tasks per AnnounceTasks message, to stay far below the message limit. */
  announcedTasksPerMessage: 200,
  /** Cached host names of origins and whether they resolve to this machine: how many, for how long, and the timeout of a lookup. */
  resolvedNames: 4096,
  resolvedNameMs: 60_000,
  resolveNameMs: 250,
  /** Finished tasks announced one by one to a scheduler of the original; seeds report the others when it asks. */
  heldToldOneByOne: 1000,
  heldTimeoutMs: 10_000,
  /** To tell a scheduler of an object at a store; where one has changed, with the time the scheduler waits for other nodes. */
  objectNewsMs: 1000,
  objectChangeMs: 3000,
  /** How long a scheduler may take to say which ring is in use before downloads go on without its word. */
  ringWordMs: 1000,
  /** How long a call waits for a service whose key is not known yet to identify itself. */
  newKeyMs: 300,
  /** Bytes an origin shows to a user who brings credentials before he is given what others got with theirs; for how long that counts, for how many. */
  entitlementBytes: 4096,
  entitlementMs: 10 * 60_000,
  entitlements: 20_000,
  /** Restricted tasks of which children were told names. */
  toldTaskNames: 65_536,
  /** Receipts kept for `dfctl` and the log. */
  receipts: 1000,
} as const;
