/** Limits of the scheduler's shell; those of the swarm itself are in swarm/scheduler/limits.ts. */

/** Answers that may wait for one peer's stream. A peer that is this far behind has lost its network. */
export const maxQueuedAnswers = 1_024;

/** Downloads that this scheduler has asked seeds for and still follows. */
export const maxSeedDownloads = 10_000;

/** A seed that was sent to an origin and has not reported anything is asked after this time whether it is alive. */
export const seedLife = { quietMs: 200, mostQuietMs: 2_000, answerMs: 700 };

/** A host whose held stream broke may come back within this time, for example on a new connection; after it, its peers are removed. */
export const heldHostGraceMs = 2_000;

/** Announce interval assumed for a host that does not report its own; it is that of the original's daemons. */
export const defaultAnnounceIntervalMs = 300_000;

/** Shortest announce interval that is believed: a host is dead after twice this time of silence. */
export const minAnnounceIntervalMs = 1_000;

/** Facts kept per task beside the swarm: response headers of the origin, in characters. */
export const maxResponseHeaderLength = 32_768;

/** The swarm's timer never sleeps longer than this, so that a clock that jumped does no lasting harm. */
export const longestTickMs = 60_000;

/** Reading the manager. */
export const managerTimeoutMs = 10_000;

/** Deadline of a whole preheat or stat call when the request sets no timeout. */
export const jobTimeoutMs = 60 * 60_000;
export const defaultConcurrentTasks = 8;
export const defaultConcurrentPeers = 500;
export const defaultConcurrentLayers = 8;

/** Layers of one image, or entries of one listing. */
export const maxPreheatTargets = 10_000;

/** Parents of one peer whose share is remembered; in practice the exchange gives a peer fewer. */
export const maxLinksPerPeer = 256;

/** The memory for origins' proofs, in all and each, how long they count and are kept, and how long a node may take to ask. */
export const maxProofsBytes = 64 * 2 ** 20;
export const maxProofBytes = 256 * 1024;
export const maxProofMs = 10 * 60_000;
export const proofKeptMs = 24 * 3_600_000;
export const proofTurnMs = 2_000;
export const maxProofTurnMs = 10_000;
export const maxProofTurns = 10_000;

/** How long daemons of the original count as present after the last was seen, and how often that is written to disk. */
export const originalDaemonsKeptMs = 24 * 3_600_000;
export const originalDaemonsWrittenMs = 3_600_000;

/**
 * Daemons of the original that become hosts again after a restart: how many, how recently seen, and how soon a new or repeated
 * sighting is written to disk.
 */
export const maxKeptHosts = 20_000;
export const keptHostsAgeMs = 3_600_000;
export const keptHostsNewMs = 500;
export const keptHostsSeenMs = 60_000;

/** Hosts of which others have told: how long looking for them may hold up a start, which takes a moment unless the machine is busy or Redis is silent, seeds that are looked at, records of Redis that are read at once. */
export const introductionMs = 10_000;
export const maxIntroducedSeeds = 256;
export const hostRecordsAtOnce = 500;

/** What one watcher is told of at most. */
export const maxWatchedTasks = 20_000;
export const maxWatchedPeers = 20_000;
export const maxWatchedHosts = 50_000;
/** A host takes about 300 bytes, and a message may have some megabytes. */
export const maxHostsPerFrame = 2_000;
/** Interval at which figures that change all the time are reported. */
export const hostFiguresMs = 10_000;

/** Daemons give a sign of life every three seconds; after this long without one a host counts as hanging. */
export const silentHostMs = 9_000;
/** Watchers look every few seconds. When none did for this long, the scheduler itself was hanging. */
export const stalledMs = 6_000;

/** How long hosts that are gone stay known to watchers, and how many. */
export const goneHostKeptMs = 24 * 3_600_000;
export const maxGoneHosts = 10_000;
/** Length up to which a text is shown to watchers, in characters. */
export const maxShownLength = 256;

