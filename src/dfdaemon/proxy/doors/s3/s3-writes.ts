/**
 * Writes: passed on to the store with this node's key, for buckets that allow them. Before the client hears that a
 * write has succeeded, no node relies on the previous object any more, and the written content is kept here (kept/).
 * The store verifies the body against the hash that the client has signed; chunks that are signed one by one are
 * verified here.
 */
import type { IncomingMessage, InformationEvent } from 'node:http';
import { pipeline } from 'node:stream';
import { encodePath, encodeStrictly } from '../../../source/sigv4.ts';
import { withDeadline } from '../../../../core/process/lifecycle.ts';
import { proxyLimits } from '../../limits.ts';
import { RequestBody } from '../../wire/request-body.ts';
import { requestFraming } from '../../wire/request-framing.ts';
import { mayUse } from './s3-callers.ts';
import { headerOf, type S3Call } from './s3-call.ts';
import {
  answeredTag,
  listedParts,
  partLengthOf,
  plainTag,
  type KeptWrites,
  type ListedPart,
} from './kept/kept-writes.ts';
import type { WrittenBody } from './kept/written-body.ts';
import type { S3Objects } from './s3-objects.ts';
import { S3Refusal } from './s3-refusal.ts';
import { relayAnswer } from './s3-relay.ts';
import { SignedChunks } from './s3-signed-chunks.ts';
import type { S3Store, StoreBody } from './s3-store.ts';

/** Fields of the request's header that concern the object. */
const passedOn = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'expires',
  'if-match',
  'if-none-match',
  'transfer-encoding',
  'trailer',
  'expect',
]);
const decodedLength = 'x-amz-decoded-content-length';
const ofSignatures = new Set(['x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token', 'x-amz-copy-source']);
/** ACLs that give no rights to anybody else. */
const ownAcls = new Set(['private', 'bucket-owner-full-control', 'bucket-owner-read']);

export interface S3WritesOptions {
  readonly objects: S3Objects;
  readonly stores: ReadonlyMap<string, S3Store>;
  /** Undefined when nothing is kept. */
  readonly kept: KeptWrites | undefined;
}

/** The object to be copied, which this caller must be allowed to read. */
interface CopySource {
  readonly store: S3Store;
  readonly key: string;
  readonly versionId: string | undefined;
}

/** A write that the store has answered. */
interface AnsweredWrite {
  readonly kind: WriteKind;
  readonly source: CopySource | undefined;
  readonly written: WrittenBody | undefined;
  readonly listed: readonly ListedPart[];
  readonly taken: boolean;
  readonly message: IncomingMessage;
  readonly answer: string;
}

type WriteKind = 'object' | 'part' | 'complete' | 'abort' | 'copy' | 'part of copy' | 'begin' | 'other';

export class S3Writes {
  readonly #options: S3WritesOptions;

  constructor(options: S3WritesOptions) {
    this.#options = options;
  }

