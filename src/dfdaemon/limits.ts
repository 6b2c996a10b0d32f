/** Every bound of the daemon's own logic, with its reason. Bounds of storage, transport and proxy stand in their rooms. */
export const daemonLimits = {
  /** How many bytes that only other nodes vouch for are compared with the origin's. */
  originCheckBytes: 256 * 1024,
  /** How often schedulers are told that this node is alive, and its load. */
  beatMs: 3000,
  /** How many pieces of one download this node compares with the origin's at the same time. */
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
   * A scheduler that holds this host, and for longer leaves each of two questions whether it is alive unanswered, is treated as
   * down, and the next on the ring is asked. An answer takes a round trip and a turn of the event loop, 1 to 100 ms; both
   * questions together, and the pause before them, stay below a second. The time grows with the scheduler's hosts up to the maximum.
   */
  schedulerAnswerMs: 300,
  schedulerAnswerMsPerHost: 0.15,
  schedulerAnswerMostMs: 1500,
  /** A part of a run smaller than this is not worth a request of its own. */
  originPartBytes: 32 * 2 ** 20,
  /** Tasks whose content is remembered to come from a single URL. */
  rememberedSources: 10_000,
  /** Tasks per AnnounceTasks message, to stay far below the message limit. */
  announcedTasksPerMessage: 200,
  /** The cache of origins' host names, and whether they resolve to this machine: its size, its lifetime, and the timeout of a lookup. */
  resolvedNames: 4096,
  resolvedNameMs: 60_000,
  resolveNameMs: 250,
  /** Finished tasks announced one by one to a scheduler of the original; seeds report the others when it asks. */
  heldToldOneByOne: 1000,
  heldTimeoutMs: 10_000,
  /**
   * How long to wait when telling a scheduler about an object of a store; for a change, this includes the time the scheduler
   * waits for other nodes.
   */
  objectNewsMs: 1000,
  objectChangeMs: 3000,
  /** How long a scheduler may take to say which ring is in use before downloads go on without its word. */
  ringWordMs: 1000,
  /** How long a call waits for a service whose key is not known yet to identify itself. */
  newKeyMs: 300,
  /**
   * How many bytes an origin must send to a user with credentials before that user gets what others got with theirs; then how
   * long that counts, and how many of them are remembered.
   */
  entitlementBytes: 4096,
  entitlementMs: 10 * 60_000,
  entitlements: 20_000,
  /** Restricted tasks whose access names were given to children. */
  toldTaskNames: 65_536,
  /** Receipts kept for `dfctl` and the log. */
  receipts: 1000,
} as const;
