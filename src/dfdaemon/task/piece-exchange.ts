/**
 * The part of one download that gets pieces from other peers: the links to its parents, the picker that chooses, and the
 * piece requests under way. State changes are synchronous; after each of them `#pump` starts what the picker wants.
 */
import { toDragonflyError, type DragonflyError } from '../../core/errors.ts';
import { pieceSpan, type PieceLayout } from '../../core/piece-layout.ts';
import type { Logger } from '../../core/logger.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { PiecePicker, type PieceRequest } from '../../swarm/peer/piece-picker.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { PieceClient } from '../transport/piece-client.ts';
import type { ParentAddress, ParentLink, ParentNews } from './parent-link.ts';

/** Requests sent and not yet answered. One: asking ahead only makes pieces share the line. */
const requestsAhead = 1;

export type PieceFailure = 'temporary' | 'corrupt' | 'gone' | 'lost';

export interface ExchangeEvents {
  /** A parent told how the content is cut, before anybody else did. */
  layout(facts: {
    contentLengthBytes: number;
    pieceLengthBytes: number;
    responseHeader: Readonly<Record<string, string>>;
  }): void;
  /** A parent could not give a piece; `gone` when it says it does not hold it, `lost` when it will not be asked again. */
  parentFailed(parentId: string, piece: number | undefined, reason: PieceFailure): void;
  /** Something changed that may leave the download without any source. */
  changed(): void;
  /** More of a piece can be read. */
  bytes(): void;
  /** The disk refused a piece: the download cannot go on. */
  storageFailed(error: Error): void;
}

export interface ExchangeOptions {
  readonly taskId: string;
  readonly hostId: string;
  readonly stored: StoredTask;
  readonly pieces: PieceClient;
  readonly openLink: (parent: ParentAddress, news: ParentNews, missing: () => readonly number[]) => ParentLink;
  readonly concurrentPieceCount: number;
  readonly pieceTimeoutMs: number;
  /** What each byte pays beside the total, now. */
  readonly limiters: () => readonly RateLimiter[];
  readonly events: ExchangeEvents;
  readonly logger: Logger;
}

interface Running {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export class PieceExchange {
  readonly #options: ExchangeOptions;
  readonly #links = new Map<string, ParentLink>();
  /** What parents announced before the layout was known. */
  readonly #early = new Map<string, PieceSet>();
  readonly #running = new Map<string, Running>();
  #picker: PiecePicker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Parents whose stream of news is open. */
  get parentCount(): number {
    return this.#links.size;
  }

  parent(id: string): ParentAddress | undefined {
    return this.#links.get(id)?.parent;
  }

  /** Nothing is under way, and no parent that is known holds anything still missing. */
  get idle(): boolean {
    return this.#running.size === 0;
  }

  /** The layout is known: pieces can be chosen. `wanted` absent for all of them. */
  begin(layout: PieceLayout, wanted: PieceSet | undefined): void {
    if (this.#picker) return;
    this.#picker = new PiecePicker({
      pieceCount: layout.pieceCount,
      pieceLengthBytes: layout.pieceLengthBytes,
      ...(wanted && { wanted }),
      held: this.#options.stored.pieces,
      random: Math.random,
      limits: { maxRunning: this.#options.concurrentPieceCount, maxWaiting: requestsAhead },
    });
    for (const link of this.#links.values()) {
      this.#picker.parentAdded(link.parent.peerId, { distance: link.parent.distance });
      const early = this.#early.get(link.parent.peerId);
      if (early) this.#picker.parentHas(link.parent.peerId, early);
    }
    this.#early.clear();
    this.#pump();
  }

