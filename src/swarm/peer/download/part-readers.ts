/**
 * The readers of one download that want a part of the content. A scheduler that grants leases hears of each, and grants
 * a lease for bytes that nobody is about to have. Without one, this node decides for itself once it is at the origin:
 * bytes that arrive soon are waited for, a few bytes are fetched twice, and anything else is cut out of the fetch that
 * would bring it later.
 */
import { resolveRange, type RangeSpec } from '../../../core/byte-range.ts';
import { piecesOfRange } from '../../../core/piece-layout.ts';
import type { PeerEffect } from './effects.ts';
import { downloadLimits } from './limits.ts';
import { ownLeasePrefix, wholeTask, type OriginLease } from './origin-lease.ts';
import type { OriginLeases } from './origin-leases.ts';

/** How far the bytes of a reader are. */
export interface ReaderMeasure {
  readonly reader: number;
  /** All of them are on disk. */
  readonly isHere: boolean;
  /** When the fetch will have brought the first of them at its current rate; undefined when it will not. */
  readonly comesInMs: number | undefined;
}

interface Measured {
  readonly measures: readonly ReaderMeasure[];
  /** The next piece of the fetch; undefined without one. */
  readonly nextPiece: number | undefined;
}

interface Reader {
  readonly range: RangeSpec;
  /** The scheduler of the current session knows of it. */
  isTold: boolean;
  /** When to measure how far its bytes are; infinite while the scheduler takes care of that. */
  lookAtMs: number;
}

export interface PartReadersOptions {
  /** Everything becomes wanted once the first reader knows the layout. */
  readonly prefetch: boolean;
  readonly leases: Pick<OriginLeases, 'isActive' | 'layout' | 'openEnded' | 'pieces'>;
  readonly emit: (effect: PeerEffect) => void;
  /** Asks a scheduler that grants leases; false without one. */
  readonly ask: (range: RangeSpec) => boolean;
  /** Accepts a lease that this node grants itself. */
  readonly grant: (lease: OriginLease) => void;
}

const everything: RangeSpec = { first: 0, last: undefined };

