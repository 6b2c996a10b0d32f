/** An HTTP server on loopback whose answers a test writes byte by byte. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface OddRequest {
  readonly path: string;
  readonly header: Readonly<Record<string, string>>;
  readonly socket: Socket;
}

export class OddServer {
  readonly requests: OddRequest[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  url = '';
  port = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param answer writes the answer to one request; a returned string is written as it stands. */
  static async start(
    answer: (request: OddRequest) => string | void | Promise<void>,
    { host = '127.0.0.1', tls }: { host?: string; tls?: TlsOptions } = {},
  ): Promise<OddServer> {
    const onConnection = (socket: Socket): void => {
      odd.connections += 1;
      odd.#sockets.add(socket.on('close', () => odd.#sockets.delete(socket)).on('error', () => {}));
      let text = '';
      socket.on('data', (data) => {
        text += data.toString('latin1');
        for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
          const [first = '', ...lines] = text.slice(0, end).split('\r\n');
          text = text.slice(end + 4);
          const header = Object.fromEntries(
            lines.map((line) => [line.split(': ')[0] ?? '', line.split(': ')[1] ?? '']),
          );
          const request = { path: first.split(' ')[1] ?? '', header, socket };
          odd.requests.push(request);
          const written = answer(request);
          if (typeof written === 'string') socket.write(written, 'latin1');
        }
      });
    };
    const server = tls ? createTlsServer(tls, onConnection) : createServer(onConnection);
    const odd = new OddServer(server);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    odd.port = (server.address() as AddressInfo).port;
    odd.url = `http${tls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${odd.port}`;
    return odd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function ok(body: string, header = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${header}\r\n${body}`;
}
