/** An origin in this process that counts what it is asked and misbehaves on request. For speed and logs of its own use nginx. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OriginFile {
  content: Buffer;
  etag?: string;
  /** No Content-Length: the end of the body is the end of the content. */
  chunked?: boolean;
  /** Ignore Range headers. */
  noRanges?: boolean;
  /** Close the connection after this many bytes of the body, the given number of times. */
  breakAfterBytes?: number;
  breaksLeft?: number;
  /** Answer with this status and no body. */
  status?: number;
  /** Send the header at once, but blocks only as they are allowed through by `HttpOrigin.release`. */
  gated?: boolean;
}

export interface OriginRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  /** Body bytes handed to the socket so far. */
  bytes: number;
  closed: boolean;
}

const blockBytes = 256 * 1024;

export class HttpOrigin implements AsyncDisposable {
  readonly files = new Map<string, OriginFile>();
  readonly requests: OriginRequest[] = [];
  readonly #server: Server;
  readonly #gates = new Map<string, { open: boolean; budgetBytes: number; wake: (() => void)[] }>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<HttpOrigin> {
    const origin = new HttpOrigin();
    await new Promise<void>((resolve) => origin.#server.listen(0, '127.0.0.1', resolve));
    return origin;
  }

  add(path: string, file: OriginFile): string {
    this.files.set(path, file);
    return this.url(path);
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  requestsFor(path: string): OriginRequest[] {
    return this.requests.filter((request) => request.path === path && request.method === 'GET');
  }

  /** Lets a gated file send this many more bytes; Infinity opens it for good. */
  release(path: string, bytes: number): void {
    const gate = this.#gate(path);
    gate.budgetBytes += bytes;
    for (const wake of gate.wake.splice(0)) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #gate(path: string): { budgetBytes: number; wake: (() => void)[]; open: boolean } {
    const gate = this.#gates.get(path) ?? { open: false, budgetBytes: 0, wake: [] };
    this.#gates.set(path, gate);
    return gate;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const record: OriginRequest = {
      method: request.method ?? '',
      path,
      range: request.headers.range,
      bytes: 0,
      closed: false,
    };
    this.requests.push(record);
    response.on('close', () => {
      record.closed = true;
      for (const wake of this.#gate(path).wake.splice(0)) wake();
    });
    const file = this.files.get(path);
    if (!file || file.status !== undefined) {
      response.writeHead(file?.status ?? 404, { 'content-length': 0 }).end();
      return;
    }
    const { etag = '"1"' } = file;
    const total = file.content.length;
    const match = file.noRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const ifRange = request.headers['if-range'];
    const ranged = match !== null && (ifRange === undefined || ifRange === etag);
    const start = ranged ? Number(match[1]) : 0;
    const end = ranged && match[2] ? Math.min(Number(match[2]) + 1, total) : total;
    if (ranged && start >= total) {
      response.writeHead(416, { 'content-range': `bytes */${total}`, 'content-length': 0 }).end();
      return;
    }
    response.writeHead(ranged ? 206 : 200, {
      etag,
      'content-type': 'application/octet-stream',
      ...(!file.chunked && { 'content-length': end - start }),
      ...(!file.noRanges && { 'accept-ranges': 'bytes' }),
      ...(ranged && { 'content-range': `bytes ${start}-${end - 1}/${total}` }),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    await this.#send(file, path, response, record, start, end);
  }

  async #send(
    file: OriginFile,
    path: string,
    response: ServerResponse,
    record: OriginRequest,
    start: number,
    end: number,
  ): Promise<void> {
    if (file.gated === true) response.flushHeaders();
    const gone = new Promise<void>((resolve) => response.once('close', resolve));
    for (let offset = start; offset < end && !record.closed;) {
      let length = Math.min(blockBytes, end - offset);
      if (file.gated === true) {
        const gate = this.#gate(path);
        while (gate.budgetBytes <= 0 && !record.closed) await new Promise<void>((resolve) => gate.wake.push(resolve));
        length = Math.min(length, gate.budgetBytes);
        gate.budgetBytes -= length;
      }
      if (record.closed) return;
      const room = response.write(file.content.subarray(offset, offset + length));
      offset += length;
      record.bytes += length;
      if (file.breakAfterBytes !== undefined && (file.breaksLeft ?? 1) > 0 && offset - start >= file.breakAfterBytes) {
        file.breaksLeft = (file.breaksLeft ?? 1) - 1;
        response.once('drain', () => response.destroy());
        if (room) response.destroy();
        return;
      }
      if (!room) await Promise.race([drained(response), gone]);
    }
    response.end();
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once('drain', resolve));
}
