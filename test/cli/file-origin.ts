/** An origin with byte ranges that counts its requests; `/stuck/NAME` sends half of the file and then nothing. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256 } from '../source/conformance.ts';

export class FileOrigin implements AsyncDisposable {
  readonly requests: { readonly path: string; readonly header: IncomingMessage['headers'] }[] = [];
  readonly files = new Map<string, Buffer>();
  readonly #server: Server;
  readonly #stuck: ServerResponse[] = [];
  #sticks = true;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FileOrigin> {
    const server = createServer((request, response) => origin.#answer(request, response));
    const origin = new FileOrigin(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return origin;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  put(name: string, content: Buffer): string {
    this.files.set(name, content);
    return `${this.url}/${name}`;
  }

  /** From now on whole files are sent under `/stuck/` as well. */
  unstick(): void {
    this.#sticks = false;
  }

  /** Resolves when a half-answered request's connection was closed by the other side. */
  async stuckClosed(): Promise<void> {
    await Promise.all(this.#stuck.map((response) => (response.closed ? Promise.resolve([]) : once(response, 'close'))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname.slice(1));
    this.requests.push({ path, header: request.headers });
    const stuck = path.startsWith('stuck/');
    const content = this.files.get(stuck ? path.slice(6) : path);
    if (!content) return void response.writeHead(path.startsWith('private') ? 403 : 404).end();
    const part = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const [first, last] = part
      ? [Number(part[1]), Math.min(Number(part[2] || content.length), content.length - 1)]
      : [0, -1];
    if (part && first >= content.length) {
      return void response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    }
    response.setHeader('etag', `"${sha256(content).slice(0, 16)}"`).setHeader('accept-ranges', 'bytes');
    const bytes = part ? content.subarray(first, last + 1) : content;
    if (part) response.setHeader('content-range', `bytes ${first}-${last}/${content.length}`);
    response.writeHead(part ? 206 : 200, { 'content-length': bytes.length });
    if (!stuck || !this.#sticks) return void response.end(bytes);
    this.#stuck.push(response);
    response.write(bytes.subarray(0, bytes.length / 2));
  }
}
