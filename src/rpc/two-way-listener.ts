/**
 * A port that takes TLS and plain text alike, while a cluster moves from one to the other. The first byte of a connection
 * tells them apart: HTTP/2 in plain text never begins like a handshake.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { ServerCredentials, type ConnectionInjector, type Server } from '@grpc/grpc-js';
import type { Closable } from '../core/lifecycle.ts';
import * as limits from './limits.ts';

const tlsHandshakeRecord = 0x16;

export class TwoWayListener implements Closable {
  readonly #server: NetServer;
  readonly #secure: ConnectionInjector;
  readonly #plain: ConnectionInjector;
  /** Connections that have not sent a byte yet. */
  readonly #silent = new Set<Socket>();

  private constructor(server: Server, credentials: ServerCredentials) {
    this.#secure = server.createConnectionInjector(credentials);
    this.#plain = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Hands connections to the server. Rejects as `listen` does. */
  static async listen(
    server: Server,
    credentials: ServerCredentials,
    address: { host: string; port: number },
  ): Promise<TwoWayListener> {
    const listener = new TwoWayListener(server, credentials);
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
      (first[0] === tlsHandshakeRecord ? this.#secure : this.#plain).injectConnection(socket);
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
}