  addParents(parents: readonly ParentAddress[], { replace }: { replace: boolean }): void {
    if (this.#closed) return;
    if (replace) {
      const kept = new Set(parents.map((parent) => parent.peerId));
      this.dropParents([...this.#links.keys()].filter((id) => !kept.has(id)));
    }
    for (const parent of parents) {
      if (this.#links.has(parent.peerId)) continue;
      if (this.#picker && !this.#picker.parentAdded(parent.peerId, { distance: parent.distance })) continue;
      const link = this.#options.openLink(parent, this.#newsOf(parent), () => this.#missing());
      this.#links.set(parent.peerId, link);
      link.start();
    }
  }

  dropParents(ids: readonly string[]): void {
    for (const id of ids) {
      const link = this.#links.get(id);
      if (!link) continue;
      this.#links.delete(id);
      this.#early.delete(id);
      this.#picker?.parentRemoved(id);
      for (const [key, running] of this.#running) if (key.startsWith(`${id} `)) running.controller.abort();
      link.close();
    }
    this.#pump();
  }

  /** More is wanted than before: another reader has joined. */
  want(pieces: PieceSet): void {
    this.#picker?.want(pieces);
    this.#pump();
  }

  setReaders(pieces: readonly number[]): void {
    this.#picker?.setReaders(pieces);
    this.#pump();
  }

  /**
   * Bytes of these come from the origin now; other pieces are asked of parents. Whoever was about to give one that comes as a
   * `whole` does not hold it, or has fallen silent: its request is given up, or the piece would stay claimed by it when the
   * origin's bytes are here. Resolves when all have let go.
   */
  async originFetching(pieces: PieceSet, whole = new PieceSet()): Promise<void> {
    this.#picker?.originReleased();
    this.#picker?.originFetching(pieces);
    this.#pump();
    const given = [...this.#running].filter(([key]) => whole.has(Number(key.slice(key.lastIndexOf(' ') + 1))));
    for (const [, running] of given) running.controller.abort();
    await Promise.all(given.map(([, running]) => running.ended));
  }

  /** A piece came by another way than from a parent. */
  pieceFromElsewhere(number: number): void {
    for (const other of this.#picker?.pieceArrived(number, undefined, performance.now()) ?? []) this.#cancel(other);
    this.#pump();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    const ended = [...this.#running.values()].map((running) => {
      running.controller.abort();
      return running.ended;
    });
    await Promise.all(ended);
  }

  #missing(): readonly number[] {
    const { layout, pieces } = this.#options.stored;
    return layout ? [...PieceSet.range(0, layout.pieceCount).difference(pieces)] : [];
  }

  #newsOf(parent: ParentAddress): ParentNews {
    const id = parent.peerId;
    return {
      has: (pieces) => {
        if (!this.#links.has(id)) return;
        if (this.#picker) this.#picker.parentHas(id, pieces);
        else this.#early.set(id, (this.#early.get(id) ?? new PieceSet()).union(pieces));
        this.#pump();
      },
      offers: (pieces) => {
        if (!this.#links.has(id)) return;
        if (this.#picker) for (const piece of pieces) this.#picker.parentOffers(id, piece);
        else this.#early.set(id, (this.#early.get(id) ?? new PieceSet()).union(PieceSet.of(pieces)));
        this.#pump();
      },
      load: (uploads) => {
        if (!this.#picker || !this.#links.has(id)) return;
        this.#picker.parentLoad(id, uploads);
        const { bytesPerSec, latestBytesPerSec } = this.#options.pieces;
        if (this.#picker.wouldAsk(id, performance.now(), bytesPerSec, latestBytesPerSec)) this.#pump();
      },
      layout: (facts) => this.#options.events.layout(facts),
      lost: () => {
        if (!this.#links.delete(id)) return;
        this.#early.delete(id);
        this.#picker?.parentRemoved(id);
        this.#options.events.parentFailed(id, undefined, 'lost');
        this.#pump();
      },
    };
  }

  #pump(): void {
    const picker = this.#picker;
    if (!picker || this.#closed) return;
    const nowMs = performance.now();
    const { bytesPerSec, latestBytesPerSec } = this.#options.pieces;
    for (const request of picker.next(nowMs, bytesPerSec, latestBytesPerSec)) this.#start(request);
    clearTimeout(this.#timer);
    const wakeMs = picker.nextWakeMs(nowMs);
    if (wakeMs !== undefined) this.#timer = setTimeout(() => this.#pump(), Math.max(1, wakeMs - nowMs));
    this.#options.events.changed();
  }

  #start(request: PieceRequest): void {
    const key = keyOf(request);
    const controller = new AbortController();
    const ended = this.#fetch(request, controller.signal).finally(() => {
      this.#running.delete(key);
      this.#pump();
    });
    this.#running.set(key, { controller, ended });
  }

  async #fetch(request: PieceRequest, signal: AbortSignal): Promise<void> {
    const { stored, events, pieces, taskId, pieceTimeoutMs, limiters } = this.#options;
    const link = this.#links.get(request.parentId);
    const address = link?.pieceAddress;
    const fail = (reason: 'busy' | 'temporary' | 'gone' | 'corrupt'): void => {
      this.#picker?.requestFailed(request.parentId, request.piece, reason, performance.now());
    };
    if (!link || !address || !stored.layout) return fail('gone');
    // One writer owns a piece: a second request takes over from the late one instead of racing it.
    if (request.hedge) await this.#takeOver(request);
    await stored.claims.dropIdle(request.piece);
    if (signal.aborted || stored.pieces.has(request.piece) || stored.incoming(request.piece)) return fail('temporary');
    const span = pieceSpan(stored.layout, request.piece);
    const writer = stored.writePiece(request.piece);
    writer.incoming.onProgress(() => events.bytes());
    try {
      await pieces.fetch({
        address,
        taskId,
        piece: span,
        writer,
        parentId: request.parentId,
        onStarted: () => {
          this.#picker?.requestStarted(request.parentId, request.piece, performance.now());
          this.#pump();
        },
        onEnding: () => {
          this.#picker?.pieceEnding(request.parentId, request.piece);
          this.#pump();
        },
        limiters: limiters(),
        signal,
        timeoutMs: pieceTimeoutMs,
      });
      for (const other of this.#picker?.pieceArrived(request.piece, request.parentId, performance.now()) ?? [])
        this.#cancel(other);
    } catch (error) {
      await writer.abort();
      if (signal.aborted) return fail('temporary');
      const failure = toDragonflyError(error);
      if (failure.code === 'RESOURCE_EXHAUSTED') return fail('busy');
      this.#options.logger.debug(
        { parent: request.parentId, piece: request.piece, error: failure.message },
        'a parent failed to give a piece',
      );
      if (failure.code === 'NO_SPACE' || failure.code === 'STORAGE') return events.storageFailed(failure);
      const reason = failureOf(failure);
      fail(reason);
      if (reason === 'corrupt') this.#drop(request.parentId);
      events.parentFailed(request.parentId, request.piece, reason);
    }
  }

  /** Ends the other requests for the piece and waits until their writer has let go. */
  async #takeOver(request: PieceRequest): Promise<void> {
    const suffix = ` ${request.piece}`;
    const others = [...this.#running].filter(([key]) => key.endsWith(suffix) && key !== keyOf(request));
    for (const [, running] of others) running.controller.abort();
    await Promise.all(others.map(([, running]) => running.ended));
  }

  #cancel(request: PieceRequest): void {
    this.#running.get(keyOf(request))?.controller.abort();
  }

  #drop(parentId: string): void {
    const link = this.#links.get(parentId);
    this.#links.delete(parentId);
    link?.close();
  }
}

function keyOf(request: PieceRequest): string {
  return `${request.parentId} ${request.piece}`;
}

function failureOf(error: DragonflyError): 'temporary' | 'corrupt' | 'gone' {
  if (error.code === 'DIGEST_MISMATCH') return 'corrupt';
  return error.code === 'PIECE_UNAVAILABLE' ? 'gone' : 'temporary';
}
