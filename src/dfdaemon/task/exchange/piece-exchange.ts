/**
 * Carries out the parent effects of a download's machine over real links and connections, and tells the machine what came of
 * them. ParentExchange (swarm/peer/download/) decides what is asked of whom; PieceClient (transport/) brings the bytes.
 */
import { toDragonflyError, type DragonflyError } from '../../../core/errors.ts';
import { pieceSpan } from '../../../core/piece-layout.ts';
import type { ExchangeEffect } from '../../../swarm/peer/download/effects.ts';
import type { PeerEvent, RequestDrop, RequestFailure } from '../../../swarm/peer/download/events.ts';
import { defaultPickerLimits } from '../../../swarm/peer/picker-limits.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import { isKeptUrl, isStoreUrl } from '../../../rpc/fields/kept-content.ts';
import { isSameVersion } from '../same-version.ts';
import type { DownloadScope } from '../download-scope.ts';
import type { LearnedLayout } from '../learned-layout.ts';
import type { ContentProof } from '../proof/content-proof.ts';
import { ParentLink, type ParentAddress, type ParentNews, type SyncPieces } from './parent-link.ts';
import { syncEither } from './sync-imported.ts';

type PieceRequest = Extract<ExchangeEffect, { kind: 'request-piece' }>;

/** The end of a piece request that did not land. */
type Outcome = Extract<PeerEvent, { kind: 'request-failed' | 'request-dropped' }> | undefined;

interface Running {
  readonly request: PieceRequest;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export class PieceExchange {
  readonly #scope: DownloadScope;
  readonly #proof: ContentProof;
  readonly #learned: LearnedLayout;
  readonly #links = new Map<string, ParentLink>();
  /** Offered parents to which the machine has not decided to listen yet. */
  readonly #offered = new Map<string, ParentAddress>();
  readonly #running = new Map<string, Running>();
  #closed = false;

  constructor(scope: DownloadScope, proof: ContentProof, learned: LearnedLayout) {
    this.#scope = scope;
    this.#proof = proof;
    this.#learned = learned;
  }

  parent(id: string): ParentAddress | undefined {
    return this.#links.get(id)?.parent;
  }

  offer(parents: readonly ParentAddress[], replace: boolean): void {
    for (const parent of parents) this.#offered.set(parent.peerId, parent);
    this.#take({ kind: 'parents-offered', parents, replace });
    this.#offered.clear();
  }

  run(effect: ExchangeEffect): void {
    switch (effect.kind) {
      case 'sync-with-parent':
        return this.#sync(effect.parentId);
      case 'ask-parent':
        return void this.#askAlive(effect.parentId);
      case 'leave-parent':
        this.#links.get(effect.parentId)?.close();
        this.#links.delete(effect.parentId);
        return void this.#abort(({ parentId }) => parentId === effect.parentId);
      case 'request-piece':
        return this.#request(effect);
      case 'cancel-piece':
        return this.#running.get(keyOf(effect))?.controller.abort();
    }
  }

  /** Resolves when the writers of all abandoned requests have released their pieces. */
  async released(): Promise<void> {
    const running = Array.from(this.#running.values());
    await Promise.all(running.flatMap(({ controller, ended }) => (controller.signal.aborted ? [ended] : [])));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    await this.#abort(() => true);
  }

  #take(event: PeerEvent): void {
    if (!this.#closed) this.#scope.machine.take(event);
  }

  /** Connects to a newly offered parent, or again to one whose stream has ended. */
  #sync(parentId: string): void {
    const known = this.#links.get(parentId);
    if (known) return known.open();
    const parent = this.#offered.get(parentId);
    if (!parent) return;
    const link = this.#linkTo(parent);
    this.#links.set(parentId, link);
    link.open();
  }

  #linkTo(parent: ParentAddress): ParentLink {
    const { context, stored } = this.#scope;
    const { entitled, hostId, syncPieces, syncImported, syncPersistent, askParent: ask, logger } = context;
    const { url } = stored.identity;
    const either = (): SyncPieces =>
      isStoreUrl(url)
        ? syncEither(syncPieces, syncPersistent, 'persistent')
        : syncEither(syncPieces, syncImported, 'persistent cache');
    const sync = isKeptUrl(url) ? either() : syncPieces;
    const missing = (): readonly number[] | undefined => this.#missing();
    // Without credentials of its own, this node does not use the scheduler's ticket to get restricted content.
    const allowed = entitled ? parent : { ...parent, ticket: undefined };
    const news = this.#newsOf(parent.peerId);
    return new ParentLink(allowed, { taskId: stored.id, hostId, sync, ask, news, missing, logger });
  }

  /** Bytes that just came are a sign of life; without any, the parent's process has to answer. */
  async #askAlive(parentId: string): Promise<void> {
    const link = this.#links.get(parentId);
    if (!link) return;
    const { pieces } = this.#scope.context;
    const { pieceAddress } = link;
    const heardAtMs = pieceAddress ? pieces.heardAtMs(pieceAddress) : Number.NEGATIVE_INFINITY;
    try {
      if (heardAtMs < performance.now() - defaultPickerLimits.quietMs) await link.askAlive();
    } catch {
      return; // its silence tells
    }
    await Promise.resolve(); // not within the step that asks
    if (this.#links.get(parentId) === link) this.#take({ kind: 'parent-alive', parentId });
  }

