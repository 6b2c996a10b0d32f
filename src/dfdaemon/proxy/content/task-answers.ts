/**
 * Answers with content of the task engine: opening it, headers, ranges, and what happens when the engine fails.
 *
 * Before the header is out, any failure sends the client's own request to its origin. After that, a failure that the
 * origin cannot make up for breaks the connection, so that no client takes a part for the whole. Whether the caller may
 * have the content was decided earlier.
 */
import { randomBytes } from 'node:crypto';
import type { ByteRange, RangeSpec } from '../../../core/byte-range.ts';
import { formatContentRange } from '../../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/process/logger.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { DownloadBlocked } from '../../cluster/block-list.ts';
import type { DownloadRequest, OpenTask, Receipt, TaskHead } from '../../task/open-task.ts';
import type { SourceBody, SourceRequest } from '../../source/source.ts';
import type { BlockPool } from '../../transport/block-pool.ts';
import { answerError } from '../answers.ts';
import { copySpans, restOf, sendRest, Spans, type Rest } from '../wire/body-copy.ts';
import { BodyWriter } from '../wire/body-writer.ts';
import { forwardDirectly, relay, sendOwn } from '../wire/direct.ts';
import { relayWhole } from '../wire/whole-answer.ts';
import type { DownloadDefaults } from './download-request.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { proxyLimits } from '../limits.ts';
import { headerOfTask, withoutChecksumsOf, type AnswerHeader } from '../proof/answer-header.ts';
import type { ProxyMetrics } from '../proxy-metrics.ts';
import { multipartFrame, resolveSeveral, type RangeDemand } from '../wire/range-answer.ts';
import { registryPath } from '../registry/registry-path.ts';
import type { Upstream } from '../wire/upstream.ts';

export interface TaskOpener {
  open(request: DownloadRequest, signal: AbortSignal): Promise<OpenTask>;
  taskIdOf(request: DownloadRequest): string;
  /** Undefined while nothing is downloaded for the task. */
  peerIdOf(taskId: string): string | undefined;
  /** The URL from which this node has fetched all of the content; undefined when any of it came another way. */
  fetchedFrom(taskId: string): string | undefined;
  /** Undefined while nothing is known here of its content. */
  headOf(taskId: string): TaskHead | undefined;
}

export interface Origins {
  open(request: SourceRequest): Promise<SourceBody>;
}

export interface TaskAnswersOptions {
  readonly engine: TaskOpener;
  readonly sources: Origins;
  readonly upstream: Upstream;
  readonly pool: BlockPool;
  readonly metrics: ProxyMetrics;
  readonly logger: Logger;
  /** Shown to clients so that they can tell which node served them. */
  readonly serverIp: string;
  readonly defaults: DownloadDefaults;
}

/** A task's content to be sent, and how. */
export interface TaskAnswer {
  readonly request: DownloadRequest;
  readonly task: OpenTask;
  readonly demand: RangeDemand;
  /** What the origin told this caller; by default what is stored with the task. */
  readonly header?: AnswerHeader | undefined;
  /** Content-Range of content that is itself a part: nothing else of it can be asked for. */
  readonly part?: string | undefined;
}

export class TaskAnswers {
  readonly #options: TaskAnswersOptions;

  constructor(options: TaskAnswersOptions) {
    this.#options = options;
  }

  /** Content that peers do not bring may be fetched from the origin. */
  get mayGoToSource(): boolean {
    return !this.#options.defaults.disableBackToSource;
  }

  /** Opens the requested part, or the first of several that can be satisfied. */
  open(request: DownloadRequest, demand: RangeDemand, call: ClientCall): Promise<OpenTask> {
    if (demand.kind === 'several') return this.#openFirst(demand.specs, request, call);
    return this.#open(request, demand.kind === 'one' ? demand.spec : undefined, call);
  }

  /** Sends the requested part of the task and closes it. Always answers the client. */
  async send(call: ClientCall, { request, task: opened, demand, header, part }: TaskAnswer): Promise<void> {
    const { response, record, kind } = call;
    let task = opened;
    try {
      record.taskId = task.taskId;
      record.peerId = task.peerId;
      const length = task.contentLengthBytes;
      const several =
        demand.kind === 'several' && length !== undefined ? resolveSeveral(demand.specs, length) : undefined;
      const ignored = demand.kind !== 'whole' && (length === undefined || several === 'whole');
      if (ignored) {
        await task[Symbol.asyncDispose]();
        task = await this.#open(request, undefined, call);
      }
      const statusCode = ignored || demand.kind === 'whole' ? 200 : 206;
      if (!ignored && several !== undefined && several !== 'whole' && several.length > 1) {
        await this.#sendSeveral(call, { request, task, demand, header }, several);
      } else await this.#sendOne(call, { task, statusCode: part === undefined ? statusCode : 206, header, part });
      this.noteReceipt(call, task);
    } catch (error) {
      record.error = toDragonflyError(error);
      if (response.headersSent || call.signal.aborted) answerError(response, record.error, { kind, type: 'dfdaemon' });
      else await this.failed(call, error);
    } finally {
      await task[Symbol.asyncDispose]();
    }
  }