/** Names of applications, tags and so on whose traffic is counted separately. A node is one, and clusters have some thousands. */
export const maxSharesPerKind = 10_000;
/** Length of such a name in characters; the rest is cut off. */
export const maxShareNameLength = 255;
/** A distribution is over when nobody has downloaded for this long; one that never ends is reported in parts of this length. */
export const distributionQuietMs = 10_000;
export const maxDistributionMs = 6 * 3_600_000;
/** Distributions counted separately at once, ended ones that are remembered for watchers, and downloads of one whose times are remembered. */
export const maxRunningDistributions = 20_000;
export const maxEndedDistributions = 1_000;
export const maxMeasuredDownloads = 1_000;
/** Resolution of a distribution's recording at first and at least, and the most peers and moves (8 bytes each) it has. */
export const recordedStepMs = 100;
export const maxRecordedStepMs = 3_600_000;
export const maxRecordedPeers = 10_000;
export const maxRecordedMoves = 65_536;
/** Moves of all recordings together, of running distributions and of ended ones. */
export const maxAllRecordedMoves = 2_000_000;
export const maxEndedRecordings = 100;
/** Ended downloads that are remembered for watchers, and how many nodes are named as the main sources of one. */
export const maxEndedDownloads = 2_000;
export const maxSourcesPerDownload = 3;
/** Shares, distributions and downloads in one message, about 150 bytes each. */
export const maxSharesPerFrame = 4_000;
export const maxDistributionsPerFrame = 500;
export const maxDownloadsPerFrame = 500;

export const defaultFrameIntervalMs = 1_000;
export const minFrameIntervalMs = 100;
/** The longest time of a timer is 2³¹ ms; a longer one would fire without a pause. */
export const maxFrameIntervalMs = 3_600_000;

/** A reachable node accepts a connection at once. It must be short because the announcement waits for it. */
export const reachabilityTimeoutMs = 2_000;

/** How long the reachability of a host is remembered whose announced address differs from the one it connects from. */
export const reachabilityTtlMs = 600_000;

/** Hosts whose reachability is remembered. */
export const maxCheckedHosts = 20_000;

/** How long children's complaints about a silent host count, and how many such hosts are remembered. */
export const doubtMs = 30_000;
export const maxDoubtedHosts = 1_000;

/** The share of the heap for the state of tasks and peers; the rest is for streams and the work itself. */
export const stateShareOfHeap = 0.5;
/** The share of that for state created by callers from one address. */
export const callerShare = 0.5;
/** The memory of a small task and one peer that holds it, measured at 4.7 KB together; and the cost of each further byte they report. */
export const taskCostBytes = 3_200;
export const peerCostBytes = 2_000;
export const costPerByte = 3;
/** The memory of a host that reports little about itself. */
export const hostCostBytes = 2_000;
/** The memory for hosts, as a share of that for tasks and peers. */
export const hostsShare = 0.5;

/** The most that a host may report about itself. */
export const maxHostBytes = 64 * 1024;

/** Redis of a manager of the original: how long a connection may take, and how long a server may be silent that is asked every few seconds. */
export const redisConnectTimeoutMs = 5_000;
export const redisSilenceMs = 20_000;
/** The wait for the next job, short enough to show that the server is alive. */
export const queueWaitSeconds = 5;

/** Jobs of the queue that run at once, the length of one in characters, and how long its result is kept. */
export const maxQueuedJobs = 64;
export const maxJobLength = 16 * 2 ** 20;
export const jobResultTtlSeconds = 86_400;

/** The manager's list of seeds is read again for an unknown seed, at most this often. */
export const seedListAgeMs = 1000;

/** Hosts struck off by other schedulers that are remembered, so that each report counts once. */
export const maxToldLiars = 10_000;

/** A replica of some gigabytes takes minutes; after this time another host is asked. */
export const replicaTimeoutMs = 2 * 3_600_000;
/** Deadline of a call that keeps, releases or deletes a replica. */
export const replicaCallMs = 30_000;
/** Kept tasks in one frame, about a kilobyte each. */
export const maxKeptTasksPerFrame = 500;

/** Limits on what hosts remember of objects at stores. */
export const objectLimits = {
  /** The keys of all hosts, a few hundred bytes each, and those of one host, which remembers no more objects than `knownObjects` of its proxy. */
  watched: 1_000_000,
  watchedByOne: 50_000,
  partLengths: 100_000,
  /** How long a change waits for hosts to let go. A host that is away for longer lets go by itself when its own time is over. */
  letGoMs: 2_000,
} as const;
