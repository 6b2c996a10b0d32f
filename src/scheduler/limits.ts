/** Bounds of the scheduler's shell; those of the swarm itself are in swarm/scheduler/limits.ts. */

/** Answers waiting for one peer's stream. A peer that is this far behind has lost its network. */
export const maxQueuedAnswers = 1_024;

/** Downloads this scheduler has asked seeds for and still follows. */
export const maxSeedDownloads = 10_000;

/** A seed that was sent to an origin and has said nothing yet is asked whether it is there. */
export const seedLife = { quietMs: 200, mostQuietMs: 2_000, answerMs: 700 };

/** A host whose held stream broke may come back within this time, as on a moved connection; then its peers go. */
export const heldHostGraceMs = 2_000;

/** Announce interval of a host that does not tell its own; that of the original's daemons. */
export const defaultAnnounceIntervalMs = 300_000;

/** Shortest announce interval believed: a host is dead after twice this time of silence. */
export const minAnnounceIntervalMs = 1_000;

/** Facts kept per task beside the swarm: response headers of the origin, in characters. */
export const maxResponseHeaderLength = 32_768;

/** The timer of the swarm never sleeps longer, so that a clock that jumped does no lasting harm. */
export const longestTickMs = 60_000;

/** Reading the manager. */
export const managerTimeoutMs = 10_000;

/** Whole preheat or stat call when the request sets no timeout. */
export const jobTimeoutMs = 60 * 60_000;
export const defaultConcurrentTasks = 8;
export const defaultConcurrentPeers = 500;
export const defaultConcurrentLayers = 8;

/** Layers of one image, entries of one listing. */
export const maxPreheatTargets = 10_000;

/** Parents of one peer whose share is remembered; exchange gives a peer at most this many in practice. */
export const maxLinksPerPeer = 256;

/** What origins told, in all and each, how long it counts and is kept at most, and how long a node may take to ask. */
export const maxProofsBytes = 64 * 2 ** 20;
export const maxProofBytes = 256 * 1024;
export const maxProofMs = 10 * 60_000;
export const proofKeptMs = 24 * 3_600_000;
export const proofTurnMs = 2_000;
export const maxProofTurnMs = 10_000;
export const maxProofTurns = 10_000;

/** Daemons of the original count as present so long after the last was seen; how often that is written down. */
export const originalDaemonsKeptMs = 24 * 3_600_000;
export const originalDaemonsWrittenMs = 3_600_000;

/** Daemons of the original that are hosts again after a restart: so many, seen so lately; how soon it is written that one is new, or was seen again. */
export const maxKeptHosts = 20_000;
export const keptHostsAgeMs = 3_600_000;
export const keptHostsNewMs = 500;
export const keptHostsSeenMs = 60_000;

/** Hosts of which others have told: how long looking for them may hold up a start, seeds that are looked at, records of Redis that are read at once. */
export const introductionMs = 3_000;
export const maxIntroducedSeeds = 256;
export const hostRecordsAtOnce = 500;

/** What one watcher is told of at most. */
export const maxWatchedTasks = 20_000;
export const maxWatchedPeers = 20_000;
export const maxWatchedHosts = 50_000;
/** A host is told in about 300 bytes, a message may have some megabytes. */
export const maxHostsPerFrame = 2_000;
/** Figures of a host that change all the time are told this often. */
export const hostFiguresMs = 10_000;

/** Daemons give a sign of life every three seconds: after so long without one a host stands still. */
export const silentHostMs = 9_000;
/** Watchers look every few seconds. When none did for so long, the scheduler itself stood still. */
export const stalledMs = 6_000;

/** Hosts that are gone stay known to watchers for so long, and so many. */
export const goneHostKeptMs = 24 * 3_600_000;
export const maxGoneHosts = 10_000;
/** Characters of a text that watchers see. */
export const maxShownLength = 256;

