/**
 * Carries out what the machine of a download wants of its scheduler: opens sessions, tells the machine what comes down, and
 * sends up what it is to report.
 */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { DragonflyError } from '../../../core/errors.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { minPieceLengthBytes } from '../../../core/piece-layout.ts';
import type { SessionEffect } from '../../../swarm/peer/download/effects.ts';
import type { PeerEvent } from '../../../swarm/peer/download/events.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { DownloadContext } from '../download-context.ts';
import type { ParentAddress } from '../exchange/parent-link.ts';
import type { LayoutFacts } from '../learned-layout.ts';
import type { DownloadRequest } from '../open-task.ts';
import { layoutAtOrigin } from '../origin/layout-at-origin.ts';
import { mayAskItself } from '../own-identity.ts';
import type { DigestsMessage } from '../proof/piece-proof.ts';
import { toRegistration, unknownLength } from './registration.ts';
import { SchedulerLife } from './scheduler-life.ts';
import { SchedulerSession } from './scheduler-session.ts';

type Registration = ReturnType<typeof toRegistration>;

export interface DownloadSessionOptions {
  readonly context: DownloadContext;
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  readonly peerId: string;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  /** @param cause the error that the event is about. */
  readonly take: (event: PeerEvent, cause?: DragonflyError) => void;
  /** This node is fetching from the origin. */
  readonly atOrigin: () => boolean;
  /** Whether bytes have come from the origin since this was asked last. */
  readonly flows: () => boolean;
  /** Resolves when the layout is taken over, or is not. */
  readonly learnLayout: (facts: LayoutFacts) => Promise<void>;
  readonly onParents: SchedulerSessionParents;
  readonly onDigests: (message: DigestsMessage) => void;
}

type SchedulerSessionParents = (
  parents: readonly ParentAddress[],
  options: { replace: boolean; unproven: boolean; digests: boolean },
) => void;

export class DownloadSession {
  readonly #options: DownloadSessionOptions;
  readonly #life: SchedulerLife;
  #session: SchedulerSession | undefined;
  #peerId: string;

  constructor(options: DownloadSessionOptions) {
    const { signal, context, take, peerId } = options;
    this.#options = options;
    this.#life = new SchedulerLife(signal);
    this.#peerId = peerId;
    onAbort(
      signal,
      context.onTaken(() => take({ kind: 'host-taken' })),
    );
  }

  /** Undefined between two sessions. */
  get current(): SchedulerSession | undefined {
    return this.#session;
  }

  /** Whether the download has nothing to do but to wait for the scheduler. */
  waiting(isWaiting: boolean): void {
    this.#life.waiting(isWaiting);
  }

  /** @param cause what the machine heard last of. */
  run(effect: SessionEffect, cause: DragonflyError | undefined): void {
    switch (effect.kind) {
      case 'open-session':
        if (effect.renewId) this.#peerId = this.#options.context.newPeerId();
        return this.#open(effect.reader);
      case 'leave-session':
        this.#session?.failed(cause?.message ?? '');
        this.#session = undefined;
        return;
      case 'ask-scheduler':
        return this.#session?.starved(effect.patienceMs);
      case 'ask-for-reader':
        return this.#session?.readerAsks(effect.range);
      case 'report-held':
        return this.#session?.held(effect.held);
      case 'report-pieces':
        return this.#session?.piecesFinished(effect.sources);
      case 'report-piece':
        return this.#session?.pieceFinished(effect, this.#options.stored.layout);
      case 'report-lease-alive':
        return this.#session?.leaseAlive(this.#options.flows());
      case 'report-parent':
        return this.#session?.pieceFailed(effect.parentId, effect.piece, effect.fault);
      case 'report-lease-started':
        return this.#session?.leaseStarted(effect.leaseId);
      case 'report-lease-failed':
        return cause && this.#session?.leaseFailed(effect.leaseId, cause, effect.temporary);
      case 'report-layout':
        return this.#tellLayout(effect.ranges);
    }
  }

  #open(reader: RangeSpec | undefined): void {
    const { context, stored, take, learnLayout, onParents, onDigests } = this.#options;
    const ids = { hostId: context.hostId, taskId: stored.id, peerId: this.#peerId };
    const session: SchedulerSession = new SchedulerSession(
      ids,
      {
        connected: () => take({ kind: 'session-opened', extended: session.extended }),
        metadata: ({ contentLengthBytes, ...facts }) => {
          if (contentLengthBytes !== undefined) void learnLayout({ contentLengthBytes, ...facts });
        },
        emptyTask: () =>
          void learnLayout({ contentLengthBytes: 0, pieceLengthBytes: minPieceLengthBytes, responseHeader: {} }),
        parents: onParents,
        digests: onDigests,
        dropParents: (parentIds) => take({ kind: 'parents-withdrawn', parentIds }),
        lease: (lease) => take({ kind: 'lease-granted', lease }),
        revokeLease: (leaseId) => take({ kind: 'lease-revoked', leaseId }),
        closed: (error) => this.#ended(session, error),
      },
      context.logger,
    );
    this.#session = session;
    void this.#register(session, reader);
  }

  #register(session: SchedulerSession, reader: RangeSpec | undefined): Promise<void> {
    const { context, request } = this.#options;
    return session.run({
      open: this.#life.through(context.openPeerStream),
      registration: this.#registration(),
      reader,
      pieceDigests: context.pieceHasher !== undefined,
      forOriginal: () => this.#forOriginal(),
      scheduler: request.scheduler,
    });
  }

  #registration(): Registration {
    const { request, stored, atOrigin } = this.#options;
    return toRegistration(request, stored, { needBackToSource: atOrigin() });
  }

  /** A scheduler of the original has to be told the length, or that it is not known. */
  async #forOriginal(): Promise<Registration> {
    const { context, request, stored, signal, learnLayout } = this.#options;
    if (!stored.layout && request.disableBackToSource !== true) {
      const facts = await layoutAtOrigin(request, { sources: context.sources, logger: context.logger, signal });
      if (facts) await learnLayout(facts);
    }
    const known = this.#registration();
    return { ...known, actualContentLength: known?.actualContentLength ?? unknownLength };
  }

  #ended(session: SchedulerSession, error: DragonflyError | undefined): void {
    const { request, signal, take } = this.#options;
    if (this.#session !== session || signal.aborted) return;
    this.#session = undefined;
    const originSaid = error?.details?.statusCode !== undefined;
    const mayDiffer = error !== undefined && mayAskItself(request, error);
    take({ kind: 'session-ended', extended: session.extended, code: error?.code, originSaid, mayDiffer }, error);
  }

  #tellLayout(ranges: boolean | undefined): void {
    const { contentLengthBytes, pieceLengthBytes, responseHeader } = this.#options.stored;
    if (pieceLengthBytes !== undefined)
      this.#session?.metadata({ contentLengthBytes, pieceLengthBytes, responseHeader, ranges });
  }
}
