/** Bounds of the manager, each with its unit and reason, and the configuration key that overrides it, if any. */

/** Rows one REST page may carry; the original allows ten million and its console asks for them, so the bound is on rows sent. */
export const maxPerPage = 10_000_000;
export const maxRowsPerPage = 10_000;
export const defaultPerPage = 10;

/** Bytes of one REST request body: the largest legitimate one is a preheat of some thousand URLs. */
export const maxRequestBodyBytes = 1024 * 1024;
/** Maximum nesting of objects and lists in a body. */
export const maxJsonDepth = 64;

/** KeepAlive streams of one replica: a scheduler or seed peer has one, and clusters have at most some thousand. */
export const maxKeepAliveStreams = 20_000;

/** Schedulers and seed peers without certificates, per address and in total. Each daemon is told of all active ones. */
export const maxNewcomersPerAddress = 32;
export const maxMembers = 20_000;

/** How often heartbeats of live streams are written, in one statement per table. */
export const keepAliveFlushMs = 1_000;

/** How often a replica looks for changes other replicas wrote. */
export const changePollMs = 1_000;

/** How long change rows are kept; replicas that were gone for longer reload everything at start anyway. */
export const changeRetentionMs = 60 * 60_000;

/** Maximum number of change rows read in one poll. */
export const changePollRows = 1_000;

/** How often the replicas try to get the leader lease and, with it, run what is due. */
export const timerTickMs = 2_000;

/** Lifetime of the leader lease without renewal: how long periodic work pauses after its replica died. */
export const timerLeaseMs = 10_000;

/** Sessions, tokens and grants that a replica caches between requests; dropped at once when one changes anywhere. */
export const maxRememberedCallers = 10_000;
export const rememberCallerMs = 5_000;

/** Consecutive sign-in failures after which an account is locked, and for how long; doubled with each further failure. */
export const maxSigninFailures = 5;
export const firstLockMs = 5_000;
export const longestLockMs = 60_000;

/** Account and network pairs that are remembered for their failures: whoever has none signs in, whatever others have tried. */
export const maxFailedNetworks = 100_000;
export const failedNetworkMs = 60 * 60_000;

/** Sign-in attempts per minute and client address. */
export const signinsPerMinute = 30;

/** Sessions per user; the oldest end when there are more. */
export const maxSessionsPerUser = 100;

/** How long a browser may stay at an OAuth provider before it returns. */
export const oauthFlowMs = 10 * 60_000;

/** How long an OAuth provider may take to answer. */
export const oauthTimeoutMs = 15_000;

/** Event streams of one replica, and how often a silent one sends a heartbeat. */
export const maxEventStreams = 500;
export const maxEventStreamsOfUser = 50;
export const eventHeartbeatMs = 15_000;
export const eventStallMs = 60_000;

/** Jobs that one replica runs at once; others wait for it or another replica. */
export const maxRunningJobs = 16;

/** Lifetime of a job's lease, how often its holder renews it, and how often replicas look for jobs whose holder is gone. */
export const jobLeaseMs = 15_000;
export const jobRenewalMs = 4_000;
export const jobPollMs = 2_000;

/** How many replicas may die during a job before it is given up: it may be the cause. */
export const maxJobAttempts = 5;

/** Bytes of a hub's file that nodes know by the name that git gives it. */
export const maxNamedByGit = 16 * 2 ** 20;

/** Nodes × blobs of one job. */
export const maxJobTasks = 100_000;

/** How often a node is asked for one blob before it counts as failed. */
export const maxTaskAttempts = 3;

/** How often the progress of running tasks is written to the database. */
export const progressFlushMs = 500;

/** One whole job, unless its `timeout` says otherwise. */
export const jobTimeoutMs = 60 * 60_000;

/** Hosts that one job works on at once, unless `concurrent_peer_count` says otherwise; and blobs per host. */
export const concurrentPeers = 50;
export const concurrentTasks = 8;

/** How long jobs and audit records are kept; the config row `gc` overrides it. */
export const jobRetentionMs = 6 * 60 * 60_000;
export const auditRetentionMs = 7 * 24 * 60 * 60_000;

