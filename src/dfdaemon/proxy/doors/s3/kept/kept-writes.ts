/**
 * Keeps what clients write through this node, under the identity that readers will ask for: the object's key with the
 * entity tag that the store returned. The tag proves that the store has taken the bytes that are here; without such
 * proof nothing is kept. Keeping never changes a write.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LRUCache } from 'lru-cache';
import { toDragonflyError } from '../../../../../core/errors.ts';
import type { Logger } from '../../../../../core/process/logger.ts';
import type { PushedContent } from '../../../../imports/pushed-content.ts';
import type { DownloadRequest } from '../../../../task/open-task.ts';
import { proxyLimits } from '../../../limits.ts';
import { digestOf, tagsAreMd5 } from '../s3-digest.ts';
import type { S3Call } from '../s3-call.ts';
import type { S3Object } from '../s3-objects.ts';
import type { S3Store } from '../s3-store.ts';
import { WrittenBody } from './written-body.ts';
import { between } from '../../../../../core/text/linear-text.ts';

export interface KeptWritesOptions {
  readonly content: PushedContent;
  readonly taskIdOf: (request: DownloadRequest) => string;
  readonly logger: Logger;
}

/** A file that holds a part of an object, or all of it. */
interface Written {
  readonly path: string;
  /** 0 once the bytes are counted elsewhere or the file is gone. */
  bytes: number;
  /** Without quotes. */
  tag: string;
}

/** A part named in the body of a request that completes an upload. */
export interface ListedPart {
  readonly number: number;
  readonly tag: string;
}

export class KeptWrites implements Disposable {
  readonly #options: KeptWritesOptions;
  /** By upload: its parts by number. */
  readonly #uploads = new LRUCache<string, Map<number, Written>>({
    max: proxyLimits.pushes,
    ttl: proxyLimits.pushIdleMs,
    updateAgeOnGet: true,
    ttlAutopurge: true,
    dispose: (parts) => this.#drop(...parts.values()),
  });
  /** Bytes on the disk and on their way there. */
  #bytes = 0;
  #count = 0;

  constructor(options: KeptWritesOptions) {
    this.#options = options;
  }

  [Symbol.dispose](): void {
    this.#uploads.clear();
  }

  /** The body of a new object or part, to be sent in place of the request's own. Undefined when it is not kept. */
  write({ request, store }: S3Call, decoder: Transform | undefined): WrittenBody | undefined {
    const hasOwnKey = Object.keys(request.headers).some((name) =>
      name.startsWith('x-amz-server-side-encryption-customer-'),
    );
    if (hasOwnKey || !isKept(store) || this.#bytes >= proxyLimits.pushBytes) return undefined;
    this.#count += 1;
    const path = join(this.#options.content.directory, `write-${process.pid}-${this.#count}`);
    const written: WrittenBody = new WrittenBody({
      request,
      decoder,
      path,
      mayGrow: (bytes) => this.#mayGrow(written, bytes),
    });
    written.once('close', () => void (written.readableEnded || this.#leave(written))); // the client has gone
    return written;
  }

  /** The store has rejected the body. */
  refused(written: WrittenBody): void {
    this.#leave(written);
  }

  /** The store has taken a whole object. Never rejects. @param etag as the store returned it */
  async object(call: S3Call, written: WrittenBody, etag: string | undefined): Promise<void> {
    const file = await this.#finished(written, etag);
    if (file) await this.#keep(call, file, [file.bytes]);
  }

  /** The store has taken a file, which may be removed afterwards. Never rejects. */
  async file(call: S3Call, file: Omit<Written, 'tag'>, etag: string | undefined): Promise<void> {
    const tag = plainTag(etag);
    if (!isKept(call.store) || file.bytes === 0 || tag === undefined) return;
    this.#bytes += file.bytes;
    await this.#keep(call, { ...file, tag }, [file.bytes]);
  }

  /** The store has taken a part. Never rejects. */
  async part(call: S3Call, written: WrittenBody, etag: string | undefined): Promise<void> {
    const file = await this.#finished(written, etag);
    if (!file) return;
    const name = uploadName(call);
    const parts = this.#uploads.get(name) ?? new Map<number, Written>();
    const number = Number(call.target.query.get('partNumber'));
    const before = parts.get(number);
    if (before) this.#drop(before);
    parts.set(number, file);
    this.#uploads.set(name, parts, { noDisposeOnSet: true });
  }

  /** The store has assembled an object from the listed parts. Never rejects. */
  async completed(call: S3Call, listed: readonly ListedPart[], tag: string | undefined): Promise<void> {
    const name = uploadName(call);
    const parts = this.#uploads.get(name);
    if (!parts || listed.length === 0 || tag === undefined) return void this.#uploads.delete(name);
    const files = listed.flatMap((part) => {
      const file = parts.get(part.number);
      return file?.tag === part.tag ? [file] : [];
    });
    try {
      const [first, ...rest] = files;
      if (!first || files.length !== listed.length) return;
      const lengths = files.map(({ bytes }) => bytes);
      for (const part of rest) await append(first, part);
      first.tag = tag;
      await this.#keep(call, first, lengths);
    } catch (error) {
      this.#notKept(call, error);
    } finally {
      this.#uploads.delete(name);
    }
  }

  /** Lengths of the listed parts, if all of them came through this node; otherwise none. */
  partLengths(call: S3Call, listed: readonly ListedPart[]): number[] {
    const parts = this.#uploads.get(uploadName(call));
    const lengths = listed.flatMap(({ number }) => parts?.get(number)?.bytes ?? []);
    return lengths.length === listed.length ? lengths : [];
  }

  /** An upload is given up. */
  aborted(call: S3Call): void {
    this.#uploads.delete(uploadName(call));
  }

  /** The store has copied an object that may be held here. Never rejects. */
  async copied(
    call: S3Call,
    source: { readonly store: S3Store; readonly key: string; readonly versionId: string | undefined },
    { object, tag }: { readonly object: S3Object; readonly tag: string },
  ): Promise<void> {
    if (!isKept(call.store)) return;
    try {
      const version = { ...source, ...object };
      const taskId = this.#options.taskIdOf(await source.store.downloadOf(version, call.downloader));
      const copy = await this.#options.content.copyOf(taskId);
      if (!copy) return;
      this.#bytes += copy.bytes;
      await this.#keep(call, { ...copy, tag }, [copy.bytes]);
    } catch (error) {
      this.#notKept(call, error);
    }
  }

  async #finished(written: WrittenBody, etag: string | undefined): Promise<Written | undefined> {
    const tag = plainTag(etag);
    try {
      await written.written();
      const { path, bytes } = written;
      if (tag !== undefined && bytes > 0) {
        written.bytes = 0;
        return { path, bytes, tag };
      }
    } catch {
      // it is not kept
    }
    this.#leave(written);
    return undefined;
  }

  async #keep(call: S3Call, written: Written, parts: readonly number[]): Promise<void> {
    const { store, target, downloader } = call;
    const { path, bytes, tag } = written;
    const { content, taskIdOf } = this.#options;
    try {
      const etag = `"${tag}"`;
      const digest = digestOf(store, { header: { etag }, lengthBytes: bytes }, partLengthOf(parts));
      const version = { key: target.key, versionId: undefined, validator: etag, lengthBytes: bytes, digest };
      const request = await store.downloadOf(version, downloader);
      const name = { kind: 'tag', tag, parts } as const;
      await content.keep({ taskId: taskIdOf(request), path, lengthBytes: bytes, name, request });
    } catch (error) {
      this.#notKept(call, error);
    } finally {
      this.#drop(written);
    }
  }

  #notKept({ target }: S3Call, error: unknown): void {
    const { message } = toDragonflyError(error);
    this.#options.logger.debug({ bucket: target.bucket, key: target.key, error: message }, 'a write is not kept');
  }

  #mayGrow(written: WrittenBody, bytes: number): boolean {
    const { pushStepBytes: step } = proxyLimits;
    const before = written.bytes - bytes;
    if (before === 0 || Math.floor(before / step) !== Math.floor(written.bytes / step))
      this.#options.content.requireRoom(Math.max(step, bytes)).catch(() => this.#leave(written));
    this.#bytes += bytes;
    return this.#bytes <= proxyLimits.pushBytes;
  }

  #leave(written: WrittenBody): void {
    written.leave();
    this.#bytes -= written.bytes;
    written.bytes = 0;
  }

  #drop(...files: readonly Written[]): void {
    for (const file of files) {
      this.#bytes -= file.bytes;
      file.bytes = 0;
      void rm(file.path, { force: true }).catch(() => undefined);
    }
  }
}

