/**
 * GET and HEAD of objects. The store says which version of an object is current; that version is one task, the same for
 * every caller on every node, which supplies the bytes. Where there is no task, or it fails before the answer has
 * begun, the store is asked with this node's key.
 */
import { resolveRange, formatContentRange, type ByteRange } from '../../../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../../../core/errors.ts';
import type { Logger } from '../../../../core/process/logger.ts';
import { DownloadBlocked } from '../../../cluster/block-list.ts';
import type { DownloadRequest, OpenTask } from '../../../task/open-task.ts';
import type { BlockPool } from '../../../transport/block-pool.ts';
import { noteFirstByte } from '../../client-call.ts';
import { flat, type AnswerHeader } from '../../proof/answer-header.ts';
import { judgePreconditions, preconditionNames } from '../../proof/preconditions.ts';
import { copySpans, Spans } from '../../wire/body-copy.ts';
import { BodyWriter } from '../../wire/body-writer.ts';
import { rangeDemand } from '../../wire/range-answer.ts';
import { headerOf, type S3Call } from './s3-call.ts';
import type { S3Object, S3Objects } from './s3-objects.ts';
import { S3Refusal } from './s3-refusal.ts';
import { relayAnswer } from './s3-relay.ts';

export interface S3ObjectAnswersOptions {
  readonly engine: { open(request: DownloadRequest, signal: AbortSignal): Promise<OpenTask> };
  readonly objects: S3Objects;
  readonly pool: BlockPool;
  /** Also fetch the rest in the background when a range is requested. */
  readonly prefetch: boolean;
  readonly logger: Logger;
}

/** Headers that ask for another form of answer. Requests with any other header of S3 are answered by the store itself. */
const checksumMode = 'x-amz-checksum-mode';
const harmless = new Set(['x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token', checksumMode]);
const ofClients = /^x-amz-(?:user-agent|meta-)/;

export class S3ObjectAnswers {
  readonly #options: S3ObjectAnswersOptions;

  constructor(options: S3ObjectAnswersOptions) {
    this.#options = options;
  }

  /** Throws S3Refusal before an answer has begun, and the store's errors when it cannot be asked and nothing is known. */
  async answer(call: S3Call): Promise<void> {
    const { request, response, target, store, record } = call;
    const { key, query } = target;
    const special = Object.keys(request.headers).some(
      (name) => name.startsWith('x-amz-') && !harmless.has(name) && !ofClients.test(name),
    );
    if (special) return this.fromStore(call);
    const question = { key, versionId: query.get('versionId'), partNumber: query.get('partNumber') };
    const word = await this.#options.objects.ask(store, question);
    if (word.kind === 'unsure') return this.fromStore(call);
    if (word.kind === 'object') return this.#answer(call, word.object);
    if (request.method !== 'HEAD') return this.fromStore(call); // in its own words
    record.way = 'direct';
    response.writeHead(word.statusCode, word.header);
    noteFirstByte(record);
    response.end();
  }

  /** Forwards the client's request with this node's key. */
  async fromStore(call: S3Call, validator?: string): Promise<void> {
    const { request, target, store, signal, record } = call;
    record.way = 'direct';
    const named = Object.keys(request.headers).filter(
      (name) => asked.has(name) || (name.startsWith('x-amz-') && !ofSignatures.has(name)),
    );
    const given = named.map((name) => [name, headerOf(request, name) ?? ''] as const);
    const header = Object.fromEntries(given.filter(([, value]) => value !== ''));
    const { key, query } = target;
    const message = await store.send({
      method: request.method ?? 'GET',
      key,
      query,
      header: { 'accept-encoding': 'identity', ...header, ...(validator !== undefined && conditionOf(validator)) },
      signal,
    });
    await relayAnswer(call, message);
  }

  async #answer(call: S3Call, object: S3Object): Promise<void> {
    const { request, response, record } = call;
    const told = this.#header(call, object);
    const judged = judgePreconditions(conditionsOf(call), flat(object.header));
    if (judged === 'failed')
      throw new S3Refusal('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
    if (judged === 'notModified') {
      const kept = Object.entries(told).filter(([name]) => name !== 'content-type' && name !== 'content-encoding');
      response.writeHead(304, Object.fromEntries(kept));
      noteFirstByte(record);
      return void response.end();
    }
    const range = rangeOf(judged === 'ignoreRange' ? undefined : headerOf(request, 'range'), object);
    const place = object.part ?? range;
    const content = place ? withoutChecksums(told) : told;
    const head = {
      ...content,
      'content-length': String(place?.length ?? object.lengthBytes),
      ...(place && { 'content-range': formatContentRange(place, object.lengthBytes) }),
    };
    if (request.method === 'HEAD' || object.lengthBytes === 0) {
      record.way = 'cache';
      response.writeHead(place ? 206 : 200, head);
      noteFirstByte(record);
      return void response.end();
    }
    await this.#send(call, object, { place, head });
  }

