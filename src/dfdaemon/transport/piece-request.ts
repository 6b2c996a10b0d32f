/** One piece wanted from one parent, on its way through waiting, sent, receiving and settled. */
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
  /** The parent is of the original, which has a request of its own for pieces of each kind of imported content. */
  readonly imported?: 'persistent' | 'persistent cache' | undefined;
  /** By which this parent knows the task; its id where there is none. */
  readonly taskId?: string | undefined;
}

export interface FetchOptions {
  /** Called once, when the first bytes of the piece come in. */
  readonly onStarted?: (() => void) | undefined;
  /** Called once, when what is left of the piece will be here in a moment. */
  readonly onEnding?: (() => void) | undefined;
  readonly address: PieceAddress;
  readonly taskId: string;
  readonly piece: PieceSpan;
  /** Committed when the piece is complete and right; left to the caller to abort otherwise. */
  readonly writer: PieceWriter;
  /** Recorded as the source of the piece. */
  readonly parentId: string;
  /** Rate limits its bytes pay beside the client's own. While one makes wait, so do the requests behind on the connection. */
  readonly limiters?: readonly RateLimiter[] | undefined;
  /** CRC-32 known from elsewhere; checked besides the parent's own. */
  readonly expectedCrc32?: number | undefined;
  /** Whether the bytes are what they should be beyond their CRC-32: the piece counts when it resolves. */
  readonly prove?: CommitFacts['prove'];
  /** Takes all bytes as they arrive, in order; their memory is used again when it says so. */
  readonly hash?: { update(bytes: Uint8Array): () => Promise<void> | undefined } | undefined;
  readonly signal: AbortSignal;
  /** Longest time the piece may take, without what rate limits of this side make it wait. */
  readonly timeoutMs?: number | undefined;
}

export interface FetchResult {
  readonly crc32: number;
  /** Who the parent got the piece from, in its own words. */
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

  /** The parent does not have the whole piece yet: it comes at the pace of the parent's own source. */
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
