/**
 * The origin leases of one download: at most one at a time, fetched while it is held. A lease given anew with the same
 * id changes its range; any other takes the place of the one before.
 */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { PieceSet } from '../../swarm/piece-set.ts';
import { daemonLimits } from '../limits.ts';
import type { SourceObject } from '../source/source.ts';
import type { Sources } from '../source/sources.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { DownloadRequest } from './open-task.ts';
import { OriginFetch } from './origin-fetch.ts';
import type { OriginLease } from './scheduler-session.ts';

export interface OriginDutyOptions {
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  readonly sources: Sources;
  /** Requests to the origin at a time. */
  readonly connections: number;
  /** What each byte pays, now. */
  readonly limiters: () => readonly RateLimiter[];
  readonly makeRoom: (bytes: number) => Promise<void>;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  /** These pieces will come from the origin: whoever else is about to write one lets go of it. */
  readonly claim: (pieces: PieceSet) => Promise<void>;
  readonly events: {
    answered(object: SourceObject): void;
    /** A piece is about to come in. */
    begun(number: number): void;
    /** A piece that had begun will not be complete; it may begin again. */
    givenUp(number: number): void;
    piece(number: number): void;
    /** More of a piece is in the file. */
    bytes(): void;
    /** Every `leaseAliveMs` while a lease is held. `flows`: bytes have come since the last time. */
    alive(flows: boolean): void;
    retried(): void;
    /** Every piece of the lease was fetched or is being fetched otherwise; `error` when the origin failed. Not said of a lease that was taken away. */
    ended(lease: OriginLease, error: DragonflyError | undefined): void;
  };
}

interface Active {
  lease: OriginLease;
  readonly fetch: OriginFetch;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export class OriginDuty {
  readonly #options: OriginDutyOptions;
  #active: Active | undefined;
  #bytesFlow = false;

  constructor(options: OriginDutyOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#active !== undefined;
  }

  /** Pieces of the lease that is held, as far as the layout is known. */
  get pieces(): PieceSet {
    const count = this.#options.stored.layout?.pieceCount;
    const lease = this.#active?.lease;
    if (!lease || count === undefined) return new PieceSet();
    const end = Math.min(lease.end ?? count, count);
    return end > lease.first ? PieceSet.range(lease.first, end - lease.first) : new PieceSet();
  }

  take(lease: OriginLease): void {
    if (this.#active && this.#active.lease.id === lease.id && this.#active.lease.first <= lease.first) {
      this.#active.lease = { ...lease, first: this.#active.lease.first };
      this.#active.fetch.setEnd(lease.end);
      void this.#options.claim(this.pieces);
      return;
    }
    this.#active?.controller.abort(new DragonflyError('CANCELLED', 'another origin lease took its place'));
    const before = this.#active?.ended ?? Promise.resolve();
    const controller = new AbortController();
    const fetch = this.#fetch(lease, AbortSignal.any([controller.signal, this.#options.signal]));
    const active: Active = { lease, fetch, controller, ended: before.then(() => this.#run(fetch, () => active)) };
    this.#active = active;
    void this.#options.claim(this.pieces);
  }

  /** False when it is not the lease that is held. */
  revoke(leaseId: string): boolean {
    const active = this.#active;
    if (active?.lease.id !== leaseId) return false;
    this.#active = undefined;
    active.controller.abort(new DragonflyError('CANCELLED', 'the origin lease was revoked'));
    return true;
  }

  async #run(fetch: OriginFetch, self: () => Active): Promise<void> {
    let failure: DragonflyError | undefined;
    const heart = setInterval(() => this.#tellAlive(), daemonLimits.leaseAliveMs);
    this.#tellAlive();
    try {
      await this.#options.claim(this.pieces);
      await fetch.run();
    } catch (error) {
      failure = toDragonflyError(error);
    } finally {
      clearInterval(heart);
    }
    const active = self();
    if (this.#active !== active) return; // revoked or replaced: nobody waits for it
    this.#active = undefined;
    if (!this.#options.signal.aborted) this.#options.events.ended(active.lease, failure);
  }

  #fetch(lease: OriginLease, signal: AbortSignal): OriginFetch {
    const { request, stored, sources, connections, limiters, makeRoom, events } = this.#options;
    const { caller, url, header, caPem, objectStorage, hdfs, hub, pieceLengthBytes } = request;
    return new OriginFetch({
      source: { caller, url, header, caPem, objectStorage, hdfs, hub },
      digestDecides: (request.digest ?? stored.identity.digest) !== undefined,
      first: lease.first,
      end: lease.end,
      pieceLengthBytes,
      sources,
      opened: request.opened,
      connections,
      limiters,
      makeRoom,
      stored,
      signal,
      onAnswer: (object) => events.answered(object),
      onBegun: (number) => events.begun(number),
      onGivenUp: (number) => events.givenUp(number),
      onPiece: (number) => events.piece(number),
      onBytes: () => {
        events.bytes();
        this.#bytesFlow = true;
      },
      onRetry: () => events.retried(),
    });
  }

  #tellAlive(): void {
    this.#options.events.alive(this.#bytesFlow);
    this.#bytesFlow = false;
  }
}