/** Names of applications, of tags and so on whose traffic is told apart; a node is one, and clusters have some thousand. */
export const maxSharesPerKind = 10_000;
/** Characters of such a name; those behind it are left out. */
export const maxShareNameLength = 255;
/** A distribution is over when nobody downloads and nobody has for so long; one that never ends is told of in parts of this length. */
export const distributionQuietMs = 10_000;
export const maxDistributionMs = 6 * 3_600_000;
/** Distributions told apart at once, ended ones that are remembered for watchers, and downloads of one whose times are. */
export const maxRunningDistributions = 20_000;
export const maxEndedDistributions = 1_000;
export const maxMeasuredDownloads = 1_000;
/** What a recording of a distribution tells apart at first and at least, and how many peers and moves (8 bytes each) it has at most. */
export const recordedStepMs = 100;
export const maxRecordedStepMs = 3_600_000;
export const maxRecordedPeers = 10_000;
export const maxRecordedMoves = 65_536;
/** Of all recordings, of running distributions and of ended ones. */
export const maxAllRecordedMoves = 2_000_000;
export const maxEndedRecordings = 100;
/** Downloads that are remembered for watchers after their end, and the nodes named as those that gave most of one. */
export const maxEndedDownloads = 2_000;
export const maxSourcesPerDownload = 3;
/** Shares, distributions and downloads in one message, at about 150 bytes each. */
export const maxSharesPerFrame = 4_000;
export const maxDistributionsPerFrame = 500;
export const maxDownloadsPerFrame = 500;

export const defaultFrameIntervalMs = 1_000;
export const minFrameIntervalMs = 100;
/** A timer cannot be set for longer than 2³¹ ms: one that is runs without a pause. */
export const maxFrameIntervalMs = 3_600_000;

/** A node that can be reached takes a connection at once; the announcement waits for it. */
export const reachabilityTimeoutMs = 2_000;

/** How long the reachability of a host is remembered whose announced address differs from the one it connects from. */
export const reachabilityTtlMs = 600_000;

/** Hosts whose reachability is remembered. */
export const maxCheckedHosts = 20_000;

/** How long children's complaints about a silent host count, and about how many hosts. */
export const doubtMs = 30_000;
export const maxDoubtedHosts = 1_000;

/** Of the heap, for what is known of tasks and peers; the rest is for streams and the work itself. */
export const stateShareOfHeap = 0.5;
/** Of that, for state created by callers from one address. */
export const callerShare = 0.5;
/** What a small task and one that holds it cost: measured at 4.7 KB together; and each further byte of what they say. */
export const taskCostBytes = 3_200;
export const peerCostBytes = 2_000;
export const costPerByte = 3;
/** What a host costs that says little of itself. */
export const hostCostBytes = 2_000;
/** Of what is for tasks and peers, as much again is for hosts. */
export const hostsShare = 0.5;

/** What a host may say of itself. */
export const maxHostBytes = 64 * 1024;

/** Redis of a manager of the original: how long a connection may take, and a server be silent that is asked every few seconds. */
export const redisConnectTimeoutMs = 5_000;
export const redisSilenceMs = 20_000;
/** One wait for the next job; short enough to be a sign of life. */
export const queueWaitSeconds = 5;

/** Jobs of the queue that run at once, the length of one in characters, and how long its result is kept. */
export const maxQueuedJobs = 64;
export const maxJobLength = 16 * 2 ** 20;
export const jobResultTtlSeconds = 86_400;

/** The manager's list of seeds is read again for a seed it does not have, at most this often. */
export const seedListAgeMs = 1000;

/** Hosts that other schedulers have struck off, remembered so that each of their words counts once. */
export const maxToldLiars = 10_000;

/** A replica of some gigabytes takes minutes; after so long another host is asked. */
export const replicaTimeoutMs = 2 * 3_600_000;
/** To keep, to release or to delete a replica. */
export const replicaCallMs = 30_000;
/** Kept tasks told in one frame: about a kilobyte each. */
export const maxKeptTasksPerFrame = 500;

/** What hosts remember of objects at stores. */
export const objectLimits = {
  /** Keys of all hosts, a few hundred bytes each, and of one: it remembers no more objects than `knownObjects` of its proxy. */
  watched: 1_000_000,
  watchedByOne: 50_000,
  partLengths: 100_000,
  /** A change waits for hosts that are to let go: one that is away for longer forgets by itself when its time is over. */
  letGoMs: 2_000,
} as const;
