/** Every bound of the piece transport, with its unit and reason. Nothing here grows with what a stranger sends. */

/** Longest value of a frame that is not content: digest and ids are far shorter. A longer claim ends the connection. */
export const maxHeadBytes = 4096;

/** Longest error message sent; a received one is cut by `maxHeadBytes`. */
export const maxErrorMessageBytes = 512;

/** Requests read ahead on one connection; then its socket is not read until one is answered. */
export const maxPipelinedRequests = 16;

/** Undecoded request bytes one connection may bring along: one read of the socket. */
export const maxBufferedRequestBytes = 128 * 1024;

/** A piece that is still arriving is passed on in chunks of about this size: smaller ones cost a write each, larger ones delay their checksum. */
export const chunkBytes = 512 * 1024;

/** Such a piece may take this many times longer than a complete one, since its origin sets the pace. */
export const incomingPatience = 10;

/** Concurrent bodies; others wait in order, since the time per piece grows with their number. */
export const maxActiveBodies = 128;

/** How often waiting uploads check again whether the uplink has room. */
export const gateRecheckMs = 20;

/** Node may fire a timer this much too early. */
export const timerEarlyMs = 1;

/** Bytes sent per turn of the event loop and connection: with few bodies turns are long, with many they are short and fair. */
export const longTurnBytes = 2 ** 20;
export const fairTurnBytes = 256 * 1024;
export const fairTurnsFromBodies = 5;

/** Bytes sent by an ordinary write when the socket is full; its callback signals room. */
export const tailBytes = 64 * 1024;

/** Buffers for sending what sendfile cannot: TLS, cold files, systems without it. */
export const sendBlockBytes = 512 * 1024;
export const sendPoolBytes = 32 * 2 ** 20;

/** Receive buffers of all connections together, and of one. */
export const receiveBlockBytes = 2 ** 20;
export const receivePoolBytes = 48 * 2 ** 20;
export const maxBlocksInFlight = 2;

/** Free buffers kept for the next transfer; the rest goes back to the system. */
export const maxFreeBlocks = 8;

export const tlsHandshakeMs = 10_000;
export const keepAliveDelayMs = 5_000;

/** How long a closing server lets bodies under way finish. */
export const drainMs = 8_000;

/** For a parent that keeps connections: their number, and the requests waiting on one. Two requests hide the round trip. */
export const maxConnectionsPerParent = 2;
export const pipelineDepth = 4;

/** For a parent that takes one request per connection. */
export const maxSingleConnectionsPerParent = 8;

/** All connections of one client, and requests waiting for one. */
export const maxClientConnections = 128;
export const maxWaitingRequests = 4096;

/** How often one request may move to another connection after the one it was on ended before its answer began. */
export const maxMoves = 3;

/** What a server grants its children. Each can be set by an option of the server. */
export interface ServerLimits {
  /** Connections kept open in all; more are answered with an error and closed. */
  readonly maxConnections: number;
  /** The same for each remote address. */
  readonly maxConnectionsPerAddress: number;
  /** A connection must send its first request, and complete a request it has begun, within this time. */
  readonly requestDeadlineMs: number;
  /** A connection without a request is closed after this time. */
  readonly idleMs: number;
  /** A receiver that takes nothing for this long is disconnected. */
  readonly sendStallMs: number;
  /** A request for a piece that is being written waits this long for it. */
  readonly pieceWaitMs: number;
}

export const defaultServerLimits: ServerLimits = {
  maxConnections: 2048,
  maxConnectionsPerAddress: 256,
  requestDeadlineMs: 10_000,
  idleMs: 120_000,
  sendStallMs: 30_000,
  pieceWaitMs: 10_000,
};

/** How long a client waits for its parents. Each can be set by an option of the client. */
export interface ClientLimits {
  readonly connectMs: number;
  /** A parent that sends nothing for this long while it owes an answer is given up. */
  readonly stallMs: number;
  /** An idle connection is closed after this time, before the server does it. */
  readonly idleMs: number;
}

export const defaultClientLimits: ClientLimits = { connectMs: 5_000, stallMs: 20_000, idleMs: 60_000 };
