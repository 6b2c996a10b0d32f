/**
 * Writes blobs down while they are pushed to a registry (distribution specification, "Pushing blobs"): an upload begins
 * with POST, continues with PATCH at the location that the last answer named, and ends with PUT and the digest. Once
 * the registry has accepted the blob and the bytes match its digest, it is kept. Manifests are kept by their digest,
 * too, so that nodes have them while a registry is unreachable.
 *
 * Nothing here delays or changes a push: bodies that do not fit or come in an unusual order are not kept.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { LRUCache } from 'lru-cache';
import { toDragonflyError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/process/logger.ts';
import type { PushedContent } from '../../imports/pushed-content.ts';
import type { DownloadRequest } from '../../task/open-task.ts';
import type { ClientCall } from '../client-call.ts';
import { proxyLimits } from '../limits.ts';
import { requestFraming } from '../wire/request-framing.ts';
import { isDigest } from './registry-path.ts';
import { namedInRegistry, uploadedBelow } from '../../../core/oci/registry-path.ts';

export interface PushesOptions {
  readonly content: PushedContent;
  /** The request by which a GET will ask for the blob; undefined when it would not go through the peers. */
  readonly requestFor: (
    call: ClientCall,
    blob: URL,
  ) => { readonly taskId: string; readonly request: DownloadRequest } | undefined;
  /** The request by which a GET will ask for a manifest. */
  readonly manifestRequestFor: (call: ClientCall) => { readonly taskId: string; readonly request: DownloadRequest };
  readonly logger: Logger;
}

/** One upload; its file stays open until the registry has accepted it or it is abandoned. */
interface Upload {
  readonly path: string;
  readonly file: WriteStream;
  bytes: number;
  /** A request is under way, or one has failed, so it is unknown how much the registry has. */
  open: boolean;
}