  /** The client has this content already: answers 304, with the header that would have come with the content. */
  notModified(call: ClientCall, header: AnswerHeader): void {
    const described = new Set(['content-length', 'content-type', 'content-encoding']);
    const kept = Object.entries(withoutChecksumsOf(header)).filter(([name]) => !described.has(name));
    call.response.writeHead(304, Object.fromEntries(kept));
    noteFirstByte(call.record);
    call.response.end();
  }

  /** Sends the whole body after a header that is out already. */
  async copyWhole(call: ClientCall, task: OpenTask): Promise<void> {
    using spans = new Spans(task);
    await this.#copy(call, { task, spans, writer: this.#writer(call, true) });
    this.noteReceipt(call, task);
    await ended(call.response);
  }

  /** Sends the same from the origin when there is no task. */
  async copyFromSource(call: ClientCall, lengthBytes: number, failure: DragonflyError): Promise<void> {
    const rest = { range: { start: 0, length: lengthBytes }, validator: undefined };
    await this.#goOnFromSource(call, { writer: this.#writer(call, true), rest, failure, sentBytes: 0 });
    await ended(call.response);
  }

  /** Answers when there is no task: with the origin's own answer, if it gave one. */
  async failed(call: ClientCall, error: unknown): Promise<void> {
    const { response, record, kind, signal } = call;
    const failure = toDragonflyError(error);
    record.error = failure;
    if (signal.aborted) return void response.destroy();
    if (failure.code === 'RANGE_NOT_SATISFIABLE') return this.#unsatisfiable(call, failure);
    if (error instanceof DownloadBlocked) return answerError(response, failure, { kind, type: 'proxy' });
    // What the origin told a seed is not the answer to this caller, who was told something else.
    if (!this.mayGoToSource) return answerError(response, failure, { kind, type: 'dfdaemon', status: 503 });
    // This includes a refusal by the origin: the download may have used another caller's credentials.
    this.#options.metrics.fellBack(failure.code);
    this.#options.logger.warn(
      { url: nameOf(call.url), error: failure.message },
      'no download, asking the source itself',
    );
    await forwardDirectly(call, this.#options.upstream);
  }

