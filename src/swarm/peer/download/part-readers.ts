/**
 * The readers of one download who want a part of the content. A scheduler that gives leases hears of each, and answers with a
 * lease for what nobody is about to have. Without one this node decides for itself, once it is at the origin: what comes soon is
 * waited for, a few bytes are fetched twice, and anything else is cut out of the fetch that would bring it later.
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
  /** When the fetch will have brought the first of them, at the pace it has; undefined when it will not. */
  readonly comesInMs: number | undefined;
}

interface Measured {
  readonly measures: readonly ReaderMeasure[];
  /** Where the fetch is; undefined without one. */
  readonly nextPiece: number | undefined;
}

interface Reader {
  readonly range: RangeSpec;
  /** The scheduler of this session has heard of it. */
  isTold: boolean;
  /** When to see how far its bytes are; infinite while that is somebody else's business. */
  lookAtMs: number;
}

export interface PartReadersOptions {
  /** Everything will be wanted, once the first reader has been told what there is. */
  readonly prefetch: boolean;
  readonly leases: Pick<OriginLeases, 'isActive' | 'layout' | 'openEnded' | 'pieces'>;
  readonly emit: (effect: PeerEffect) => void;
  /** Tells a scheduler that gives leases; false without one. */
  readonly ask: (range: RangeSpec) => boolean;
  /** A lease that this node grants itself. */
  readonly grant: (lease: OriginLease) => void;
}

const everything: RangeSpec = { first: 0, last: undefined };

export class PartReaders {
  readonly #options: PartReadersOptions;
  readonly #readers = new Map<number, Reader>();
  #wantsWhole = false;
  /** The current session was told that the download is for a part. */
  #registeredPart = false;
  /** Bytes fetched twice so far. */
  #doubled = 0;
  #lastLease = 0;
  /** When to look at the next one; infinite while none waits. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(options: PartReadersOptions) {
    this.#options = options;
  }

  /** For a registration: it carries one of them, which counts as told; none when everything is wanted. */
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

  /** A reader wants the whole content, too. */
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

  /** This node goes to the origin by itself: readers' bytes come first, where the origin answers ranges. */
  goAlone(byRange: boolean): void {
    const { leases, grant } = this.#options;
    if (byRange && this.#readers.size > 0) this.#measure(Array.from(this.#readers), true);
    else if (!leases.isActive) grant(wholeTask);
  }

  /** Those at which this node looked again. */
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

  /** Those that are to be served before anything else. */
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

  /** Cuts the lease that would bring it later, unless it is little. */
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

  /** Ends the lease of merely missing pieces before this one, unless its fetch has come to it. */
  #cutBefore(piece: number, nextPiece: number | undefined): boolean {
    const { leases, grant } = this.#options;
    const { openEnded: open } = leases;
    if (!open || nextPiece === undefined || nextPiece >= piece) return false;
    grant({ ...open.lease, end: piece });
    return true;
  }

  /** A short range is fetched twice: a cut would cost the origin one more request, for the pieces behind it. */
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
