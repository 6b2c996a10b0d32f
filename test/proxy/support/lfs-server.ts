/** A Git LFS server as the large hosts run it: the batch API at one address, signed URLs to a store at another, both with TLS. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { issueCertificates } from '../../source/certificates.ts';

interface Sent {
  readonly oid: string;
  readonly range: string | undefined;
  readonly bytes: number;
}

export class LfsServer implements AsyncDisposable {
  /** Authority of both certificates. */
  readonly ca: string;
  readonly #batch: Server;
  readonly #store: Server;
  readonly #address: string;
  readonly #key = randomBytes(16);
  readonly #objects = new Map<string, Buffer>();
  /** GETs that the store answered, and the lengths of their bodies. */
  readonly sent: Sent[] = [];
  batches = 0;

  private constructor(address: string, { ca, key, cert }: { ca: string; key: string; cert: string }) {
    this.#address = address;
    this.ca = ca;
    const listen = (listener: RequestListener) => createServer({ key, cert }, listener).listen(0, address);
    this.#batch = listen((request, response) => void this.#answerBatch(request, response));
    this.#store = listen((request, response) => this.#answerStore(request, response));
  }

  static async start(address: string): Promise<LfsServer> {
    const server = new LfsServer(address, await issueCertificates([{ type: 'ip', value: address }]));
    await Promise.all([server.#batch, server.#store].map(async (each) => each.listening || once(each, 'listening')));
    return server;
  }

  get host(): string {
    return `${this.#address}:${(this.#batch.address() as AddressInfo).port}`;
  }

  get storeHost(): string {
    return `${this.#address}:${(this.#store.address() as AddressInfo).port}`;
  }

  /** Its id. */
  add(content: Buffer): string {
    const oid = createHash('sha256').update(content).digest('hex');
    this.#objects.set(oid, content);
    return oid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#batch, this.#store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async #answerBatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const blocks: Buffer[] = [];
    for await (const block of request) blocks.push(block as Buffer);
    if (request.method !== 'POST' || request.url !== '/objects/batch') return void response.writeHead(404).end();
    this.batches += 1;
    const { objects } = JSON.parse(Buffer.concat(blocks).toString()) as { objects: { oid: string; size: number }[] };
    const answered = objects.map(({ oid, size }) => {
      return { oid, size, authenticated: true, actions: { download: { href: this.#sign(oid), expires_in: 600 } } };
    });
    response.writeHead(200, { 'content-type': 'application/vnd.git-lfs+json' });
    response.end(JSON.stringify({ transfer: 'basic', objects: answered }));
  }

  /** No two are alike. */
  #sign(oid: string): string {
    const date = randomBytes(8).toString('hex');
    const signature = this.#signature(oid, date);
    return `https://${this.storeHost}/media/${oid}?X-Amz-Date=${date}&X-Amz-Expires=600&X-Amz-Signature=${signature}`;
  }

  #signature(oid: string, date: string): string {
    return createHmac('sha256', this.#key).update(`${oid} ${date}`).digest('hex');
  }

  #answerStore(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', `https://${this.storeHost}`);
    const oid = pathname.slice('/media/'.length);
    const content = this.#objects.get(oid);
    const signature = searchParams.get('X-Amz-Signature') ?? '';
    if (!content || signature !== this.#signature(oid, searchParams.get('X-Amz-Date') ?? ''))
      return void response.writeHead(403).end();
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(content.length, range?.[2] ? Number(range[2]) + 1 : content.length);
    response.writeHead(range ? 206 : 200, {
      'content-length': end - start,
      'content-type': 'application/octet-stream',
      etag: `"${oid}"`,
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${content.length}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    this.sent.push({ oid, range: request.headers.range, bytes: end - start });
    response.end(content.subarray(start, end));
  }
}
