/** Bounds of the gRPC shell. A server's limits can be lowered or raised where it is created. */

/** Requests carry ids, headers and bitmaps, never piece content; a bulk announcement is the largest. */
export const maxRequestBytes = 16 * 2 ** 20;

/** A response may carry one piece (64 MiB at most) beside its metadata. */
export const maxResponseBytes = 72 * 2 ** 20;

export const maxMetadataBytes = 64 * 2 ** 10;

/** Streams one connection may hold open: one per running download of a host, with room to spare. */
export const maxStreamsPerConnection = 2_048;

/** Calls that run at once on a server: one for so much of the heap. Of them, those of one address, or of one member: a part, and no more than so many. */
export const heapBytesPerCall = 64 * 1024;
export const callerShareOfCalls = 0.25;
export const maxCallsOfCaller = 16_384;

/** Connections of one address to one port: a whole cluster may come by way of a load balancer. Calls beyond his places after which a connection is closed. */
export const maxConnectionsOfAddress = 16_384;
export const maxRefusedOfConnection = 256;

/** Bytes of messages that have begun and not ended, and the part of one address, or of one member. */
export const maxUnfinishedBytes = 256 * 2 ** 20;
export const callerShareOfUnfinished = 0.25;

/** Proofs of services that are not checked again: one for every service and address it knows us by. */
export const maxProofsRemembered = 1_024;

/** Tools that ask at the same time what a server offers. */
export const maxReflections = 32;

/** A reader that does not read for this long loses its stream, so that it cannot hold memory for ever. */
export const writeStallMs = 60_000;

/** How long running calls may continue after a server starts to drain. */
export const drainDeadlineMs = 10_000;

/**
 * Servers ask silent connections for a sign of life, so that a host without power is noticed in seconds; a process that
 * ends closes its connections anyway. A host too busy to answer for a while must not be taken for a dead one.
 */
export const serverKeepAliveMs = 10_000;
export const serverKeepAliveTimeoutMs = 20_000;

/** Servers of the original close a connection that pings them more often than every five minutes. */
export const clientKeepAliveMs = 300_000;
export const clientKeepAliveTimeoutMs = 20_000;

export const connectTimeoutMs = 3_000;

/** How long the handshake of an accepted connection may take. */
export const handshakeMs = 10_000;

/** Where a port speaks TLS: how long, and how many, connections may keep silent about whether they do. */
export const firstByteMs = 10_000;
export const maxSilentConnections = 1_024;
/** How long a node that starts waits for a manager that could give it its first certificate. */
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

/** How often a stream whose caller reads slowly is looked at until its trailers are written. */
export const unsentTrailersCheckMs = 50;