const copyBytes = 2 ** 20;

async function append(to: Written, part: Written): Promise<void> {
  const from = createReadStream(part.path, { highWaterMark: copyBytes });
  await pipeline(from, createWriteStream(to.path, { flags: 'r+', start: to.bytes }));
  to.bytes += part.bytes;
  part.bytes = 0;
  await rm(part.path, { force: true });
}

/** When the identity does not depend on the key, the content could not be given to anybody else. */
function isKept(store: S3Store): boolean {
  return store.config.keepWrites && store.provesKey && tagsAreMd5(store);
}

function uploadName({ store, target }: S3Call): string {
  return `${store.config.name}\n${target.query.get('uploadId')}\n${target.key}`;
}

/** Undefined when the tag does not prove what was taken. */
export function plainTag(etag: string | undefined): string | undefined {
  return /^"?([0-9a-f]{32}(?:-[1-9]\d{0,4})?)"?$/.exec(etag ?? '')?.[1];
}

/** 0 unless all parts but the last, which may be shorter, have the same length. */
export function partLengthOf(parts: readonly number[]): number {
  const [first = 0, ...others] = parts;
  const isEven = others.every((length, index) => length === first || (index === others.length - 1 && length < first));
  return isEven ? first : 0;
}

/** The parts listed in the body of a request that completes an upload; none when the body cannot be parsed. */
export function listedParts(xml: string): ListedPart[] {
  return [...between(xml, ['<Part>', '</Part>'])].flatMap((part) => {
    const number = Number(/<PartNumber>\s*(\d{1,5})\s*<\/PartNumber>/.exec(part)?.[1] ?? 0);
    const tag = answeredTag(part);
    return number > 0 && tag !== undefined ? [{ number, tag }] : [];
  });
}

/** The entity tag in an answer of the store. */
export function answeredTag(xml: string): string | undefined {
  return plainTag(unescaped(/<ETag>([^<]*)<\/ETag>/.exec(xml)?.[1]?.trim()));
}

function unescaped(text: string | undefined): string | undefined {
  return text?.replace(/&quot;|&#34;|&#x22;/gi, '"');
}
