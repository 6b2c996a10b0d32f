/**
 * The origin leases of one download: one for pieces that are merely missing, and beside it one for each reader who must not
 * wait for them. A lease granted again with the same id changes its range; another one of the first kind replaces it.
 * `failed` decides what a refusal of the origin means for this node; OriginFetches in the daemon does the fetching.
 */
import { resolveRange } from '../../../core/byte-range.ts';
import type { ErrorCode } from '../../../core/errors.ts';
import { piecesOfRange, type PieceLayout } from '../../../core/piece-layout.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import type { Random } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import { downloadLimits } from './limits.ts';
import { ownLeasePrefix, type OriginLease } from './origin-lease.ts';
import { OriginRetries, type OriginFailure } from './origin-retries.ts';

interface Held {
  lease: OriginLease;
  readonly fetch: number;
  /** Earlier pieces are left to parents. */
  from: number;
  /** Set once the reader has its bytes: until then the scheduler may say who fetches the pieces around them. */
  unresolvedUntilMs: number | undefined;
}

/** Errors that pieces of other nodes cannot make up for. */
const fatalErrors: ReadonlySet<ErrorCode> = new Set(['NO_SPACE', 'STORAGE', 'SOURCE_CHANGED', 'RANGE_NOT_SATISFIABLE']);

export class OriginLeases {
  readonly #emit: (effect: PeerEffect) => void;
  readonly #held = new Map<string, Held>();
  readonly #retries: OriginRetries;
  readonly #isElsewhere: (piece: number) => boolean;
  /** Leases received before the layout, which follows at once: only the layout tells which pieces they cover. */
  readonly #early = new Map<string, OriginLease>();
  #layout: PieceLayout | undefined;
  #lastFetch = 0;
  #aliveAtMs = Number.POSITIVE_INFINITY;
  #ranges: boolean | undefined;
  #hasFailed = false;

  /** @param isElsewhere whether a piece is here already, or some parent has it. */
  constructor(emit: (effect: PeerEffect) => void, random: Random, isElsewhere: (piece: number) => boolean) {
    this.#emit = emit;
    this.#retries = new OriginRetries(random);
    this.#isElsewhere = isElsewhere;
  }

  get isActive(): boolean {
    return this.#held.size > 0 || this.#early.size > 0;
  }

  /** How the content is cut, as far as anybody knows. */
  get layout(): PieceLayout | undefined {
    return this.#layout;
  }

