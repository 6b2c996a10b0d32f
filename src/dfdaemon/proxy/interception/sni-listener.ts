/**
 * TLS that arrives without CONNECT because a host name was pointed at this port, by DNS or in a network namespace: the
 * client's greeting names the host, and the port is the one this listener has.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { AccessGuard } from '../access-guard.ts';
import type { Interception } from './interception.ts';
import { proxyLimits } from '../limits.ts';
import { listenOn } from '../wire/listener.ts';
import type { Listen } from '../proxy-config.ts';
import type { WhiteList } from '../rules.ts';

export interface SniListenerOptions {
  readonly listen: Listen;
  readonly interception: Interception;
  readonly guard: AccessGuard;
  readonly whiteList: WhiteList;
}

export class SniListener implements Disposable {
  readonly #options: SniListenerOptions;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #terminator: TlsServer | undefined;

  constructor(options: SniListenerOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    this.#server.maxConnections = proxyLimits.connections;
  }

  async start(): Promise<void> {
    const { listen, interception, whiteList } = this.#options;
    await listenOn(this.#server, listen);
    const { port } = this;
    this.#terminator = interception.anyTerminator({
      port,
      foreign: listen.namespace !== undefined,
      allows: (host) => whiteList.allows(host, port) !== false,
    });
  }

  get listen(): Listen {
    return this.#options.listen;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #take(socket: Socket): void {
    const { guard } = this.#options;
    if (!this.#terminator || !guard.admits(socket.remoteAddress, socket.localAddress)) return void socket.destroy();
    socket.on('error', () => undefined); // 'close' follows
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    this.#terminator.emit('connection', socket);
  }
}