  /** SDKs read an error code in the body of a 416. The origin sends it; when the origin is unreachable, this node does. */
  async #unsatisfiable(call: ClientCall, failure: DragonflyError): Promise<void> {
    const { upstream } = this.#options;
    const { response, kind } = call;
    try {
      const message = this.mayGoToSource ? await sendOwn(call, upstream, { hasOther: true }) : undefined;
      if (message && message.statusCode !== 416) return await relay(call, message);
      if (message && (await relayWhole(call, message))) return;
    } catch (error) {
      call.record.error = toDragonflyError(error);
    }
    const total = /(\d+) bytes of/.exec(failure.message)?.[1];
    const header: Record<string, string> = total === undefined ? {} : { 'content-range': `bytes */${total}` };
    answerError(response, failure, { kind, type: 'proxy', header });
  }

  /** Header with which the proxy shows where an answer comes from. */
  header(
    task: Pick<OpenTask, 'taskId' | 'peerId' | 'local'>,
    content: AnswerHeader,
  ): Record<string, string | string[]> {
    return {
      ...content,
      'accept-ranges': 'bytes',
      'x-dragonfly-task': task.taskId,
      'x-dragonfly-task-id': task.taskId,
      'x-dragonfly-peer': task.peerId,
      'x-dragonfly-server-ip': this.#options.serverIp,
      ...(task.local ? { 'x-dragonfly-task-download-finished': 'true' } : {}),
    };
  }

  /** Counts where the bytes came from once the download has ended; a reader of a part may have left long before. */
  noteReceipt(call: ClientCall, task: OpenTask): void {
    const { metrics } = this.#options;
    if (task.local) return metrics.bodyBytes('local', call.record.bytes);
    task.finished.then(
      (receipt: Receipt) => metrics.receipt(receipt),
      () => undefined, // a download that failed has no receipt
    );
  }

  async #sendOne(
    call: ClientCall,
    { task, statusCode, header, part }: Omit<TaskAnswer, 'request' | 'demand'> & { readonly statusCode: 200 | 206 },
  ): Promise<void> {
    const { response, record } = call;
    const { contentLengthBytes: total, range } = task;
    const length = range?.length ?? total;
    const place: Record<string, string> =
      statusCode === 206 && range && total !== undefined
        ? { 'content-range': part ?? formatContentRange(range, total) }
        : {};
    const size: Record<string, string> = length === undefined ? {} : { 'content-length': String(length) };
    const content = header ?? headerOfTask(task.responseHeader);
    const told = statusCode === 206 && part === undefined ? withoutChecksumsOf(content) : content;
    using spans = new Spans(task);
    // Content whose version the origin does not identify cannot be continued from the origin once the header is out.
    if (!task.local && registryPath(call.url.pathname)?.kind !== 'blob') await spans.begun(proxyLimits.firstBytesMs);
    response.writeHead(statusCode, { ...this.header(task, told), ...place, ...size });
    const writer = this.#writer(call, length !== undefined);
    noteFirstByte(record);
    await writer.start();
    await this.#copy(call, { task, spans, writer, isPart: part !== undefined });
    await ended(response);
  }

  async #sendSeveral(
    call: ClientCall,
    { request, task, header }: TaskAnswer,
    ranges: readonly ByteRange[],
  ): Promise<void> {
    const { response, record } = call;
    const lengthBytes = task.contentLengthBytes ?? 0;
    const content = withoutChecksumsOf(header ?? headerOfTask(task.responseHeader));
    const type = content['content-type'];
    const frame = multipartFrame(
      ranges,
      { lengthBytes, type: Array.isArray(type) ? type[0] : type },
      randomBytes(16).toString('hex'),
    );
    response.writeHead(206, {
      ...this.header(task, content),
      'content-type': frame.contentType,
      'content-length': String(frame.contentLengthBytes),
    });
    const writer = this.#writer(call, true);
    noteFirstByte(record);
    await writer.start();
    for (const [index, range] of ranges.entries()) {
      await writer.text(frame.heads[index] ?? Buffer.alloc(0));
      const spec = { first: range.start, last: range.start + range.length - 1 };
      await using part = await this.#open(request, spec, call);
      using spans = new Spans(part);
      await this.#copy(call, { task: part, spans, writer });
    }
    await writer.text(frame.tail);
    await ended(response);
  }

  async #copy(
    call: ClientCall,
    { task, spans, writer, isPart = false }: { task: OpenTask; spans: Spans; writer: BodyWriter; isPart?: boolean },
  ): Promise<void> {
    const { range, responseHeader } = task; // a download that fails may drop these
    const { sentBytes, failure } = await copySpans(spans, writer, call.signal);
    if (failure === undefined) return;
    if (isPart) throw failure;
    const rest = restOf({ range, responseHeader }, sentBytes, registryPath(call.url.pathname));
    await this.#goOnFromSource(call, { writer, rest, failure, sentBytes });
  }

  /** When the download fails after the header is out, the rest comes from the origin, if that is certain to be the same content. */
  async #goOnFromSource(
    call: ClientCall,
    {
      writer,
      rest,
      failure,
      sentBytes,
    }: { writer: BodyWriter; rest: Rest | undefined; failure: DragonflyError; sentBytes: number },
  ): Promise<void> {
    const { metrics, logger, sources } = this.#options;
    const hopeless = call.signal.aborted || failure.code === 'DIGEST_MISMATCH' || failure instanceof DownloadBlocked;
    if (!rest || !this.mayGoToSource || hopeless) throw failure;
    metrics.fellBack(failure.code);
    logger.warn(
      { url: nameOf(call.url), sentBytes, error: failure.message },
      'the download failed, going on from the source',
    );
    await sendRest(call, rest, { sources, writer });
  }

  #writer(call: ClientCall, framed: boolean): BodyWriter {
    const { response, signal, record } = call;
    return new BodyWriter(this.#options.pool, {
      response,
      framed,
      signal,
      onBytes: (count) => {
        record.bytes += count;
      },
    });
  }

  /** Tries the ranges in order and opens the first that can be satisfied; 416 only when none can. */
  async #openFirst(specs: readonly RangeSpec[], request: DownloadRequest, call: ClientCall): Promise<OpenTask> {
    let failure: unknown;
    for (const spec of specs) {
      try {
        return await this.#open(request, spec, call);
      } catch (error) {
        if (toDragonflyError(error).code !== 'RANGE_NOT_SATISFIABLE') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #open(request: DownloadRequest, range: RangeSpec | undefined, call: ClientCall): Promise<OpenTask> {
    const deadline = AbortSignal.timeout(proxyLimits.engineOpenTimeoutMs);
    const opening = this.#options.engine.open({ ...request, range }, call.signal);
    return new Promise((resolve, reject) => {
      const lateness = onAbort(deadline, () => {
        reject(new DragonflyError('UNAVAILABLE', 'the download did not start in time'));
        opening.then(
          (task) => task[Symbol.asyncDispose](),
          () => undefined,
        ); // nobody waits for this any more
      });
      opening.then(resolve, reject).finally(() => lateness[Symbol.dispose]());
    });
  }
}

function ended(response: ClientCall['response']): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
    response.end(resolve);
  });
}

function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
