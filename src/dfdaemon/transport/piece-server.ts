/**
 * Serves the store's pieces to other peers over TCP, plain and TLS on the same port.
 *
 * The first two bytes of a connection distinguish TLS from a piece request. After that a ServerConnection owns the
 * socket.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import { endWithCertificate } from '../../rpc/tls.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { withDeadline } from '../../core/process/lifecycle.ts';
import { listenPatiently } from '../../core/net/patient-listen.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { minUnsentBytes } from '../../swarm/peer/transfer-timing.ts';
import { BlockPool } from './block-pool.ts';
import { BodySender } from './body-sender.ts';
import {
  defaultServerLimits,
  drainMs,
  keepAliveDelayMs,
  sendBlockBytes,
  sendPoolBytes,
  tlsHandshakeMs,
  type ServerLimits,
} from './limits.ts';
import { nativeIo, socketFd } from './native-io.ts';
import { ServerConnection, type ServedPiece } from './server-connection.ts';
import type { UploadDesk } from './upload-desk.ts';
import { looksLikeTls, type TransportTls } from './tls-policy.ts';
import { encodeError, errorNumbers } from './vortex.ts';

export interface PieceServerOptions {
  readonly store: TaskStore;
  /** Resolves a task name for a child with this address; by default every task is found by its id. */
  readonly find?: ((name: string, address: string) => StoredTask | undefined) | undefined;
  /** Limits the bytes per second that this host sends. */
  readonly limiter: RateLimiter;
  /** `::` listens on IPv4 and IPv6. */
  readonly host: string;
  readonly port: number;
  readonly tls?: TransportTls;
  readonly logger?: Logger;
  readonly onAsked?: (taskId: string, piece: number) => void;
  /** A child that asked does not get the piece, or not now. */
  readonly onRefused?: (taskId: string, piece: number) => void;
  /** Some bytes of the piece have been sent to a child. */
  readonly onTaken?: (taskId: string, piece: number) => void;
  /** Called after each piece that was sent in full. */
  readonly onServed?: (piece: ServedPiece) => void;
  /** Admits uploads; absent: all start at once. */
  readonly uploads?: UploadDesk;
  /** False: send by read and write even where sendfile exists. */
  readonly useSendfile?: boolean;
  /** Memory for bytes that are sent by read and write; by default `sendPoolBytes`. */
  readonly poolBytes?: number;
  readonly limits?: Partial<ServerLimits>;
}