/** Audit records within this time of what callers without an account were refused: of one address, and of all on one replica. */
export const auditedStrangerMs = 60_000;
export const maxAuditedOfStranger = 60;
export const maxAuditedOfStrangers = 600;
export const maxAuditedStrangers = 10_000;

/** Units of a job shown in one answer; counts cover all of them. */
export const maxShownTasks = 5_000;

/** How long a request waits for a job whose result it needs at once. */
export const syncJobTimeoutMs = 50_000;

/** How long changes are collected before an event subscriber gets them, and the maximum number of ids in one event. */
export const eventFlushMs = 500;
export const maxIdsPerEvent = 200;

/** How often the progress of a running job is announced. */
export const progressAnnounceMs = 1_000;

/** Change watchers per replica, and how long a burst of changes is collected for them. */
export const maxWatchStreams = 20_000;
export const watchGatherMs = 100;

/** Lifetime of the manager's own certificate; it is renewed three times within it. */
export const ownCertificateLifeMs = 24 * 3_600_000;

/** Lifetime of an installation's authority, and how far members' clocks may be behind. */
export const authorityLifeMs = 10 * 365 * 24 * 60 * 60_000;
export const clockSkewMs = 10 * 60_000;

/** Upper bound on the configured lifetime of certificates, which limits how long a stolen one can be used. */
export const maxCertificateLifeMs = 30 * 24 * 60 * 60_000;

/** Size of one certificate request: a key and some names. */
export const maxCertificateRequestBytes = 16 * 1024;
export const maxCertificateNames = 50;
export const minRsaBits = 2048;

/** Signing costs a millisecond or two, and a starting cluster requests some thousand certificates at once. */
export const certificatesPerSec = 200;

/** How often schedulers report their tasks, and the swarm of a watched task. */
export const liveIntervalMs = 1_000;
export const taskFrameIntervalMs = 500;

/** How long schedulers are watched after the last viewer has left. */
export const liveIdleMs = 60_000;

/** How much past traffic a new viewer gets. */
export const trafficHistoryMs = 180_000;

/** How long a list of tasks waits for schedulers that were not watched yet. */
export const firstFrameTimeoutMs = 2_000;

/** Concurrent live views of tasks, and tasks in one event; subscribers query the rest. */
export const maxTaskStreams = 500;
export const maxTasksPerEvent = 500;

/** How often node records are examined and written, and the lease of the replica that writes. */
export const nodeTickMs = 2_000;
export const nodeLeaseMs = 10_000;

/** Daemons look for a restarted scheduler at least every 30 seconds; a node that has not returned after this time is lost. */
export const nodeReturnMs = 45_000;

/** How long, and how many, lost nodes are shown; and the length of one node's log. */
export const goneNodeKeptMs = 24 * 3_600_000;
export const maxGoneNodes = 10_000;
export const maxNodeLog = 20;

/** Nodes per statement, and per event. */
export const nodesPerWrite = 100;
export const maxNodesPerEvent = 500;

/** How long concerns are collected before subscribers get them, and how many at once. */
export const concernGatherMs = 500;
export const maxConcerns = 2_000;

/** How often the remaining facts for concerns are read from the database; at once when a change is known. */
export const concernFactsMs = 10_000;

/** An acknowledgement is forgotten when its concern has been over for this long: the next occurrence is a new one. */
export const concernOverMs = 10 * 60_000;

/** How often the operator's addresses are notified of changed concerns, how long one notice may take, and the lease of the sender. */
export const noticeTickMs = 2_000;
export const noticeTimeoutMs = 10_000;
/** How long a stopping manager waits for a notice that is being sent. */
export const noticeGraceMs = 2000;
export const noticeLeaseMs = 30_000;

/** How long after its start a manager calls no concern over: a little longer than lost nodes have to return. */
export const noticeQuietMs = 60_000;

/** Concerns per message; the next message has the rest. */
export const concernsPerNotice = 100;

/** How long past traffic is kept, by length of its steps; and steps per answer. */
export const trafficKeptMs = { minute: 86_400_000, hour: 31 * 86_400_000, day: 366 * 86_400_000 };
export const maxTrafficSteps = 1_440;

