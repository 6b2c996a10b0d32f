/** Carries out what the machine of a download wants of the origin: fetches, and what children hear of them. */
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { RateLimiter } from '../../../core/rate-limiter.ts';
import type { OriginEffect } from '../../../swarm/peer/download/effects.ts';
import type { PeerEvent } from '../../../swarm/peer/download/events.ts';
import type { OriginLease } from '../../../swarm/peer/download/origin-lease.ts';
import type { SourceObject } from '../../source/source.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadContext } from '../download-context.ts';
import type { DownloadRequest } from '../open-task.ts';
import { OriginFetch } from './origin-fetch.ts';
import { isTemporary } from './origin-stream.ts';

export interface OriginFetchesOptions {
  readonly context: DownloadContext;
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  /** What each byte pays, now. */
  readonly limiters: () => readonly RateLimiter[];
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  /** @param cause the error that the event is about. */
  readonly take: (event: PeerEvent, cause?: DragonflyError) => void;
  /** Resolves when every piece that is not asked of parents any more has been let go. */
  readonly released: () => Promise<void>;
  /** The origin has answered; the layout may be known now. */
  readonly onAnswer: (object: SourceObject) => void;
  /** A run is complete; the layout may be known now. */
  readonly onFetched: () => void;
  /** More of a piece can be read. */
  readonly onBytes: () => void;
  readonly onRetry: () => void;
}

interface Running {
  readonly fetch: OriginFetch;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export class OriginFetches {
  readonly #options: OriginFetchesOptions;
  readonly #running = new Map<number, Running>();
  /** Stopped, and not at their end yet: whoever comes next waits for them. */
  readonly #stopping = new Set<Promise<void>>();
  #validator: string | undefined;
  #bytesFlow = false;

  constructor(options: OriginFetchesOptions) {
    this.#options = options;
    this.#validator = options.request.validator;
  }

  /** Whether bytes have come since this was asked last. */
  takeFlow(): boolean {
    const flows = this.#bytesFlow;
    this.#bytesFlow = false;
    return flows;
  }

  of(fetch: number): OriginFetch | undefined {
    return this.#running.get(fetch)?.fetch;
  }

  run(effect: OriginEffect): void {
    const { context } = this.#options;
    switch (effect.kind) {
      case 'fetch-origin':
        return this.#start(effect.fetch, effect.lease);
      case 'change-origin-run': {
        const fetch = this.of(effect.fetch);
        return effect.onlyEnd ? fetch?.setEnd(effect.lease.end) : fetch?.setRun(effect.lease);
      }
      case 'stop-origin':
        return this.#stop(effect.fetch);
      case 'origin-begun':
        return context.announcer().leaseBegan();
      case 'origin-left':
        return context.announcer().leaseEnded();
    }
  }

  #start(key: number, lease: OriginLease): void {
    const controller = new AbortController();
    const fetch = this.#fetch(key, lease, AbortSignal.any([controller.signal, this.#options.signal]));
    const ended = this.#run(key, fetch);
    this.#running.set(key, { fetch, controller, ended });
  }

  #stop(key: number): void {
    const running = this.#running.get(key);
    if (!running) return;
    this.#running.delete(key);
    const { controller, ended } = running;
    controller.abort(new DragonflyError('CANCELLED', 'the origin lease was taken away'));
    this.#stopping.add(ended);
    void ended.then(() => this.#stopping.delete(ended));
  }

  async #run(key: number, fetch: OriginFetch): Promise<void> {
    const { take, released, onFetched, signal } = this.#options;
    const before = Array.from(this.#stopping);
    let failure: DragonflyError | undefined;
    try {
      await Promise.all(before);
      await released();
      await fetch.run();
    } catch (error) {
      failure = toDragonflyError(error);
    }
    if (!this.#running.delete(key) || signal.aborted) return;
    if (!failure) {
      take({ kind: 'origin-fetched', fetch: key });
      return onFetched();
    }
    take({ kind: 'origin-failed', fetch: key, code: failure.code, temporary: isTemporary(failure) }, failure);
  }

  #fetch(key: number, lease: OriginLease, signal: AbortSignal): OriginFetch {
    const { context, request, stored, limiters, take, onAnswer, onBytes, onRetry } = this.#options;
    const { caller, url, header, caPem, objectStorage, hdfs, hub, pieceLengthBytes } = request;
    const { first, end, reader, readerOnly } = lease;
    return new OriginFetch({
      source: { caller, url, header, caPem, objectStorage, hdfs, hub },
      digestDecides: (request.digest ?? stored.identity.digest) !== undefined,
      first,
      end,
      reader,
      readerOnly,
      unresolved: reader !== undefined && end === undefined && readerOnly !== true && lease.id !== '',
      validator: this.#validator,
      pieceLengthBytes,
      sources: context.sources,
      opened: reader ? undefined : request.opened,
      connections: reader ? 1 : context.originConnections,
      limiters,
      makeRoom: context.makeRoom,
      stored,
      signal,
      onAnswer: (object, ranges) => {
        this.#validator ??= object.validator;
        onAnswer(object);
        take({ kind: 'origin-answered', fetch: key, ranges });
      },
      onBegun: (number) => context.announcer().pieceBegun(number),
      onGivenUp: (number) => context.announcer().pieceGivenUp(number),
      onBytes: () => {
        this.#bytesFlow = true;
        onBytes();
      },
      onRetry,
    });
  }
}