  /** For a caller that may write here. Throws S3Refusal, and the errors of Upstream.send. */
  async answer(call: S3Call): Promise<void> {
    const { request, target, store, signal, record } = call;
    if (!store.config.writable)
      throw new S3Refusal('MethodNotAllowed', 'The specified method is not allowed against this resource.');
    const kind = writeKind(request, target.query);
    const source = this.#copySource(call);
    const asked = { ...this.#header(call), ...(source && { 'x-amz-copy-source': copySourceOf(source) }) };
    const { key, query } = target;
    const { kept } = this.#options;
    const body = bodyOf(call, kind === 'object' || kind === 'part' ? kept : undefined);
    const list = kind === 'complete' ? collected(request, listBytes) : undefined;
    const header: Record<string, string> = body?.source ? withoutChunks(asked) : asked;
    if (!body) delete header['expect'];
    record.way = 'direct';
    let message: IncomingMessage;
    try {
      message = await store.send({ method: request.method ?? 'PUT', key, query, header, signal, body });
    } catch (error) {
      body?.body.drain();
      if (body?.written) kept?.refused(body.written);
      await this.#changed(call, kind); // nobody knows whether the write has succeeded
      throw body?.source?.errored ?? error;
    }
    await relayAnswer(call, message, async (answer) => {
      const listed = kind === 'complete' ? listedParts(list?.() ?? '') : [];
      const told = this.#changed(call, kind, partLengthOf(kept?.partLengths(call, listed) ?? []));
      const taken = message.statusCode === 200 && !/<Error>/.test(answer);
      const keeping = this.#keep(call, { kind, source, written: body?.written, listed, taken, message, answer });
      await Promise.all([told, withDeadline(keeping, proxyLimits.keepWriteMs)]);
    });
  }

  /** Never rejects. */
  async #keep(call: S3Call, write: AnsweredWrite): Promise<void> {
    const { objects, kept } = this.#options;
    const { kind, source, written, listed, taken, message, answer } = write;
    if (!kept) return;
    if (written && !taken) return kept.refused(written);
    if (kind === 'object' && written) return kept.object(call, written, message.headers.etag);
    if (kind === 'part' && written) return kept.part(call, written, message.headers.etag);
    if (kind === 'abort') return kept.aborted(call);
    if (!taken || (kind !== 'complete' && kind !== 'copy')) return;
    const { store, target } = call;
    const tag = answeredTag(answer) ?? plainTag(await this.#validatorOf(store, target)); // not every store tells it
    if (kind === 'complete') return kept.completed(call, listed, tag);
    const word =
      source && tag !== undefined ? await objects.ask(source.store, source).catch(() => undefined) : undefined;
    if (source && tag !== undefined && word?.kind === 'object')
      await kept.copied(call, source, { object: word.object, tag });
  }

  async #validatorOf(store: S3Store, { key }: { readonly key: string }): Promise<string | undefined> {
    const word = await this.#options.objects.ask(store, { key }).catch(() => undefined);
    return word?.kind === 'object' ? word.object.validator : undefined;
  }

  /** Never throws. */
  async #changed({ store, target }: S3Call, kind: WriteKind, partLength = 0): Promise<void> {
    if (kind === 'part' || kind === 'part of copy' || kind === 'begin' || kind === 'abort') return;
    await this.#options.objects.changed(store, target.key === '' ? undefined : target.key, partLength);
  }

  #header({ request }: S3Call): Record<string, string> {
    const header: Record<string, string> = {};
    for (const name of Object.keys(request.headers)) {
      if (!passedOn.has(name) && !(name.startsWith('x-amz-') && !ofSignatures.has(name))) continue;
      header[name] = headerOf(request, name) ?? '';
    }
    const acl = header['x-amz-acl'];
    if (header['x-amz-bypass-governance-retention'] !== undefined)
      throw new S3Refusal('NotImplemented', 'What is guarded against deletion is deleted at the store itself.');
    if ((acl !== undefined && !ownAcls.has(acl)) || Object.keys(header).some((name) => name.startsWith('x-amz-grant-')))
      throw new S3Refusal('NotImplemented', 'Rights of others to an object are given at the store itself.');
    return header;
  }

  /** Throws S3Refusal when the caller may not read it. */
  #copySource({ request, caller, store }: S3Call): CopySource | undefined {
    const source = headerOf(request, 'x-amz-copy-source');
    if (source === undefined) return undefined;
    const [path = '', version] = source.split('?versionId=', 2);
    let decoded: string;
    try {
      decoded = decodeURIComponent(path).replace(/^\//, '');
    } catch {
      throw new S3Refusal('InvalidArgument', 'The x-amz-copy-source is malformed.');
    }
    const slash = decoded.indexOf('/');
    const key = decoded.slice(slash + 1);
    // As in the URL of a request: nothing that a store on a file system could resolve to another key.
    if (/(?:^|\/)\.\.?(?:\/|$)/.test(key))
      throw new S3Refusal('InvalidArgument', 'The x-amz-copy-source is malformed.');
    const from = slash > 0 ? this.#options.stores.get(decoded.slice(0, slash)) : undefined;
    if (!from || !mayUse(caller, from.config, key)) throw new S3Refusal('AccessDenied', 'Access Denied');
    if (!from.sharesStoreWith(store))
      throw new S3Refusal('NotImplemented', 'The two buckets are at different stores, which cannot copy between them.');
    return { store: from, key, versionId: version };
  }
}

