/**
 * The object gateway of dfdaemon 2.1 (`objectStorage.enable`), which `dfstore` and `juicefs --storage dragonfly` speak.
 * It shares the port of the S3 door: the same buckets by a simpler protocol, for programs of this machine, without
 * keys. A write is answered once the store has it.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { DragonflyError, toDragonflyError } from '../../../../../core/errors.ts';
import { withDeadline } from '../../../../../core/process/lifecycle.ts';
import type { PushedContent } from '../../../../imports/pushed-content.ts';
import { encodePath } from '../../../../source/sigv4.ts';
import { proxyLimits } from '../../../limits.ts';
import { flat } from '../../../proof/answer-header.ts';
import { letGo } from '../../../proof/question.ts';
import { RequestBody } from '../../../wire/request-body.ts';
import type { KeptWrites } from '../kept/kept-writes.ts';
import type { S3Call } from '../s3-call.ts';
import type { S3ObjectAnswers } from '../s3-object-answers.ts';
import type { S3Objects } from '../s3-objects.ts';
import { S3Refusal } from '../s3-refusal.ts';
import type { S3Store } from '../s3-store.ts';
import { boundaryOf, FormData, type FormFile } from './form-data.ts';
import { gatewayList, storeQuestion } from './gateway-list.ts';
import { gatewayTarget, type GatewayTarget } from './gateway-path.ts';

export interface ObjectGatewayOptions {
  readonly stores: ReadonlyMap<string, S3Store>;
  readonly objects: S3Objects;
  readonly answers: S3ObjectAnswers;
  readonly content: PushedContent;
  readonly kept: KeptWrites;
}

/** A file received in a form. */
interface Received {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly contentType: string | undefined;
}

type Context = Omit<S3Call, 'store' | 'target' | 'caller'>;

const operation = 'x-dragonfly-object-operation';
/** Names by which clients of the gateway know the services. */
const known = new Set(['s3', 'oss', 'obs']);
/** Largest answer of the store that is read whole: a page of a listing, or an error. */
const answerBytes = 16 * 2 ** 20;

export class ObjectGateway {
  readonly #options: ObjectGatewayOptions;
  #count = 0;

  constructor(options: ObjectGatewayOptions) {
    this.#options = options;
  }

  /** Undefined when the request is not for the gateway: signed requests are for S3. */
  targetOf({ url = '', headers }: IncomingMessage): GatewayTarget | undefined {
    const [path = '', query = ''] = url.split('?', 2);
    if (headers.authorization !== undefined || /(?:^|&)X-Amz-/i.test(query)) return undefined;
    return gatewayTarget(path);
  }

  /** For a caller on this machine. Always answers. */
  async answer(context: Context, target: GatewayTarget): Promise<void> {
    const { request, response, record } = context;
    try {
      await this.#answer(context, target);
    } catch (error) {
      const failure = error instanceof S3Refusal ? error : (record.error = toDragonflyError(error));
      if (!request.complete) response.shouldKeepAlive = false;
      fail(response, statusOf(failure), failure.message);
    }
  }

