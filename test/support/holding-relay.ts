/** A relay that can keep back what passes, as a network or a server does that is busy with something else. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export class HoldingRelay implements AsyncDisposable {
  /** `host:port` to connect to. */
  readonly address: string;
  readonly #close: () => void;
  readonly #sockets: Set<Socket>;
  #held = false;

  private constructor(address: string, sockets: Set<Socket>, close: () => void) {
    this.address = address;
    this.#sockets = sockets;
    this.#close = close;
  }

  /** @param to `host:port`. */
  static async start(to: string): Promise<HoldingRelay> {
    const at = to.lastIndexOf(':');
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const upstream = connect(Number(to.slice(at + 1)), to.slice(0, at));
      for (const [source, sink] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(source);
        source.on('error', () => sink.destroy()).on('close', () => sink.destroy());
        source.on('data', (chunk: Buffer) => sink.write(chunk));
        if (relay.#held) source.pause();
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const relay = new HoldingRelay(`127.0.0.1:${port}`, sockets, () => server.close());
    return relay;
  }

  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.resume();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    for (const socket of this.#sockets) socket.destroy();
    return Promise.resolve();
  }
}
