/** Bounds of the manager. Each names its unit and why it is what it is; configuration keys that override one are named. */

/** Rows one REST page may carry; the original allows ten million and its console asks for them, so the bound is on rows sent. */
export const maxPerPage = 10_000_000;
export const maxRowsPerPage = 10_000;
export const defaultPerPage = 10;

/** Bytes of one REST request body: the largest legitimate one is a preheat of some thousand URLs. */
export const maxRequestBodyBytes = 1024 * 1024;
/** Objects and lists within each other in a body. */
export const maxJsonDepth = 64;

/** KeepAlive streams of one replica: a scheduler or seed peer has one, and clusters have at most some thousand. */
export const maxKeepAliveStreams = 20_000;

/** Schedulers, and seed peers, without certificates: of one address, and in all. Each daemon is told of all that are active. */
export const maxNewcomersPerAddress = 32;
export const maxMembers = 20_000;

/** How often stamps of live streams go to the database, in one statement per table. */
export const keepAliveFlushMs = 1_000;

/** How often a replica looks for changes other replicas wrote. */
export const changePollMs = 1_000;

/** How long change rows stay: replicas that were away longer reload everything at start anyway. */
export const changeRetentionMs = 60 * 60_000;

/** Change rows read in one poll. */
export const changePollRows = 1_000;

/** How often the replicas try to get the lease of the timers and, with it, run what is due. */
export const timerTickMs = 2_000;

/** Time a timer lease lives without renewal: how long timers stand still after their replica died. */
export const timerLeaseMs = 10_000;

/** Sessions, tokens and grants a replica remembers between requests; forgotten at once when one changes anywhere. */
export const maxRememberedCallers = 10_000;
export const rememberCallerMs = 5_000;

/** Sign-in failures in a row after which an account rests, and how long; the rest doubles with each further failure. */
export const maxSigninFailures = 5;
export const firstLockMs = 5_000;
export const longestLockMs = 60_000;

/** Sign-in attempts per minute and client address. */
export const signinsPerMinute = 30;

/** Sessions one user may have; the oldest end when there are more. */
export const maxSessionsPerUser = 100;

/** How long a browser may take at an OAuth provider before it comes back. */
export const oauthFlowMs = 10 * 60_000;

/** How long an OAuth provider may take to answer. */
export const oauthTimeoutMs = 15_000;

/** Server-sent event streams of one replica, and how often a silent one says that it lives. */
export const maxEventStreams = 500;
export const eventHeartbeatMs = 15_000;

/** Jobs one replica runs at once; others wait for it or another replica. */
export const maxRunningJobs = 16;

/** A job's lease, how often its holder renews it, and how often replicas look for jobs whose holder is gone. */
export const jobLeaseMs = 15_000;
export const jobRenewalMs = 4_000;
export const jobPollMs = 2_000;

/** Replicas a job may outlive before it is given up: it may be what ends them. */
export const maxJobAttempts = 5;

/** Nodes × blobs of one job. */
export const maxJobTasks = 100_000;

/** A node is asked this often for one blob before it counts as failed. */
export const maxTaskAttempts = 3;

/** How often the progress of running tasks goes to the database. */
export const progressFlushMs = 500;

/** One whole job, unless its `timeout` says otherwise. */
export const jobTimeoutMs = 60 * 60_000;

/** Hosts asked at once by one job, unless `concurrent_peer_count` says otherwise; and blobs per host. */
export const concurrentPeers = 50;
export const concurrentTasks = 8;

/** Jobs kept, and audit records; config row `gc` overrides. */
export const jobRetentionMs = 6 * 60 * 60_000;
export const auditRetentionMs = 7 * 24 * 60 * 60_000;

/** Units of a job shown in one answer; counts cover all. */
export const maxShownTasks = 5_000;

/** How long a request waits for a job whose answer it wants at once. */
export const syncJobTimeoutMs = 50_000;

/** How long changes are gathered before a reader of events hears of them; and ids in one event. */
export const eventFlushMs = 500;
export const maxIdsPerEvent = 200;

/** How often the progress of a running job is announced. */
export const progressAnnounceMs = 1_000;

/** Change watchers per replica, and how long a burst of changes is batched for them. */
export const maxWatchStreams = 20_000;
export const watchGatherMs = 100;

/** Lifetime of the manager's own certificate; it is renewed three times within it. */
export const ownCertificateLifeMs = 24 * 3_600_000;

/** How long the authority of an installation lives; and how far clocks of members may be behind. */
export const authorityLifeMs = 10 * 365 * 24 * 60 * 60_000;
export const clockSkewMs = 10 * 60_000;

/** Upper bound on the configured lifetime of certificates, which limits how long a stolen one can be used. */
export const maxCertificateLifeMs = 30 * 24 * 60 * 60_000;

/** One certificate request: a key and some names. */
export const maxCertificateRequestBytes = 16 * 1024;
export const maxCertificateNames = 50;
export const minRsaBits = 2048;

/** Signing costs a millisecond or two; a cluster that starts at once asks for some thousand certificates. */
export const certificatesPerSec = 200;

/** How often schedulers report their tasks, and the swarm of a task that is being watched. */
export const liveIntervalMs = 1_000;
export const taskFrameIntervalMs = 500;

/** Schedulers are watched for this long after the last viewer has left. */
export const liveIdleMs = 60_000;

/** How much past traffic a new viewer receives. */
export const trafficHistoryMs = 180_000;

/** A list of tasks waits this long for schedulers that were not watched yet. */
export const firstFrameTimeoutMs = 2_000;

