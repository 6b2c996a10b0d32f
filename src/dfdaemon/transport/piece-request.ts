/** A request for one piece from one parent: waiting, sent, receiving, settled. */
import { performance } from 'node:perf_hooks';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { PieceSpan } from '../../core/piece-layout.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { incomingPatience } from './limits.ts';
import type { CommitFacts, PieceWriter } from '../storage/pieces/piece-writer.ts';

export interface PieceAddress {
  readonly host: string;
  readonly port: number;
  /** The parent announced that its connections carry many requests. */
  readonly persistent: boolean;
  /** The parent announced that it passes pieces on while they come in. */
  readonly streamed?: boolean;
  /** The parent announced that it speaks TLS on this port. */
  readonly tls: boolean;
  /** The parent is of the original, which has a separate request for each kind of imported content. */
  readonly imported?: 'persistent' | 'persistent cache' | undefined;
  /** The name by which this parent knows the task, if it is not the task's id. */
  readonly taskId?: string | undefined;
}

export interface FetchOptions {
  /** Called once, when the first bytes of the piece come in. */
  readonly onStarted?: (() => void) | undefined;
  /** Called once, shortly before the end of the piece. */
  readonly onEnding?: (() => void) | undefined;
  readonly address: PieceAddress;
  readonly taskId: string;
  readonly piece: PieceSpan;
  /** Committed when the piece is complete and right; otherwise the caller has to abort it. */
  readonly writer: PieceWriter;
  /** Recorded as the source of the piece. */
  readonly parentId: string;
  /** Rate limits that its bytes pay besides the client's own. While one of them blocks, later requests on the connection wait as well. */
  readonly limiters?: readonly RateLimiter[] | undefined;
  /** CRC-32 known from elsewhere; checked besides the parent's own. */
  readonly expectedCrc32?: number | undefined;
  /** Checks beyond the CRC-32 that the bytes are right: the piece counts when it resolves. */
  readonly prove?: CommitFacts['prove'];
  /** Receives all bytes in order as they arrive; tells when their memory may be reused. */
  readonly hash?: { update(bytes: Uint8Array): () => Promise<void> | undefined } | undefined;
  readonly signal: AbortSignal;
  /** Longest time for the piece, not counting waits for rate limits of this side. */
  readonly timeoutMs?: number | undefined;
}

export interface FetchResult {
  readonly crc32: number;
  /** Where the parent says it got the piece from. */
  readonly originalSource: string;
  /** From the call to the committed piece. */
  readonly costMs: number;
  /** From the call to the answer's first byte. */
  readonly firstByteMs: number;
}

export class PieceRequest {
  readonly options: FetchOptions;
  readonly result: Promise<FetchResult>;
  readonly #startedMs = performance.now();
  readonly #resolvers = Promise.withResolvers<FetchResult>();
  readonly #abort: () => void;
  #leftMs: number;
  #timer: NodeJS.Timeout | undefined;
  #countsSinceMs: number | undefined;
  #settled = false;
  /** Connections that ended under this request before its answer began. */
  moves = 0;
  /** Called once when the caller gives up; set by whoever holds the request. */
  onAbort: (() => void) | undefined;

  constructor(options: FetchOptions) {
    this.options = options;
    this.result = this.#resolvers.promise;
    this.#leftMs = options.timeoutMs ?? Infinity;
    this.#abort = () => this.#giveUp(toDragonflyError(options.signal.reason));
    if (options.signal.aborted) this.#abort();
    else {
      options.signal.addEventListener('abort', this.#abort, { once: true });
      this.limited(false);
    }
  }

  /** The parent does not have the whole piece yet: it arrives at the pace of the parent's own source. */
  patient(): void {
    if (this.#settled || this.#leftMs === Infinity) return;
    this.limited(true);
    this.#leftMs += (this.options.timeoutMs ?? 0) * (incomingPatience - 1);
    this.limited(false);
  }

  /** Pauses the timeout while rate limits of this side hold the request back. */
  limited(limited: boolean): void {
    if (this.#settled || this.#leftMs === Infinity) return;
    const nowMs = performance.now();
    if (!limited && this.#countsSinceMs === undefined) {
      this.#countsSinceMs = nowMs;
      this.#timer = setTimeout(() => this.#expire(), this.#leftMs);
    } else if (limited && this.#countsSinceMs !== undefined) {
      clearTimeout(this.#timer);
      this.#leftMs = Math.max(0, this.#leftMs - (nowMs - this.#countsSinceMs));
      this.#countsSinceMs = undefined;
    }
  }

  get settled(): boolean {
    return this.#settled;
  }

  elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  succeed(result: FetchResult): void {
    if (this.#settle()) this.#resolvers.resolve(result);
  }

  fail(error: DragonflyError): void {
    if (this.#settle()) this.#resolvers.reject(error);
  }

  #expire(): void {
    const { piece, timeoutMs } = this.options;
    this.#giveUp(new DragonflyError('DEADLINE_EXCEEDED', `piece ${piece.number} did not come within ${timeoutMs} ms`));
  }

  #giveUp(error: DragonflyError): void {
    const holder = this.onAbort;
    this.fail(error);
    holder?.();
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.onAbort = undefined;
    this.options.signal.removeEventListener('abort', this.#abort);
    return true;
  }
}