/** How often shares are written; growth since then is lost when a manager is killed. Also the writer's lease. */
export const recordIntervalMs = 5_000;
export const recordLeaseMs = 20_000;

/** Schedulers whose totals are remembered while they are away; a restarted pod returns under another address. */
export const maxToldSchedulers = 100;

/** Distinct names per hour or day of one cluster: of nodes, and of anything else. Further ones are combined. */
export const maxNodesPerStep = 5_000;
export const maxNamesPerStep = 1_000;
export const sharesPerStatement = 200;

/** Names in one answer. */
export const maxSharesShown = 1_000;

/** How long, and how many, distributions are kept; rows per statement. */
export const distributionKeptMs = 366 * 86_400_000;
export const maxDistributions = 200_000;
export const distributionsPerStatement = 100;
/** Recordings of distributions: how many are kept, their maximum length, and how long to wait for a scheduler. */
export const maxKeptRecordings = 500;
export const maxRecordingBytes = 1024 ** 2;
export const recordingTimeoutMs = 5_000;

/** Concurrent questions to origins about file lengths, and how long a caller waits for all of them. */
export const concurrentEstimates = 8;
export const estimateTimeoutMs = 30_000;

/** How long, and how many, downloads of single nodes are kept. */
export const downloadKeptMs = 31 * 86_400_000;
export const maxKeptDownloads = 200_000;

/** Used share at which a disk or memory becomes a concern, and below which it no longer is one. */
export const fullShare = 0.95;
export const roomyShare = 0.93;

/** Members renew certificates after 60 % of their lifetime; one older than this share was not renewed. */
export const unrenewedShare = 0.85;

/** Limits for published directories: names, names per host, versions per name, subscribers per name. */
export const maxReleaseNames = 10_000;
export const maxReleaseNamesOfHost = 1_000;
export const maxReleaseVersions = 1_000;
export const maxReleaseSubscribers = 20_000;
/** Subscribers of all names together, and directories per host that follow names. */
export const maxSubscribersInAll = 200_000;
export const maxSubscribersOfHost = 1_000;

/** Concurrent subscriber streams of each kind: one for each directory that follows a name. */
export const maxReleaseStreams = 20_000;

/** Announced content of versions that are being published: all of it and that of a host, how long subscribers are told, and what may wait for one. */
export const maxComingPacks = 100_000;
export const maxComingPacksOfHost = 10_000;
export const comingPackMs = 30 * 60_000;
export const maxPacksWaiting = 1_000;

/** Tasks checked concurrently before a version counts as published. */
export const releaseChecksAtOnce = 8;

/** A silent subscriber is forgotten after this time. */
export const releaseSubscriberKeptMs = 90 * 86_400_000;

/** Limits for replication: rules, tags covered by one rule, and pages of a registry's list. */
export const maxReplicationRules = 500;
export const maxReplicatedTags = 10_000;
export const maxListPages = 1_000;
export const replicationPageRows = 1_000;

/** The lease of the replica that carries rules out; and the longest time after which they are looked over though nothing has happened. */
export const replicationLeaseMs = 15_000;
export const longestReplicationRestMs = 86_400_000;

/** A blob is sent to a target so often without getting further than before; the first rest in between, which doubles. */
export const replicationUploadTries = 4;
export const firstUploadRestMs = 500;
/** To tell a target that an upload does not go on. */
export const uploadDropTimeoutMs = 2_000;

/** Blobs of which is known, while a rule pushes, that a repository of its target has them. */
export const maxRememberedBlobs = 10_000;

/** Repositories of a source whose credentials are kept for the next question. */
export const maxOpenRepositories = 64;

/** Concurrent questions to a registry about tags, and their number per step; and how many copies one cluster may get at once. */
export const replicationLooksAtOnce = 8;
export const replicationLooksPerStep = 200;
export const replicationCopiesPerCluster = 64;

/** First and longest pause after a failed list, tag or copy. */
export const firstReplicationRetryMs = 2_000;
export const longestReplicationRetryMs = 5 * 60_000;

/** After this many consecutive failures a cluster is tried with one copy at a time. */
export const replicationFailuresInARow = 4;

/** Events in one notification of a registry. */
export const maxNotifiedEvents = 1_000;
