/** The parents of one download: what each holds, how it was measured, and which one is best to ask. */
import { Availability } from './availability.ts';
import type { HostLoad } from './host-load.ts';
import type { Watched } from './life-watch.ts';
import { ParentReturns } from './parent-returns.ts';
import { ParentStats } from './parent-stats.ts';
import type { PickerLimits } from './picker-limits.ts';
import { PieceSet } from '../shared/piece-set.ts';
import type { Random } from '../shared/random.ts';
import type { Parent, Request } from './request-book.ts';

/** `ascending` is the order of the original's daemons; for comparison only. */
export type PieceOrder = 'rarest' | 'ascending';

export interface ParentBookOptions {
  readonly pieceCount: number;
  readonly pieceLengthBytes: number;
  /** The last piece may be shorter; where it is not known it counts as long as the others. */
  readonly contentLengthBytes?: number | undefined;
  readonly random: Random;
  readonly order: PieceOrder;
  readonly limits: PickerLimits;
}

export interface Choice {
  readonly piece: number;
  readonly parent: Parent;
}

export class ParentBook {
  readonly #options: ParentBookOptions;
  readonly #availability: Availability;
  readonly #parents = new Map<string, Parent>();
  /** The parent asked for last: one announcement leads to several questions about it. */
  #latest: Parent | undefined;
  readonly #banned = new Set<string>();
  readonly #returns = new ParentReturns();
  /** Mean rate of all deliveries; parents are judged against it. */
  #usualBytesPerMs = 0;
  /** Until then, only parents that announce no load are asked. */
  #nextTryMs = 0;

  constructor(options: ParentBookOptions) {
    this.#options = options;
    this.#availability = new Availability(options.pieceCount);
  }

