/** Stands before a scheduler, so that its streams can be cut while it lives. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export class Relay implements AsyncDisposable {
  readonly port: number;
  readonly #sockets: Set<Socket>;
  readonly #close: () => void;

  private constructor(port: number, sockets: Set<Socket>, close: () => void) {
    this.port = port;
    this.#sockets = sockets;
    this.#close = close;
  }

  static async start(host: string, to: number): Promise<Relay> {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const upstream = connect(to, host);
      for (const [from, into] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        from.on('error', () => into.destroy());
        from.on('close', () => (sockets.delete(from), into.destroy()));
        from.pipe(into);
      }
    }).listen(0, host);
    await once(server, 'listening');
    return new Relay((server.address() as AddressInfo).port, sockets, () => server.close());
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    this.cut();
    return Promise.resolve();
  }
}