  /** Whether some lease covers more than the bytes that a reader waits for. */
  get bringsPieces(): boolean {
    if (this.#early.size > 0) return true;
    for (const { lease } of this.#held.values()) if (lease.readerOnly !== true) return true;
    return false;
  }

  /** The origin has refused this node, or has failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Whether the origin supports byte ranges; undefined while unknown. */
  get ranges(): boolean | undefined {
    return this.#ranges;
  }

  /**
   * Pieces of which the origin brings some bytes, as far as the layout is known; with `whole`, all of their bytes. A
   * request that waits to be sent again brings nothing, so its pieces may come from others.
   */
  pieces({ whole }: { whole: boolean }): PieceSet {
    const pieces = new PieceSet();
    for (const { lease, from, fetch } of this.#held.values())
      if ((!whole || lease.readerOnly !== true) && !this.#retries.isWaiting(fetch))
        pieces.addAll(this.#piecesOf(lease, from));
    return pieces;
  }

  /** The lease for merely missing pieces with its fetch, unless its end is known. */
  get openEnded(): { readonly lease: OriginLease; readonly fetch: number } | undefined {
    for (const held of this.#held.values())
      if (held.lease.end === undefined && held.lease.readerOnly !== true) return held;
    return undefined;
  }

  get dueMs(): number {
    let dueMs = Math.min(this.#aliveAtMs, this.#retries.dueMs);
    if (this.#held.size > 0)
      for (const { unresolvedUntilMs = Infinity } of this.#held.values()) dueMs = Math.min(dueMs, unresolvedUntilMs);
    return dueMs;
  }

  /** Undefined: the layout so far was wrong. */
  layoutKnown(layout: PieceLayout | undefined, nowMs: number): void {
    this.#layout = layout;
    if (!layout) return;
    const early = Array.from(this.#early.values());
    this.#early.clear();
    for (const lease of early) this.take(lease, nowMs);
  }

  /** @param by 'self' when this node cuts a lease it holds, which nobody else needs to know. */
  take(lease: OriginLease, nowMs: number, by: 'scheduler' | 'self' = 'scheduler'): void {
    const known = this.#held.get(lease.id);
    if (!this.#layout && !lease.readerRange && (lease.first > 0 || lease.end !== undefined)) {
      this.#early.set(lease.id, lease);
      return;
    }
    if (!known || by === 'scheduler') {
      this.#emit({ kind: 'report-lease-started', leaseId: lease.id });
      if (lease.readerOnly !== true) this.#emit({ kind: 'origin-begun' });
    }
    if (known && this.#change(known, lease)) return;
    const replaced = lease.readerRange ? undefined : this.#withoutReader();
    if (replaced) this.#stop(replaced);
    this.#lastFetch += 1;
    const fetch = this.#lastFetch;
    this.#held.set(lease.id, { lease, fetch, from: lease.first, unresolvedUntilMs: undefined });
    this.#emit({ kind: 'fetch-origin', fetch, lease });
    this.#emit({ kind: 'report-lease-alive' });
    this.#aliveAtMs = Math.min(this.#aliveAtMs, nowMs + downloadLimits.leaseAliveMs);
  }

  revoke(leaseId: string): void {
    this.#early.delete(leaseId);
    const held = this.#held.get(leaseId);
    if (!held) return;
    this.#stop(held);
    this.#released();
  }

  /** The first answer shows which pieces contain a reader's bytes. A scheduler decides about those itself, since others may bring them. */
  answered(fetch: number, ranges: boolean | undefined): void {
    this.#ranges = ranges ?? this.#ranges;
    this.#emit({ kind: 'report-layout', ranges: this.#ranges });
    const held = this.#byFetch(fetch);
    if (!held || !this.#layout) return;
    const { id, end, readerRange, readerOnly } = held.lease;
    if (!readerRange || readerOnly === true || end !== undefined || id === '') return;
    const range = resolveRange(readerRange, this.#layout.contentLengthBytes);
    if (ranges === false) {
      held.lease = { id, first: 0, end: undefined };
      held.from = 0;
    } else if (range && id.startsWith(ownLeasePrefix)) {
      const { first, last } = piecesOfRange(this.#layout, range.start, range.length);
      held.lease = { id, first, end: last + 1, readerRange };
      held.from = first;
      this.#emit({ kind: 'change-origin-run', fetch, lease: held.lease, onlyEnd: false });
    }
  }

  /** Every piece of the lease was fetched, or arrived from elsewhere. */
  ended(fetch: number, nowMs: number): void {
    const held = this.#byFetch(fetch);
    if (!held) return;
    if (isUnresolved(held.lease)) {
      held.unresolvedUntilMs = nowMs + downloadLimits.leaseResolvedMs;
      this.#calm();
    } else this.#end(held);
  }

  /** A request has failed. True when it will be sent again, or its fetch no longer matters. */
  goesOn(failure: OriginFailure, nowMs: number): boolean {
    return !this.#byFetch(failure.fetch) || this.#retries.failed(failure, nowMs);
  }

  /**
   * The origin has refused or failed for good. True when the download cannot go on: the caller gets the origin's answer
   * unless other nodes hold the content, or more of it is on its way.
   */
  failed({ fetch, code, temporary }: OriginFailure, hasParents: boolean): boolean {
    const held = this.#byFetch(fetch);
    if (!held) return false;
    const { lease } = held;
    this.#stop(held);
    this.#released();
    this.#hasFailed = true;
    // The answer was private to its caller. This download ends, and the scheduler sends another node.
    if (code === 'CANCELLED') return true;
    const noRanges = code === 'UNSUPPORTED';
    if (noRanges) {
      this.#ranges = false;
      this.#emit({ kind: 'report-layout', ranges: false });
    }
    // An unsatisfiable range is the reader's own mistake, so it is not reported.
    if (lease.readerOnly !== true && code !== 'RANGE_NOT_SATISFIABLE')
      this.#emit({ kind: 'report-lease-failed', leaseId: lease.id, temporary: noRanges || temporary });
    return fatalErrors.has(code) || (!hasParents && this.#held.size === 0 && !noRanges);
  }

  /** Does what is due. True when the origin now brings something else: the lease ended because the scheduler fell silent, or a fetch resumes. */
  tick(nowMs: number): boolean {
    let hasChanged = false;
    for (const held of Array.from(this.#held.values())) {
      if (nowMs < (held.unresolvedUntilMs ?? Infinity)) continue;
      this.#end(held);
      hasChanged = true;
    }
    if (nowMs >= this.#retries.dueMs)
      for (const { fetch, request } of this.#retries.due(nowMs)) {
        this.#leaveToParents(fetch);
        this.#emit({ kind: 'resume-origin', fetch, request });
        hasChanged = true;
      }
    if (nowMs >= this.#aliveAtMs) {
      this.#emit({ kind: 'report-lease-alive' });
      this.#aliveAtMs = nowMs + downloadLimits.leaseAliveMs;
    }
    return hasChanged;
  }

  /** Pieces at the start of a run that arrived elsewhere while its request waited are no longer fetched. */
  #leaveToParents(fetch: number): void {
    const held = this.#byFetch(fetch);
    if (!held || !this.#layout || held.lease.readerRange) return;
    const { end = this.#layout.pieceCount } = held.lease;
    const before = held.from;
    while (held.from < end && this.#isElsewhere(held.from)) held.from += 1;
    if (held.from > before)
      this.#emit({ kind: 'change-origin-run', fetch, lease: { ...held.lease, first: held.from }, onlyEnd: false });
  }

  /** True when the running fetch continues with another range, or nothing of it is left. */
  #change(known: Held, lease: OriginLease): boolean {
    const isOver = known.unresolvedUntilMs !== undefined;
    const forReader = lease.readerRange !== undefined || known.lease.readerRange !== undefined;
    if (forReader && isOver) {
      if (lease.readerOnly === true) this.#end(known);
      else this.#held.delete(lease.id);
      return lease.readerOnly === true;
    }
    if (!forReader && known.lease.first > lease.first) return false;
    known.lease = forReader ? lease : { ...lease, first: known.lease.first };
    known.from = forReader ? lease.first : known.from;
    const left = { ...known.lease, first: known.from };
    this.#emit({ kind: 'change-origin-run', fetch: known.fetch, lease: left, onlyEnd: !forReader });
    return true;
  }

  #withoutReader(): Held | undefined {
    for (const held of this.#held.values()) if (!held.lease.readerRange) return held;
    return undefined;
  }

  #byFetch(fetch: number): Held | undefined {
    for (const held of this.#held.values()) if (held.fetch === fetch) return held;
    return undefined;
  }

  #stop(held: Held): void {
    this.#held.delete(held.lease.id);
    this.#retries.forget(held.fetch);
    this.#emit({ kind: 'stop-origin', fetch: held.fetch });
  }

  #end(held: Held): void {
    this.#held.delete(held.lease.id);
    this.#retries.forget(held.fetch);
    this.#released();
    this.#emit({ kind: 'report-layout', ranges: this.#ranges }); // content of unknown length gets its layout when it ends
  }

  #released(): void {
    this.#calm();
    if (this.#held.size === 0) this.#emit({ kind: 'origin-left' });
  }

  /** Heartbeats stop with the last fetch. */
  #calm(): void {
    for (const { unresolvedUntilMs } of this.#held.values()) if (unresolvedUntilMs === undefined) return;
    this.#aliveAtMs = Number.POSITIVE_INFINITY;
  }

  #piecesOf({ id, end, readerRange, readerOnly }: OriginLease, first: number): PieceSet {
    const layout = this.#layout;
    if (!layout) return new PieceSet();
    const range = readerRange && resolveRange(readerRange, layout.contentLengthBytes);
    if (readerRange && (readerOnly === true || (end === undefined && id !== ''))) {
      if (!range) return new PieceSet();
      const span = piecesOfRange(layout, range.start, range.length);
      return PieceSet.range(span.first, span.last - span.first + 1);
    }
    const last = Math.min(end ?? layout.pieceCount, layout.pieceCount);
    return last > first ? PieceSet.range(first, last - first) : new PieceSet();
  }
}

/** The reader has its bytes, and the scheduler is about to say who fetches the pieces around them. */
function isUnresolved({ id, end, readerRange, readerOnly }: OriginLease): boolean {
  if (id === '' || id.startsWith(ownLeasePrefix)) return false;
  return readerRange !== undefined && end === undefined && readerOnly !== true;
}
