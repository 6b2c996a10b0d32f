/**
 * The exchange of one download with its parents: who they are, what is requested of whom, and which of them are alive.
 * Part of the download's machine; its decisions leave as effects.
 *
 * Life of a piece: a parent announces it (`parent-has`), the picker chooses it (`request-piece`), bytes arrive
 * (`piece-begun`), the next request may go out (`piece-ending`), and the piece is verified and on disk
 * (`piece-landed`), which is reported in this one way however the piece came.
 */
import { PieceSet } from '../../shared/piece-set.ts';
import { LifeWatch, newWatched, type Watched } from '../life-watch.ts';
import { PiecePicker, type PickerOptions } from '../piece-picker.ts';
import { defaultPickerLimits } from '../picker-limits.ts';
import type { PeerEffect } from './effects.ts';
import type { ExchangeEvent, Moment, ParentOffer } from './events.ts';
import { ParentStreams } from './parent-streams.ts';

export interface ParentExchangeOptions {
  readonly picker: Pick<PickerOptions, 'random' | 'limits' | 'order' | 'capacityBytesPerSec'>;
  /** Simultaneous announcements are handled together after this time; 0 handles each at once. */
  readonly settleMs: number;
}

/** A parent before the layout is known: nothing can be requested of it yet. */
interface EarlyParent extends ParentOffer {
  readonly life: Watched;
  readonly has: PieceSet;
}

export class ParentExchange {
  readonly #options: ParentExchangeOptions;
  readonly #emit: (effect: PeerEffect) => void;
  readonly #parents = new ParentStreams();
  /** Kept until the layout is known: parents with their announcements, what comes from the origin, where readers wait. */
  readonly #early = new Map<string, EarlyParent>();
  readonly #held = new PieceSet();
  #wanted: PieceSet | undefined;
  #pieceCount: number | undefined;
  #atOrigin = new PieceSet();
  #readPositions: readonly number[] = [];
  #picker: PiecePicker | undefined;
  readonly #life: LifeWatch;
  #deafUntilMs = 0;
  #pumpAtMs = Number.POSITIVE_INFINITY;
  #wakeMs = Number.POSITIVE_INFINITY;

  /** @param wanted undefined for everything. */
  constructor(options: ParentExchangeOptions, wanted: PieceSet | undefined, emit: (effect: PeerEffect) => void) {
    this.#options = options;
    this.#wanted = wanted;
    this.#emit = emit;
    this.#life = new LifeWatch({ ...defaultPickerLimits, ...options.picker.limits });
  }

