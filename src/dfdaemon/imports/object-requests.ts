/** The requests to an object store for writing one object. */
import { createReadStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import { isTagOf, type FoundObject, type UploadPart } from '../../swarm/replicas/object-upload.ts';
import type { ObjectKeys } from '../cluster/object-news.ts';
import { s3BucketConfig } from '../proxy/doors/s3/s3-config.ts';
import { S3Store, type StoreRequest } from '../proxy/doors/s3/s3-store.ts';
import { RequestBody } from '../proxy/wire/request-body.ts';
import type { Upstream } from '../proxy/wire/upstream.ts';
import { keyOf, xmlRoot, type StorageOptions } from '../source/object-store.ts';
import type { SourceOptions } from '../source/source.ts';
import { importLimits } from './limits.ts';

/** The store's answer when it knows no such upload, or when the name is already taken. */
type Refused = 'unknown' | 'taken';

/** The store's entity tag for what it has received. */
type Written = { readonly etag: string } | Refused;

export interface ObjectPlace {
  readonly url: string;
  readonly storage: NonNullable<SourceOptions['objectStorage']>;
}

interface Body {
  readonly source: Readable;
  readonly lengthBytes: number;
  /** Lower-case hex; undefined when the store need not compare. */
  readonly md5: string | undefined;
}

export class ObjectRequests {
  readonly #store: S3Store;
  readonly #key: string;
  readonly #name: string;

  /** Throws INVALID_ARGUMENT, or UNSUPPORTED for a store that can only be read. */
  constructor({ url, storage }: ObjectPlace, upstream: Upstream) {
    const { scheme, name, key } = keyOf({ url, header: {}, signal: AbortSignal.abort() });
    if (key === '' || key.endsWith('/'))
      throw new DragonflyError('INVALID_ARGUMENT', `${redact(url)} names no object`, {
        hint: `Write ${scheme}://bucket/key.`,
      });
    const options = storage as StorageOptions;
    const config = s3BucketConfig.safeParse({
      name,
      scheme,
      ...pick(options, {
        region: 'region',
        endpoint: 'endpoint',
        accessKeyID: 'accessKeyId',
        secretKey: 'accessKeySecret',
      }),
      sessionToken: options['sessionToken'] || options['securityToken'] || undefined,
    });
    if (!config.success)
      throw new DragonflyError('UNSUPPORTED', `${redact(url)} cannot be written: ${config.error.issues[0]?.message}`, {
        hint: 'Stores that speak S3 are written to: s3, gs, oss, obs, cos, tos, ks3.',
      });
    const trust = { insecureSkipVerify: storage['insecureSkipVerify'] === true };
    this.#store = new S3Store(config.data, { upstream, own: () => Promise.resolve(undefined), trust });
    this.#key = key;
    this.#name = redact(url);
  }

  /** By which doors with the same key to the store are told that it has changed. */
  get newsKeys(): ObjectKeys {
    return this.#store.keysOf(this.#key);
  }

  /** Whoever else writes the name at this moment is not written over, where the dialect has words for it. */
  get #onlyNew(): Readonly<Record<string, string>> {
    return this.#store.config.scheme === 's3' ? { 'if-none-match': '*' } : {};
  }

  async look(signal: AbortSignal): Promise<FoundObject | undefined> {
    const message = await this.#send({ method: 'HEAD', signal });
    message.resume();
    if (message.statusCode === 404) return undefined;
    if (message.statusCode !== 200) throw await this.#refusal(message);
    return { lengthBytes: Number(message.headers['content-length'] ?? 0), etag: tagOf(message.headers.etag) };
  }

  async write(path: string, part: UploadPart, { md5, signal }: Sending): Promise<Written> {
    const request = { method: 'PUT', header: this.#onlyNew, signal };
    return this.#sendAll(request, bodyOf(path, part, md5), (message) => this.#tagOf(message));
  }

  async open(signal: AbortSignal): Promise<string> {
    const message = await this.#send({ method: 'POST', query: new Map([['uploads', '']]), signal });
    const { UploadId } = (await this.#xml(message, 'InitiateMultipartUploadResult')) as { UploadId?: string };
    if (UploadId === undefined || UploadId === '') throw this.#malformed();
    return UploadId;
  }

  /** The tags of the parts that the store has, by number. */
  async list(uploadId: string, signal: AbortSignal): Promise<ReadonlyMap<number, string> | Refused> {
    const parts = new Map<number, string>();
    for (let marker: string | undefined = '0'; marker !== undefined;) {
      const query = new Map([
        ['part-number-marker', marker],
        ['uploadId', uploadId],
      ]);
      const message = await this.#send({ method: 'GET', query, signal });
      if (message.statusCode === 404) return this.#unless(message, 'NoSuchUpload', 'unknown');
      const page = (await this.#xml(message, 'ListPartsResult')) as PartsPage;
      for (const { PartNumber, ETag } of [page.Part ?? []].flat()) parts.set(Number(PartNumber), tagOf(ETag));
      const next: string | undefined = page.IsTruncated === 'true' ? page.NextPartNumberMarker : undefined;
      if (next !== undefined && !(Number(next) > Number(marker))) throw this.#malformed();
      marker = next;
    }
    return parts;
  }

  /** Rejects with DIGEST_MISMATCH when the store has received something else. */
  async put(
    path: string,
    part: UploadPart,
    { uploadId, md5, signal }: Sending & { uploadId: string },
  ): Promise<Written> {
    const query = new Map([
      ['partNumber', String(part.number)],
      ['uploadId', uploadId],
    ]);
    return this.#sendAll({ method: 'PUT', query, signal }, bodyOf(path, part, md5), async (message) => {
      const encrypted = isEncrypted(message);
      const answer = await this.#tagOf(message);
      if (typeof answer === 'string' || isTagOf(md5, answer.etag) || encrypted) return answer;
      throw new DragonflyError(
        'DIGEST_MISMATCH',
        `${this.#name}: the store calls part ${part.number} ${answer.etag}, not ${md5}`,
      );
    });
  }

  async complete(
    uploadId: string,
    parts: readonly { readonly number: number; readonly etag: string }[],
    signal: AbortSignal,
  ): Promise<Written> {
    const list = parts.map(
      ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>"${etag}"</ETag></Part>`,
    );
    const text = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
    const body = { source: Readable.from([text]), lengthBytes: text.length, md5: undefined };
    const request = { method: 'POST', query: new Map([['uploadId', uploadId]]), header: this.#onlyNew, signal };
    return this.#sendAll(request, body, async (message) => {
      if (message.statusCode !== 200) return this.#tagOf(message);
      // A store that takes long begins its answer before it knows the result.
      const answer = await textOf(message);
      if (/<Error[\s>]/.test(answer)) return refusalOf(errorCode(answer)) ?? this.#failed(500, errorCode(answer));
      const { ETag } = xmlRoot(answer, 'CompleteMultipartUploadResult') as { ETag?: string };
      return { etag: tagOf(ETag) };
    });
  }

  async abort(uploadId: string, signal: AbortSignal): Promise<void> {
    (await this.#send({ method: 'DELETE', query: new Map([['uploadId', uploadId]]), signal })).resume();
  }

  /** No error when there is no such object. */
  async remove(signal: AbortSignal): Promise<void> {
    const message = await this.#send({ method: 'DELETE', signal });
    if (message.statusCode !== 204 && message.statusCode !== 200 && message.statusCode !== 404)
      throw await this.#refusal(message);
    message.resume();
  }

  /** The body's file is closed however the request ends; a failed read of it is the error. */
  async #sendAll(
    request: Omit<StoreRequest, 'key' | 'body'>,
    body: Body,
    read: (message: IncomingMessage) => Promise<Written>,
  ): Promise<Written> {
    const { source } = body;
    let broken: Error | undefined;
    source.on('error', (error) => (broken = error));
    try {
      return await read(await this.#send(request, body));
    } catch (error) {
      throw broken ? toDragonflyError(broken) : error;
    } finally {
      source.destroy();
    }
  }

  #send(request: Omit<StoreRequest, 'key' | 'body'>, body?: Body): Promise<IncomingMessage> {
    const { header } = request;
    if (!body) return this.#store.send({ ...request, key: this.#key });
    const { source, lengthBytes, md5 } = body;
    return this.#store.send({
      ...request,
      key: this.#key,
      header: {
        ...header,
        'content-length': String(lengthBytes),
        ...(md5 !== undefined && { 'content-md5': Buffer.from(md5, 'hex').toString('base64') }),
      },
      body: {
        body: new RequestBody(source, undefined),
        payloadHash: 'UNSIGNED-PAYLOAD',
        onInformation: () => undefined,
      },
    });
  }

  /** From an answer whose body does not matter. */
  async #tagOf(message: IncomingMessage): Promise<Written> {
    if (message.statusCode !== 200) {
      const code = errorCode(await textOf(message));
      return refusalOf(code) ?? this.#failed(message.statusCode ?? 0, code);
    }
    message.resume();
    return { etag: tagOf(message.headers.etag) };
  }

  async #unless(message: IncomingMessage, expected: string, refused: Refused): Promise<Refused> {
    const code = errorCode(await textOf(message));
    return code === expected ? refused : this.#failed(message.statusCode ?? 0, code);
  }

  async #xml(message: IncomingMessage, root: string): Promise<unknown> {
    if (message.statusCode !== 200) throw await this.#refusal(message);
    return xmlRoot(await textOf(message), root);
  }

  async #refusal(message: IncomingMessage): Promise<DragonflyError> {
    return this.#error(message.statusCode ?? 0, errorCode(await textOf(message)));
  }

  #failed(statusCode: number, code: string): never {
    throw this.#error(statusCode, code);
  }

  #error(statusCode: number, code: string): DragonflyError {
    return new DragonflyError(
      'SOURCE_STATUS',
      `the store answered ${statusCode} ${code} for ${this.#name}`.replace('  ', ' '),
      {
        details: { statusCode },
        hint: 'Check bucket, region, endpoint and what the key may do.',
      },
    );
  }

  #malformed(): DragonflyError {
    return new DragonflyError('PROTOCOL', `the store's answer about ${this.#name} is malformed`);
  }
}

interface Sending {
  /** Of what is sent. */
  readonly md5: string;
  readonly signal: AbortSignal;
}

interface PartsPage {
  readonly Part?: PartEntry | readonly PartEntry[];
  readonly IsTruncated?: string;
  readonly NextPartNumberMarker?: string;
}

interface PartEntry {
  readonly PartNumber?: string;
  readonly ETag?: string;
}

function bodyOf(path: string, { offset, lengthBytes }: UploadPart, md5: string): Body {
  const source =
    lengthBytes === 0
      ? Readable.from([])
      : createReadStream(path, {
          start: offset,
          end: offset + lengthBytes - 1,
          highWaterMark: importLimits.readBlockBytes,
        });
  return { source, lengthBytes, md5 };
}

function refusalOf(code: string): Refused | undefined {
  if (code === 'NoSuchUpload') return 'unknown';
  return code === 'PreconditionFailed' || code === 'ConditionalRequestConflict' ? 'taken' : undefined;
}

/** Such a store computes its entity tags in its own way. */
function isEncrypted({ headers }: IncomingMessage): boolean {
  const { 'x-amz-server-side-encryption': by = 'AES256' } = headers;
  return by !== 'AES256' || headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined;
}

function tagOf(header: string | undefined): string {
  return (header ?? '').replace(/^W\//, '').replaceAll(/^(?:"|&quot;)|(?:"|&quot;)$/g, '');
}

function errorCode(xml: string): string {
  return /<Code>([\w.]{1,100})<\/Code>/.exec(xml)?.[1] ?? '';
}

async function textOf(message: IncomingMessage): Promise<string> {
  const blocks: Buffer[] = [];
  let bytes = 0;
  for await (const block of message) {
    bytes += (block as Buffer).length;
    if (bytes > importLimits.storeAnswerBytes)
      throw new DragonflyError('PROTOCOL', 'the answer of the store is too long');
    blocks.push(block as Buffer);
  }
  return Buffer.concat(blocks).toString('utf8');
}

/** The given settings, under other names. */
function pick(options: StorageOptions, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([to, from]) => (options[from] ? [[to, options[from]]] : [])),
  );
}
