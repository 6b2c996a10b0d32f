/** In front of an object store: writes down what it is asked and what it answers, and stands in its way when told to. */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

type Fate = 'pass' | 'drop' | 'lose';

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly status: number;
  /** Of the answer. */
  readonly bytes: number;
}

export class StoreRelay implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** False: connections are dropped. */
  open = true;
  /** What becomes of a request: it passes; it never arrives; it is carried out, and nobody hears of it. */
  fate: (method: string, target: string) => Fate | Promise<Fate> = () => 'pass';
  /** Called where the fate was not to pass, when it has happened. */
  struck: () => void = () => undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(endpoint: string, port = 0): Promise<StoreRelay> {
    const { hostname, port: storePort } = new URL(endpoint);
    const server = createServer();
    const relay = new StoreRelay(server);
    server.on('request', (request, response) => {
      if (!relay.open) return void request.socket.destroy();
      void Promise.resolve(relay.fate(request.method ?? '', request.url ?? '')).then((fate) =>
        pass(fate, request, response),
      );
    });
    const pass = (fate: Fate, request: IncomingMessage, response: ServerResponse): void => {
      const { method = '', url: target = '', headers } = request;
      const strike = (): void => {
        relay.struck();
        request.socket.destroy();
      };
      if (fate === 'drop') return strike();
      const onward = httpRequest({ host: hostname, port: storePort, method, path: target, headers }, (answer) => {
        const bytes = method === 'HEAD' ? 0 : Number(answer.headers['content-length'] ?? 0);
        relay.asked.push({ method, target, status: answer.statusCode ?? 0, bytes });
        if (fate === 'lose') return void answer.resume().once('end', strike);
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => request.socket.destroy());
      request.pipe(onward);
    };
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of those that it carried out. */
  count(method: string, pattern: RegExp): number {
    return this.asked.filter((one) => one.method === method && pattern.test(one.target) && one.status < 300).length;
  }

  /** Bytes of objects that it gave. */
  get given(): number {
    const objects = this.asked.filter(
      ({ method, target, status }) => method === 'GET' && !target.includes('?') && status < 300,
    );
    return objects.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close').catch(() => undefined);
  }
}
