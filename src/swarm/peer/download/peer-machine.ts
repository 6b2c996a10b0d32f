/**
 * One download on one node, as a state machine: an event goes in, effects come out. It owns what is held, missing, offered and
 * asked of whom, and every deadline; it waits for nothing, and knows neither clock nor network. The daemon runs it over
 * sockets, the simulator over a fluid network.
 *
 * Life of a piece: a parent announces it (`parent-has`), the picker chooses it (`request-piece`), bytes come in
 * (`piece-begun`), nearly all are here and the next may go out (`piece-ending`), it is verified and on disk
 * (`piece-landed`): the one place where that is known, whichever way the piece came.
 */
import { PiecePicker, type PickerOptions } from '../piece-picker.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import { defaultPickerLimits } from '../picker-limits.ts';
import { LifeWatch } from '../life-watch.ts';
import type { PeerEffect } from './effects.ts';
import type { Moment, ParentOffer, PeerEvent } from './events.ts';

export interface PeerMachineOptions {
  readonly picker: Pick<PickerOptions, 'random' | 'limits' | 'order' | 'capacityBytesPerSec'>;
  /** Announcements of one moment are answered together after so long; 0 to answer each at once. */
  readonly settleMs: number;
}

/** A parent before the layout is known: nothing can be asked of it yet. */
interface EarlyParent extends ParentOffer {
  readonly has: PieceSet;
}

const none: readonly PeerEffect[] = [];

