/**
 * A TCP port of a gRPC server that speaks plain text, TLS, both while a cluster migrates, or another protocol as well.
 * The first two bytes of a connection distinguish them: plain HTTP/2 never begins like a handshake.
 *
 * TLS is terminated here rather than in the gRPC library, which can neither change its certificate nor request a client
 * certificate without requiring it.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import { ServerCredentials, type ConnectionInjector, type Server } from '@grpc/grpc-js';
import { DragonflyError } from '../core/errors.ts';
import type { Closable } from '../core/process/lifecycle.ts';
import { ConnectionBook, type ConnectionEnd } from './connection-book.ts';
import * as limits from './limits.ts';
import { endWithCertificate, type ServerTls } from './tls.ts';

const tlsHandshakeRecord = 0x16;

/** Another protocol on the same port. */
export interface OtherProtocol {
  /** @param first the first two bytes of a connection. */
  readonly begins: (first: Uint8Array) => boolean;
  /** Nothing has been read from the socket, which the callee now owns. */
  readonly take: (socket: Socket) => void;
}

export interface PortProtocols {
  /** Without it, gRPC is in plain text. */
  readonly tls?: ServerTls | undefined;
  readonly other?: OtherProtocol | undefined;
}

export class PortListener implements Closable {
  readonly #tls: ServerTls | undefined;
  readonly #other: OtherProtocol | undefined;
  readonly #server: NetServer;
  readonly #tlsServer: TlsServer | undefined;
  readonly #grpc: ConnectionInjector;
  /** Connections whose protocol is unknown yet, oldest first. */
  readonly #silent = new Set<Socket>();
  readonly #encrypted = new Set<TLSSocket>();
  readonly #book = new ConnectionBook();

  private constructor(server: Server, { tls, other }: PortProtocols) {
    this.#tls = tls;
    this.#other = other;
    this.#grpc = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#tlsServer = tls && this.#createTlsServer(tls);
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Passes connections to the server. Rejects as `listen` does, and with CONFIG_INVALID for an unusable certificate. */
  static async listen(
    server: Server,
    protocols: PortProtocols,
    address: { host: string; port: number },
  ): Promise<PortListener> {
    if (protocols.tls) requireUsable(protocols.tls);
    const listener = new PortListener(server, protocols);
    listener.#server.listen(address);
    await once(listener.#server, 'listening');
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  refused(end: ConnectionEnd): void {
    this.#book.refused(end);
  }

  /** Stops accepting connections; the server ends those it was given. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#silent) socket.destroy();
    return Promise.resolve();
  }

  #createTlsServer(tls: ServerTls): TlsServer {
    const server = createTlsServer(
      {
        ...contextOf(tls),
        requestCert: tls.ca !== undefined,
        rejectUnauthorized: tls.ca !== undefined && tls.clientCertificates !== 'optional',
        ALPNProtocols: ['h2'],
        handshakeTimeout: limits.handshakeMs,
      },
      (socket) => this.#acceptEncrypted(socket, tls),
    );
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    tls.onRenewed?.(() => server.setSecureContext(contextOf(tls)));
    tls.revocations?.onChange(() => this.#endRevoked(tls));
    return server;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (!this.#book.enter(socket)) return void socket.destroy();
    // Genuine clients send at once, so the longest silent connection makes room.
    const [oldest] = this.#silent;
    if (this.#silent.size >= limits.maxSilentConnections) oldest?.destroy();
    this.#silent.add(socket);
    const deadline = setTimeout(() => socket.destroy(), limits.firstByteMs);
    const look = (): void => {
      const first = socket.read(2) as Buffer | null;
      if (!first) return; // not two bytes yet, or the end of the connection
      settle();
      socket.unshift(first);
      if (this.#other?.begins(first)) this.#other.take(socket);
      else if (!this.#tlsServer) this.#grpc.injectConnection(socket);
      else if (first[0] === tlsHandshakeRecord) this.#tlsServer.emit('connection', socket);
      else if (this.#tls?.acceptPlain === true) this.#grpc.injectConnection(socket);
      else socket.destroy();
    };
    const settle = (): void => {
      clearTimeout(deadline);
      this.#silent.delete(socket);
      socket.removeListener('readable', look);
      socket.removeListener('close', settle);
    };
    socket.on('readable', look);
    socket.once('close', settle);
  }

  /** A certificate that a caller presents has to be valid, even where none is required. */
  #acceptEncrypted(socket: TLSSocket, tls: ServerTls): void {
    const shows = serialOf(socket) !== undefined;
    if ((shows && tls.ca !== undefined && !socket.authorized) || isRevoked(socket, tls)) {
      socket.destroy();
      return;
    }
    endWithCertificate(socket);
    this.#encrypted.add(socket);
    socket.once('close', () => this.#encrypted.delete(socket));
    this.#grpc.injectConnection(socket);
  }

  #endRevoked(tls: ServerTls): void {
    for (const socket of this.#encrypted) if (isRevoked(socket, tls)) socket.destroy();
  }
}

function isRevoked(socket: TLSSocket, { revocations }: ServerTls): boolean {
  const serial = serialOf(socket);
  return serial !== undefined && revocations?.has(serial) === true;
}

function contextOf({ ca, cert, key }: ServerTls): SecureContextOptions {
  return { cert, key, ...(ca && { ca }), minVersion: 'TLSv1.2' };
}

function serialOf(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerCertificate() as { readonly serialNumber?: string } | null;
  return certificate?.serialNumber;
}

function requireUsable(tls: ServerTls): void {
  try {
    createSecureContext(contextOf(tls));
  } catch (cause) {
    throw new DragonflyError('CONFIG_INVALID', `the certificate cannot be used: ${(cause as Error).message}`, {
      cause,
      hint: 'Check that certificate and key belong together and that both are PEM.',
    });
  }
}
