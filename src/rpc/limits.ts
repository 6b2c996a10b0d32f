/** Bounds of the gRPC shell. Each server can be created with other limits. */

/** Requests carry ids, headers and bitmaps, never piece content; a bulk announcement is the largest. */
export const maxRequestBytes = 16 * 2 ** 20;

/** A response may carry one piece (64 MiB at most) beside its metadata. */
export const maxResponseBytes = 72 * 2 ** 20;

export const maxMetadataBytes = 64 * 2 ** 10;

/** Streams one connection may hold open: one per running download of a host, with room to spare. */
export const maxStreamsPerConnection = 2_048;

/** Concurrent calls of a server: one for this much of the heap. Of these, the share and the maximum for one address or member. */
export const heapBytesPerCall = 64 * 1024;
export const callerShareOfCalls = 0.25;
export const maxCallsOfCaller = 16_384;

/** Connections of one address to one port: a whole cluster may come through a load balancer. Rejected calls after which a connection is closed. */
export const maxConnectionsOfAddress = 16_384;
export const maxRefusedOfConnection = 256;

/** Memory for incomplete messages, and the share of one address or member. */
export const maxUnfinishedBytes = 256 * 2 ** 20;
export const callerShareOfUnfinished = 0.25;

/** Verified proofs that are remembered: one for every service and address by which it knows us. */
export const maxProofsRemembered = 1_024;

/** Tools that query the server's reflection at the same time. */
export const maxReflections = 32;

/** A reader that does not read for this long loses its stream, because it would hold memory for ever. */
export const writeStallMs = 60_000;

/** How long running calls may continue after a server starts to drain. */
export const drainDeadlineMs = 10_000;

/**
 * Servers probe silent connections, so that a host without power is noticed in seconds; a process that ends closes its
 * connections anyway. A host that is too busy to answer for a while must not count as dead.
 */
export const serverKeepAliveMs = 10_000;
export const serverKeepAliveTimeoutMs = 20_000;

/** Servers of the original close a connection that pings more often than every five minutes. */
export const clientKeepAliveMs = 300_000;
export const clientKeepAliveTimeoutMs = 20_000;

export const connectTimeoutMs = 3_000;

/** How long the handshake of an accepted connection may take. */
export const handshakeMs = 10_000;

/** Where a port speaks TLS: how long connections may stay silent about their protocol, and how many. */
export const firstByteMs = 10_000;
export const maxSilentConnections = 1_024;
/** How long a starting node waits for a manager that could issue its first certificate. */
export const firstIdentityMs = 30_000;

/** Node's timers cannot exceed 2^31 ms. */
export const longestTimerMs = 24 * 3_600_000;

export const unaryTimeoutMs = 10_000;

/** Channels kept open to different addresses; the least recently used idle one is closed beyond this. */
export const maxChannels = 2_048;

/** Messages waiting in a queue between a producer and its stream. */
export const maxQueuedMessages = 4_096;

/** First and longest wait before a failed scheduler or manager is tried again. */
export const backOffFirstMs = 500;
export const backOffLongestMs = 30_000;

/** How often the stream of a slow reader is checked until its trailers are written. */
export const unsentTrailersCheckMs = 50;
