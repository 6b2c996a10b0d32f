/**
 * The port of a gRPC server that speaks TLS, or TLS and plain text alike while a cluster moves from one to the other. The
 * first byte of a connection tells them apart: HTTP/2 in plain text never begins like a handshake.
 *
 * TLS ends here rather than in the gRPC library, which can neither change its certificate nor ask for one without
 * demanding it.
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
import type { Closable } from '../core/lifecycle.ts';
import * as limits from './limits.ts';
import type { ServerTls } from './tls.ts';

const tlsHandshakeRecord = 0x16;

export class TlsListener implements Closable {
  readonly #tls: ServerTls;
  readonly #server: NetServer;
  readonly #tlsServer: TlsServer;
  readonly #grpc: ConnectionInjector;
  /** Connections that have not sent a byte yet. */
  readonly #silent = new Set<Socket>();
  readonly #encrypted = new Set<TLSSocket>();

  private constructor(server: Server, tls: ServerTls) {
    this.#tls = tls;
    this.#grpc = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#tlsServer = createTlsServer(
      {
        ...contextOf(tls),
        requestCert: tls.ca !== undefined,
        rejectUnauthorized: tls.ca !== undefined && tls.clientCertificates !== 'optional',
        ALPNProtocols: ['h2'],
        handshakeTimeout: limits.handshakeMs,
      },
      (socket) => this.#acceptEncrypted(socket),
    );
    this.#tlsServer.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    tls.onRenewed?.(() => this.#tlsServer.setSecureContext(contextOf(tls)));
    tls.revocations?.onChange(() => this.#endRevoked());
  }

  /** Hands connections to the server. Rejects as `listen` does, and with CONFIG_INVALID for a certificate that cannot be used. */
  static async listen(server: Server, tls: ServerTls, address: { host: string; port: number }): Promise<TlsListener> {
    requireUsable(tls);
    const listener = new TlsListener(server, tls);
    listener.#server.listen(address);
    await once(listener.#server, 'listening');
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections; those handed over are the server's to end. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#silent) socket.destroy();
    return Promise.resolve();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#silent.size >= limits.maxSilentConnections) return void socket.destroy();
    this.#silent.add(socket);
    const deadline = setTimeout(() => socket.destroy(), limits.firstByteMs);
    const look = (): void => {
      const first = socket.read(1) as Buffer | null;
      if (!first) return; // the end, which closes it
      settle();
      socket.unshift(first);
      if (first[0] === tlsHandshakeRecord) this.#tlsServer.emit('connection', socket);
      else if (this.#tls.acceptPlain === true) this.#grpc.injectConnection(socket);
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

  /** A caller that shows a certificate has to show a good one, also where none is demanded. */
  #acceptEncrypted(socket: TLSSocket): void {
    const shows = serialOf(socket) !== undefined;
    if ((shows && this.#tls.ca !== undefined && !socket.authorized) || this.#isRevoked(socket)) {
      socket.destroy();
      return;
    }
    this.#encrypted.add(socket);
    socket.once('close', () => this.#encrypted.delete(socket));
    this.#grpc.injectConnection(socket);
  }

  #endRevoked(): void {
    for (const socket of this.#encrypted) if (this.#isRevoked(socket)) socket.destroy();
  }

  #isRevoked(socket: TLSSocket): boolean {
    const serial = serialOf(socket);
    return serial !== undefined && this.#tls.revocations?.has(serial) === true;
  }
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
