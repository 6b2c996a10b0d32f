/** The unix socket of a gRPC server. Connections are accepted here because the gRPC library does not expose the identity of the peer. */
import { once } from 'node:events';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { ServerCredentials, type ConnectionInjector, type Server } from '@grpc/grpc-js';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { LocalUser } from './caller.ts';
import { peerCredentials } from './peer-credentials.ts';

/** Stands where the address of a TCP peer would: the library passes it on with each call. */
const localPeer = /^unix:(?:(?<uid>\d+):(?<gid>\d+):(?<groups>[\d,]*))?$/;

export class LocalListener implements Closable {
  readonly #server: NetServer;
  readonly #grpc: ConnectionInjector;

  private constructor(server: Server) {
    this.#grpc = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Hands connections to the server. Rejects as `listen` does. */
  static async listen(server: Server, path: string): Promise<LocalListener> {
    const listener = new LocalListener(server);
    listener.#server.listen(path);
    await once(listener.#server, 'listening');
    return listener;
  }

  /** A user of this machine is turned away call by call. */
  refused(): void {}

  /** Takes no more connections; those handed over are the server's to end. */
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

/** @param peer as the library names the other end of a call that came over this socket. */
export function localUserOf(peer: string): LocalUser {
  const { uid, gid, groups } = localPeer.exec(peer)?.groups ?? {};
  if (uid === undefined || gid === undefined) return { kind: 'local', uid: undefined, gid: undefined };
  return { kind: 'local', uid: Number(uid), gid: Number(gid), groups: groups ? groups.split(',').map(Number) : [] };
}