  async #send(
    call: S3Call,
    object: S3Object,
    { place, head }: { readonly place: ByteRange | undefined; readonly head: AnswerHeader },
  ): Promise<void> {
    const { response, record, signal } = call;
    let task: OpenTask;
    try {
      task = await this.#open(call, object, place);
    } catch (error) {
      return this.#failed(call, object, toDragonflyError(error));
    }
    record.way = 'peers';
    record.taskId = task.taskId;
    record.peerId = task.peerId;
    try {
      const dragonfly = { 'x-dragonfly-task-id': task.taskId, 'x-dragonfly-peer': task.peerId };
      response.writeHead(place ? 206 : 200, { ...head, ...dragonfly });
      const onBytes = (count: number): void => void (record.bytes += count);
      const writer = new BodyWriter(this.#options.pool, { response, framed: true, signal, onBytes });
      noteFirstByte(record);
      await writer.start();
      using spans = new Spans(task);
      const { failure } = await copySpans(spans, writer, signal);
      if (failure) throw failure;
      response.end();
    } catch (error) {
      record.error = toDragonflyError(error);
      this.#doubt(call, object, record.error);
      response.destroy(); // the client must not take a part for the whole; all clients retry
    } finally {
      await task[Symbol.asyncDispose]();
    }
  }

  async #open({ target, store, downloader, signal }: S3Call, object: S3Object, place: ByteRange | undefined) {
    const { key, query } = target;
    const { lengthBytes, validator } = object;
    const versionId = query.get('versionId');
    const version = { key, versionId, validator, lengthBytes, digest: object.digest };
    const task = await this.#options.engine.open(
      {
        ...(await store.downloadOf(version, downloader)),
        ...(place && { range: { first: place.start, last: place.start + place.length - 1 } }),
        prefetch: place !== undefined && this.#options.prefetch,
      },
      signal,
    );
    if (task.contentLengthBytes === undefined || task.contentLengthBytes === lengthBytes) return task;
    await task[Symbol.asyncDispose]();
    throw new DragonflyError('SOURCE_CHANGED', `${target.bucket}/${key} has another length now`);
  }

  /** Before the header is out: the store is asked again, conditional on the known version. */
  async #failed(call: S3Call, object: S3Object, failure: DragonflyError): Promise<void> {
    const { record, signal, target } = call;
    record.error = failure;
    if (signal.aborted) return void call.response.destroy();
    if (failure instanceof DownloadBlocked) throw new S3Refusal('AccessDenied', failure.message);
    this.#options.logger.warn({ bucket: target.bucket, key: target.key, error: failure.message }, 'no download');
    this.#doubt(call, object, failure);
    return this.fromStore(call, failure.code === 'SOURCE_CHANGED' ? undefined : object.validator);
  }

  /** Forgets what is known of the object, or only that its bytes match the digest. */
  #doubt({ store, target }: S3Call, object: S3Object, { code }: DragonflyError): void {
    const { objects } = this.#options;
    if (code === 'SOURCE_CHANGED') objects.forget(store, target.key);
    if (code === 'DIGEST_MISMATCH' && typeof object.digest === 'string') objects.broken(store, target.key, object);
  }

  /** The object's header, with the overrides that the request asks for. */
  #header({ request, target, requestId }: S3Call, { header }: S3Object): AnswerHeader {
    const mode = headerOf(request, checksumMode) ?? target.query.get(checksumMode); // signed URLs carry it in the query
    const wanted = mode?.toUpperCase() === 'ENABLED';
    const told: Record<string, string | string[]> = { ...(wanted ? header : withoutChecksums(header)) };
    for (const [name, value] of target.query) {
      if (!name.startsWith('response-')) continue;
      if (!/^[\t\x20-\x7e\xa0-\xff]*$/.test(value))
        throw new S3Refusal('InvalidArgument', `${name} cannot be sent as a header.`);
      told[name.slice('response-'.length)] = value;
    }
    return { ...told, 'accept-ranges': 'bytes', 'x-amz-request-id': requestId };
  }
}

/** What the client's request says apart from its signature. */
const asked: ReadonlySet<string> = new Set(['range', ...preconditionNames]);
const ofSignatures = new Set(['x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token']);

function conditionOf(validator: string): Record<string, string> {
  return validator.startsWith('"') ? { 'if-match': validator } : { 'if-unmodified-since': validator };
}

/** Removes checksums of the whole content, which do not match a part of it. */
function withoutChecksums(header: AnswerHeader): AnswerHeader {
  return Object.fromEntries(Object.entries(header).filter(([name]) => !name.startsWith('x-amz-checksum-')));
}

/** Clients of S3 may leave out the quotes of an entity tag. */
function conditionsOf({ request }: S3Call): Record<string, string> {
  const conditions: Record<string, string> = {};
  for (const name of ['range', ...preconditionNames]) {
    const value = headerOf(request, name);
    if (value === undefined) continue;
    conditions[name] = /^if-(?:none-)?match$/.test(name) ? quoted(value) : value;
  }
  return conditions;
}

function quoted(tags: string): string {
  return tags
    .split(',')
    .map((tag) => tag.trim())
    .map((tag) => (tag === '*' || tag.includes('"') ? tag : `"${tag}"`))
    .join(', ');
}

/** S3 supports a single range; several are treated as none. Throws S3Refusal for one outside of the object. */
function rangeOf(header: string | undefined, { lengthBytes }: S3Object): ByteRange | undefined {
  const demand = rangeDemand(header);
  if (demand.kind !== 'one') return undefined;
  const range = resolveRange(demand.spec, lengthBytes);
  if (range) return range;
  throw new S3Refusal('InvalidRange', 'The requested range is not satisfiable', {
    'content-range': `bytes */${lengthBytes}`,
  });
}
