/** Every bound of the store, with its unit and reason. Bounds that an operator may want to change are options of the store. */

/** Bytes gathered before one positional write: from 1 MiB on, asynchronous writes cost hardly more than synchronous ones. */
export const writeBlockBytes = 2 ** 20;

/** Longest run of free memory that a write requests from the kernel (write-part.ts): runs of a megabyte are used up first. */
export const longestRunBytes = 512 * 1024;
/** A write requests runs of this length at least, however short the free ones are. */
export const shortestRunBytes = 256 * 1024;

/** This much free memory in such runs lasts until the next look, whoever else writes. */
export const sufficientRunsBytes = 2 ** 30;

/** Free memory is looked at again after this time, or after this much was written. */
export const runsLookMs = 1_000;
export const runsLookBytes = 256 * 2 ** 20;

/** Writes in flight per piece; more only wait for the lock of the same inode. */
export const maxWritesInFlight = 2;

/** Block of verification and whole-content hashing; long enough to be cheap, short enough for the event loop (< 1 ms of CRC). */
export const verifyBlockBytes = 2 ** 20;

/** When somebody else has written to a download's file, this much of it is read again before the download ends: at most a second of work. */
export const secondLookBytes = 4 * 2 ** 30;
/** How often that is repeated when the file is written again meanwhile. */
export const mostLooks = 3;

/** Tasks kept in the index (about 1 KiB of memory each); past it the least recently used idle task is evicted. */
export const defaultMaxTasks = 100_000;

/** A response header larger than this is not recorded. */
export const maxHeaderBytes = 64 * 1024;

/** How often times of last use are saved; after `kill -9` the order of use is out of date by at most this. */
export const usageFlushIntervalMs = 5_000;

/** Upper bound on how much downtime ages tasks, so that a wrong clock at start cannot expire everything. */
export const maxOfflineAgeMs = 24 * 3_600_000;

/** Default between two collections. */
export const defaultCollectIntervalMs = 60_000;

/** Files flushed concurrently: journaling file systems flush several for the price of one. */
export const flushesAtOnce = 8;

/** Read marks kept per incoming piece: one every 64 KiB of the largest piece. */
export const maxMarks = 1024;

/** Longest time for writing a download to a device or FIFO; its reader may be slow, or gone. */
export const specialOutputTimeoutMs = 3_600_000;
/** The collector runs at the latest after this many received bytes. */
export const maxUnseenGrowthBytes = 64 * 2 ** 20;

/** How often an idle node looks for content to read again, and the minimum time between two reads of it. */
export const scrubPauseMs = 10_000;
export const scrubAgainMs = 7 * 24 * 3_600_000;

/** Concurrent outputs written for other users, with one process each. */
export const maxUserWriters = 8;
/** Ends an output to a FIFO that nobody reads, or to a file system that hangs. */
export const userWriterTimeoutMs = 60 * 60_000;
/** Maximum length of the writer's answer: one line about a path. */
export const maxUserWriterAnswerBytes = 64 * 1024;