  get dueMs(): number {
    return Math.min(this.#pumpAtMs, this.#wakeMs, this.#life.dueMs, this.#parents.dueMs);
  }

  get deafUntilMs(): number {
    return this.#deafUntilMs;
  }

  get held(): PieceSet {
    return this.#held;
  }

  /** Undefined for everything. */
  get wanted(): PieceSet | undefined {
    return this.#wanted;
  }

  /** How much of what is wanted is here: all of the whole content, all of a part, or less. */
  get completion(): 'whole' | 'part' | 'less' {
    if (this.#pieceCount === undefined) return 'less';
    if (this.#held.count === this.#pieceCount) return 'whole';
    return this.#wanted && this.#wanted.count > 0 && this.#held.hasAll(this.#wanted) ? 'part' : 'less';
  }

  /** No request is under way. */
  get isIdle(): boolean {
    return this.#picker?.isIdle ?? true;
  }

  /** Number of parents with an announcement stream. */
  get parentCount(): number {
    return this.#parents.count;
  }

  /** The piece is here, or some parent has it. */
  isElsewhere(piece: number): boolean {
    return this.#held.has(piece) || this.#picker?.isOffered(piece) === true;
  }

  isInFlight(parentId: string, piece: number): boolean {
    return this.#picker?.isInFlight(parentId, piece) === true;
  }

  apply(event: ExchangeEvent, moment: Moment): void {
    switch (event.kind) {
      case 'parent-has':
        return this.#parentHas(event.parentId, event.pieces, moment);
      case 'layout-known':
        return this.#layoutKnown(event, moment);
      case 'parents-offered':
        if (event.replace) this.#withdrawOthers(event.parents);
        for (const parent of event.parents) this.#add(parent, moment.nowMs);
        return this.#pump(moment);
      case 'parents-withdrawn':
        for (const parentId of event.parentIds) this.#leave(parentId);
        return this.#pump(moment);
      case 'parent-offers':
        return this.#parentOffers(event.parentId, event.pieces, moment);
      case 'parent-load':
        this.#signOfLife(event.parentId, moment.nowMs);
        if (event.uploads !== undefined) this.#picker?.parentLoad(event.parentId, event.uploads);
        return this.#heard(event.parentId, moment);
      case 'parent-alive':
        return this.#signOfLife(event.parentId, moment.nowMs);
      case 'parent-stream-ended':
        return this.#streamEnded(event, moment);
      case 'parent-useless':
        this.#lost(event.parentId);
        return this.#pump(moment);
      case 'piece-begun':
        this.#signOfLife(event.parentId, moment.nowMs);
        this.#picker?.requestStarted(event.parentId, event.piece, moment.nowMs);
        return this.#pump(moment);
      case 'piece-ending':
        this.#signOfLife(event.parentId, moment.nowMs);
        this.#picker?.pieceEnding(event.parentId, event.piece, moment.nowMs);
        return this.#pump(moment);
      case 'piece-landed':
        return this.#landed(event.piece, event.parentId, moment);
      case 'piece-lost':
        this.#held.delete(event.piece);
        return this.#picker?.pieceLost(event.piece, this.#wanted?.has(event.piece) ?? true);
      case 'request-failed':
        return this.#failed(event, moment);
      case 'request-dropped':
        return this.#dropped(event, moment);
      case 'parent-lied': {
        const { parentId, piece } = event;
        return this.#emit({ kind: 'report-parent', parentId, piece, fault: 'corrupt' });
      }
      case 'wanted':
        return this.#want(event.pieces, moment);
      case 'read-positions':
        this.#readPositions = event.pieces;
        this.#picker?.setReadPositions(event.pieces);
        return this.#pump(moment);
      case 'tick':
        return this.#tick(moment);
    }
  }

  /**
   * Bytes of these pieces now come from the origin; others are requested of parents. Requests to parents for pieces
   * that come `whole` are cancelled, otherwise those pieces would be claimed twice.
   */
  originFetching(pieces: PieceSet, whole: PieceSet, moment: Moment): void {
    this.#atOrigin = pieces;
    this.#picker?.originReleased();
    this.#picker?.originFetching(pieces);
    for (const { parentId, piece } of this.#picker?.requestsFor(whole) ?? []) {
      this.#picker?.requestCancelled(parentId, piece);
      this.#emit({ kind: 'cancel-piece', parentId, piece });
    }
    this.#pump(moment);
  }

  leaveAll(): void {
    for (const parentId of Array.from(this.#parents.parentIds)) this.#leave(parentId);
  }

  #layoutKnown(event: Extract<ExchangeEvent, { kind: 'layout-known' }>, moment: Moment): void {
    if (this.#picker) return;
    const { pieceCount, pieceLengthBytes, contentLengthBytes } = event;
    const held = this.#held;
    const wanted = this.#wanted;
    held.addAll(event.held);
    this.#pieceCount = pieceCount;
    this.#picker = new PiecePicker({
      ...this.#options.picker,
      pieceCount,
      pieceLengthBytes,
      contentLengthBytes,
      held,
      ...(wanted && { wanted }),
    });
    this.#picker.originFetching(this.#atOrigin);
    this.#picker.setReadPositions(this.#readPositions);
    for (const { peerId, has, ...parent } of this.#early.values()) {
      this.#picker.parentAdded(peerId, parent);
      this.#picker.parentHas(peerId, has);
    }
    this.#early.clear();
    this.#pump(moment);
  }

  // ── parents ────────────────────────────────────────────────────────────────────────────────────────────────────

  #add(parent: ParentOffer, nowMs: number): void {
    const { peerId } = parent;
    if (this.#parents.has(peerId)) return;
    const life = newWatched(nowMs);
    if (!this.#picker) this.#early.set(peerId, { ...parent, life, has: new PieceSet() });
    else if (!this.#picker.parentAdded(peerId, { ...parent, life })) return;
    this.#parents.opened(peerId);
    this.#life.added(peerId, nowMs, life);
    this.#emit({ kind: 'sync-with-parent', parentId: peerId });
  }

  #withdrawOthers(parents: readonly ParentOffer[]): void {
    const kept = new Set(parents.map(({ peerId }) => peerId));
    for (const parentId of Array.from(this.#parents.parentIds)) if (!kept.has(parentId)) this.#leave(parentId);
  }

  #leave(parentId: string): boolean {
    if (!this.#parents.left(parentId)) return false;
    this.#early.delete(parentId);
    this.#life.removed(parentId);
    this.#picker?.parentRemoved(parentId);
    this.#emit({ kind: 'leave-parent', parentId });
    return true;
  }

  /** The parent gives nothing more: it is left, and the scheduler is told. */
  #lost(parentId: string): void {
    if (this.#leave(parentId)) this.#emit({ kind: 'report-parent', parentId, piece: undefined, fault: 'lost' });
  }

  #streamEnded({ parentId, end }: Extract<ExchangeEvent, { kind: 'parent-stream-ended' }>, moment: Moment): void {
    const hasMore = this.#pieceCount === undefined || this.#held.count < this.#pieceCount;
    const next = this.#parents.ended(parentId, end, hasMore, moment.nowMs);
    if (next === 'open-again') this.#emit({ kind: 'sync-with-parent', parentId });
    if (next !== 'lost') return;
    this.#lost(parentId);
    this.#pump(moment);
  }

  #parentHas(parentId: string, pieces: PieceSet | number, moment: Moment): void {
    this.#signOfLife(parentId, moment.nowMs);
    if (!this.#picker) return this.#early.get(parentId)?.has.addAll(setOf(pieces));
    this.#picker.parentHas(parentId, pieces);
    this.#heard(parentId, moment);
  }

  #parentOffers(parentId: string, pieces: Iterable<number>, moment: Moment): void {
    this.#signOfLife(parentId, moment.nowMs);
    if (!this.#picker) return this.#early.get(parentId)?.has.addAll(PieceSet.of(pieces));
    for (const piece of pieces) this.#picker.parentOffers(parentId, piece);
    this.#pump(moment);
  }

  /** A parent has announced something. Most announcements lead to nothing, so finding that out has to be cheap. */
  #heard(parentId: string, moment: Moment): void {
    const { nowMs, bytesPerSec, latestBytesPerSec } = moment;
    if (!this.#picker || this.#pumpAtMs !== Number.POSITIVE_INFINITY || this.#deafUntilMs > nowMs) return;
    if (this.#picker.wouldAsk(parentId, nowMs, bytesPerSec, latestBytesPerSec)) this.#pump(moment);
    else this.#deafUntilMs = this.#picker.deafUntilMs(nowMs);
  }

  #signOfLife(parentId: string, nowMs: number): void {
    const life = this.#picker?.lifeOf(parentId);
    if (life) this.#life.heardFrom(life, nowMs);
    else this.#life.heard(parentId, nowMs);
  }

  // ── pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #want(pieces: PieceSet | undefined, moment: Moment): void {
    if (!pieces) this.#wanted = undefined;
    else this.#wanted?.addAll(pieces);
    if (this.#pieceCount === undefined) return;
    this.#picker?.want(pieces ?? PieceSet.range(0, this.#pieceCount));
    this.#pump(moment);
  }

  #landed(piece: number, from: string | undefined, moment: Moment): void {
    this.#held.add(piece);
    if (from !== undefined) this.#signOfLife(from, moment.nowMs);
    for (const { parentId } of this.#picker?.pieceArrived(piece, from, moment.nowMs) ?? [])
      this.#emit({ kind: 'cancel-piece', parentId, piece });
    this.#pump(moment);
  }

  #failed({ parentId, piece, reason }: Extract<ExchangeEvent, { kind: 'request-failed' }>, moment: Moment): void {
    if (reason !== 'temporary') this.#signOfLife(parentId, moment.nowMs);
    this.#picker?.requestFailed(parentId, piece, reason, moment.nowMs);
    if (reason === 'corrupt') this.#leave(parentId);
    if (reason !== 'busy') this.#emit({ kind: 'report-parent', parentId, piece, fault: reason });
    this.#pump(moment);
  }

  #dropped({ parentId, piece, reason }: Extract<ExchangeEvent, { kind: 'request-dropped' }>, moment: Moment): void {
    if (reason === 'cancelled') this.#picker?.requestCancelled(parentId, piece);
    // the picker must not choose the same piece again at once
    else this.#picker?.requestFailed(parentId, piece, reason === 'no-address' ? 'gone' : 'temporary', moment.nowMs);
    this.#pump(moment);
  }

  #tick(moment: Moment): void {
    const { nowMs } = moment;
    if (nowMs >= this.#life.dueMs) this.#checkLife(moment);
    if (nowMs >= this.#parents.dueMs)
      for (const parentId of this.#parents.due(nowMs)) this.#emit({ kind: 'sync-with-parent', parentId });
    if (nowMs >= this.#wakeMs) this.#wakeMs = Number.POSITIVE_INFINITY;
    else if (nowMs < this.#pumpAtMs) return;
    this.#request(moment);
  }

  /** Leaves parents that owe something and give no sign of life. */
  #checkLife(moment: Moment): void {
    const picker = this.#picker;
    const starves = picker === undefined || (picker.isIdle && picker.isStarved);
    const { ask, silent } = this.#life.check(moment, (id) => starves || picker.owes(id));
    for (const parentId of ask) this.#emit({ kind: 'ask-parent', parentId });
    for (const parentId of silent) this.#lost(parentId);
    if (silent.length > 0) this.#pump(moment);
  }

  /** Something has changed that may allow new requests. */
  #pump(moment: Moment): void {
    if (!this.#picker) return;
    const { settleMs } = this.#options;
    if (settleMs === 0) this.#request(moment);
    else this.#pumpAtMs = Math.min(this.#pumpAtMs, moment.nowMs + settleMs);
  }

  #request({ nowMs, bytesPerSec, latestBytesPerSec }: Moment): void {
    const picker = this.#picker;
    if (!picker) return;
    this.#pumpAtMs = Number.POSITIVE_INFINITY;
    for (const request of picker.next(nowMs, bytesPerSec, latestBytesPerSec))
      this.#emit({ kind: 'request-piece', ...request });
    if (!picker.isIdle || picker.isStarved) this.#life.expect(nowMs);
    this.#deafUntilMs = picker.deafUntilMs(nowMs);
    this.#wakeMs = picker.nextWakeMs(nowMs) ?? Number.POSITIVE_INFINITY;
  }
}

function setOf(pieces: PieceSet | number): PieceSet {
  return typeof pieces === 'number' ? PieceSet.of([pieces]) : pieces;
}
