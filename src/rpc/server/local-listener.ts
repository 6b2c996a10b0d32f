/** The unix socket of a gRPC server. Connections are accepted here because the gRPC library does not expose the peer's identity. */
import { once } from 'node:events';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { ServerCredentials, type ConnectionInjector, type Server } from '@grpc/grpc-js';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { LocalUser } from './caller.ts';
import { peerCredentials } from './peer-credentials.ts';

/** Used in place of a TCP peer's address, which the library passes on with each call. */
const localPeer = /^unix:(?:(?<uid>\d+):(?<gid>\d+):(?<groups>[\d,]*))?$/;

export class LocalListener implements Closable {
  readonly #server: NetServer;
  readonly #grpc: ConnectionInjector;

  private constructor(server: Server) {
    this.#grpc = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Passes connections to the server. Rejects as `listen` does. */
  static async listen(server: Server, path: string): Promise<LocalListener> {
    const listener = new LocalListener(server);
    listener.#server.listen(path);
    await once(listener.#server, 'listening');
    return listener;
  }

  /** Users of this machine are rejected call by call. */
  refused(): void {}

  /** Accepts no more connections; the server ends those it was given. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    return Promise.resolve();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const credentials = peerCredentials(socket);
    const remoteAddress = credentials
      ? `unix:${credentials.uid}:${credentials.gid}:${credentials.groups.join(',')}`
      : 'unix:';
    Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
    this.#grpc.injectConnection(socket);
  }
}

/** @param peer the library's name for the other end of a call over this socket. */
export function localUserOf(peer: string): LocalUser {
  const { uid, gid, groups } = localPeer.exec(peer)?.groups ?? {};
  if (uid === undefined || gid === undefined) return { kind: 'local', uid: undefined, gid: undefined };
  return { kind: 'local', uid: Number(uid), gid: Number(gid), groups: groups ? groups.split(',').map(Number) : [] };
}
