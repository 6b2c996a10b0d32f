/**
 * Fetches pieces from parents, straight into the store.
 *
 * Each parent has a few connections. A parent of this implementation keeps them open and takes several requests on
 * each; one of the original takes one request per connection. Requests wait here, in order, while all connections are
 * busy.
 */
import { performance } from 'node:perf_hooks';
import { DragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { RateMeter } from '../../core/rate-meter.ts';
import { BlockPool } from './block-pool.ts';
import { ClientConnection, type ConnectionOwner } from './client-connection.ts';
import {
  defaultClientLimits,
  maxClientConnections,
  maxConnectionsPerParent,
  maxMoves,
  maxSingleConnectionsPerParent,
  maxWaitingRequests,
  pipelineDepth,
  receiveBlockBytes,
  receivePoolBytes,
  type ClientLimits,
} from './limits.ts';
import { PieceRequest, type FetchOptions, type FetchResult, type PieceAddress } from './piece-request.ts';
import type { TransportTls } from './tls-policy.ts';

export type { FetchOptions, FetchResult, PieceAddress } from './piece-request.ts';

export interface PieceClientOptions {
  /** Limits the bytes per second that this host receives. */
  readonly limiter: RateLimiter;
  readonly tls?: TransportTls;
  /** Memory for received bytes that are not on the disk yet; by default `receivePoolBytes`. */
  readonly poolBytes?: number;
  readonly limits?: Partial<ClientLimits>;
}

interface Parent {
  readonly address: PieceAddress;
  readonly connections: Set<ClientConnection>;
  readonly waiting: PieceRequest[];
}

export class PieceClient {
  readonly #options: PieceClientOptions;
  readonly #pool: BlockPool;
  readonly #parents = new Map<string, Parent>();
  readonly #owner: ConnectionOwner;
  readonly #meter = new RateMeter();
  #connectionCount = 0;
  #waitingCount = 0;
  #closed = false;

  private constructor(options: PieceClientOptions) {
    this.#options = options;
    this.#pool = new BlockPool(receiveBlockBytes, options.poolBytes ?? receivePoolBytes, true);
    this.#owner = {
      limiter: options.limiter,
      pool: this.#pool,
      tls: options.tls,
      limits: { ...defaultClientLimits, ...options.limits },
      received: (bytes) => this.#meter.add(bytes, performance.now()),
      available: (connection) => this.#dispatch(this.#parentOf(connection.address)),
      closed: (connection, unanswered, error, movable) => this.#lost(connection, unanswered, error, movable),
    };
  }

  static create(options: PieceClientOptions): PieceClient {
    return new PieceClient(options);
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** Current rate from all parents together. */
  get bytesPerSec(): number {
    return this.#meter.bytesPerSec(performance.now());
  }

  get latestBytesPerSec(): number {
    return this.#meter.latestBytesPerSec(performance.now());
  }

  /** When the parent at this address last sent anything that this side has read. */
  heardAtMs(address: PieceAddress): number {
    const connections = this.#parents.get(keyOf(this.#secured(address)))?.connections ?? [];
    return Math.max(Number.NEGATIVE_INFINITY, ...Array.from(connections, (connection) => connection.heardAtMs));
  }

  /** Memory of received bytes that are not on the disk yet. */
  get bufferedBytes(): number {
    return this.#pool.bufferedBytes;
  }

  /**
   * Fetches one piece, verifies and commits it. Rejects with PIECE_UNAVAILABLE, PROTOCOL, DIGEST_MISMATCH, UNAVAILABLE,
   * DEADLINE_EXCEEDED, UNAUTHENTICATED, a disk fault, or the signal's reason; the caller then has to abort the writer.
   */
  async fetch(options: FetchOptions): Promise<FetchResult> {
    if (this.#closed) throw new DragonflyError('UNAVAILABLE', 'the piece client is closed');
    if (this.#waitingCount >= maxWaitingRequests)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many pieces wait for a connection');
    const address = this.#secured(options.address);
    const request = new PieceRequest({ ...options, address });
    if (!request.settled) {
      const parent = this.#parentOf(address);
      this.#enqueue(parent, request);
      this.#dispatch(parent);
    }
    return request.result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const parent of this.#parents.values()) {
      for (const request of parent.waiting)
        request.fail(new DragonflyError('CANCELLED', 'the piece client was closed'));
      for (const connection of parent.connections) connection.close();
    }
    return Promise.resolve();
  }

  /** The policy decides about TLS; a parent's claim alone never disables it. */
  #secured(address: PieceAddress): PieceAddress {
    const policy = this.#options.tls?.policy ?? 'off';
    const tls = policy === 'force' || (policy === 'prefer' && address.tls);
    const { host, port, persistent, streamed = false, imported } = address;
    return { host, port, persistent, streamed: persistent && streamed, imported, tls };
  }

  #parentOf(address: PieceAddress): Parent {
    const key = keyOf(address);
    let parent = this.#parents.get(key);
    if (!parent) {
      parent = { address, connections: new Set(), waiting: [] };
      this.#parents.set(key, parent);
    }
    return parent;
  }

  #enqueue(parent: Parent, request: PieceRequest): void {
    this.#waitingCount += 1;
    parent.waiting.push(request);
    request.onAbort = () => {
      const index = parent.waiting.indexOf(request);
      if (index < 0) return;
      parent.waiting.splice(index, 1);
      this.#waitingCount -= 1;
    };
  }

  #dispatch(parent: Parent): void {
    while (parent.waiting.length > 0) {
      const connection = this.#connectionFor(parent);
      const request = connection && parent.waiting.shift();
      if (!request) return;
      this.#waitingCount -= 1;
      connection.send(request);
    }
    if (parent.connections.size === 0) this.#forget(parent);
  }

  /** The least busy connection, or a new one while that helps; undefined when the request has to wait. */
  #connectionFor(parent: Parent): ClientConnection | undefined {
    const { persistent } = parent.address;
    const [best] = [...parent.connections].sort((a, b) => a.load - b.load);
    if (
      persistent &&
      best &&
      (best.load === 0 || (best.load < pipelineDepth && parent.connections.size >= maxConnectionsPerParent))
    ) {
      return best;
    }
    const most = persistent ? maxConnectionsPerParent : maxSingleConnectionsPerParent;
    if (parent.connections.size < most && this.#connectionCount < maxClientConnections) {
      const connection = new ClientConnection(parent.address, this.#owner);
      parent.connections.add(connection);
      this.#connectionCount += 1;
      return connection;
    }
    return persistent && best && best.load < pipelineDepth ? best : undefined;
  }

  #lost(connection: ClientConnection, unanswered: PieceRequest[], error: DragonflyError, movable: boolean): void {
    const parent = this.#parentOf(connection.address);
    if (parent.connections.delete(connection)) this.#connectionCount -= 1;
    for (const request of unanswered) {
      request.moves += 1;
      // A parent may close an idle connection at any time; a fresh one that fails will fail again.
      const again = !this.#closed && movable && error.code === 'UNAVAILABLE' && request.moves <= maxMoves;
      if (again) this.#enqueue(parent, request);
      else request.fail(error);
    }
    this.#dispatch(parent);
    // A connection slot is free, for which other parents' requests may have waited.
    for (const other of this.#parents.values()) if (other.waiting.length > 0 && other !== parent) this.#dispatch(other);
  }

  #forget(parent: Parent): void {
    for (const [key, known] of this.#parents) if (known === parent) this.#parents.delete(key);
  }
}

function keyOf({ host, port, persistent, streamed, imported, tls }: PieceAddress): string {
  return `${host} ${port} ${persistent} ${streamed} ${imported} ${tls}`;
}
