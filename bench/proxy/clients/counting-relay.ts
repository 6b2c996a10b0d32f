/** A relay in front of an origin that counts what reaches it: requests by method, and bytes that it sends. HTTP/1.1 without pipelining. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Count {
  readonly requests: number;
  /** Of the answers, with their header sections. */
  readonly bytes: number;
}

export interface Counter {
  /** First lines of all requests, with the range that was asked for. */
  readonly lines: readonly string[];
  /** What has come since the last call. */
  take(): Count;
}

export class CountingRelay implements Counter, AsyncDisposable {
  /** `address:port` of the relay. */
  readonly host: string;
  readonly lines: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #bytes = 0;

  static async open(address: string, target: string): Promise<CountingRelay> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, address);
    await once(server, 'listening');
    return new CountingRelay(server, target);
  }

  private constructor(server: Server, target: string) {
    const { address, port } = server.address() as AddressInfo;
    this.host = `${address}:${port}`;
    this.#server = server;
    server.on('connection', (client) => this.#join(client, target));
  }

  get url(): string {
    return `http://${this.host}`;
  }

  take(): Count {
    const count = { requests: this.lines.length, bytes: this.#bytes };
    this.lines.length = 0;
    this.#bytes = 0;
    return count;
  }

  #join(client: Socket, target: string): void {
    const [host, port] = target.split(':');
    const origin = connect({ host, port: Number(port), allowHalfOpen: true });
    for (const socket of [client, origin]) {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    }
    client.on('data', (block: Buffer) => {
      const head = block.toString('latin1');
      const line = /^([A-Z]+ \S+) HTTP\/1\.[01]\r\n/.exec(head)?.[1];
      if (line !== undefined) this.lines.push([line, /\r\nrange: ([^\r]*)/i.exec(head)?.[1] ?? ''].join(' ').trim());
    });
    origin.on('data', (block: Buffer) => (this.#bytes += block.length));
    client.on('close', () => origin.destroy());
    origin.on('close', () => client.destroy());
    client.pipe(origin);
    origin.pipe(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
