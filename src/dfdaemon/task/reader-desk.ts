/**
 * The readers of one download who want a part of the content. The scheduler hears of each, and answers with a lease for what
 * nobody is about to have. Without a scheduler that gives leases this node decides for itself, once it is at the origin.
 */
import { resolveRange, type RangeSpec } from '../../core/byte-range.ts';
import { piecesOfRange } from '../../core/piece-layout.ts';
import { daemonLimits } from '../limits.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { firstMissingByte } from './origin/origin-run.ts';
import { ownLeasePrefix, type OriginLease } from '../../swarm/peer/download/origin-lease.ts';
import type { PeerMachine } from '../../swarm/peer/download/peer-machine.ts';
import type { OriginFetch } from './origin/origin-fetch.ts';

export interface ReaderDeskOptions {
  readonly stored: StoredTask;
  /** What this node is fetching, and how far it is. */
  readonly leases: () => PeerMachine['leases'];
  readonly fetchOf: (fetch: number) => OriginFetch | undefined;
  /** Everything will be wanted, once the first reader has been told what there is. */
  readonly prefetch: boolean;
  /** Tells a scheduler that gives leases; false without one. */
  readonly ask: (reader: RangeSpec) => boolean;
  /** Runs a lease that this node grants to itself. */
  readonly take: (lease: OriginLease) => void;
}

const everything: RangeSpec = { first: 0, last: undefined };

export class ReaderDesk implements Disposable {
  readonly #options: ReaderDeskOptions;
  readonly #readers = new Set<RangeSpec>();
  /** Of these the current session has heard. */
  readonly #told = new Set<RangeSpec>();
  /** Of these nobody has heard yet but this node, which looks at them again soon. */
  readonly #waiting = new Map<RangeSpec, NodeJS.Timeout>();
  #wantsWhole = false;
  /** The current session was told that the download is for a part. */
  #registeredPart = false;
  /** Bytes fetched twice so far. */
  #doubled = 0;
  #nextId = 1;

  constructor(options: ReaderDeskOptions) {
    this.#options = options;
  }

  /** For a registration: it carries one of them, which counts as told; none when everything is wanted. */
  register(): RangeSpec | undefined {
    this.#told.clear();
    const [first] = this.#readers;
    this.#registeredPart = first !== undefined && !this.#wantsWhole;
    if (first && this.#registeredPart) this.#told.add(first);
    return this.#registeredPart ? first : undefined;
  }

  /** A session is open. */
  connected(): void {
    for (const reader of this.#readers) this.#tell(reader);
    if (this.#wantsWhole && this.#registeredPart) this.#options.ask(everything);
  }

  /** A reader wants the whole content, too. */
  wantWhole(): void {
    this.#wantsWhole = true;
    if (this.#registeredPart) this.#options.ask(everything);
  }

  add(reader: RangeSpec): void {
    if (this.#readers.has(reader)) return;
    this.#readers.add(reader);
    if (this.#isHere(reader) || this.#tell(reader)) return;
    if (this.#options.leases().isActive) this.#wait(reader, daemonLimits.readerLookMs);
  }

  remove(reader: RangeSpec): void {
    this.#readers.delete(reader);
    this.#told.delete(reader);
    clearTimeout(this.#waiting.get(reader));
    this.#waiting.delete(reader);
  }

  /** This node goes to the origin by itself: one reader's bytes come first, with the rest behind them if that is wanted. */
  serveAll(): void {
    const { leases, prefetch, take } = this.#options;
    for (const reader of this.#readers) {
      if (this.#isHere(reader)) continue;
      if (leases().isActive) this.#wait(reader, daemonLimits.readerLookMs);
      else if (this.#wantsWhole || prefetch) take({ id: '', first: 0, end: undefined, reader: openEnded(reader) });
      else this.#serve(reader);
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #tell(reader: RangeSpec): boolean {
    if (this.#told.has(reader)) return true;
    if (!this.#options.ask(reader)) return false;
    this.#told.add(reader);
    return true;
  }

  /** What comes soon is worth waiting for: at a fast origin most of what is read does. */
  #wait(reader: RangeSpec, ms: number): void {
    clearTimeout(this.#waiting.get(reader));
    const look = (): void => {
      this.#waiting.delete(reader);
      if (this.#isHere(reader)) return;
      const { layout } = this.#options.stored;
      const range = layout && resolveRange(reader, layout.contentLengthBytes);
      const comesInMs = range && this.#comesInMs(range.start);
      if (comesInMs !== undefined && comesInMs <= daemonLimits.readerWaitMs)
        this.#wait(reader, Math.max(comesInMs, daemonLimits.readerLookMs));
      else if (layout) this.#serve(reader);
      else this.#wait(reader, daemonLimits.readerLookMs);
    };
    this.#waiting.set(reader, setTimeout(look, ms).unref());
  }

  /** Cuts the lease that would bring it later, unless it is little. */
  #serve(reader: RangeSpec): void {
    const { stored, leases, take } = this.#options;
    const { layout } = stored;
    const id = `${ownLeasePrefix}${this.#nextId}`;
    this.#nextId += 1;
    if (!layout) return take({ id, first: 0, end: undefined, reader });
    const range = resolveRange(reader, layout.contentLengthBytes);
    if (!range) return;
    const { first, last } = piecesOfRange(layout, range.start, range.length);
    const comes = leases().pieces({ whole: false }).has(first);
    if (comes && this.#mayDouble(range.length, layout.contentLengthBytes))
      return take({ id, first: 0, end: 0, reader, readerOnly: true });
    if (comes && !this.#cutBefore(first)) return;
    take({ id, first, end: last + 1, reader });
  }

  /** When a fetch of this node will have brought this byte, at the pace it had so far; infinite before its first bytes. */
  #comesInMs(position: number): number | undefined {
    const { leases, fetchOf } = this.#options;
    const open = leases().openEnded;
    return open && fetchOf(open.fetch)?.comesInMs(position);
  }

  /** Ends the lease of merely missing pieces before this one, unless its fetch has come to it. */
  #cutBefore(piece: number): boolean {
    const { leases, fetchOf, take } = this.#options;
    const open = leases().openEnded;
    const fetch = open && fetchOf(open.fetch);
    if (!open || !fetch || fetch.nextPiece >= piece) return false;
    take({ ...open.lease, end: piece });
    return true;
  }

  /** A short range is fetched twice: a cut would cost the origin one more request, for the pieces behind it. */
  #mayDouble(bytes: number, contentLengthBytes: number): boolean {
    const { doubledBytes, doubledShare } = daemonLimits;
    if (bytes > doubledBytes || this.#doubled + bytes > doubledShare * contentLengthBytes) return false;
    this.#doubled += bytes;
    return true;
  }

  #isHere(reader: RangeSpec): boolean {
    const { stored } = this.#options;
    const { layout } = stored;
    const range = layout && resolveRange(reader, layout.contentLengthBytes);
    if (!range) return false;
    const span = { from: range.start, to: range.start + range.length };
    return firstMissingByte(stored, layout.pieceLengthBytes, span) === undefined;
  }
}

/** From the reader's first byte to the end of the content. */
function openEnded(reader: RangeSpec): RangeSpec {
  return 'suffix' in reader ? reader : { first: reader.first, last: undefined };
}
