/** Carries out what the machine of a download wants of the origin: fetches, and what children hear of them. */
import { DragonflyError } from '../../../core/errors.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import type { RateLimiter } from '../../../core/rate-limiter.ts';
import type { OriginEffect } from '../../../swarm/peer/download/effects.ts';
import type { PeerEvent } from '../../../swarm/peer/download/events.ts';
import type { OriginLease } from '../../../swarm/peer/download/origin-lease.ts';
import type { SourceObject } from '../../source/source.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import { retryAfterMs } from '../../source/http/retry-after.ts';
import type { DownloadContext } from '../download-context.ts';
import type { DownloadRequest } from '../open-task.ts';
import { OriginFetch, type OriginFetchOptions } from './origin-fetch.ts';
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
  /** Requests that have failed, until the machine wants them sent again. */
  readonly broken: Map<number, () => void>;
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
      case 'resume-origin':
        this.#options.onRetry();
        return this.#running.get(effect.fetch)?.broken.get(effect.request)?.();
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
    const broken: Running['broken'] = new Map();
    const signal = AbortSignal.any([controller.signal, this.#options.signal]);
    const mayRetry = this.#retries(key, broken, signal);
    const fetch = this.#fetch(key, { lease, signal, mayRetry });
    const ended = this.#run(key, fetch);
    this.#running.set(key, { fetch, controller, ended, broken });
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
    try {
      await Promise.all(Array.from(this.#stopping));
      await released();
      await fetch.run();
    } catch {
      return; // the machine has heard why, and has stopped it
    }
    if (!this.#running.delete(key) || signal.aborted) return;
    take({ kind: 'origin-fetched', fetch: key });
    onFetched();
  }

  /** What each request of a fetch does when it has failed: it waits for the machine. */
  #retries(key: number, broken: Running['broken'], signal: AbortSignal): OriginFetchOptions['mayRetry'] {
    return (failure, { request, progressed }) =>
      new Promise((resolve, reject) => {
        const { code, details } = failure;
        const stop = onAbort(signal, () => reject(signal.reason as Error));
        broken.set(request, () => {
          stop[Symbol.dispose]();
          broken.delete(request);
          resolve();
        });
        const again = { temporary: isTemporary(failure), progressed, retryAfterMs: retryAfterMs(details?.header) };
        this.#options.take({ kind: 'origin-failed', fetch: key, request, code, ...again }, failure);
      });
  }

  #fetch(
    key: number,
    { lease, signal, mayRetry }: Pick<OriginFetchOptions, 'signal' | 'mayRetry'> & { readonly lease: OriginLease },
  ): OriginFetch {
    const { context, request, stored, limiters, take, onAnswer, onBytes } = this.#options;
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
      mayRetry,
    });
  }
}
