/**
 * Answers a GET with content of the task engine.
 *
 * The task is opened and the origin is asked for the caller's right at the same time; the header goes out when both are
 * known, or as soon as a registry has told the size of a blob; the body as pieces land. Before the header any failure of
 * the engine sends the request straight to its source; after it, a failure that the source cannot mend breaks the
 * connection, so that no client takes a part for the whole.
 */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ByteRange, RangeSpec } from '../../core/byte-range.ts';
import { formatContentRange } from '../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { DownloadBlocked } from '../block-list.ts';
import type { DownloadRequest, OpenTask, Receipt } from '../task/open-task.ts';
import type { SourceBody, SourceObject, SourceRequest } from '../source/source.ts';
import type { BlockPool } from '../transport/block-pool.ts';
import { answerError, answerOriginStatus } from './answers.ts';
import { copySpans, restOf, sendRest, type Rest } from './body-copy.ts';
import { BodyWriter } from './body-writer.ts';
import { forwardDirectly } from './direct.ts';
import { downloadRequestFor, type DownloadDefaults } from './download-request.ts';
import { noteFirstByte, type Exchange } from './exchange.ts';
import { storedResponseHeader } from './header.ts';
import { proxyLimits } from './limits.ts';
import type { OriginAccess } from './origin-access.ts';
import { permissionFor } from './permission.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import { ifRangeHolds, multipartFrame, notModified, rangeDemand, resolveSeveral } from './range-answer.ts';
import { registryPath } from './registry-path.ts';
import { asksForAll, keepsPromise, settling, type ToldBlob } from './told-blob.ts';
import type { Upstream } from './upstream.ts';

export interface TaskOpener {
  open(request: DownloadRequest, signal: AbortSignal): Promise<OpenTask>;
  taskIdOf(request: DownloadRequest): string;
  /** Undefined while nothing is downloaded for the task. */
  peerIdOf(taskId: string): string | undefined;
}

export interface Origins {
  stat(request: SourceRequest): Promise<SourceObject>;
  open(request: SourceRequest): Promise<SourceBody>;
}

export interface PeerAnswersOptions {
  readonly engine: TaskOpener;
  readonly sources: Origins;
  readonly upstream: Upstream;
  readonly access: OriginAccess;
  readonly pool: BlockPool;
  readonly metrics: ProxyMetrics;
  readonly logger: Logger;
  /** Shown to clients, to tell which node served them. */
  readonly serverIp: string;
  readonly defaults: DownloadDefaults;
}

/** Range of one body, as it is asked of the engine and announced to the client. */
interface OpenBody {
  readonly task: OpenTask;
  readonly statusCode: 200 | 206;
}

export class PeerAnswers {
  readonly #options: PeerAnswersOptions;
  /** Registries that told one thing and gave another: their answers wait for the content itself. */
  readonly #unsure = new LRUCache<string, true>({ max: proxyLimits.unsureRegistries, ttl: proxyLimits.unsureMs });

  constructor(options: PeerAnswersOptions) {
    this.#options = options;
  }

