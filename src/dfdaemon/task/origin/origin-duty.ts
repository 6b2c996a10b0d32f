/**
 * The origin leases of one download: one for pieces that are merely missing, and beside it one for each reader who must not
 * wait for them. A lease given anew with the same id changes its range; another one of the first kind takes its place.
 */
import { resolveRange } from '../../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { piecesOfRange } from '../../../core/piece-layout.ts';
import type { RateLimiter } from '../../../core/rate-limiter.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import { daemonLimits } from '../../limits.ts';
import type { SourceObject } from '../../source/source.ts';
import type { Sources } from '../../source/sources.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadRequest } from '../open-task.ts';
import { OriginFetch } from './origin-fetch.ts';
import type { OriginLease } from './origin-lease.ts';

export interface OriginDutyOptions {
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  readonly sources: Sources;
  /** Requests to the origin at a time, for one lease. */
  readonly connections: number;
  /** What each byte pays, now. */
  readonly limiters: () => readonly RateLimiter[];
  readonly makeRoom: (bytes: number) => Promise<void>;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  /** Of these pieces bytes come from the origin; whoever else is about to write one that comes as a `whole` lets go of it. */
  readonly claim: (pieces: PieceSet, whole: PieceSet) => Promise<void>;
  readonly events: {
    /** @param ranges whether the origin answers byte ranges; undefined when the answer does not tell. */
    answered(object: SourceObject, ranges: boolean | undefined): void;
    /** A piece is about to come in. */
    begun(number: number): void;
    /** A piece that had begun will not be complete; it may begin again. */
    givenUp(number: number): void;
    /** More of a piece is in the file. */
    bytes(): void;
    /** Every `leaseAliveMs` while a lease is held. `flows`: bytes have come since the last time. */
    alive(flows: boolean): void;
    retried(): void;
    /** Every piece of the lease was fetched or is being fetched otherwise; `error` when the origin failed. Not said of a lease that was taken away. */
    ended(lease: OriginLease, error: DragonflyError | undefined): void;
  };
}

/** Ids of leases that no scheduler gave begin with this. */
export const ownLeasePrefix = 'reader-';

