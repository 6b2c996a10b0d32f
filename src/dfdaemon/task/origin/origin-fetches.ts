/**
 * Carries out the origin effects of a download's machine: starts and stops fetches, and reports how they end.
 * OriginLeases (swarm/peer/download/) decides what is fetched and what a failure leads to; OriginFetch does one fetch.
 */
import type { RangeSpec } from '../../../core/byte-range.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { isTemporaryFailure } from '../../../core/net/origin-status.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import type { OriginEffect } from '../../../swarm/peer/download/effects.ts';
import type { OriginLease } from '../../../swarm/peer/download/origin-lease.ts';
import type { SourceObject } from '../../source/source.ts';
import { retryAfterMs } from '../../source/http/retry-after.ts';
import type { DownloadScope } from '../download-scope.ts';
import type { PieceExchange } from '../exchange/piece-exchange.ts';
import type { LearnedLayout } from '../learned-layout.ts';
import type { ContentProof } from '../proof/content-proof.ts';
import type { OpenedOrigin } from '../open-task.ts';
import { OriginFetch, type OriginFetchOptions } from './origin-fetch.ts';

/** Parts that make way for the origin, and that learn from its answers. */
interface OriginParts {
  readonly proof: ContentProof;
  readonly learned: LearnedLayout;
  readonly exchange: PieceExchange;
}

interface Running {
  readonly fetch: OriginFetch;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  /** Failed requests that wait until the machine sends them again. */
  readonly broken: Map<number, () => void>;
}

export class OriginFetches {
  readonly #scope: DownloadScope;
  readonly #parts: OriginParts;
  readonly #running = new Map<number, Running>();
  /** Stopped fetches that have not ended yet; the next one waits for them. */
  readonly #stopping = new Set<Promise<void>>();
  #validator: string | undefined;
  #bytesFlow = false;

  constructor(scope: DownloadScope, parts: OriginParts) {
    this.#scope = scope;
    this.#parts = parts;
    this.#validator = scope.request.validator;
  }

  /** Whether bytes have arrived since the last call. */
  takeFlow(): boolean {
    const flows = this.#bytesFlow;
    this.#bytesFlow = false;
    return flows;
  }

  of(fetch: number): OriginFetch | undefined {
    return this.#running.get(fetch)?.fetch;
  }

  run(effect: OriginEffect): void {
    const { context, receipt } = this.#scope;
    switch (effect.kind) {
      case 'fetch-origin':
        return this.#start(effect.fetch, effect.lease);
      case 'change-origin-run': {
        const fetch = this.of(effect.fetch);
        return effect.onlyEnd ? fetch?.setEnd(effect.lease.end) : fetch?.setRun(effect.lease);
      }
      case 'resume-origin':
        receipt.retry();
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
    const signal = AbortSignal.any([controller.signal, this.#scope.signal]);
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
    const { machine, signal } = this.#scope;
    try {
      await Promise.all(Array.from(this.#stopping));
      await this.#parts.exchange.released();
      await fetch.run();
    } catch {
      return; // the machine has heard of the failure and stopped the fetch
    }
    if (!this.#running.delete(key) || signal.aborted) return;
    machine.take({ kind: 'origin-fetched', fetch: key });
    this.#parts.learned.begin(); // the end of content of unknown length completes its layout
  }

  /** Makes each failed request of a fetch wait for the machine's decision. */
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
        const again = {
          temporary: isTemporaryFailure(failure),
          progressed,
          retryAfterMs: retryAfterMs(details?.header),
        };
        this.#scope.machine.take({ kind: 'origin-failed', fetch: key, request, code, ...again }, failure);
      });
  }

  #fetch(
    key: number,
    { lease, signal, mayRetry }: Pick<OriginFetchOptions, 'signal' | 'mayRetry'> & { readonly lease: OriginLease },
  ): OriginFetch {
    const { context, request, stored, rate } = this.#scope;
    const { caller, url, header, caPem, objectStorage, hdfs, hub, bundle, pieceLengthBytes } = request;
    const { first, end, readerRange, readerOnly } = lease;
    return new OriginFetch({
      source: { caller, url, header, caPem, objectStorage, hdfs, hub, bundle },
      digestDecides: request.validator === undefined && (request.digest ?? stored.identity.digest) !== undefined,
      first,
      end,
      readerRange,
      readerOnly,
      unresolved: readerRange !== undefined && end === undefined && readerOnly !== true && lease.id !== '',
      validator: this.#validator,
      pieceLengthBytes,
      sources: context.sources,
      opened: isFor(request.opened, readerRange) ? request.opened : undefined,
      connections: readerRange ? 1 : context.originConnections,
      limiters: () => rate.fromOrigin,
      makeRoom: context.makeRoom,
      stored,
      signal,
      onAnswer: (object, ranges) => this.#answered(key, object, ranges),
      onBegun: (number) => context.announcer().pieceBegun(number),
      onGivenUp: (number) => context.announcer().pieceGivenUp(number),
      onBytes: () => {
        this.#bytesFlow = true;
        this.#scope.signalChange();
      },
      mayRetry,
    });
  }

  /** The layout may be known now. */
  #answered(key: number, { validator }: SourceObject, ranges: boolean | undefined): void {
    const { context, machine, receipt, request } = this.#scope;
    this.#validator ??= validator;
    this.#parts.proof.pieces?.atOrigin(validator);
    receipt.originRequest();
    context.announcer().layoutKnown();
    this.#parts.learned.begin();
    // A request that alone may be sent has asked for all of it: nobody can be sent for a part.
    machine.take({ kind: 'origin-answered', fetch: key, ranges: request.onlyOpened === true ? false : ranges });
  }
}

/** The client's request asks for what the lease begins with. */
function isFor(opened: OpenedOrigin | undefined, readerRange: RangeSpec | undefined): boolean {
  const asked = opened?.range;
  if (!asked || ('first' in asked && asked.first === 0 && asked.last === undefined)) return !readerRange;
  if (!readerRange || 'suffix' in asked || 'suffix' in readerRange)
    return (
      readerRange !== undefined && 'suffix' in asked && 'suffix' in readerRange && asked.suffix === readerRange.suffix
    );
  return asked.first === readerRange.first && asked.last === readerRange.last;
}