export class PieceServer {
  readonly #options: PieceServerOptions;
  readonly #limits: ServerLimits;
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  readonly #pool: BlockPool;
  readonly #sender: BodySender;
  /** Every accepted TCP connection. */
  readonly #sockets = new Set<Socket>();
  /** Connections that are not further yet, by remote address: their protocol is unknown, or TLS is being set up. */
  readonly #undecided = new Map<string, Socket>();
  /** Connections that may request pieces. */
  readonly #connections = new Set<ServerConnection>();
  /** TLS connections, whose certificates may be revoked. */
  readonly #encrypted = new Set<TLSSocket>();
  readonly #perAddress = new Map<string, number>();
  /** Resolves with the last connection, once the server closes. */
  readonly #left = Promise.withResolvers<void>();
  #port = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: PieceServerOptions) {
    this.#options = options;
    this.#limits = { ...defaultServerLimits, ...options.limits };
    this.#pool = new BlockPool(sendBlockBytes, options.poolBytes ?? sendPoolBytes);
    this.#sender = new BodySender({
      limiter: options.limiter,
      pool: this.#pool,
      stallMs: this.#limits.sendStallMs,
      useSendfile: options.useSendfile ?? true,
    });
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs },
      (socket) => this.#accept(socket),
    );
    this.#tlsServer = this.#createTls();
  }

  /**
   * Resolves when it listens, up to a minute after another program has released the port. Throws IN_USE for a taken port,
   * CONFIG_INVALID when the TLS files do not load.
   */
  static async create(options: PieceServerOptions): Promise<PieceServer> {
    const server = new PieceServer(options);
    try {
      const { host, port, logger } = options;
      await listenPatiently(server.#server, { host, port, backlog: 1024 }, () =>
        logger?.warn({ port }, 'connections of another program keep the port for pieces: waiting for their end'),
      );
      server.#port = (server.#server.address() as AddressInfo).port;
      return server;
    } catch (error) {
      throw toDragonflyError(error);
    }
  }

  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Memory for bytes in transit to children. */
  get bufferedBytes(): number {
    return this.#pool.bufferedBytes;
  }

  get activeBodies(): number {
    return this.#sender.activeBodies;
  }

  /**
   * Serves a connection that arrived on another port. A child of the original that wants pieces by QUIC, and finds no
   * such port, requests them at the gRPC port.
   */
  take(socket: Socket): void {
    socket.allowHalfOpen = true;
    socket.setKeepAlive(true, keepAliveDelayMs);
    this.#accept(socket);
  }

  /** Accepts no new connections, lets answers finish within a deadline, then closes all. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = Promise.all([once(this.#server, 'close'), this.#left.promise]);
    this.#server.close();
    if (this.#sockets.size === 0) this.#left.resolve();
    for (const connection of this.#connections) connection.drain();
    for (const socket of this.#undecided.values()) socket.destroy();
    if (!(await withDeadline(closed, drainMs))) {
      for (const socket of this.#sockets) socket.destroy();
      await closed;
    }
    this.#tlsServer?.removeAllListeners();
  }

  #createTls(): TlsServer | undefined {
    const { tls } = this.#options;
    if (!tls || tls.policy === 'off') return undefined;
    try {
      const server = createTlsServer(
        {
          ...contextOf(tls),
          requestCert: tls.ca !== undefined,
          rejectUnauthorized: tls.ca !== undefined,
          handshakeTimeout: tlsHandshakeMs,
        },
        (socket) => this.#serveEncrypted(socket),
      );
      tls.onRenewed?.(() => server.setSecureContext(contextOf(tls)));
      tls.revocations?.onChange(() => this.#endRevoked());
      server.on('tlsClientError', (error, socket) => {
        this.#options.logger?.debug({ error: error.message }, 'a child failed the TLS handshake');
        socket.destroy();
      });
      return server;
    } catch (error) {
      throw new DragonflyError(
        'CONFIG_INVALID',
        `the TLS certificate of the piece port cannot be used: ${(error as Error).message}`,
        {
          cause: error,
          hint: 'Check that certificate, key and CA belong together; nothing is served in clear instead.',
        },
      );
    }
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const fromAddress = (this.#perAddress.get(address) ?? 0) + 1;
    socket.on('error', () => socket.destroy());
    if (
      this.#closing ||
      this.#sockets.size >= this.#limits.maxConnections ||
      fromAddress > this.#limits.maxConnectionsPerAddress
    ) {
      socket.end(encodeError(errorNumbers.internal, 'too many connections'), () => socket.destroy());
      return;
    }
    const fd = socketFd(socket);
    if (fd !== undefined) nativeIo()?.limitUnsent(fd, minUnsentBytes);
    this.#sockets.add(socket);
    this.#perAddress.set(address, fromAddress);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#closing && this.#sockets.size === 0) this.#left.resolve();
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    });
    if (this.#tlsServer) this.#tellTlsApart(socket, this.#tlsServer);
    else this.#serve(socket);
  }

  #tellTlsApart(socket: Socket, tlsServer: TlsServer): void {
    const deadline = setTimeout(() => socket.destroy(), this.#limits.requestDeadlineMs);
    const key = remoteOf(socket);
    this.#undecided.set(key, socket);
    socket.once('close', () => {
      clearTimeout(deadline);
      if (this.#undecided.get(key) === socket) this.#undecided.delete(key);
    });
    socket.once('end', () => socket.destroySoon());
    const look = (): void => {
      const bytes = socket.read(2) as Buffer | null;
      if (bytes === null) return; // not two bytes yet; the event fires again with more
      socket.unshift(bytes);
      socket.removeListener('readable', look);
      clearTimeout(deadline);
      if (looksLikeTls(bytes)) tlsServer.emit('connection', socket);
      else if (this.#options.tls?.policy === 'force') {
        socket.end(encodeError(errorNumbers.invalidArgument, 'this port speaks TLS only'), () => socket.destroy());
      } else this.#serve(socket);
    };
    socket.on('readable', look);
    if (socket.readableLength > 0) look(); // bytes that were peeked at before are still in the socket
  }

  #serveEncrypted(socket: TLSSocket): void {
    if (this.#isRevoked(socket)) return void socket.destroy();
    endWithCertificate(socket);
    this.#encrypted.add(socket);
    socket.once('close', () => this.#encrypted.delete(socket));
    this.#serve(socket);
  }

  #endRevoked(): void {
    for (const socket of this.#encrypted) if (this.#isRevoked(socket)) socket.destroy();
  }

  #isRevoked(socket: TLSSocket): boolean {
    const { serialNumber } = socket.getPeerCertificate() as { readonly serialNumber?: string };
    return serialNumber !== undefined && this.#options.tls?.revocations?.has(serialNumber) === true;
  }

  #find(name: string, address: string): StoredTask | undefined {
    const { find, store } = this.#options;
    return find ? find(name, address) : store.get(name);
  }

  #serve(socket: Socket): void {
    this.#undecided.delete(remoteOf(socket));
    const connection = new ServerConnection(socket, {
      find: (name) => this.#find(name, socket.remoteAddress ?? ''),
      sender: this.#sender,
      uploads: this.#options.uploads,
      childId: remoteOf(socket),
      limits: this.#limits,
      logger: this.#options.logger,
      asked: (taskId, piece) => this.#options.onAsked?.(taskId, piece),
      refused: (taskId, piece) => this.#options.onRefused?.(taskId, piece),
      taken: (taskId, piece) => this.#options.onTaken?.(taskId, piece),
      served: (piece) => this.#options.onServed?.(piece),
    });
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }
}

function contextOf({ ca, cert, key }: TransportTls): SecureContextOptions {
  const given = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return { ...given, minVersion: 'TLSv1.2' };
}

/** Works for a raw socket and for the TLS socket in front of it. */
function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