  async #answer(context: Context, target: GatewayTarget): Promise<void> {
    const { request, response, record } = context;
    const { method = 'GET' } = request;
    record.way = 'cache';
    if (target.kind === 'healthy') return send(response, 200, '"OK"');
    if (target.kind === 'metadata') return this.#metadata(response);
    const store = this.#options.stores.get(target.bucket);
    if (!store) return fail(response, 404, `there is no bucket "${target.bucket}" in doors.s3.buckets`);
    if (target.kind === 'bucket')
      return method === 'POST' ? send(response, 200, '') : fail(response, 404, 'no such path');
    if (target.kind === 'list') return this.#list(context, store);
    const { bucket, key } = target;
    const s3 = { bucket, key, query: new Map<string, string>(), signing: new Map<string, string>() };
    const url = new URL(`http://gateway${encodePath(`/${bucket}/${key}`)}`);
    const call: S3Call = { ...context, target: { ...s3, url }, caller: { client: undefined }, store };
    if (method === 'HEAD') return this.#head(call);
    if (method === 'GET') return this.#get(call);
    if (method !== 'PUT' && method !== 'DELETE') return fail(response, 404, 'no such path');
    if (!store.config.writable)
      return fail(response, 403, `the bucket "${target.bucket}" is not writable in doors.s3.buckets`);
    record.way = 'direct';
    if (method === 'DELETE') return this.#delete(call);
    return this.#put(call);
  }

  #metadata(response: ServerResponse): void {
    const [store] = this.#options.stores.values();
    if (!store) return fail(response, 404, 'there are no buckets in doors.s3.buckets');
    const { scheme, region, endpoint = '' } = store.config;
    const told = { Name: known.has(scheme) ? scheme : 's3', Region: region, Endpoint: endpoint };
    send(response, 200, JSON.stringify(told));
  }

  async #list({ request, response, signal, record }: Context, store: S3Store): Promise<void> {
    record.way = 'direct';
    const asked = new URLSearchParams((request.url ?? '').split('?', 2)[1] ?? '');
    const of = (name: string): string => asked.get(name) ?? '';
    const query = storeQuestion({
      prefix: of('prefix'),
      marker: of('marker'),
      delimiter: of('delimiter'),
      limit: of('limit'),
    });
    if (!query) return fail(response, 422, 'limit is no number');
    const { statusCode, text } = await told(await store.send({ method: 'GET', key: '', query, signal }));
    if (statusCode !== 200) return fail(response, statusCode === 404 ? 404 : 500, text);
    send(response, 200, JSON.stringify(gatewayList(text)));
  }

  async #head({ response, store, target }: S3Call): Promise<void> {
    const word = await this.#options.objects.ask(store, { key: target.key });
    if (word.kind !== 'object') return fail(response, word.kind === 'refusal' ? word.statusCode : 500, 'not there');
    const { header, lengthBytes } = word.object;
    const object = flat(header);
    const kept = ['content-disposition', 'content-encoding', 'content-language', 'content-type', 'etag'];
    response.writeHead(200, {
      ...Object.fromEntries(kept.flatMap((name) => (object[name] === undefined ? [] : [[name, object[name]]]))),
      'content-length': String(lengthBytes),
      'x-dragonfly-object-meta-last-modified-time': object['last-modified'] ?? '',
      'x-dragonfly-object-meta-storage-class': object['x-amz-storage-class'] ?? 'STANDARD',
      'x-dragonfly-object-meta-digest': typeof word.object.digest === 'string' ? word.object.digest : '',
    });
    response.end();
  }

  async #get(call: S3Call): Promise<void> {
    const { request, response, store, target } = call;
    const word = await this.#options.objects.ask(store, { key: target.key });
    if (word.kind === 'refusal') return fail(response, word.statusCode, `${target.key} is not there`);
    if (request.headers.range === '') delete request.headers.range;
    return this.#options.answers.answer(call);
  }

  async #delete(call: S3Call): Promise<void> {
    const { response, store, target, signal } = call;
    const { statusCode, text } = await told(await store.send({ method: 'DELETE', key: target.key, signal }));
    await this.#options.objects.changed(store, target.key);
    if (statusCode >= 300 && statusCode !== 404) return fail(response, 500, text);
    send(response, 200, '');
  }

  async #put(call: S3Call): Promise<void> {
    const { request, response } = call;
    const copies = request.headers[operation] === 'copy';
    await using received = await this.#receive(call, !copies);
    const { fields, file } = received;
    const mode = fields.get('mode') ?? '0';
    // daemons of 2.1 send mode 2 to each other, for content that only they hold
    if (mode !== '0' && mode !== '1') return fail(response, 422, `mode ${mode} is not served: 0 and 1 are`);
    if (copies) return this.#copy(call, fields.get('source_object_key') ?? '');
    if (!file) return fail(response, 422, 'the form has no file');
    return await this.#store(call, file); // before the file goes
  }

  async #store(call: S3Call, file: Received): Promise<void> {
    const { response, store, target, signal } = call;
    const { objects, kept } = this.#options;
    const header = {
      'content-length': String(file.bytes),
      ...(file.contentType !== undefined && { 'content-type': file.contentType }),
    };
    const source = file.bytes === 0 ? undefined : createReadStream(file.path, { highWaterMark: 2 ** 20 });
    const body = source && {
      body: new RequestBody(source, file.bytes),
      payloadHash: file.sha256, // the store compares it
      onInformation: () => undefined,
    };
    try {
      const message = await store.send({ method: 'PUT', key: target.key, header, signal, body });
      const { etag } = message.headers;
      const { statusCode, text } = await told(message);
      const taken = statusCode === 200;
      const keeping = taken ? kept.file(call, { path: file.path, bytes: file.bytes }, etag) : Promise.resolve();
      await Promise.all([objects.changed(store, target.key), withDeadline(keeping, proxyLimits.keepWriteMs)]);
      if (!taken) return fail(response, 500, text);
      send(response, 200, '');
    } catch (error) {
      await objects.changed(store, target.key);
      throw error;
    } finally {
      source?.destroy();
    }
  }

  async #copy(call: S3Call, from: string): Promise<void> {
    const { response, store, target, signal } = call;
    const source = gatewayTarget(`/buckets/${encodeURIComponent(target.bucket)}/objects/${encodeURIComponent(from)}`);
    if (source?.kind !== 'object') return fail(response, 422, 'source_object_key is missing or malformed');
    const header = { 'x-amz-copy-source': `/${encodePath(`${store.name}/${from}`)}` };
    const { statusCode, text } = await told(await store.send({ method: 'PUT', key: target.key, header, signal }));
    await this.#options.objects.changed(store, target.key);
    if (statusCode !== 200 || /<Error>/.test(text)) return fail(response, statusCode === 404 ? 404 : 500, text);
    send(response, 200, '');
  }

  /** Receives the form and writes its file to the store's incoming directory. Throws INVALID_ARGUMENT, NO_SPACE. */
  async #receive({ request }: S3Call, hasFile: boolean): Promise<ReceivedForm> {
    const { content } = this.#options;
    this.#count += 1;
    const path = join(content.directory, `gateway-${process.pid}-${this.#count}`);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => rm(path, { force: true }));
    const length = Number(request.headers['content-length'] ?? 0);
    if (hasFile) await content.requireRoom(length);
    let file: Received | undefined;
    const open = (contentType: string | undefined): FormFile => {
      const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
      const hash = createHash('sha256');
      const failed = finished(stream);
      failed.catch(() => undefined); // the failure is reported with the next block
      let bytes = 0;
      return {
        write: async (block) => {
          hash.update(block);
          bytes += block.length;
          if (stream.write(block)) return;
          await Promise.race([once(stream, 'drain'), failed]);
        },
        end: async () => {
          stream.end();
          await failed;
          file = { path, bytes, sha256: hash.digest('hex'), contentType };
        },
      };
    };
    const form = new FormData({ boundary: boundaryOf(request.headers['content-type']), file: { name: 'file', open } });
    for await (const block of request as AsyncIterable<Buffer>) await form.write(block);
    if (hasFile) form.requireFile();
    const kept = undo.move();
    return { fields: form.fields, file, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }
}

