/**
 * The part of one download that is at the origin: carries out its leases, tells the scheduler and the children of this node what
 * came of them, and gives readers theirs when no scheduler does.
 */

import type { DragonflyError } from '../../../core/errors.ts';
import type { RateLimiter } from '../../../core/rate-limiter.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadContext } from '../download-context.ts';
import type { DownloadRequest } from '../open-task.ts';
import { OriginDuty } from './origin-duty.ts';
import { isTemporary } from './origin-stream.ts';
import type { PieceExchange } from '../exchange/piece-exchange.ts';
import { ReaderDesk } from '../reader-desk.ts';
import type { ReceiptBuilder } from '../receipt-builder.ts';
import { wholeTask, type OriginLease } from './origin-lease.ts';
import type { SchedulerSession } from '../session/scheduler-session.ts';

export interface OriginSideOptions {
  readonly context: DownloadContext;
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  readonly exchange: PieceExchange;
  readonly receipt: ReceiptBuilder;
  readonly limiters: () => readonly RateLimiter[];
  readonly session: () => SchedulerSession | undefined;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  readonly events: {
    /** This node goes to the origin. */
    began(): void;
    /** @param validator what the origin calls this version of the content. */
    answered(validator: string | undefined): void;
    /** The layout is known, or what is missing has changed. */
    learned(): void;
    bytes(): void;
    /** A lease has ended, whatever came of it. */
    ended(): void;
    /** The download cannot go on. */
    failed(error: DragonflyError): void;
  };
}

/** Errors that pieces of other nodes cannot help against. */
const fatalErrors: ReadonlySet<string> = new Set(['NO_SPACE', 'STORAGE', 'SOURCE_CHANGED', 'RANGE_NOT_SATISFIABLE']);

export class OriginSide {
  readonly readers: ReaderDesk;
  readonly #options: OriginSideOptions;
  readonly #duty: OriginDuty;
  /** The origin answers byte ranges; undefined while nobody knows. */
  #ranges: boolean | undefined;
  #hasFailed = false;
  /** Leases that wait for the layout. */
  readonly #early = new Map<string, OriginLease>();

  constructor(options: OriginSideOptions) {
    this.#options = options;
    const { context, request, stored, exchange, receipt, limiters, session, signal, events } = options;
    this.#duty = new OriginDuty({
      request,
      stored,
      sources: context.sources,
      connections: context.originConnections,
      limiters,
      makeRoom: context.makeRoom,
      signal,
      claim: (pieces, whole) => exchange.originFetching(pieces, whole),
      events: {
        answered: ({ validator }, ranges) => this.#answered(validator, ranges),
        begun: (number) => context.announcer().pieceBegun(number),
        givenUp: (number) => context.announcer().pieceGivenUp(number),
        bytes: () => events.bytes(),
        alive: (flows) => session()?.leaseAlive(flows),
        retried: () => receipt.retry(),
        ended: (lease, error) => this.#ended(lease, error),
      },
    });
    this.readers = new ReaderDesk({
      stored,
      origin: this.#duty,
      prefetch: request.prefetch === true,
      session,
      take: (lease) => this.take(lease),
    });
  }

  get active(): boolean {
    return this.#duty.active || this.#early.size > 0;
  }

  /** The origin has refused this node, or has failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Pieces are on their way, not only what a reader waits for just now. */
  get bringsPieces(): boolean {
    return this.#duty.bringsPieces || this.#early.size > 0;
  }

  /** Which pieces a lease names can only be told from the layout, which comes right before it. */
  take(lease: OriginLease): void {
    const { events, session, context, stored } = this.#options;
    events.began();
    if (!stored.layout && !lease.reader && (lease.first > 0 || lease.end !== undefined))
      return void this.#early.set(lease.id, lease);
    session()?.leaseStarted(lease);
    if (lease.readerOnly !== true) context.announcer().leaseBegan();
    this.#duty.take(lease);
    this.#tellExchange();
  }

  layoutKnown(): void {
    const early = [...this.#early.values()];
    this.#early.clear();
    for (const lease of early) this.take(lease);
    this.#tellExchange();
  }

  revoke(leaseId: string): void {
    this.#early.delete(leaseId);
    if (this.#duty.revoke(leaseId)) this.#released();
  }

  /** No scheduler tells what to fetch: what readers wait for, else everything. */
  goAlone(): void {
    if (this.#ranges !== false) this.readers.serveAll();
    if (!this.#duty.active) this.take(wholeTask);
  }

  /** Which pieces the picker leaves to the origin. */
  #tellExchange(): void {
    void this.#options.exchange.originFetching(this.#duty.pieces);
  }

  #answered(validator: string | undefined, ranges: boolean | undefined): void {
    const { receipt, context, events } = this.#options;
    events.answered(validator);
    receipt.originRequest();
    this.#ranges = ranges ?? this.#ranges;
    context.announcer().layoutKnown();
    this.#tellMetadata();
    events.learned();
    this.#tellExchange();
  }

  #tellMetadata(): void {
    const { contentLengthBytes, pieceLengthBytes, responseHeader } = this.#options.stored;
    if (pieceLengthBytes === undefined) return;
    const metadata = { contentLengthBytes, pieceLengthBytes, responseHeader, ranges: this.#ranges };
    this.#options.session()?.metadata(metadata);
  }

  #ended(lease: OriginLease, error: DragonflyError | undefined): void {
    const { events } = this.#options;
    this.#released();
    if (error) this.#failed(lease, error);
    else {
      this.#tellMetadata(); // the end of content of unknown length is its layout
      events.learned();
    }
    events.ended();
  }

  #failed(lease: OriginLease, error: DragonflyError): void {
    const { session, exchange, events } = this.#options;
    this.#hasFailed = true;
    // What its request brought is for one caller alone; the scheduler sends somebody else.
    if (error.code === 'CANCELLED') return events.failed(error);
    const noRanges = error.code === 'UNSUPPORTED';
    if (noRanges) {
      this.#ranges = false;
      this.#tellMetadata();
    }
    // A range that the content does not have is the reader's fault, and nobody else's business.
    if (lease.readerOnly !== true && error.code !== 'RANGE_NOT_SATISFIABLE')
      session()?.leaseFailed(lease, error, noRanges || isTemporary(error));
    // The origin's answer is the user's answer, unless other nodes hold the content, or more of it is on its way.
    const isLast = exchange.parentCount === 0 && !this.#duty.active && !noRanges;
    if (fatalErrors.has(error.code) || isLast) events.failed(error);
  }

  #released(): void {
    this.#tellExchange();
    if (!this.#duty.active) this.#options.context.announcer().leaseEnded();
  }
}