interface Active {
  lease: OriginLease;
  /** The reader has his bytes; the scheduler is about to say who brings the pieces they lie in. */
  unresolved?: NodeJS.Timeout;
  readonly fetch: OriginFetch;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export class OriginDuty {
  readonly #options: OriginDutyOptions;
  readonly #active = new Map<string, Active>();
  #validator: string | undefined;
  #bytesFlow = false;

  constructor(options: OriginDutyOptions) {
    this.#options = options;
    this.#validator = options.request.validator;
  }

  get active(): boolean {
    return this.#active.size > 0;
  }

  /** Some lease is for more than what a reader waits for just now. */
  get bringsPieces(): boolean {
    for (const { lease } of this.#active.values()) if (lease.readerOnly !== true) return true;
    return false;
  }

  /** Pieces of which bytes come from the origin, as far as the layout is known. */
  get pieces(): PieceSet {
    const pieces = new PieceSet();
    for (const { lease } of this.#active.values()) pieces.addAll(this.#piecesOf(lease));
    return pieces;
  }

  /** When a lease of this node will have brought this byte, at the pace it had so far; infinite before its first bytes. */
  comesInMs(position: number): number | undefined {
    for (const { lease, fetch } of this.#active.values())
      if (lease.readerOnly !== true && lease.end === undefined) return fetch.comesInMs(position);
    return undefined;
  }

  /** Ends the lease of merely missing pieces before this one, which it has not come to yet. False when it has. */
  cutBefore(piece: number): boolean {
    for (const { lease, fetch } of this.#active.values()) {
      if (lease.end !== undefined || lease.readerOnly === true || fetch.nextPiece >= piece) continue;
      this.take({ ...lease, end: piece });
      return true;
    }
    return false;
  }

  take(lease: OriginLease): void {
    const known = this.#active.get(lease.id);
    if (known && (lease.reader !== undefined || known.lease.reader !== undefined)) {
      known.lease = lease;
      if (!known.unresolved) {
        known.fetch.setRun(lease);
        return void this.#claim();
      }
      clearTimeout(known.unresolved);
      this.#active.delete(lease.id);
      if (lease.readerOnly === true) return this.#options.events.ended(lease, undefined);
    }
    if (known && !known.unresolved && known.lease.first <= lease.first) {
      known.lease = { ...lease, first: known.lease.first };
      known.fetch.setEnd(lease.end);
      void this.#claim();
      return;
    }
    const replaced = lease.reader ? undefined : [...this.#active.values()].find((active) => !active.lease.reader);
    if (replaced) {
      this.#active.delete(replaced.lease.id);
      replaced.controller.abort(new DragonflyError('CANCELLED', 'another origin lease took its place'));
    }
    const before = replaced?.ended ?? Promise.resolve();
    const controller = new AbortController();
    const fetch = this.#fetch(lease, AbortSignal.any([controller.signal, this.#options.signal]));
    const active: Active = { lease, fetch, controller, ended: before.then(() => this.#run(fetch, () => active)) };
    this.#active.set(lease.id, active);
    void this.#claim();
  }

  /** False when it is not a lease that is held. */
  revoke(leaseId: string): boolean {
    const active = this.#active.get(leaseId);
    if (!active) return false;
    this.#active.delete(leaseId);
    clearTimeout(active.unresolved);
    active.controller.abort(new DragonflyError('CANCELLED', 'the origin lease was revoked'));
    return true;
  }

  async #run(fetch: OriginFetch, self: () => Active): Promise<void> {
    let failure: DragonflyError | undefined;
    const heart = setInterval(() => this.#tellAlive(), daemonLimits.leaseAliveMs);
    this.#tellAlive();
    try {
      await this.#claim();
      await fetch.run();
    } catch (error) {
      failure = toDragonflyError(error);
    } finally {
      clearInterval(heart);
    }
    const active = self();
    if (this.#active.get(active.lease.id) !== active) return; // revoked or replaced: nobody waits for it
    if (!failure && isUnresolved(active.lease) && !this.#options.signal.aborted) {
      active.unresolved = setTimeout(() => this.#giveUp(active), daemonLimits.leaseResolvedMs);
      return;
    }
    this.#active.delete(active.lease.id);
    if (!this.#options.signal.aborted) this.#options.events.ended(active.lease, failure);
  }

  /** The scheduler has fallen silent: the pieces are somebody's, or are asked for again. */
  #giveUp(active: Active): void {
    if (this.#active.get(active.lease.id) !== active) return;
    this.#active.delete(active.lease.id);
    if (!this.#options.signal.aborted) this.#options.events.ended(active.lease, undefined);
  }

  #fetch(lease: OriginLease, signal: AbortSignal): OriginFetch {
    const { request, stored, sources, connections, limiters, makeRoom, events } = this.#options;
    const { caller, url, header, caPem, objectStorage, hdfs, hub, pieceLengthBytes } = request;
    const { first, end, reader } = lease;
    return new OriginFetch({
      source: { caller, url, header, caPem, objectStorage, hdfs, hub },
      digestDecides: (request.digest ?? stored.identity.digest) !== undefined,
      first,
      end,
      reader,
      readerOnly: lease.readerOnly,
      unresolved: reader !== undefined && end === undefined && lease.readerOnly !== true && lease.id !== '',
      validator: this.#validator,
      pieceLengthBytes,
      sources,
      opened: reader ? undefined : request.opened,
      connections: reader ? 1 : connections,
      limiters,
      makeRoom,
      stored,
      signal,
      onAnswer: (object, ranges) => {
        this.#validator ??= object.validator;
        this.#learnRun(lease.id, ranges);
        events.answered(object, ranges);
      },
      onBegun: (number) => events.begun(number),
      onGivenUp: (number) => events.givenUp(number),
      onBytes: () => {
        events.bytes();
        this.#bytesFlow = true;
      },
      onRetry: () => events.retried(),
    });
  }

  /** The first answer tells which pieces a reader's bytes lie in. A scheduler says so itself: it may know of others who bring them. */
  #learnRun(leaseId: string, ranges: boolean | undefined): void {
    const active = this.#active.get(leaseId);
    const { layout } = this.#options.stored;
    if (!active || !layout) return;
    const { id, end, reader, readerOnly } = active.lease;
    if (!reader || readerOnly === true || end !== undefined || id === '') return;
    const range = resolveRange(reader, layout.contentLengthBytes);
    if (ranges === false) active.lease = { id, first: 0, end: undefined };
    else if (range && id.startsWith(ownLeasePrefix)) {
      const { first, last } = piecesOfRange(layout, range.start, range.length);
      active.lease = { id, first, end: last + 1, reader };
      active.fetch.setRun(active.lease);
    }
  }

  #piecesOf({ id, first, end, reader, readerOnly }: OriginLease): PieceSet {
    const { layout } = this.#options.stored;
    if (!layout) return new PieceSet();
    const range = reader && resolveRange(reader, layout.contentLengthBytes);
    if (reader && (readerOnly === true || (end === undefined && id !== ''))) {
      if (!range) return new PieceSet();
      const span = piecesOfRange(layout, range.start, range.length);
      return PieceSet.range(span.first, span.last - span.first + 1);
    }
    const last = Math.min(end ?? layout.pieceCount, layout.pieceCount);
    return last > first ? PieceSet.range(first, last - first) : new PieceSet();
  }

  /** Whoever else is about to write a piece of which all comes from the origin lets go of it. */
  #claim(): Promise<void> {
    const whole = new PieceSet();
    for (const { lease } of this.#active.values()) if (lease.readerOnly !== true) whole.addAll(this.#piecesOf(lease));
    return this.#options.claim(this.pieces, whole);
  }

  #tellAlive(): void {
    this.#options.events.alive(this.#bytesFlow);
    this.#bytesFlow = false;
  }
}

function isUnresolved({ id, end, reader, readerOnly }: OriginLease): boolean {
  if (id === '') return false;
  return reader !== undefined && end === undefined && readerOnly !== true && !id.startsWith(ownLeasePrefix);
}