  get(parentId: string): Parent | undefined {
    if (this.#latest?.id === parentId) return this.#latest;
    return (this.#latest = this.#parents.get(parentId));
  }

  /** False when it was banned before or there are too many. */
  add(id: string, distance: number, load: HostLoad, life?: Watched): boolean {
    if (this.#banned.has(id)) return false;
    if (this.#parents.has(id)) return true;
    if (this.#parents.size >= this.#options.limits.parents) return false;
    const has = new PieceSet(this.#options.pieceCount);
    this.#parents.set(id, { id, distance, has, stats: new ParentStats(), load, life, inFlight: 0, serving: 0 });
    return true;
  }

  remove(parent: Parent): void {
    this.#parents.delete(parent.id);
    this.#latest = undefined;
    this.#returns.changing(parent);
    this.#availability.lostAll(parent.has);
  }

  has(parent: Parent, pieces: PieceSet | number): void {
    if (typeof pieces === 'number')
      this.#availability.gained(parent.has, pieces); // happens for each of many pieces, from each of many parents
    else for (const piece of pieces) this.#availability.gained(parent.has, piece);
  }

  /** Some parent holds the piece. */
  isOffered(piece: number): boolean {
    return this.#availability.of(piece) > 0;
  }

  /** @param drops of the parent's load when it was asked: a refusal from before the last drop is out of date. */
  refused(parent: Parent, drops: number, nowMs: number): void {
    this.#returns.changing(parent);
    parent.stats.refused(nowMs + this.#retryMs(this.#options.limits.busyMs), drops);
    this.#returns.changed(parent, nowMs);
  }

  failed(parent: Parent, piece: number, reason: 'temporary' | 'gone' | 'corrupt', nowMs: number): void {
    const { limits } = this.#options;
    this.#returns.changing(parent);
    if (reason === 'corrupt') this.#banned.add(parent.id);
    else if (reason === 'gone') this.#availability.lost(parent.has, piece);
    else parent.stats.failed(nowMs, limits);
    this.#returns.changed(parent, nowMs);
  }

  delivered(request: Request, nowMs: number): void {
    const { stats } = request.parent;
    stats.delivered(this.#bytesOf(request.piece), request.startedAtMs, nowMs);
    const rate = stats.bytesPerMs;
    this.#usualBytesPerMs = this.#usualBytesPerMs === 0 ? rate : 0.9 * this.#usualBytesPerMs + 0.1 * rate;
  }

  /** How long a piece usually takes from this parent; infinite while unknown. */
  usualMs(parent: Parent): number {
    return (
      (this.#options.pieceLengthBytes / (this.#usualBytesPerMs || Number.POSITIVE_INFINITY)) * (parent.load.uploads + 1)
    );
  }

  /** When the next parent that may not be asked now may be; infinite when there is none. */
  firstReturnMs(nowMs: number): number {
    const firstMs = this.#returns.firstMs(this.#parents.values(), nowMs);
    return this.#nextTryMs > nowMs ? Math.min(firstMs, this.#nextTryMs) : firstMs;
  }

  mayAsk(parent: Parent, nowMs: number): boolean {
    const { limits, pieceLengthBytes } = this.#options;
    if (servesOthers(parent) && nowMs < this.#nextTryMs) return false;
    if (parent.stats.isAside(parent.load, nowMs)) return false;
    // the usual case first: this is evaluated for every parent at every choice
    return (
      parent.inFlight === 0 || parent.inFlight < Math.min(limits.maxPerParent, parent.stats.depth(pieceLengthBytes))
    );
  }

  /** `evenly`: any piece, not the rarest. */
  best(pieces: PieceSet, nowMs: number, evenly: boolean): Choice | undefined {
    let best: Choice | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    let bestRarity = Number.POSITIVE_INFINITY;
    const nearMost = this.#nearMost();
    let notNear: PieceSet | undefined;
    for (const parent of this.#parents.values()) {
      if (!this.mayAsk(parent, nowMs) || parent.has.count === 0) continue;
      const cost = this.#cost(parent);
      if (cost > bestCost) continue;
      const far = parent.distance > nearMost;
      if (far) notNear ??= pieces.difference(this.#heldWithin(nearMost, nowMs));
      const piece = this.#pieceFrom(parent, far && notNear ? notNear : pieces, evenly);
      if (piece === undefined) continue;
      const rarity = this.#availability.of(piece) + parent.has.count + this.#options.random();
      if (cost === bestCost && rarity >= bestRarity) continue;
      best = { parent, piece };
      bestCost = cost;
      bestRarity = rarity;
    }
    return best;
  }

  asked(parent: Parent, nowMs: number): void {
    if (servesOthers(parent)) this.#nextTryMs = nowMs + this.#retryMs(this.#options.limits.tryBusyMs);
  }

  /** Chooses a parent for one piece among those that were not asked for it yet. */
  bestFor(piece: number, asked: readonly Request[], nowMs: number): Parent | undefined {
    let best: Parent | undefined;
    for (const parent of this.#parents.values()) {
      if (!parent.has.has(piece) || !this.mayAsk(parent, nowMs)) continue;
      if (asked.some((request) => request.parent === parent)) continue;
      if (!best || this.#cost(parent) < this.#cost(best)) best = parent;
    }
    return best;
  }

  /** Among parents that hold one of these pieces and do not serve this node: the share that serves nobody. */
  idleShare(pieces: PieceSet): number {
    let useful = 0;
    let idle = 0;
    for (const { has, load, inFlight } of this.#parents.values()) {
      if (inFlight > 0 || pieces.firstCommon(has) === undefined) continue;
      useful += 1;
      if (load.uploads === 0) idle += 1;
    }
    return idle / Math.max(1, useful);
  }

  #bytesOf(piece: number): number {
    const { pieceLengthBytes, contentLengthBytes = Number.POSITIVE_INFINITY } = this.#options;
    return Math.min(pieceLengthBytes, Math.max(1, contentLengthBytes - piece * pieceLengthBytes));
  }

  /** Shorter when pieces transfer fast, because upload slots then become free sooner. */
  #retryMs(mostMs: number): number {
    if (this.#usualBytesPerMs === 0) return mostMs;
    return Math.min(mostMs, Math.max(1, this.#options.pieceLengthBytes / this.#usualBytesPerMs));
  }

  /** Pieces that the parent would send before ours, weighted for slow and distant parents. */
  #cost(parent: Parent): number {
    const slowness = parent.stats.slowness(this.#usualBytesPerMs, this.#options.limits.slowShare);
    return (Math.max(parent.load.uploads, parent.inFlight) + 1) * slowness + parent.distance / 2;
  }

  /** Parents beyond this distance are far: what a nearer one holds is not transferred over the long way again. */
  #nearMost(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const { distance } of this.#parents.values()) nearest = Math.min(nearest, distance);
    return nearest + this.#options.limits.nearSpan;
  }

  #heldWithin(distance: number, nowMs: number): PieceSet {
    const held = new PieceSet(this.#options.pieceCount);
    for (const parent of this.#parents.values())
      if (parent.distance <= distance && !parent.stats.isDemoted(nowMs)) held.addAll(parent.has);
    return held;
  }

  #pieceFrom(parent: Parent, pieces: PieceSet, evenly: boolean): number | undefined {
    if (this.#options.order === 'ascending') return pieces.firstCommon(parent.has);
    return this.#availability.rarest(pieces.common(parent.has), this.#options.random, evenly);
  }
}

/** Its transfer to this node is nearly done when the next piece is requested. */
function servesOthers({ load, serving }: Parent): boolean {
  return load.uploads > serving;
}