/** Live views of tasks open at once, and tasks in one event; readers look up the rest. */
export const maxTaskStreams = 500;
export const maxTasksPerEvent = 500;

/** How often what is known of nodes is looked over and written, and the lease of the replica that writes. */
export const nodeTickMs = 2_000;
export const nodeLeaseMs = 10_000;

/** Daemons look for a scheduler that started anew at least every 30 seconds; who has not come after this time is lost. */
export const nodeReturnMs = 45_000;

/** Nodes that are gone are shown for so long, and so many of them; and states of one node. */
export const goneNodeKeptMs = 24 * 3_600_000;
export const maxGoneNodes = 10_000;
export const maxNodeLog = 20;

/** Nodes written in one statement, and told in one event. */
export const nodesPerWrite = 100;
export const maxNodesPerEvent = 500;

/** Concerns are gathered for so long before readers hear of them; and told at once at most. */
export const concernGatherMs = 500;
export const maxConcerns = 2_000;

/** What the database tells beside the nodes is read again so often, and at once when it is known to have changed. */
export const concernFactsMs = 10_000;

/** An acknowledgement of something that is over for so long is forgotten: the next time is another matter. */
export const concernOverMs = 10 * 60_000;

/** How often addresses of the operator are told what is new of concerns, how long one may take, and the lease of who tells. */
export const noticeTickMs = 2_000;
export const noticeTimeoutMs = 10_000;
/** So long a notice under way is waited for when the manager stops. */
export const noticeGraceMs = 2000;
export const noticeLeaseMs = 30_000;

/** After its start a manager calls nothing over for so long: a bit longer than lost nodes have to come back. */
export const noticeQuietMs = 60_000;

/** Concerns in one message; the next one has the rest. */
export const concernsPerNotice = 100;

/** Traffic of the past, by the length of its steps; and steps in one answer. */
export const trafficKeptMs = { minute: 86_400_000, hour: 31 * 86_400_000, day: 366 * 86_400_000 };
export const maxTrafficSteps = 1_440;

/** What is known of shares is written this often; what came since is lost when a manager is killed. The lease of who writes. */
export const recordIntervalMs = 5_000;
export const recordLeaseMs = 20_000;

/** Schedulers whose totals are remembered while they are away; one in a pod comes back under another address. */
export const maxToldSchedulers = 100;

/** Names told apart in one hour or day of one cluster: of nodes, and of anything else. The rest are one. */
export const maxNodesPerStep = 5_000;
export const maxNamesPerStep = 1_000;
export const sharesPerStatement = 200;

/** Names in one answer. */
export const maxSharesShown = 1_000;

/** Distributions are kept for a year, and so many of them; how many rows go in one statement. */
export const distributionKeptMs = 366 * 86_400_000;
export const maxDistributions = 200_000;
export const distributionsPerStatement = 100;
/** Recordings of distributions: so many of the last, of so many characters each, and how long a scheduler is waited for. */
export const maxKeptRecordings = 500;
export const maxRecordingBytes = 1024 ** 2;
export const recordingTimeoutMs = 5_000;

/** Origins that are asked at once how long files are, and how long whoever asks waits for all of them. */
export const concurrentEstimates = 8;
export const estimateTimeoutMs = 30_000;

/** Downloads of single nodes are kept for a month, and so many of them. */
export const downloadKeptMs = 31 * 86_400_000;
export const maxKeptDownloads = 200_000;

/** Shares from which a disk or a memory is a concern, and below which it is none any more. */
export const fullShare = 0.95;
export const roomyShare = 0.93;

/** Members renew certificates after 60 % of their life: one that is older than this share was not renewed. */
export const unrenewedShare = 0.85;

/** Names of published directories, those that one host may bring, versions of one name, and its subscribers. */
export const maxReleaseNames = 10_000;
export const maxReleaseNamesOfHost = 1_000;
export const maxReleaseVersions = 1_000;
export const maxReleaseSubscribers = 20_000;
/** Subscribers of all names, and directories that one host may follow names with. */
export const maxSubscribersInAll = 200_000;
export const maxSubscribersOfHost = 1_000;

/** Streams of subscribers at once: one per directory that follows a name. */
export const maxReleaseStreams = 20_000;

/** Tasks that are asked after at once before a version counts as published. */
export const releaseChecksAtOnce = 8;

/** A subscriber that says nothing for so long is forgotten. */
export const releaseSubscriberKeptMs = 90 * 86_400_000;

/** Rules of replication, tags that one covers, and pages of a registry's list: of so many rows each. */
export const maxReplicationRules = 500;
export const maxReplicatedTags = 10_000;
export const maxListPages = 1_000;
export const replicationPageRows = 1_000;

/** How often rules are looked over, and the lease of the replica that does. */
export const replicationTickMs = 2_000;
export const replicationLeaseMs = 15_000;

/** Tags a registry is asked about at once, and in one go; and copies of one cluster that are looked at: as many as it may get at once. */
export const replicationLooksAtOnce = 8;
export const replicationLooksPerStep = 200;
export const replicationCopiesPerCluster = 64;

/** How long a list, a tag or a copy rests after it failed, at first and at most. */
export const firstReplicationRetryMs = 2_000;
export const longestReplicationRetryMs = 5 * 60_000;

/** After so many failures in a row a cluster is tried with one copy at a time. */
export const replicationFailuresInARow = 4;

/** Events in one notification of a registry. */
export const maxNotifiedEvents = 1_000;