interface ReceivedForm extends AsyncDisposable {
  readonly fields: ReadonlyMap<string, string>;
  readonly file: Received | undefined;
}

async function told(message: IncomingMessage): Promise<{ readonly statusCode: number; readonly text: string }> {
  const blocks: Buffer[] = [];
  let length = 0;
  for await (const block of message as AsyncIterable<Buffer>) {
    length += block.length;
    if (length > answerBytes) {
      letGo(message);
      throw new DragonflyError('PROTOCOL', 'the answer of the store is too long');
    }
    blocks.push(block);
  }
  return { statusCode: message.statusCode ?? 502, text: Buffer.concat(blocks).toString('utf8') };
}

function send(response: ServerResponse, statusCode: number, body: string): void {
  response.writeHead(statusCode, {
    ...(body !== '' && { 'content-type': 'application/json; charset=utf-8' }),
    'content-length': Buffer.byteLength(body),
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function fail(response: ServerResponse, statusCode: number, message: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  send(response, statusCode, JSON.stringify({ errors: message }));
}

function statusOf(error: S3Refusal | DragonflyError): number {
  if (error instanceof S3Refusal) return error.statusCode;
  return error.code === 'INVALID_ARGUMENT' ? 422 : error.mapping.http === 404 ? 404 : 500;
}