/** The source under the store's own bucket name. */
function copySourceOf({ store, key, versionId }: CopySource): string {
  const suffix = versionId === undefined ? '' : `?versionId=${encodeStrictly(versionId)}`;
  return `/${encodePath(`${store.name}/${key}`)}${suffix}`;
}

function writeKind({ method, headers }: IncomingMessage, query: ReadonlyMap<string, string>): WriteKind {
  const copies = headers['x-amz-copy-source'] !== undefined;
  if (query.has('tagging')) return 'other';
  if (method === 'PUT' && query.has('uploadId')) return copies ? 'part of copy' : 'part';
  if (method === 'PUT') return copies ? 'copy' : 'object';
  if (method === 'POST' && query.has('uploads')) return 'begin';
  if (!query.has('uploadId')) return 'other';
  return method === 'POST' ? 'complete' : 'abort';
}

/** Bounds a list of ten thousand parts with checksums. */
const listBytes = 4 * 2 ** 20;

/** Collects a body as it passes; the function returns its text, empty when it was too long. */
function collected(request: IncomingMessage, mostBytes: number): () => string {
  const blocks: Buffer[] = [];
  let length = 0;
  request.pause(); // it flows once the store reads it
  request.on('data', (block: Buffer) => {
    length += block.length;
    if (length <= mostBytes) blocks.push(block);
  });
  return () => (length <= mostBytes ? Buffer.concat(blocks).toString('utf8') : '');
}

/** A body, and the file to which it is also written. */
interface WriteBody extends StoreBody {
  readonly written?: WrittenBody | undefined;
}

/** Undefined when the request has none. @param kept writes the body to a file as well */
function bodyOf(call: S3Call, kept: KeptWrites | undefined): WriteBody | undefined {
  const { request, response, caller } = call;
  const framing = requestFraming(request);
  if (framing === 'none') return undefined;
  const onInformation = ({ statusCode }: InformationEvent): void => {
    if (statusCode === 100 && !response.headersSent && !response.destroyed) response.writeContinue();
  };
  const payloadHash = headerOf(request, 'x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD';
  const [, isSigned, hasTrailer] = streamedPayload.exec(payloadHash) ?? [];
  if (isSigned !== undefined) {
    // The chain of signatures begins with one that the store does not receive, so the chain is verified here and its content sent
    // on.
    const length = headerOf(request, decodedLength);
    if (!caller.chunks || length === undefined || !/^\d{1,15}$/.test(length))
      throw new S3Refusal(
        'InvalidRequest',
        'A body in signed chunks needs a signed header, and its length without them.',
      );
    const source = new SignedChunks(caller.chunks, {
      hasTrailer: hasTrailer !== undefined,
      lengthBytes: Number(length),
    });
    const written = kept?.write(call, undefined);
    const unheard = (): void => undefined; // whoever forwards the body hears of its end
    if (written) pipeline(request, source, written, unheard);
    else pipeline(request, source, unheard);
    const body = new RequestBody(written ?? source, Number(length));
    return { body, payloadHash: 'UNSIGNED-PAYLOAD', source, written, onInformation };
  }
  const decoder = payloadHash.startsWith('STREAMING-') ? new SignedChunks(undefined, { hasTrailer: true }) : undefined;
  const written = kept?.write(call, decoder);
  if (written) pipeline(request, written, () => undefined);
  const length = framing === 'length' ? Number(request.headers['content-length']) : undefined;
  return { body: new RequestBody(written ?? request, length), payloadHash, written, onInformation };
}

const streamedPayload = /^STREAMING-AWS4-(HMAC)-SHA256-PAYLOAD(-TRAILER)?$/;

/** The header without what describes the chunks. */
function withoutChunks(header: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = { ...header, 'content-length': header[decodedLength] ?? '' };
  for (const name of [decodedLength, 'x-amz-trailer', 'trailer', 'transfer-encoding']) delete kept[name];
  const codings = (kept['content-encoding'] ?? '').split(',').map((coding) => coding.trim());
  const left = codings.filter((coding) => coding !== '' && coding !== 'aws-chunked').join(', ');
  if (left === '') delete kept['content-encoding'];
  else kept['content-encoding'] = left;
  return kept;
}
