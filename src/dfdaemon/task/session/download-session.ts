/**
 * Carries out the session effects of a download's machine: opens sessions with the scheduler, turns its answers into events and
 * sends reports. SessionWatch (swarm/peer/download/) decides when; scheduler/peers/announce-peer.ts is the other end.
 */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { DragonflyError } from '../../../core/errors.ts';
import { silenceOf } from '../../../rpc/life.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { minPieceLengthBytes } from '../../../core/piece-layout.ts';
import type { SessionEffect } from '../../../swarm/peer/download/effects.ts';
import type { DownloadScope } from '../download-scope.ts';
import type { PieceExchange } from '../exchange/piece-exchange.ts';
import type { LearnedLayout } from '../learned-layout.ts';
import { layoutAtOrigin } from '../origin/layout-at-origin.ts';
import type { OriginFetches } from '../origin/origin-fetches.ts';
import { mayAskItself } from '../own-identity.ts';
import type { ContentProof } from '../proof/content-proof.ts';
import { toRegistration, unknownLength } from './registration.ts';
import { SchedulerLife } from './scheduler-life.ts';
import { SchedulerSession } from './scheduler-session.ts';

type Registration = ReturnType<typeof toRegistration>;

/** Parts of the download that the scheduler's messages concern. */
interface SessionParts {
  readonly proof: ContentProof;
  readonly learned: LearnedLayout;
  readonly exchange: PieceExchange;
  readonly origin: OriginFetches;
}

export class DownloadSession {
  readonly #scope: DownloadScope;
  readonly #parts: SessionParts;
  readonly #life: SchedulerLife;
  #peerId: string;

  constructor(scope: DownloadScope, parts: SessionParts) {
    const { signal, context, machine, peerId } = scope;
    this.#scope = scope;
    this.#parts = parts;
    this.#life = new SchedulerLife(signal);
    this.#peerId = peerId;
    onAbort(
      signal,
      context.onTaken(() => machine.take({ kind: 'host-taken' })),
    );
  }

  /** Whether the download can only wait for the scheduler. */
  waiting(isWaiting: boolean): void {
    this.#life.waiting(isWaiting);
  }

  run(effect: SessionEffect): void {
    const { session, machine, stored } = this.#scope;
    const { cause } = machine;
    switch (effect.kind) {
      case 'open-session':
        if (effect.renewId) this.#peerId = this.#scope.context.newPeerId();
        return this.#open(effect.readerRange);
      case 'leave-session':
        session?.failed(cause?.message ?? '');
        this.#scope.session = undefined;
        return;
      case 'ask-scheduler':
        return session?.starved(effect.patienceMs);
      case 'ask-for-reader':
        return session?.readerAsks(effect.range);
      case 'report-held':
        return session?.held(effect.held);
      case 'report-pieces':
        return session?.piecesFinished(effect.sources);
      case 'report-piece':
        return session?.pieceFinished(effect, stored.layout);
      case 'report-lease-alive':
        return session?.leaseAlive(this.#parts.origin.takeFlow());
      case 'report-parent':
        return session?.pieceFailed(effect.parentId, effect.piece, effect.fault);
      case 'report-lease-started':
        return session?.leaseStarted(effect.leaseId);
      case 'report-lease-failed':
        return cause && session?.leaseFailed(effect.leaseId, cause, effect.temporary);
      case 'report-layout':
        return this.#tellLayout(effect.ranges);
    }
  }

  #open(readerRange: RangeSpec | undefined): void {
    const { context, request, stored, machine } = this.#scope;
    const { proof, learned, exchange } = this.#parts;
    const ids = { hostId: context.hostId, taskId: stored.id, peerId: this.#peerId };
    const session: SchedulerSession = new SchedulerSession(
      ids,
      {
        connected: () => machine.take({ kind: 'session-opened', extended: session.extended }),
        metadata: ({ contentLengthBytes, ...facts }) => {
          if (contentLengthBytes !== undefined) void learned.take({ contentLengthBytes, ...facts });
        },
        emptyTask: () =>
          void learned.take({ contentLengthBytes: 0, pieceLengthBytes: minPieceLengthBytes, responseHeader: {} }),
        parents: (parents, options) => {
          // Content that nobody was seen to fetch cannot be compared with the origin here, so the client's own request fetches
          // it.
          if (options.unproven && request.onlyOpened === true) return machine.take({ kind: 'origin-needed' });
          if (parents.length > 0) request.opened?.othersBring?.();
          proof.offered(options);
          exchange.offer(parents, options.replace);
        },
        digests: (message) => proof.pieces?.take(message),
        dropParents: (parentIds) => {
          // An empty list promises that the first piece is on its way to another node.
          if (parentIds.length === 0) request.opened?.othersBring?.();
          machine.take({ kind: 'parents-withdrawn', parentIds });
        },
        lease: (lease) => machine.take({ kind: 'lease-granted', lease }),
        revokeLease: (leaseId) => machine.take({ kind: 'lease-revoked', leaseId }),
        closed: (error) => this.#ended(session, error),
      },
      context.logger,
    );
    this.#scope.session = session;
    void this.#register(session, readerRange);
  }

  #register(session: SchedulerSession, readerRange: RangeSpec | undefined): Promise<void> {
    const { context, request } = this.#scope;
    return session.run({
      open: this.#life.through(context.openPeerStream),
      registration: this.#registration(request),
      readerRange,
      told: { pieceDigests: context.pieceHasher !== undefined, hasFallback: request.hasFallback === true },
      forOriginal: () => this.#forOriginal(),
      scheduler: request.scheduler,
    });
  }

  #registration({ prefersOrigin = false } = {}): Registration {
    const { request, stored, machine } = this.#scope;
    const prefers = prefersOrigin && request.disableBackToSource !== true;
    return toRegistration(request, stored, { needBackToSource: machine.state.leases.isActive || prefers });
  }

  /** A scheduler of the original has to be told the length, or that it is unknown. */
  async #forOriginal(): Promise<Registration> {
    const { context, request, stored, signal } = this.#scope;
    if (!stored.layout && request.disableBackToSource !== true) {
      const facts = await layoutAtOrigin(request, { sources: context.sources, logger: context.logger, signal });
      if (facts) await this.#parts.learned.take(facts);
    }
    const known = this.#registration();
    return { ...known, actualContentLength: known?.actualContentLength ?? unknownLength };
  }

  #ended(session: SchedulerSession, error: DragonflyError | undefined): void {
    const { request, signal, machine } = this.#scope;
    if (this.#scope.session !== session || signal.aborted) return;
    this.#scope.session = undefined;
    const originSaid = error?.details?.statusCode !== undefined;
    // In the middle of a download the id cannot change: the rest is fetched alone.
    const isUnderWay = error?.code === 'TASK_CONFLICT' && this.#scope.stored.pieces.count > 0;
    const mayDiffer = error !== undefined && (mayAskItself(request, error) || isUnderWay);
    const silent = silenceOf(error);
    machine.take(
      { kind: 'session-ended', extended: session.extended, code: error?.code, originSaid, mayDiffer, silent },
      error,
    );
  }

  #tellLayout(ranges: boolean | undefined): void {
    const { stored, session } = this.#scope;
    const { contentLengthBytes, pieceLengthBytes, responseHeader } = stored;
    if (pieceLengthBytes !== undefined)
      session?.metadata({ contentLengthBytes, pieceLengthBytes, responseHeader, ranges });
  }
}
