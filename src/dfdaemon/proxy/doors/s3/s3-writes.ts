/**
 * Writes: passed on to the store by the key of this node, for buckets that have them, and what was known of the objects is
 * forgotten. The store checks the body against the hash that the client has signed; chunks that are signed one by one are
 * checked here.
 */
import type { IncomingMessage, InformationEvent } from 'node:http';
import { pipeline } from 'node:stream';
import { encodePath, encodeStrictly } from '../../../source/sigv4.ts';
import { RequestBody } from '../../wire/request-body.ts';
import { requestFraming } from '../../wire/request-framing.ts';
import { mayUse } from './s3-callers.ts';
import { headerOf, type S3Exchange } from './s3-exchange.ts';
import type { S3Objects } from './s3-objects.ts';
import { S3Refusal } from './s3-refusal.ts';
import { relayAnswer } from './s3-relay.ts';
import { SignedChunks } from './s3-signed-chunks.ts';
import type { S3Store, StoreBody } from './s3-store.ts';

/** Of the request's own header, what is about the object. */
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
/** They give no rights to anybody else. */
const ownAcls = new Set(['private', 'bucket-owner-full-control', 'bucket-owner-read']);

export class S3Writes {
  readonly #objects: S3Objects;
  readonly #stores: ReadonlyMap<string, S3Store>;

  constructor(objects: S3Objects, stores: ReadonlyMap<string, S3Store>) {
    this.#objects = objects;
    this.#stores = stores;
  }

  /** The caller may write here. Throws S3Refusal. Errors: those of Upstream.send. */
  async answer(exchange: S3Exchange): Promise<void> {
    const { request, target, store, signal, record } = exchange;
    if (!store.config.writable)
      throw new S3Refusal('MethodNotAllowed', 'The specified method is not allowed against this resource.');
    const asked = { ...this.#header(exchange), ...this.#copySource(exchange) };
    const { key, query } = target;
    const body = bodyOf(exchange);
    const header: Record<string, string> = body?.source ? withoutChunks(asked) : asked;
    if (!body) delete header['expect'];
    record.way = 'direct';
    let message: IncomingMessage;
    try {
      message = await store.send({ method: request.method ?? 'PUT', key, query, header, signal, body });
    } catch (error) {
      body?.body.drain();
      throw body?.source?.errored ?? error;
    } finally {
      this.#objects.forget(store, key === '' ? undefined : key); // also when nobody knows whether it has succeeded
    }
    await relayAnswer(exchange, message);
  }

  #header({ request }: S3Exchange): Record<string, string> {
    const header: Record<string, string> = {};
    for (const name of Object.keys(request.headers)) {
      if (!passedOn.has(name) && !(name.startsWith('x-amz-') && !ofSignatures.has(name))) continue;
      header[name] = headerOf(request, name) ?? '';
    }
    const acl = header['x-amz-acl'];
    if ((acl !== undefined && !ownAcls.has(acl)) || Object.keys(header).some((name) => name.startsWith('x-amz-grant-')))
      throw new S3Refusal('NotImplemented', 'Rights of others to an object are given at the store itself.');
    return header;
  }

  /** What is copied must be this caller's to read, under the name the store has for it. */
  #copySource({ request, caller, store }: S3Exchange): Record<string, string> {
    const source = headerOf(request, 'x-amz-copy-source');
    if (source === undefined) return {};
    const [path = '', version] = source.split('?versionId=', 2);
    let decoded: string;
    try {
      decoded = decodeURIComponent(path).replace(/^\//, '');
    } catch {
      throw new S3Refusal('InvalidArgument', 'The x-amz-copy-source is malformed.');
    }
    const slash = decoded.indexOf('/');
    const key = decoded.slice(slash + 1);
    // As in the URL of a request: nothing that a store on a file system could take for another key.
    if (/(?:^|\/)\.\.?(?:\/|$)/.test(key))
      throw new S3Refusal('InvalidArgument', 'The x-amz-copy-source is malformed.');
    const from = slash > 0 ? this.#stores.get(decoded.slice(0, slash)) : undefined;
    if (!from || !mayUse(caller, from.config, key)) throw new S3Refusal('AccessDenied', 'Access Denied');
    if (!from.sharesStoreWith(store))
      throw new S3Refusal('NotImplemented', 'The two buckets are at different stores, which cannot copy between them.');
    const suffix = version === undefined ? '' : `?versionId=${encodeStrictly(version)}`;
    return { 'x-amz-copy-source': `/${encodePath(`${from.name}/${key}`)}${suffix}` };
  }
}

/** Undefined when there is none. */
function bodyOf(exchange: S3Exchange): StoreBody | undefined {
  const { request, response } = exchange;
  const framing = requestFraming(request);
  if (framing === 'none') return undefined;
  const onInformation = ({ statusCode }: InformationEvent): void => {
    if (statusCode === 100 && !response.headersSent && !response.destroyed) response.writeContinue();
  };
  const payloadHash = headerOf(request, 'x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD';
  const signed = /^STREAMING-AWS4-HMAC-SHA256-PAYLOAD(-TRAILER)?$/.exec(payloadHash);
  if (signed) return { ...unchunked(exchange, signed[1] !== undefined), onInformation };
  const length = framing === 'length' ? Number(request.headers['content-length']) : undefined;
  return { body: new RequestBody(request, length), payloadHash, onInformation };
}

/** The chain of signatures begins with one that the store does not get: it is checked here, and what it signs sent on. */
function unchunked(
  { request, caller }: S3Exchange,
  hasTrailer: boolean,
): Pick<StoreBody, 'body' | 'payloadHash' | 'source'> {
  const length = headerOf(request, decodedLength);
  if (!caller.chunks || length === undefined || !/^\d{1,15}$/.test(length))
    throw new S3Refusal(
      'InvalidRequest',
      'A body in signed chunks needs a signed header, and its length without them.',
    );
  const source = new SignedChunks(caller.chunks, hasTrailer);
  pipeline(request, source, () => undefined); // whoever sends it on hears of its end
  return { body: new RequestBody(source, Number(length)), payloadHash: 'UNSIGNED-PAYLOAD', source };
}

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
