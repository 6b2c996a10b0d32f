/**
 * The port for clients of S3: `AWS_ENDPOINT_URL=http://127.0.0.1:65004`.
 *
 * A request is parsed strictly, its signature is recomputed with the configured key that it names, and its rights
 * follow from that key alone. Objects then come from the peers; everything else is asked of the store with this node's
 * own key.
 */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../../../core/errors.ts';
import type { Closable } from '../../../../core/process/lifecycle.ts';
import type { Logger } from '../../../../core/process/logger.ts';
import type { Registry } from '../../../../core/metrics.ts';
import { requireSocketDirectory } from '../../../../core/files/private-file.ts';
import { removeStaleSocket } from '../../../../core/files/stale-socket.ts';
import type { PushedContent } from '../../../imports/pushed-content.ts';
import type { BlockPool } from '../../../transport/block-pool.ts';
import { plainAddress } from '../../access-guard.ts';
import { newRecord, noteFirstByte, type CallRecord } from '../../client-call.ts';
import { proxyLimits } from '../../limits.ts';
import { bodyOfUpgrade, createClientServer } from '../../wire/client-server.ts';
import { refuseUnsureFraming } from '../../wire/request-framing.ts';
import { ObjectGateway } from './gateway/object-gateway.ts';
import { KeptWrites, type KeptWritesOptions } from './kept/kept-writes.ts';
import type { S3Buckets } from './s3-buckets.ts';
import { mayUse, mayUseBucket, requireOwnMachine, S3Callers, type S3Caller } from './s3-callers.ts';
import type { S3DoorConfig } from './s3-config.ts';
import type { S3Call } from './s3-call.ts';
import { S3Metrics } from './s3-metrics.ts';
import { S3ObjectAnswers, type S3ObjectAnswersOptions } from './s3-object-answers.ts';
import { s3Operation, type S3Operation } from './s3-operation.ts';
import { answerRefusal, escapeXml, S3Refusal, xmlHead } from './s3-refusal.ts';
import type { S3Store } from './s3-store.ts';
import { s3Target, type S3Target } from './s3-target.ts';
import { S3Writes } from './s3-writes.ts';

export interface S3ServerOptions {
  readonly config: S3DoorConfig;
  readonly buckets: S3Buckets;
  readonly engine: S3ObjectAnswersOptions['engine'] & Pick<KeptWritesOptions, 'taskIdOf'>;
  /** Where writes stay. */
  readonly content: PushedContent;
  /** Programs of this machine may also use the plainer protocol of dfdaemon 2.1. */
  readonly gateway: boolean;
  readonly pool: BlockPool;
  readonly prefetch: boolean;
  readonly registry: Registry;
  readonly logger: Logger;
}

/** The log record of a request while it is being answered. */
interface S3Record extends CallRecord {
  /** A configured one. */
  bucket: string;
}

export class S3Server implements Closable {
  readonly #config: S3DoorConfig;
  readonly #stores: ReadonlyMap<string, S3Store>;
  readonly #callers: S3Callers;
  readonly #answers: S3ObjectAnswers;
  readonly #kept: KeptWrites;
  readonly #writes: S3Writes;
  readonly #gateway: ObjectGateway | undefined;
  readonly #metrics: S3Metrics;
  readonly #logger: Logger;
  readonly #servers: { readonly tcp: Server; readonly unix: Server | undefined };
  readonly #running = new Set<AbortController>();
  readonly #startedAt = new Date();