  /** @param filteredQueryParams of the rule that matched. */
  async answer(exchange: Exchange, filteredQueryParams: readonly string[] | undefined): Promise<void> {
    const { response, record, kind } = exchange;
    record.way = 'peers';
    const request = downloadRequestFor(exchange, filteredQueryParams, this.#options.defaults);
    const permitted = permissionFor(exchange, this.#options);
    const demand = rangeDemand(exchange.header['range']);
    const opening =
      demand.kind === 'several'
        ? this.#openFirst(demand.specs, request, exchange)
        : this.#open(request, demand.kind === 'one' ? demand.spec : undefined, exchange);
    const opened = settling(opening);
    const [permission] = await Promise.allSettled([permitted]);
    if (permission.status === 'rejected') {
      const given = await opened.result;
      if (given.status === 'fulfilled') await given.value[Symbol.asyncDispose]();
      record.error = toDragonflyError(permission.reason);
      if (record.error.details?.statusCode !== undefined) return this.#originsOwn(exchange, record.error);
      return answerError(response, record.error, { kind, type: 'proxy' });
    }
    const { validator, blob } = permission.value;
    if (blob && !opened.settled && asksForAll(exchange) && this.#promise(exchange, request, blob))
      return this.#keep(exchange, opened.result, blob);
    const task = await opened.result;
    if (task.status === 'rejected') return this.#afterFailedOpen(exchange, task.reason);
    if (isStale(task.value, validator)) {
      await task.value[Symbol.asyncDispose]();
      return forwardDirectly(exchange, this.#options.upstream);
    }
    await this.#send(exchange, request, task.value, demand);
  }

  /** Writes the header before the content has come anywhere near. False when it must wait: the download has not even begun, say. */
  #promise(exchange: Exchange, request: DownloadRequest, blob: ToldBlob): boolean {
    const { engine } = this.#options;
    const taskId = engine.taskIdOf(request);
    const peerId = engine.peerIdOf(taskId);
    if (peerId === undefined || exchange.signal.aborted || this.#unsure.has(exchange.url.origin)) return false;
    const { response, record } = exchange;
    record.taskId = taskId;
    record.peerId = peerId;
    const header = this.#header({ taskId, peerId, responseHeader: blob.header, local: false });
    response.writeHead(200, { ...header, 'content-length': String(blob.contentLengthBytes) });
    response.flushHeaders();
    noteFirstByte(record);
    return true;
  }

  /** The body for a header that is out: from the peers, else from the origin, else the connection breaks. */
  async #keep(exchange: Exchange, opened: Promise<PromiseSettledResult<OpenTask>>, blob: ToldBlob): Promise<void> {
    const { response, record, kind } = exchange;
    const writer = this.#writer(exchange, true);
    const given = await opened;
    const task = given.status === 'fulfilled' ? given.value : undefined;
    try {
      if (task) {
        if (!keepsPromise(task, blob)) throw new DragonflyError('SOURCE_CHANGED', 'the blob has another length now');
        await this.#copy(exchange, task, writer);
        this.#noteReceipt(exchange, task);
      } else if (given.status === 'rejected') {
        const rest = { range: { start: 0, length: blob.contentLengthBytes }, validator: undefined };
        await this.#goOnFromSource(exchange, { writer, rest, failure: toDragonflyError(given.reason), sentBytes: 0 });
      }
      await ended(response);
    } catch (error) {
      record.error = toDragonflyError(error);
      if (!exchange.signal.aborted) this.#unsure.set(exchange.url.origin, true);
      answerError(response, record.error, { kind, type: 'dfdaemon' });
    } finally {
      await task?.[Symbol.asyncDispose]();
    }
  }

  async #send(
    exchange: Exchange,
    request: DownloadRequest,
    opened: OpenTask,
    demand: ReturnType<typeof rangeDemand>,
  ): Promise<void> {
    const { response, record, header, kind } = exchange;
    let task = opened;
    try {
      record.taskId = task.taskId;
      record.peerId = task.peerId;
      const stored = task.responseHeader;
      if (notModified({ ifNoneMatch: header['if-none-match'], ifModifiedSince: header['if-modified-since'] }, stored)) {
        response.writeHead(304, this.#header(task));
        noteFirstByte(record);
        response.end();
        return;
      }
      const length = task.contentLengthBytes;
      const validator = header['if-range'];
      const several =
        demand.kind === 'several' && length !== undefined ? resolveSeveral(demand.specs, length) : undefined;
      const ignored =
        demand.kind !== 'whole' &&
        ((validator !== undefined && !ifRangeHolds(validator, stored)) || length === undefined || several === 'whole');
      if (ignored) {
        await task[Symbol.asyncDispose]();
        task = await this.#open(request, undefined, exchange);
      }
      if (!ignored && several !== undefined && several !== 'whole' && several.length > 1) {
        await this.#sendSeveral(exchange, request, task, several);
      } else await this.#sendOne(exchange, { task, statusCode: ignored || demand.kind === 'whole' ? 200 : 206 });
      this.#noteReceipt(exchange, task);
    } catch (error) {
      record.error = toDragonflyError(error);
      if (response.headersSent || exchange.signal.aborted)
        answerError(response, record.error, { kind, type: 'dfdaemon' });
      else await this.#afterFailedOpen(exchange, error);
    } finally {
      await task[Symbol.asyncDispose]();
    }
  }

  async #sendOne(exchange: Exchange, { task, statusCode }: OpenBody): Promise<void> {
    const { response, record } = exchange;
    const { contentLengthBytes: total, range } = task;
    const length = range?.length ?? total;
    const place: Record<string, string> =
      statusCode === 206 && range && total !== undefined ? { 'content-range': formatContentRange(range, total) } : {};
    const size: Record<string, string> = length === undefined ? {} : { 'content-length': String(length) };
    response.writeHead(statusCode, { ...this.#header(task), ...place, ...size });
    const writer = this.#writer(exchange, length !== undefined);
    noteFirstByte(record);
    await writer.start();
    await this.#copy(exchange, task, writer);
    await ended(response);
  }

  async #copy(exchange: Exchange, task: OpenTask, writer: BodyWriter): Promise<void> {
    const { sentBytes, failure } = await copySpans(task, writer, exchange.signal);
    if (failure === undefined) return;
    const rest = restOf(task, sentBytes, registryPath(exchange.url.pathname));
    await this.#goOnFromSource(exchange, { writer, rest, failure, sentBytes });
  }

  /** When the download fails with the header out, the rest comes from the origin itself, if that is certain to fit. */
  async #goOnFromSource(
    exchange: Exchange,
    {
      writer,
      rest,
      failure,
      sentBytes,
    }: { writer: BodyWriter; rest: Rest | undefined; failure: DragonflyError; sentBytes: number },
  ): Promise<void> {
    const { defaults, metrics, logger, sources } = this.#options;
    const hopeless =
      exchange.signal.aborted || failure.code === 'DIGEST_MISMATCH' || failure instanceof DownloadBlocked;
    if (!rest || defaults.disableBackToSource || hopeless) throw failure;
    metrics.fellBack(failure.code);
    logger.warn(
      { url: nameOf(exchange.url), sentBytes, error: failure.message },
      'the download failed, going on from the source',
    );
    await sendRest(exchange, rest, { sources, writer });
  }

  async #sendSeveral(
    exchange: Exchange,
    request: DownloadRequest,
    task: OpenTask,
    ranges: readonly ByteRange[],
  ): Promise<void> {
    const { response, record } = exchange;
    const lengthBytes = task.contentLengthBytes ?? 0;
    const type = task.responseHeader['content-type'];
    const frame = multipartFrame(ranges, { lengthBytes, type }, randomBytes(16).toString('hex'));
    response.writeHead(206, {
      ...this.#header(task),
      'content-type': frame.contentType,
      'content-length': String(frame.contentLengthBytes),
    });
    const writer = this.#writer(exchange, true);
    noteFirstByte(record);
    await writer.start();
    for (const [index, range] of ranges.entries()) {
      await writer.text(frame.heads[index] ?? Buffer.alloc(0));
      const spec = { first: range.start, last: range.start + range.length - 1 };
      await using part = await this.#open(request, spec, exchange);
      await this.#copy(exchange, part, writer);
    }
    await writer.text(frame.tail);
    await ended(response);
  }

  #writer(exchange: Exchange, framed: boolean): BodyWriter {
    const { response, signal, record } = exchange;
    return new BodyWriter(this.#options.pool, {
      response,
      framed,
      signal,
      onBytes: (count) => {
        record.bytes += count;
      },
    });
  }

  /** Without a range, content that is known to be satisfiable is opened; 416 only when none of them is. */
  async #openFirst(specs: readonly RangeSpec[], request: DownloadRequest, exchange: Exchange): Promise<OpenTask> {
    let failure: unknown;
    for (const spec of specs) {
      try {
        return await this.#open(request, spec, exchange);
      } catch (error) {
        if (toDragonflyError(error).code !== 'RANGE_NOT_SATISFIABLE') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #open(request: DownloadRequest, range: RangeSpec | undefined, exchange: Exchange): Promise<OpenTask> {
    const deadline = AbortSignal.timeout(proxyLimits.engineOpenTimeoutMs);
    const opening = this.#options.engine.open({ ...request, range }, exchange.signal);
    return new Promise((resolve, reject) => {
      const late = (): void => {
        reject(new DragonflyError('UNAVAILABLE', 'the download did not start in time'));
        opening.then(
          (task) => task[Symbol.asyncDispose](),
          () => undefined,
        ); // nobody waits for it any more
      };
      deadline.addEventListener('abort', late, { once: true });
      opening.then(resolve, reject).finally(() => deadline.removeEventListener('abort', late));
    });
  }

  /** What the client is told when there is no task: the origin's own words, or the origin itself. */
  async #afterFailedOpen(exchange: Exchange, error: unknown): Promise<void> {
    const { response, record, kind, signal } = exchange;
    const failure = toDragonflyError(error);
    record.error = failure;
    if (signal.aborted) return void response.destroy();
    if (failure.code === 'RANGE_NOT_SATISFIABLE') {
      const total = /(\d+) bytes of/.exec(failure.message)?.[1];
      const header: Record<string, string> = total === undefined ? {} : { 'content-range': `bytes */${total}` };
      return answerError(response, failure, { kind, type: 'proxy', header });
    }
    if (error instanceof DownloadBlocked) return answerError(response, failure, { kind, type: 'proxy' });
    if (this.#options.defaults.disableBackToSource) {
      if (failure.details?.statusCode !== undefined) return answerOriginStatus(response, failure, isRegistry(exchange));
      return answerError(response, failure, { kind, type: 'dfdaemon', status: 503 });
    }
    // Also after a refusal by the origin: the download may have run with another caller's right.
    this.#options.metrics.fellBack(failure.code);
    this.#options.logger.warn(
      { url: nameOf(exchange.url), error: failure.message },
      'no download, asking the source itself',
    );
    await forwardDirectly(exchange, this.#options.upstream);
  }

  /** The origin has refused what we asked: what it says to the client itself is the answer, if it still can be asked. */
  #originsOwn(exchange: Exchange, refusal: DragonflyError): Promise<void> {
    return forwardDirectly(exchange, this.#options.upstream, (response) =>
      answerOriginStatus(response, refusal, isRegistry(exchange)),
    );
  }

  #header(task: Pick<OpenTask, 'taskId' | 'peerId' | 'responseHeader' | 'local'>): Record<string, string> {
    return {
      ...storedResponseHeader(task.responseHeader),
      'accept-ranges': 'bytes',
      'x-dragonfly-task': task.taskId,
      'x-dragonfly-task-id': task.taskId,
      'x-dragonfly-peer': task.peerId,
      'x-dragonfly-server-ip': this.#options.serverIp,
      ...(task.local ? { 'x-dragonfly-task-download-finished': 'true' } : {}),
    };
  }

  /** Counts where the bytes came from once the download has ended; a reader of a part may have left long before. */
  #noteReceipt(exchange: Exchange, task: OpenTask): void {
    const { metrics } = this.#options;
    if (task.local) return metrics.bodyBytes('local', exchange.record.bytes);
    task.finished.then(
      (receipt: Receipt) => metrics.receipt(receipt),
      () => undefined, // a download that failed has no receipt
    );
  }
}

/** The origin has something newer under this URL than what the peers hold. */
function isStale(task: OpenTask, validator: string | undefined): boolean {
  const held = task.responseHeader['etag'] ?? task.responseHeader['last-modified'];
  return validator !== undefined && held !== undefined && held !== validator;
}

function isRegistry({ url }: Exchange): boolean {
  return registryPath(url.pathname) !== undefined;
}

function ended(response: Exchange['response']): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
    response.end(resolve);
  });
}

function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