export class PartReaders {
  readonly #options: PartReadersOptions;
  readonly #readers = new Map<number, Reader>();
  #wantsWhole = false;
  /** The scheduler of the current session was told that the download is for a part. */
  #registeredPart = false;
  /** Bytes that were fetched twice so far. */
  #doubled = 0;
  #lastLease = 0;
  /** When to measure the next reader; infinite while none waits. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(options: PartReadersOptions) {
    this.#options = options;
  }

  /** The range to put into a registration, whose reader then counts as told; none when everything is wanted. */
  register(): RangeSpec | undefined {
    for (const reader of this.#readers.values()) reader.isTold = false;
    const [first] = this.#readers.values();
    this.#registeredPart = first !== undefined && !this.#wantsWhole;
    if (!first || !this.#registeredPart) return undefined;
    first.isTold = true;
    return first.range;
  }

  /** A session is open. */
  connected(): void {
    for (const reader of this.#readers.values()) this.#tell(reader);
    if (this.#wantsWhole && this.#registeredPart) this.#options.ask(everything);
  }

  /** A reader also wants the whole content. */
  wantWhole(): void {
    this.#wantsWhole = true;
    if (this.#registeredPart) this.#options.ask(everything);
  }

  came(key: number, range: RangeSpec, { isHere, nowMs }: { isHere: boolean; nowMs: number }): void {
    const reader: Reader = { range, isTold: false, lookAtMs: Number.POSITIVE_INFINITY };
    this.#readers.set(key, reader);
    if (!isHere && !this.#tell(reader) && this.#options.leases.isActive) this.#lookAgain(reader, nowMs);
  }

  left(key: number): void {
    this.#readers.delete(key);
    if (this.#readers.size === 0) this.dueMs = Number.POSITIVE_INFINITY;
  }

  tick(nowMs: number): void {
    const due = Array.from(this.#readers).filter(([, { lookAtMs }]) => lookAtMs <= nowMs);
    for (const [, reader] of due) reader.lookAtMs = Number.POSITIVE_INFINITY;
    this.dueMs = Math.min(Number.POSITIVE_INFINITY, ...Array.from(this.#readers.values(), (one) => one.lookAtMs));
    this.#measure(due, false);
  }

  /** This node goes to the origin without a lease: readers' bytes come first, if the origin supports ranges. */
  goAlone(byRange: boolean): void {
    const { leases, grant } = this.#options;
    if (byRange && this.#readers.size > 0) this.#measure(Array.from(this.#readers), true);
    else if (!leases.isActive) grant(wholeTask);
  }

  /** Handles the measures of readers that were due. */
  looked({ measures, nextPiece }: Measured, nowMs: number): void {
    const { layout } = this.#options.leases;
    for (const { reader: key, isHere, comesInMs = Infinity } of measures) {
      const reader = this.#readers.get(key);
      if (!reader || isHere) continue;
      if (comesInMs <= downloadLimits.readerWaitMs) this.#lookAgain(reader, nowMs, comesInMs);
      else if (layout) this.#serve(reader.range, nextPiece);
      else this.#lookAgain(reader, nowMs);
    }
  }

  /** Handles the measures taken when this node went to the origin: those readers come first. */
  wentAlone({ measures, nextPiece }: Measured, nowMs: number): void {
    const { leases, prefetch, grant } = this.#options;
    for (const { reader: key, isHere } of measures) {
      const reader = this.#readers.get(key);
      if (!reader || isHere) continue;
      if (leases.isActive) this.#lookAgain(reader, nowMs);
      else if (this.#wantsWhole || prefetch) grant({ ...wholeTask, readerRange: openEnded(reader.range) });
      else this.#serve(reader.range, nextPiece);
    }
    if (!leases.isActive) grant(wholeTask);
  }

  #tell(reader: Reader): boolean {
    reader.isTold ||= this.#options.ask(reader.range);
    return reader.isTold;
  }

  #lookAgain(reader: Reader, nowMs: number, inMs = 0): void {
    reader.lookAtMs = nowMs + Math.max(inMs, downloadLimits.readerLookMs);
    this.dueMs = Math.min(this.dueMs, reader.lookAtMs);
  }

  #measure(readers: readonly (readonly [number, Reader])[], alone: boolean): void {
    if (readers.length === 0) return;
    const asked = readers.map(([reader, { range }]) => ({ reader, range }));
    this.#options.emit({
      kind: 'measure-readers',
      readers: asked,
      fetch: this.#options.leases.openEnded?.fetch,
      alone,
    });
  }

  /** Cuts the range out of the lease that would bring it later, unless it is small. */
  #serve(readerRange: RangeSpec, nextPiece: number | undefined): void {
    const { leases, grant } = this.#options;
    const { layout } = leases;
    this.#lastLease += 1;
    const id = `${ownLeasePrefix}${this.#lastLease}`;
    if (!layout) return grant({ id, first: 0, end: undefined, readerRange });
    const range = resolveRange(readerRange, layout.contentLengthBytes);
    if (!range) return;
    const { first, last } = piecesOfRange(layout, range.start, range.length);
    const comes = leases.pieces({ whole: false }).has(first);
    if (comes && this.#mayDouble(range.length, layout.contentLengthBytes))
      return grant({ id, first: 0, end: 0, readerRange, readerOnly: true });
    if (comes && !this.#cutBefore(first, nextPiece)) return;
    grant({ id, first, end: last + 1, readerRange });
  }

  /** Ends the lease of merely missing pieces before this one, unless its fetch has got there. */
  #cutBefore(piece: number, nextPiece: number | undefined): boolean {
    const { leases, grant } = this.#options;
    const { openEnded: open } = leases;
    if (!open || nextPiece === undefined || nextPiece >= piece) return false;
    grant({ ...open.lease, end: piece });
    return true;
  }

  /** A short range is fetched twice, because a cut would cost the origin one more request for the pieces after it. */
  #mayDouble(bytes: number, contentLengthBytes: number): boolean {
    const { doubledBytes, doubledShare } = downloadLimits;
    if (bytes > doubledBytes || this.#doubled + bytes > doubledShare * contentLengthBytes) return false;
    this.#doubled += bytes;
    return true;
  }
}

/** From the reader's first byte to the end of the content. */
function openEnded(range: RangeSpec): RangeSpec {
  return 'suffix' in range ? range : { first: range.first, last: undefined };
}