export class Pushes {
  readonly #options: PushesOptions;
  /** Keyed by the location at which they continue. */
  readonly #uploads = new LRUCache<string, Upload>({
    max: proxyLimits.pushes,
    ttl: proxyLimits.pushIdleMs,
    ttlAutopurge: true,
    dispose: (upload, _key, reason) => {
      if (reason !== 'delete') this.#drop(upload);
    },
  });
  /** Bytes on the disk and on their way there. */
  #bytes = 0;
  #backlogBytes = 0;
  #count = 0;

  constructor(options: PushesOptions) {
    this.#options = options;
  }

  /** Called before the request is forwarded. Returns a function that must see its answer; undefined when it belongs to no upload. */
  watch(call: ClientCall): ((answer: IncomingMessage) => void) | undefined {
    const { request, url } = call;
    const { method } = request;
    const named = namedInRegistry(url.pathname);
    if (named?.kind === 'manifests' && method === 'PUT') return this.#watchManifest(call, named);
    const below = uploadedBelow(url.pathname);
    if (below !== undefined && method === 'DELETE') this.#forget(keyOf(url));
    if (below === undefined || (method !== 'PATCH' && method !== 'PUT' && method !== 'POST')) return undefined;
    const digest = url.searchParams.get('digest') ?? undefined;
    if (method === 'POST' && digest === undefined) return undefined;
    if (digest !== undefined && !(isDigest(digest) && digest.startsWith('sha256:'))) return undefined;
    const key = keyOf(url);
    const upload = this.#continued(key, call);
    if (!upload) return undefined;
    upload.open = true;
    const body = requestFraming(request) === 'none' ? { complete: true } : this.#writeDown(upload, request);
    let answered = false;
    call.response.once('close', () => {
      if (!answered) this.#drop(upload);
    });
    return ({ statusCode = 502, headers }) => {
      answered = true;
      const isGood = statusCode === (digest === undefined ? 202 : 201);
      if (!isGood || !body.complete || upload.file.destroyed) return this.#drop(upload);
      if (digest !== undefined)
        return void this.#keep(upload, { call, blob: new URL(`${below}${digest}`, url), digest });
      upload.open = false;
      this.#uploads.set(nextKey(headers.location, url) ?? key, upload);
    };
  }

  [Symbol.dispose](): void {
    for (const upload of this.#uploads.values()) this.#drop(upload);
    this.#uploads.clear();
  }

  /** The client gives it up. */
  #forget(key: string): void {
    const known = this.#uploads.get(key);
    this.#uploads.delete(key);
    if (known) this.#drop(known);
  }

  #watchManifest(
    call: ClientCall,
    { base, reference }: { readonly base: string; readonly reference: string },
  ): ((answer: IncomingMessage) => void) | undefined {
    const { request, url } = call;
    if (this.#backlogBytes >= proxyLimits.pushBacklogBytes || requestFraming(request) === 'none') return undefined;
    const blocks: Buffer[] = [];
    let length = 0;
    request.pause(); // it flows once the registry reads it
    request.on('data', (block: Buffer) => {
      length += block.length;
      if (length <= proxyLimits.manifestBytes) blocks.push(block);
    });
    return ({ statusCode, headers }) => {
      if (statusCode !== 201 || length > proxyLimits.manifestBytes) return;
      const body = Buffer.concat(blocks);
      const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
      const names = [headers['docker-content-digest'], isDigest(reference) ? reference : undefined];
      if (names.some((name) => name !== undefined && name !== digest)) return;
      void this.#keepManifest({ ...call, url: new URL(`${base}${digest}`, url) }, { body, digest });
    };
  }

  async #keepManifest(
    call: ClientCall,
    { body, digest }: { readonly body: Buffer; readonly digest: string },
  ): Promise<void> {
    const { content, manifestRequestFor, logger } = this.#options;
    this.#count += 1;
    const path = join(content.directory, `push-${process.pid}-${this.#count}`);
    this.#backlogBytes += body.length;
    try {
      const type = call.request.headers['content-type'];
      const responseHeader = { ...(type !== undefined && { 'content-type': type }) };
      await writeFile(path, body, { flag: 'wx', mode: 0o600 });
      const name = { kind: 'digest', digest } as const;
      const lengthBytes = body.length;
      await content.keep({ ...manifestRequestFor(call), path, lengthBytes, name, responseHeader });
    } catch (error) {
      const { message } = toDragonflyError(error);
      logger.debug({ url: call.url.pathname, error: message }, 'what was pushed is not kept');
    } finally {
      this.#backlogBytes -= body.length;
      void rm(path, { force: true }).catch(() => undefined);
    }
  }

  /** The upload that the request continues, or a new one. It has no location until the answer has come. */
  #continued(key: string, { request }: ClientCall): Upload | undefined {
    const known = this.#uploads.get(key);
    this.#uploads.delete(key);
    const start = Number(/^(\d{1,15})-/.exec(request.headers['content-range'] ?? '')?.[1] ?? known?.bytes ?? 0);
    if (known && !known.open && start === known.bytes) return known;
    if (known) this.#drop(known);
    if (start !== 0 || this.#bytes >= proxyLimits.pushBytes) return undefined;
    this.#count += 1;
    const path = join(this.#options.content.directory, `push-${process.pid}-${this.#count}`);
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    file.on('error', () => undefined); // the stream is then destroyed, and the upload not kept
    return { path, file, bytes: 0, open: false };
  }

  /** Writes to the file while the origin gets the same blocks at its own pace. */
  #writeDown(upload: Upload, request: IncomingMessage): { complete: boolean } {
    const body = { complete: false };
    request.pause(); // it flows once the origin reads it
    request.on('data', (block: Buffer) => this.#writeBlock(upload, block));
    request.once('end', () => {
      body.complete = true;
    });
    return body;
  }

  #writeBlock(upload: Upload, block: Buffer): void {
    const { file } = upload;
    if (file.destroyed) return;
    const { pushStepBytes: step } = proxyLimits;
    const isStep =
      upload.bytes === 0 || Math.floor(upload.bytes / step) !== Math.floor((upload.bytes + block.length) / step);
    if (isStep) this.#options.content.requireRoom(step).catch((error: Error) => file.destroy(error));
    upload.bytes += block.length;
    this.#bytes += block.length;
    const tooMuch = this.#bytes > proxyLimits.pushBytes || this.#backlogBytes > proxyLimits.pushBacklogBytes;
    if (tooMuch) return void file.destroy(new Error('more than is kept'));
    this.#backlogBytes += block.length;
    file.write(block, () => {
      this.#backlogBytes -= block.length;
    });
  }

  async #keep(
    upload: Upload,
    { call, blob, digest }: { readonly call: ClientCall; readonly blob: URL; readonly digest: string },
  ): Promise<void> {
    const { content, requestFor, logger } = this.#options;
    try {
      upload.file.end();
      await finished(upload.file);
      const wanted = upload.bytes > 0 ? requestFor(call, blob) : undefined;
      if (wanted)
        await content.keep({
          ...wanted,
          path: upload.path,
          lengthBytes: upload.bytes,
          name: { kind: 'digest', digest },
        });
    } catch (error) {
      logger.debug({ url: blob.pathname, error: toDragonflyError(error).message }, 'what was pushed is not kept');
    } finally {
      this.#drop(upload);
    }
  }

  #drop(upload: Upload): void {
    this.#bytes -= upload.bytes;
    upload.bytes = 0;
    upload.file.destroy();
    void rm(upload.path, { force: true }).catch(() => undefined);
  }
}

function keyOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** The location at which the registry says that the upload continues. */
function nextKey(location: string | undefined, url: URL): string | undefined {
  if (location === undefined || !URL.canParse(location, url.href)) return undefined;
  return keyOf(new URL(location, url));
}