export class PeerMachine {
  readonly #options: PeerMachineOptions;
  readonly #parents = new Set<string>();
  /** Until the layout is known: parents with what they said, what comes from the origin, where readers wait. */
  readonly #early = new Map<string, EarlyParent>();
  #atOrigin = new PieceSet();
  #readers: readonly number[] = [];
  #picker: PiecePicker | undefined;
  readonly #life: LifeWatch;
  #effects: PeerEffect[] = [];
  #deafUntilMs = 0;
  #pumpAtMs = Number.POSITIVE_INFINITY;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(options: PeerMachineOptions) {
    this.#options = options;
    this.#life = new LifeWatch({ ...defaultPickerLimits, ...options.picker.limits });
  }

  /** When to send a `tick`; infinite while nothing falls due. */
  get dueMs(): number {
    return Math.min(this.#pumpAtMs, this.#wakeMs, this.#life.dueMs);
  }

  /** Before that, nothing a parent says of its load leads to a request: it need not be heard. */
  get deafUntilMs(): number {
    return this.#deafUntilMs;
  }

  /** No request is under way. */
  get isIdle(): boolean {
    return this.#picker?.isIdle ?? true;
  }

  /** Parents that are listened to. */
  get parentCount(): number {
    return this.#parents.size;
  }

  isInFlight(parentId: string, piece: number): boolean {
    return this.#picker?.isInFlight(parentId, piece) === true;
  }

  step(event: PeerEvent, moment: Moment): readonly PeerEffect[] {
    this.#apply(event, moment);
    if (this.#effects.length === 0) return none;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #apply(event: PeerEvent, moment: Moment): void {
    switch (event.kind) {
      case 'layout-known':
        return this.#layoutKnown(event, moment);
      case 'parents-offered':
        if (event.replace) this.#withdrawOthers(event.parents);
        for (const parent of event.parents) this.#add(parent, moment.nowMs);
        return this.#pump(moment);
      case 'parents-withdrawn':
        for (const parentId of event.parentIds) this.#leave(parentId);
        return this.#pump(moment);
      case 'parent-has':
        return this.#parentHas(event.parentId, event.pieces, moment);
      case 'parent-offers':
        return this.#parentOffers(event.parentId, event.pieces, moment);
      case 'parent-load':
        this.#life.heard(event.parentId, moment.nowMs);
        if (event.uploads !== undefined) this.#picker?.parentLoad(event.parentId, event.uploads);
        return this.#heard(event.parentId, moment);
      case 'parent-alive':
        return this.#life.heard(event.parentId, moment.nowMs);
      case 'parent-lost':
        if (!this.#forget(event.parentId)) return;
        this.#effects.push({ kind: 'report-parent', parentId: event.parentId, piece: undefined, fault: 'lost' });
        return this.#pump(moment);
      case 'piece-begun':
        this.#life.heard(event.parentId, moment.nowMs);
        this.#picker?.requestStarted(event.parentId, event.piece, moment.nowMs);
        return this.#pump(moment);
      case 'piece-ending':
        this.#life.heard(event.parentId, moment.nowMs);
        this.#picker?.pieceEnding(event.parentId, event.piece);
        return this.#pump(moment);
      case 'piece-landed':
        return this.#landed(event.piece, event.parentId, moment);
      case 'request-failed':
        return this.#failed(event, moment);
      case 'request-dropped':
        return this.#dropped(event, moment);
      case 'wanted':
        this.#picker?.want(event.pieces);
        return this.#pump(moment);
      case 'readers-at':
        this.#readers = event.pieces;
        this.#picker?.setReaders(event.pieces);
        return this.#pump(moment);
      case 'origin-fetching':
        this.#atOrigin = event.pieces;
        this.#picker?.originReleased();
        this.#picker?.originFetching(event.pieces);
        return this.#pump(moment);
      case 'tick':
        return this.#tick(moment);
    }
  }

  #layoutKnown(event: Extract<PeerEvent, { kind: 'layout-known' }>, moment: Moment): void {
    if (this.#picker) return;
    const { pieceCount, pieceLengthBytes, wanted, held } = event;
    this.#picker = new PiecePicker({
      ...this.#options.picker,
      pieceCount,
      pieceLengthBytes,
      held,
      ...(wanted && { wanted }),
    });
    this.#picker.originFetching(this.#atOrigin);
    this.#picker.setReaders(this.#readers);
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
    if (!this.#picker) this.#early.set(peerId, { ...parent, has: new PieceSet() });
    else if (!this.#picker.parentAdded(peerId, parent)) return;
    this.#parents.add(peerId);
    this.#life.added(peerId, nowMs);
    this.#effects.push({ kind: 'sync-with-parent', parentId: peerId });
  }

  #withdrawOthers(parents: readonly ParentOffer[]): void {
    const kept = new Set(parents.map(({ peerId }) => peerId));
    for (const parentId of Array.from(this.#parents)) if (!kept.has(parentId)) this.#leave(parentId);
  }

  #leave(parentId: string): void {
    if (this.#forget(parentId)) this.#effects.push({ kind: 'leave-parent', parentId });
  }

  #forget(parentId: string): boolean {
    if (!this.#parents.delete(parentId)) return false;
    this.#early.delete(parentId);
    this.#life.removed(parentId);
    this.#picker?.parentRemoved(parentId);
    return true;
  }

  #parentHas(parentId: string, pieces: PieceSet | number, moment: Moment): void {
    this.#life.heard(parentId, moment.nowMs);
    if (!this.#picker) return this.#early.get(parentId)?.has.addAll(setOf(pieces));
    this.#picker.parentHas(parentId, pieces);
    this.#heard(parentId, moment);
  }

  #parentOffers(parentId: string, pieces: Iterable<number>, moment: Moment): void {
    this.#life.heard(parentId, moment.nowMs);
    if (!this.#picker) return this.#early.get(parentId)?.has.addAll(PieceSet.of(pieces));
    for (const piece of pieces) this.#picker.parentOffers(parentId, piece);
    this.#pump(moment);
  }

  /** A parent has said something. Most of it leads to nothing, and finding that out has to be cheap. */
  #heard(parentId: string, moment: Moment): void {
    const { nowMs, bytesPerSec, latestBytesPerSec } = moment;
    if (!this.#picker || this.#pumpAtMs !== Number.POSITIVE_INFINITY || this.#deafUntilMs > nowMs) return;
    if (this.#picker.wouldAsk(parentId, nowMs, bytesPerSec, latestBytesPerSec)) this.#pump(moment);
    else this.#deafUntilMs = this.#picker.deafUntilMs(nowMs);
  }

  // ── pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #landed(piece: number, from: string | undefined, moment: Moment): void {
    if (from !== undefined) this.#life.heard(from, moment.nowMs);
    for (const { parentId } of this.#picker?.pieceArrived(piece, from, moment.nowMs) ?? [])
      this.#effects.push({ kind: 'cancel-piece', parentId, piece });
    this.#pump(moment);
  }

  #failed({ parentId, piece, reason }: Extract<PeerEvent, { kind: 'request-failed' }>, moment: Moment): void {
    if (reason !== 'temporary') this.#life.heard(parentId, moment.nowMs);
    this.#picker?.requestFailed(parentId, piece, reason, moment.nowMs);
    if (reason === 'corrupt') this.#leave(parentId);
    if (reason !== 'busy') this.#effects.push({ kind: 'report-parent', parentId, piece, fault: reason });
    this.#pump(moment);
  }

  #dropped({ parentId, piece, reason }: Extract<PeerEvent, { kind: 'request-dropped' }>, moment: Moment): void {
    if (reason === 'cancelled') this.#picker?.requestCancelled(parentId, piece);
    // The picker must not choose the same again at once.
    else this.#picker?.requestFailed(parentId, piece, reason === 'no-address' ? 'gone' : 'temporary', moment.nowMs);
    this.#pump(moment);
  }

  #tick(moment: Moment): void {
    if (moment.nowMs >= this.#life.dueMs) this.#checkLife(moment);
    if (moment.nowMs >= this.#wakeMs) this.#wakeMs = Number.POSITIVE_INFINITY;
    else if (moment.nowMs < this.#pumpAtMs) return;
    this.#request(moment);
  }

  /** Parents from which something is hoped for, and that give no sign of life, are as good as dead. */
  #checkLife(moment: Moment): void {
    const picker = this.#picker;
    const starves = picker === undefined || (picker.isIdle && picker.isStarved);
    const { ask, silent } = this.#life.check(moment, (id) => starves || picker.owes(id));
    for (const parentId of ask) this.#effects.push({ kind: 'ask-parent', parentId });
    for (const parentId of silent) {
      this.#leave(parentId);
      this.#effects.push({ kind: 'report-parent', parentId, piece: undefined, fault: 'lost' });
    }
    if (silent.length > 0) this.#pump(moment);
  }

  /** Something changed that may lead to requests. */
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
      this.#effects.push({ kind: 'request-piece', ...request });
    if (!picker.isIdle || picker.isStarved) this.#life.expect(nowMs);
    this.#deafUntilMs = picker.deafUntilMs(nowMs);
    this.#wakeMs = picker.nextWakeMs(nowMs) ?? Number.POSITIVE_INFINITY;
  }
}

function setOf(pieces: PieceSet | number): PieceSet {
  return typeof pieces === 'number' ? PieceSet.of([pieces]) : pieces;
}