  /** Throws CONFIG_INVALID. */
  constructor(options: S3ServerOptions) {
    const { config, buckets, engine, content, pool, prefetch, registry, logger } = options;
    this.#metrics = new S3Metrics(registry);
    const { stores, objects } = buckets;
    requireClear(config, stores);
    this.#config = config;
    this.#logger = logger;
    this.#stores = stores;
    this.#callers = new S3Callers(config.clients);
    this.#answers = new S3ObjectAnswers({ engine, objects, pool, prefetch, logger });
    this.#kept = new KeptWrites({ content, taskIdOf: (request) => engine.taskIdOf(request), logger });
    this.#writes = new S3Writes({ objects, stores, kept: this.#kept });
    const gateway = new ObjectGateway({ stores, objects, answers: this.#answers, content, kept: this.#kept });
    this.#gateway = options.gateway ? gateway : undefined;
    const listener = (overSocket: boolean): Server => {
      const server = createClientServer((request, response) => void this.#handle(request, response, overSocket));
      server.maxConnections = proxyLimits.connections;
      return server;
    };
    this.#servers = { tcp: listener(false), unix: config.unixListen.socket === '' ? undefined : listener(true) };
  }

  /** Rejects with a system error, EADDRINUSE when a port is taken. */
  async start(): Promise<void> {
    const { tcpListen, unixListen } = this.#config;
    await listening(this.#servers.tcp, { host: tcpListen.listen, port: tcpListen.port });
    if (this.#servers.unix) await listenOnSocket(this.#servers.unix, unixListen.socket);
  }

  get address(): { readonly host: string; readonly port: number } {
    const { port } = this.#servers.tcp.address() as AddressInfo;
    return { host: this.#config.tcpListen.listen, port };
  }

  /** Accepts no new connections; answers in flight may finish within the deadline, then everything is cut. */
  async [Symbol.asyncDispose](): Promise<void> {
    const servers = [this.#servers.tcp, this.#servers.unix].filter((server) => server?.listening === true);
    const closed = Promise.all(servers.map((server) => new Promise((resolve) => server?.close(resolve))));
    for (const server of servers) server?.closeIdleConnections();
    if (this.#running.size > 0) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, proxyLimits.drainMs);
      await Promise.race([closed, late]);
      clearTimeout(timer);
    }
    for (const controller of this.#running) controller.abort(new DOMException('the daemon is stopping', 'AbortError'));
    for (const server of servers) server?.closeAllConnections();
    await closed;
    this.#kept[Symbol.dispose]();
  }

  /** Always answers; never rejects. */
  async #handle(request: IncomingMessage, response: ServerResponse, overSocket: boolean): Promise<void> {
    const record: S3Record = { ...newRecord(), bucket: '' };
    const requestId = randomBytes(8).toString('hex').toUpperCase();
    const controller = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) controller.abort(new DOMException('the client has gone', 'AbortError'));
    });
    response.on('error', () => undefined); // 'close' follows and says the same
    this.#running.add(controller);
    try {
      refuseUnsureFraming(request, response);
      await this.#answer(request, response, { overSocket, record, requestId, signal: controller.signal });
    } catch (error) {
      const refusal = error instanceof S3Refusal ? error : refusalFor((record.error = toDragonflyError(error)));
      const resource = (request.url ?? '').split('?', 1)[0] ?? '';
      if (!request.complete) response.shouldKeepAlive = false; // the body of a refused request is not waited for
      answerRefusal(response, refusal, { requestId, resource });
    } finally {
      this.#running.delete(controller);
      this.#metrics.ended(record.bucket, record);
      this.#log(request, response, record);
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    context: { overSocket: boolean; record: S3Record; requestId: string; signal: AbortSignal },
  ): Promise<void> {
    if (bodyOfUpgrade(request)) throw new S3Refusal('NotImplemented', 'S3 is spoken here, and no other protocol.');
    const address = plainAddress(request.socket.remoteAddress ?? '');
    const downloader = { kind: 'proxy', address, onThisMachine: true } as const;
    const plain = this.#gateway?.targetOf(request);
    if (plain) {
      if ('bucket' in plain && this.#stores.has(plain.bucket)) context.record.bucket = plain.bucket;
      requireOwnMachine(request, context.overSocket);
      return this.#gateway?.answer({ ...context, request, response, downloader }, plain);
    }
    const target = s3Target(request, this.#stores.keys());
    const caller = await this.#callers.callerOf(request, target, context.overSocket);
    const operation = s3Operation(request.method ?? '', target);
    if (operation.kind === 'buckets') return this.#listBuckets(response, caller, context.record);
    const store = this.#stores.get(target.bucket);
    if (store) context.record.bucket = target.bucket;
    if (!store || !isAllowed(operation, caller, store, target)) {
      // A stranger does not learn which buckets exist.
      throw caller.client && !store
        ? new S3Refusal('NoSuchBucket', 'The specified bucket does not exist')
        : new S3Refusal('AccessDenied', 'Access Denied');
    }
    const call: S3Call = { ...context, request, response, target, caller, downloader, store };
    if (operation.kind === 'object') return this.#answers.answer(call);
    if (operation.kind === 'write') return this.#writes.answer(call);
    return this.#answers.fromStore(call);
  }

  /** Lists the buckets of this node that the caller may use. */
  #listBuckets(response: ServerResponse, caller: S3Caller, record: CallRecord): void {
    const usable = [...this.#stores.values()].filter(({ config }) => mayUseBucket(caller, config));
    const entries = usable.map(
      ({ config }) =>
        `<Bucket><Name>${escapeXml(config.name)}</Name><CreationDate>${this.#startedAt.toISOString()}</CreationDate></Bucket>`,
    );
    const owner = '<Owner><ID>dragonfly</ID><DisplayName>dragonfly</DisplayName></Owner>';
    const body = `${xmlHead}<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${owner}<Buckets>${entries.join('')}</Buckets></ListAllMyBucketsResult>`;
    record.way = 'cache';
    response.writeHead(200, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) });
    noteFirstByte(record);
    response.end(body);
  }

  #log(request: IncomingMessage, response: ServerResponse, record: S3Record): void {
    const line = {
      client: request.socket?.remoteAddress,
      method: request.method,
      url: (request.url ?? '').split('?', 1)[0],
      status: response.headersSent ? response.statusCode : undefined,
      way: record.way,
      bytes: record.bytes,
      firstByteMs: record.firstByteMs === undefined ? undefined : Math.round(record.firstByteMs),
      ms: Math.round(performance.now() - record.startedMs),
      task: record.taskId,
      receipt: record.peerId,
      error: record.error?.message,
    };
    if (record.error && record.error.code !== 'CANCELLED') this.#logger.warn(line, 's3');
    else this.#logger.info(line, 's3');
  }
}

function isAllowed(operation: S3Operation, caller: S3Caller, { config }: S3Store, { key }: S3Target): boolean {
  switch (operation.kind) {
    case 'buckets':
    case 'bucket':
      return mayUseBucket(caller, config);
    case 'object':
      return mayUse(caller, config, key);
    case 'question':
      return mayUse(caller, config, operation.prefix);
    case 'write':
      // When only the body names the keys, the caller must have the right to all of them.
      return caller.client !== undefined && mayUse(caller, config, operation.prefix ?? '');
  }
}

function requireClear({ clients }: S3DoorConfig, stores: ReadonlyMap<string, S3Store>): void {
  const unknown = clients.flatMap(({ buckets }) => buckets).find((name) => !stores.has(name));
  if (unknown !== undefined) throw invalid(`a client of doors.s3 may use "${unknown}", which is none of its buckets`);
  const keys = clients.map(({ accessKeyID }) => accessKeyID);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw invalid(`doors.s3.clients has the key "${twice}" twice`);
}

function invalid(message: string): DragonflyError {
  return new DragonflyError('CONFIG_INVALID', message);
}

/** Chosen for what clients do with the code: they retry after these. */
function refusalFor(error: DragonflyError): S3Refusal {
  if (error.code === 'INVALID_ARGUMENT') return new S3Refusal('InvalidRequest', error.message);
  if (error.code === 'PERMISSION_DENIED') return new S3Refusal('AccessDenied', error.message);
  const away = error.mapping.http >= 502 || error.code === 'RESOURCE_EXHAUSTED';
  return new S3Refusal(away ? 'ServiceUnavailable' : 'InternalError', error.message);
}

/** As open as the port on this machine: access is decided by signatures, or by the bucket where there are none. */
const socketMode = 0o666;

/** Replaces a stale socket of a process that has ended; anything else under that name is left alone and is an error. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  requireSocketDirectory(dirname(path));
  await removeStaleSocket(path);
  await listening(server, { path });
  await chmod(path, socketMode);
}

function listening(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
