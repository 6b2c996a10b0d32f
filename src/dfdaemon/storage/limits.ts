/** Every bound of the store, with its unit and reason. What an operator may want to change is an option of the store. */

/** Bytes gathered before one positional write: from 1 MiB on, asynchronous writes cost hardly more than synchronous ones. */
export const writeBlockBytes = 2 ** 20;

/** Runs of free memory that a write asks the kernel for, at most (write-part.ts): those of a megabyte are the first to be gone. */
export const longestRunBytes = 512 * 1024;
/** And at most, however short they are. */
export const shortestRunBytes = 256 * 1024;

/** So much free memory in such runs is not used up before the next look, whoever else writes. */
export const sufficientRunsBytes = 2 ** 30;

/** That is looked at anew after so long, or so much that was written. */
export const runsLookMs = 1_000;
export const runsLookBytes = 256 * 2 ** 20;

/** Writes in flight per piece; more only wait for the lock of the same inode. */
export const maxWritesInFlight = 2;

/** Block of verification and whole-content hashing; long enough to be cheap, short enough for the event loop (< 1 ms of CRC). */
export const verifyBlockBytes = 2 ** 20;

/** Of a download to whose file somebody else has written this much is read again before its end is told: a second of work at most. */
export const secondLookBytes = 4 * 2 ** 30;
/** So often, when something is written meanwhile. */
export const mostLooks = 3;

/** Tasks kept in the index (about 1 KiB of memory each); past it the least recently used idle task is evicted. */
export const defaultMaxTasks = 100_000;

/** A response header larger than this is the origin's fault and is not recorded. */
export const maxHeaderBytes = 64 * 1024;

/** How often last uses are written down; after `kill -9` an order of use this old at most is lost. */
export const usageFlushIntervalMs = 5_000;

/** Upper bound on how much downtime ages tasks, so that a wrong clock at start cannot expire everything. */
export const maxOfflineAgeMs = 24 * 3_600_000;

/** Default between two collections. */
export const defaultCollectIntervalMs = 60_000;

/** Files flushed concurrently: journaling file systems flush several for the price of one. */
export const flushesAtOnce = 8;

/** Read marks kept per incoming piece: one every 64 KiB of the largest piece. */
export const maxMarks = 1024;

/** Longest time a device or FIFO that is the output of a download may take; its reader may be a slow program, or gone. */
export const specialOutputTimeoutMs = 3_600_000;
/** The collector runs at the latest after this many received bytes. */
export const maxUnseenGrowthBytes = 64 * 2 ** 20;

/** A node with nothing to do looks so often for content to read again, and reads none more often than this. */
export const scrubPauseMs = 10_000;
export const scrubAgainMs = 7 * 24 * 3_600_000;

/** Outputs written for other users at a time: a process each. */
export const maxUserWriters = 8;
/** An output into a FIFO that nobody reads, or to a file system that hangs, ends here. */
export const userWriterTimeoutMs = 60 * 60_000;
/** Maximum length of its answer: one line about a path. */
export const maxUserWriterAnswerBytes = 64 * 1024;
