/** A registry in memory, that keeps uploads whose line broke, and of which a test says where it fails. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Image } from '../../proxy/support/images.ts';

/** True when the test has answered, or ended the connection, itself. */
type Script = (request: IncomingMessage, response: ServerResponse) => boolean;

interface Stored {
  readonly content: Buffer;
  readonly mediaType: string;
}

export class ScriptedRegistry {
  readonly host: string;
  /** `METHOD path?query` of all requests. */
  readonly asked: string[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By `name:tag` and `name@digest`. */
  readonly manifests = new Map<string, Stored>();
  readonly uploads = new Map<string, Buffer>();
  script: Script = () => false;
  /** What follows the path of an upload in its Location. */
  query = '';
  ranges = true;
  /** What becomes of blobs that another repository has; unknown: they are uploads like others. */
  mounts: 'done' | 'refused' | 'unknown' = 'done';
  /** Of an upload: it is there, and nobody hears of it. */
  losesLastAnswer = false;
  readonly #server: Server;
  #count = 0;

  static async start(): Promise<ScriptedRegistry> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedRegistry(server);
  }

  private constructor(server: Server) {
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.asked.push(`${request.method} ${request.url}`);
      request.on('error', () => undefined);
      if (!this.script(request, response)) void this.#answer(request, response);
    });
  }

  add(repository: string, tag: string, { manifest, config, layers }: Image): void {
    for (const { digest, content } of [config, ...layers]) this.blobs.set(digest, content);
    for (const name of [`${repository}:${tag}`, `${repository}@${manifest.digest}`]) this.manifests.set(name, manifest);
  }

  /** How many requests there were of the method whose URL has this in it. */
  count(method: string, part: string): number {
    return this.asked.filter((line) => line.startsWith(`${method} `) && line.includes(part)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const manifest = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url.pathname);
    if (manifest) return this.#manifest(`${manifest[1]}`, `${manifest[2]}`, request, response);
    const upload = /^\/v2\/(.+)\/blobs\/uploads\/(.*)$/.exec(url.pathname);
    if (upload) return this.#upload(`${upload[1]}`, `${upload[2]}`, url, request, response);
    const blob = /\/blobs\/(.+)$/.exec(url.pathname)?.[1];
    if (blob !== undefined) return this.#blob(blob, request, response);
    const list = /^\/v2\/(.+)\/tags\/list$/.exec(url.pathname)?.[1];
    if (list === undefined) return void response.writeHead(404).end();
    const tags = [...this.manifests.keys()].filter((name) => name.startsWith(`${list}:`));
    response.end(JSON.stringify({ name: list, tags: tags.map((name) => name.slice(list.length + 1)) }));
  }

  async #manifest(name: string, reference: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = reference.startsWith('sha256:') ? `${name}@${reference}` : `${name}:${reference}`;
    if (request.method === 'PUT') {
      const content = await bodyOf(request);
      const stored = { content, mediaType: String(request.headers['content-type']) };
      for (const each of [key, `${name}@${sha256(content)}`]) this.manifests.set(each, stored);
      return void response.writeHead(201).end();
    }
    const stored = this.manifests.get(key);
    if (!stored) return void response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': stored.mediaType,
      'docker-content-digest': sha256(stored.content),
      'content-length': stored.content.length,
    });
    response.end(request.method === 'HEAD' ? undefined : stored.content);
  }

  #blob(digest: string, request: IncomingMessage, response: ServerResponse): void {
    const content = this.blobs.get(digest);
    if (!content) return void response.writeHead(404).end();
    const first = this.ranges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const part = content.subarray(first);
    response.writeHead(first > 0 ? 206 : 200, {
      'content-length': part.length,
      ...(first > 0 && { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : part);
  }

  async #upload(name: string, id: string, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = (of: string): string => `/v2/${name}/blobs/uploads/${of}${this.query}`;
    const mount = url.searchParams.get('mount');
    if (request.method === 'POST' && mount !== null && this.mounts !== 'unknown') {
      if (this.mounts === 'refused') return void response.writeHead(403).end();
      return void response.writeHead(201, { location: `/v2/${name}/blobs/${mount}` }).end();
    }
    if (request.method === 'POST') {
      const made = String((this.#count += 1));
      this.uploads.set(made, Buffer.alloc(0));
      return void response.writeHead(202, { location: place(made) }).end();
    }
    const there = this.uploads.get(id);
    if (!there) return void response.writeHead(404).end();
    if (request.method === 'DELETE') {
      this.uploads.delete(id);
      return void response.writeHead(204).end();
    }
    if (request.method === 'GET') {
      const range = `0-${Math.max(0, there.length - 1)}`;
      return void response.writeHead(204, { location: place(id), range }).end();
    }
    if (request.method === 'PATCH') {
      let isWhole = false;
      request.on('end', () => (isWhole = true));
      request.on('data', (part: Buffer) => {
        const now = this.uploads.get(id);
        if (now) this.uploads.set(id, Buffer.concat([now, part]));
      });
      await new Promise((resolve) => request.once('close', resolve));
      if (isWhole) response.writeHead(202, { location: place(id) }).end();
      return;
    }
    const digest = url.searchParams.get('digest') ?? '';
    if (sha256(there) !== digest) return void response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID"}]}');
    this.blobs.set(digest, there);
    this.uploads.delete(id);
    if (this.losesLastAnswer) return void request.socket.destroy();
    response.writeHead(201, { location: `/v2/${name}/blobs/${digest}` }).end();
  }
}

function sha256(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