  /** Undefined while the layout is not known. */
  #missing(): readonly number[] | undefined {
    const { layout, pieces } = this.#scope.stored;
    return layout && [...PieceSet.range(0, layout.pieceCount).difference(pieces)];
  }

  /** Turns the parent's messages into events until the parent is left. */
  #newsOf(parentId: string): ParentNews {
    const take = (event: PeerEvent): void => {
      if (this.#links.has(parentId)) this.#take(event);
    };
    const useless = (): void => take({ kind: 'parent-useless', parentId });
    return {
      has: (pieces) => take({ kind: 'parent-has', parentId, pieces }),
      offers: (pieces) => take({ kind: 'parent-offers', parentId, pieces }),
      load: (uploads) => take({ kind: 'parent-load', parentId, uploads }),
      layout: (facts) => {
        if (this.#isOfAnotherVersion(facts.responseHeader)) {
          this.#scope.context.logger.warn({ parent: parentId }, 'a parent holds another version of the content');
          useless();
        } else void this.#learned.take(facts);
      },
      restricted: () => this.#scope.stored.restrict(),
      refused: (error) => {
        // An entitled node was sent to a parent that has not heard of the scheduler yet; other parents will do.
        if (!this.#scope.context.entitled) this.#scope.machine.take({ kind: 'origin-needed' }, error);
        useless();
      },
      ended: (end) => take({ kind: 'parent-stream-ended', parentId, end }),
    };
  }

  /** The parent's origin answer names other content than this node knows; a digest would decide by itself. */
  #isOfAnotherVersion(responseHeader: Readonly<Record<string, string>>): boolean {
    const { stored } = this.#scope;
    if (!stored.layout || stored.identity.digest !== undefined) return false;
    return !isSameVersion(stored.responseHeader, responseHeader);
  }

  #request(request: PieceRequest): void {
    const controller = new AbortController();
    const ended = this.#fetch(request, controller.signal).then((outcome) => {
      this.#running.delete(keyOf(request));
      if (outcome) this.#take(outcome);
    });
    this.#running.set(keyOf(request), { request, controller, ended });
  }

  async #fetch(request: PieceRequest, signal: AbortSignal): Promise<Outcome> {
    const { context, stored, rate } = this.#scope;
    const { pieces, pieceTimeoutMs, logger } = context;
    const { parentId, piece, hedge } = request;
    const address = this.#links.get(parentId)?.pieceAddress;
    const drop = (reason: RequestDrop): Outcome => ({ kind: 'request-dropped', parentId, piece, reason });
    if (!address || !stored.layout) return drop('no-address');
    // One writer owns a piece: the second request takes over from the late one instead of racing it.
    if (hedge) await this.#abort((other) => other.piece === piece && other !== request);
    await stored.claims.dropIdle(piece);
    if (signal.aborted) return drop('cancelled');
    if (stored.pieces.has(piece) || stored.incoming(piece)) return drop('claimed');
    const writer = stored.writePiece(piece);
    writer.incoming.onProgress(() => this.#scope.signalChange());
    // None where the whole content is verified.
    const proof = this.#proof.pieces;
    using hash = proof?.incoming(piece);
    try {
      await pieces.fetch({
        address,
        taskId: address.taskId ?? stored.id,
        piece: pieceSpan(stored.layout, piece),
        writer,
        parentId,
        hash,
        prove: proof && ((bytes) => proof.prove(piece, bytes, hash)),
        onStarted: () => this.#take({ kind: 'piece-begun', parentId, piece }),
        onEnding: () => this.#take({ kind: 'piece-ending', parentId, piece }),
        limiters: rate.fromPeers,
        signal,
        timeoutMs: pieceTimeoutMs,
      });
      return undefined;
    } catch (error) {
      await writer.abort();
      if (signal.aborted) return drop('cancelled');
      const failure = toDragonflyError(error);
      const reason = failureOf(failure);
      if (reason !== 'busy')
        logger.debug({ parent: parentId, piece, error: failure.message }, 'a parent failed to give a piece');
      if (failure.code !== 'NO_SPACE' && failure.code !== 'STORAGE')
        return { kind: 'request-failed', parentId, piece, reason };
      this.#scope.machine.take({ kind: 'storage-failed' }, failure);
      return drop('claimed');
    }
  }

  /** Ends matching requests; resolves when their writers have released the pieces. */
  async #abort(matches: (request: PieceRequest) => boolean): Promise<void> {
    const running = [...this.#running.values()].filter(({ request }) => matches(request));
    for (const { controller } of running) controller.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }
}

function keyOf({ parentId, piece }: Pick<PieceRequest, 'parentId' | 'piece'>): string {
  return `${parentId} ${piece}`;
}

function failureOf({ code }: DragonflyError): RequestFailure {
  if (code === 'RESOURCE_EXHAUSTED') return 'busy';
  if (code === 'DIGEST_MISMATCH') return 'corrupt';
  return code === 'PIECE_UNAVAILABLE' ? 'gone' : 'temporary';
}
