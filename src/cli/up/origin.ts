/** An origin with one real file that counts its requests and the bytes it sends. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseRangeHeader, resolveRange, type ByteRange } from '../../core/byte-range.ts';
import type { OriginCount } from './report.ts';

const chunkBytes = 2 ** 20;

/** Writes a file of new random bytes and returns its SHA-256 as lower-case hex. */
export async function writeRandomFile(path: string, sizeBytes: number, signal: AbortSignal): Promise<string> {
  // A key stream with a random key is as incompressible as random bytes, and much faster to generate.
  const stream = createCipheriv('aes-256-ctr', randomBytes(32), randomBytes(16));
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(chunkBytes);
  await using file = await open(path, 'w');
  for (let offset = 0; offset < sizeBytes; offset += chunkBytes) {
    signal.throwIfAborted();
    const chunk = stream.update(zeros.subarray(0, Math.min(chunkBytes, sizeBytes - offset)));
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  return hash.digest('hex');
}

export class LocalOrigin implements OriginCount {
  readonly url: string;
  readonly #server: Server;
  #requests = 0;
  #bytesSent = 0;

  static async start(path: string): Promise<LocalOrigin> {
    await using file = await open(path);
    const { size, mtime } = await file.stat();
    const server = createServer((request, response) => {
      void origin.#answer(request, response, path, size, mtime);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const origin = new LocalOrigin(server, `http://127.0.0.1:${port}/${basename(path)}`);
    return origin;
  }

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** Requests for content so far. A HEAD, or a range of one byte to learn the length, is not counted. */
  get requests(): number {
    return this.#requests;
  }

  /** Bytes of bodies passed to the network so far. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    sizeBytes: number,
    modifiedAt: Date,
  ): Promise<void> {
    response.setHeader('accept-ranges', 'bytes');
    response.setHeader('etag', `"${sizeBytes}-${modifiedAt.getTime()}"`);
    response.setHeader('last-modified', modifiedAt.toUTCString());
    if (request.url !== new URL(this.url).pathname) return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end();
    const range = wantedRange(request.headers.range, sizeBytes);
    if (range === 'outside') {
      return void response.writeHead(416, { 'content-range': `bytes */${sizeBytes}` }).end();
    }
    const { start, length } = range ?? { start: 0, length: sizeBytes };
    if (range) response.setHeader('content-range', `bytes ${start}-${start + length - 1}/${sizeBytes}`);
    response.writeHead(range ? 206 : 200, { 'content-length': length, 'content-type': 'application/octet-stream' });
    if (request.method === 'HEAD' || length === 0) return void response.end();
    if (length > 1 || sizeBytes === 1) this.#requests += 1;
    const content = createReadStream(path, { start, end: start + length - 1, highWaterMark: chunkBytes });
    content.on('data', (chunk) => (this.#bytesSent += chunk.length));
    // A client that disconnects ends only its own response.
    await pipeline(content, response).catch(() => undefined);
  }
}

/** Undefined for the whole content: there is no range, it cannot be parsed, or it has several parts, which a server may answer in full. */
function wantedRange(header: string | undefined, sizeBytes: number): ByteRange | 'outside' | undefined {
  const specs = header === undefined ? undefined : parseRangeHeader(header);
  const [spec, ...more] = specs ?? [];
  if (!spec || more.length > 0) return undefined;
  return resolveRange(spec, sizeBytes) ?? 'outside';
}
