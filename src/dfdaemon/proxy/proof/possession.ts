/**
 * Checks that an origin has the bytes that it grants access to. Content that is not named by the origin's own URL (a
 * blob by its digest, a task by a name that the caller chose) could otherwise be unlocked by anybody's server. So a few
 * bytes at an unpredictable place are requested from the origin and compared with the store.
 */
import { randomInt } from 'node:crypto';
import { readSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import type { DownloadRequest, OpenTask, TaskHead } from '../../task/open-task.ts';
import type { ClientCall } from '../client-call.ts';
import { downloadHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import type { Upstream } from '../wire/upstream.ts';
import { askOrigin, bytesOf, type OriginAnswer } from './question.ts';

export interface Sample {
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface PossessionOptions {
  readonly upstream: Upstream;
  readonly engine: {
    open(request: DownloadRequest, signal: AbortSignal): Promise<OpenTask>;
    taskIdOf(request: DownloadRequest): string;
    fetchedFrom(taskId: string): string | undefined;
    headOf(taskId: string): TaskHead | undefined;
  };
  /** Origins that the operator has configured are believed. */
  readonly isTrusted: (url: URL) => boolean;
}

export class Possession {
  readonly #options: PossessionOptions;
  readonly #shown = new LRUCache<string, true>({ max: proxyLimits.possessions, ttl: proxyLimits.possessionMs });

  constructor(options: PossessionOptions) {
    this.#options = options;
  }

  /** The origin has shown these bytes, need not show them, or is giving them to this node right now. */
  isShown({ url }: ClientCall, request: DownloadRequest): boolean {
    const { isTrusted, engine } = this.#options;
    if (isTrusted(url) || this.#shown.has(this.#keyOf(url, request))) return true;
    const source = engine.fetchedFrom(engine.taskIdOf(request));
    if (source === undefined || new URL(source).origin !== url.origin) return false;
    this.#shown.set(this.#keyOf(url, request), true);
    return true;
  }

  /** The origin has shown the content to another node of the cluster. */
  noteShown({ url }: ClientCall, request: DownloadRequest): void {
    this.#shown.set(this.#keyOf(url, request), true);
  }

  /** For content under a name that the caller chose: the origin of the caller's URL must have it. Never rejects. */
  isGiven(call: ClientCall, { request, task }: { readonly request: DownloadRequest; readonly task: OpenTask }) {
    if (call.options.contentForCalculatingTaskId === undefined) return Promise.resolve(true);
    return this.isHad(call, request, task.contentLengthBytes);
  }

  /** Requests the sample if the origin has not shown the content yet. Never rejects. */
  async isHad(call: ClientCall, request: DownloadRequest, lengthBytes = 0): Promise<boolean> {
    if (this.isShown(call, request)) return true;
    const { engine, upstream } = this.#options;
    // Content that is still arriving is here from its beginning.
    const complete = engine.headOf(engine.taskIdOf(request))?.complete === true;
    const offset = samplePlace(complete ? lengthBytes : Math.min(lengthBytes, proxyLimits.nearBytes));
    const count = Math.min(proxyLimits.sampleBytes, lengthBytes - offset);
    try {
      const header = { ...downloadHeader(call.header), range: `bytes=${offset}-${offset + count - 1}` };
      const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
      const answer = await askOrigin(upstream, call, { header, signal });
      const sample = await sampleOf(answer, offset, lengthBytes);
      return sample !== undefined && (await this.compare(call, request, sample));
    } catch {
      return false;
    }
  }

  /** Compares the origin's bytes with the stored ones and remembers success. Rejects when the store cannot be read. */
  async compare(call: ClientCall, request: DownloadRequest, { offset, bytes }: Sample): Promise<boolean> {
    const { opened: _, ...plain } = request;
    // For a client of the whole content, its beginning is waited for: a part would cause a request of its own.
    const beginning = call.header['range'] === undefined && offset + bytes.length <= proxyLimits.nearBytes;
    const range = beginning ? undefined : { first: offset, last: offset + bytes.length - 1 };
    await using task = await this.#options.engine.open({ ...plain, range, prefetch: false }, call.signal);
    const skip = beginning ? offset : 0;
    const held = bytes.length > 0 ? await contentOf(task, skip + bytes.length) : undefined;
    const same = held?.subarray(skip).equals(bytes) === true;
    if (same) this.#shown.set(this.#keyOf(call.url, request), true);
    return same;
  }

  #keyOf(url: URL, request: DownloadRequest): string {
    return `${url.origin}\n${this.#options.engine.taskIdOf(request)}`;
  }
}

/** First byte of a sample at a random place in content of this length. */
export function samplePlace(lengthBytes: number): number {
  return randomInt(Math.max(1, lengthBytes - proxyLimits.sampleBytes + 1));
}

/**
 * The bytes that an answer to a request for bytes from `offset` on shows; an origin without ranges shows bytes near the
 * beginning. Releases the answer.
 */
export async function sampleOf(answer: OriginAnswer, offset: number, lengthBytes: number): Promise<Sample | undefined> {
  const partial = answer.statusCode === 206;
  const near = Math.max(0, Math.min(lengthBytes, proxyLimits.nearBytes) - proxyLimits.sampleBytes);
  const from = partial ? offset : Math.min(offset, near);
  const count = Math.min(proxyLimits.sampleBytes, lengthBytes - from);
  const startsThere = partial
    ? (answer.header['content-range'] ?? '').startsWith(`bytes ${offset}-`)
    : answer.statusCode === 200;
  if (!startsThere) {
    answer.discard();
    return undefined;
  }
  const bytes = await bytesOf(answer, partial ? 0 : from, count);
  return bytes && { offset: from, bytes };
}

/** The first bytes of the requested part of the task; undefined when there are fewer. */
export async function contentOf(task: OpenTask, lengthBytes: number): Promise<Buffer | undefined> {
  const content = Buffer.allocUnsafe(lengthBytes);
  let length = 0;
  for await (const span of task.spans()) {
    const end = Math.min(lengthBytes, length + span.length);
    for (const start = length; length < end;) {
      const count = readSync(span.fd, content, length, end - length, span.offset + length - start);
      if (count === 0) return undefined;
      length += count;
    }
    if (length === lengthBytes) return content;
  }
  return undefined;
}
