/** The body of one answer: spans of the task as they come, and the rest from the origin if the download fails half-way. */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { ByteRange } from '../../../core/byte-range.ts';
import type { SourceBody, SourceRequest } from '../../source/source.ts';
import type { FileSpan, OpenTask } from '../../task/open-task.ts';
import type { BodyWriter } from './body-writer.ts';
import type { ClientCall } from '../client-call.ts';
import { downloadHeader } from './header.ts';
import { proxyLimits } from '../limits.ts';
import type { RegistryPath } from '../registry/registry-path.ts';

export interface CopyResult {
  readonly sentBytes: number;
  /** A failure of the engine; when the client leaves, the copy rejects instead. */
  readonly failure: DragonflyError | undefined;
}

/** The bytes of a task as they arrive. Whoever opens it closes it. */
export class Spans {
  readonly #spans: AsyncIterator<FileSpan>;
  #ahead: Promise<IteratorResult<FileSpan>> | undefined;

  constructor(task: OpenTask) {
    this.#spans = task.spans()[Symbol.asyncIterator]();
  }

  /** Resolves when bytes are there or none have come for this long; rejects when there will be none. */
  async begun(waitMs: number): Promise<void> {
    const ahead = (this.#ahead ??= this.#spans.next());
    const controller = new AbortController();
    const late = delay(waitMs, undefined, { signal: controller.signal }).catch(() => undefined);
    try {
      await Promise.race([ahead, late]);
    } finally {
      controller.abort();
      ahead.catch(() => undefined); // it will be requested again, or is no longer needed
    }
  }

  next(): Promise<IteratorResult<FileSpan>> {
    const next = this.#ahead ?? this.#spans.next();
    this.#ahead = undefined;
    return next;
  }

  /** A hung engine must not block the answer. */
  [Symbol.dispose](): void {
    void this.#spans.return?.().then(undefined, () => undefined);
  }
}

/** A hung engine is recognised by its silence, and not confused with a slow client. */
export async function copySpans(spans: Spans, writer: BodyWriter, signal: AbortSignal): Promise<CopyResult> {
  let sentBytes = 0;
  for (;;) {
    let next: IteratorResult<FileSpan>;
    try {
      next = await within(spans.next(), proxyLimits.bodyStallTimeoutMs);
    } catch (error) {
      return { sentBytes, failure: toDragonflyError(error) };
    }
    if (next.done) return { sentBytes, failure: undefined };
    signal.throwIfAborted();
    await writer.file(next.value);
    sentBytes += next.value.length;
  }
}

export interface Rest {
  readonly range: ByteRange;
  /** The version that the origin must still have; undefined when a digest in the URL names the content. */
  readonly validator: string | undefined;
}

/** Undefined when nothing proves that the origin's content is the one that was sent so far. */
export function restOf(
  { range, responseHeader }: Pick<OpenTask, 'range' | 'responseHeader'>,
  sentBytes: number,
  path: RegistryPath | undefined,
): Rest | undefined {
  const validator = responseHeader['etag'] ?? responseHeader['last-modified'];
  const sure = path?.kind === 'blob' || (validator !== undefined && !validator.startsWith('W/'));
  if (!range || !sure) return undefined;
  return { range: { start: range.start + sentBytes, length: range.length - sentBytes }, validator };
}

/** Rejects when the origin fails as well, or has something else now; the client's connection then breaks. */
export async function sendRest(
  { caller, url, header, trust, signal }: ClientCall,
  { range, validator }: Rest,
  { sources, writer }: { sources: { open(request: SourceRequest): Promise<SourceBody> }; writer: BodyWriter },
): Promise<void> {
  if (range.length === 0) return;
  const body = await sources.open({
    ...trust,
    caller,
    url: url.href,
    header: downloadHeader(header),
    range,
    validator,
    signal,
  });
  let skip = range.start - body.startBytes; // an origin without ranges sends everything again
  let left = range.length;
  await body.readTo(async (block) => {
    const part = block.subarray(Math.min(skip, block.length)).subarray(0, left);
    skip -= block.length - Math.max(0, block.length - skip);
    if (part.length === 0) return;
    left -= part.length;
    await writer.bytes(part);
  });
  if (left > 0) throw new DragonflyError('SOURCE_UNREACHABLE', `the origin ended ${left} bytes before the end`);
}

async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new DragonflyError('DEADLINE_EXCEEDED', 'the download stands still')),
    timeoutMs,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
