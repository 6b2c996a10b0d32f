/**
 * One download's conversation with the scheduler: reports go up in batches, parents and origin leases come down. Speaks
 * the original protocol to an original scheduler, and the extended one where both sides have announced it.
 */
import type { DragonflyError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/process/logger.ts';
import type { PieceLayout } from '../../../core/piece-layout.ts';
import type { ParentFault, PieceSource } from '../../../swarm/peer/download/effects.ts';
import { downloadLimits } from '../../../swarm/peer/download/limits.ts';
import type { OriginLease } from '../../../swarm/peer/download/origin-lease.ts';
import type { LandedPiece } from '../../../swarm/peer/download/piece-reports.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import type { RangeSpec } from '../../../core/byte-range.ts';
import { Download } from '../../../../gen/common/v2/common.ts';
import {
  type AnnouncePeerRequest,
  type AnnouncePeerResponse,
  DownloadPiecesFinishedRequest,
  type TaskMetadata,
} from '../../../../gen/scheduler/v2/scheduler.ts';
import { readerMessage } from '../../../rpc/fields/reader-range.ts';
import type { PeerStream } from '../../../rpc/peer-stream.ts';
import type { OpenStreamOptions } from '../../../rpc/scheduler-ring.ts';
import { MessageQueue } from '../../../rpc/streams.ts';
import { toLease } from '../origin/origin-lease.ts';
import type { ParentAddress } from '../exchange/parent-link.ts';
import type { DigestsMessage } from '../proof/piece-proof.ts';
import { pieceReport } from './piece-report.ts';
import type { Registration, SessionStart } from './session-start.ts';

type Request = NonNullable<AnnouncePeerRequest['request']>;

export interface SessionEvents {
  /** A scheduler has accepted the stream. */
  connected(): void;
  metadata(metadata: {
    contentLengthBytes: number | undefined;
    pieceLengthBytes: number;
    responseHeader: Readonly<Record<string, string>>;
  }): void;
  /** @param options.unproven nobody who was at the origin vouches for what they hold. `digests`: the digests of all their pieces will come. */
  parents(parents: readonly ParentAddress[], options: { replace: boolean; unproven: boolean; digests: boolean }): void;
  digests(message: DigestsMessage): void;
  dropParents(ids: readonly string[]): void;
  lease(lease: OriginLease): void;
  revokeLease(leaseId: string): void;
  emptyTask(): void;
  /** The stream is over: refused by the scheduler with this error, or lost. */
  closed(error: DragonflyError | undefined): void;
}

export type OpenPeerStream = (
  taskId: string,
  requests: AsyncIterable<AnnouncePeerRequest>,
  options: OpenStreamOptions,
) => Promise<PeerStream>;

export class SchedulerSession {
  readonly #ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string };
  readonly #events: SessionEvents;
  readonly #logger: Logger;
  readonly #controller = new AbortController();
  readonly #outgoing = new MessageQueue<AnnouncePeerRequest>();
  #extended = false;
  #leaseId = '';
  #toldStarted = false;

  constructor(ids: { hostId: string; taskId: string; peerId: string }, events: SessionEvents, logger: Logger) {
    this.#ids = ids;
    this.#events = events;
    this.#logger = logger;
  }

  get extended(): boolean {
    return this.#extended;
  }

  /** Registers and reads answers until the stream ends; never rejects. */
  async run({ open, registration, readerRange, told, forOriginal, scheduler }: SessionStart): Promise<void> {
    let failure: unknown;
    const register = (download: Registration, part?: RangeSpec): AnnouncePeerRequest => ({
      ...this.#ids,
      request: {
        $case: 'registerPeerRequest',
        value: { download: Download.fromPartial(download), ...told, ...(part && { reader: readerMessage(part) }) },
      },
    });
    try {
      this.#outgoing.push(register(registration, readerRange));
      const stream = await open(this.#ids.taskId, this.#outgoing, {
        signal: this.#controller.signal,
        toOriginal: async () => register(await forOriginal()),
        prefer: scheduler,
      });
      this.#extended = stream.extended;
      this.#events.connected();
      for await (const response of stream.responses) this.#take(response);
    } catch (error) {
      failure = error;
    }
    this.#outgoing.end();
    const stopped = this.#controller.signal.aborted;
    if (failure !== undefined && !stopped) {
      this.#logger.debug(
        { taskId: this.#ids.taskId, error: (failure as Error).message },
        'the stream to the scheduler has ended',
      );
    }
    if (!stopped) this.#events.closed(failure as DragonflyError | undefined);
  }

  /** The origin has described the content. */
  metadata(metadata: {
    contentLengthBytes: number | undefined;
    pieceLengthBytes: number;
    responseHeader: Readonly<Record<string, string>>;
    /** Whether the origin supports byte ranges; undefined while unknown. */
    ranges: boolean | undefined;
  }): void {
    if (!this.#extended) return;
    this.#send({
      $case: 'taskMetadataRequest',
      value: {
        ...(metadata.contentLengthBytes !== undefined && { contentLength: metadata.contentLengthBytes }),
        pieceLength: metadata.pieceLengthBytes,
        responseHeader: { ...metadata.responseHeader },
        ...(metadata.ranges !== undefined && { rangesSupported: metadata.ranges }),
      },
    });
  }

  /** What other nodes gave agrees with the origin. */
  confirmed(): void {
    if (!this.#extended) return;
    this.#send({ $case: 'taskMetadataRequest', value: { pieceLength: 0, responseHeader: {}, confirmed: true } });
  }

  /** Digests that pieces have at the origin. */
  digests(value: DigestsMessage): void {
    if (this.#extended) this.#send({ $case: 'pieceDigestsRequest', value });
  }

  /** For a scheduler of the original. */
  pieceFinished(
    { piece: number, parentId, bytes: length, costMs }: LandedPiece,
    layout: PieceLayout | undefined,
  ): void {
    this.#outgoing.push(pieceReport(this.#ids, { number, layout, length, parentId, costMs }));
  }

  /** For a scheduler that grants leases. */
  piecesFinished(sources: readonly PieceSource[]): void {
    const origin = sources.find(({ parentId }) => parentId === undefined);
    const all = new PieceSet();
    for (const { pieces } of sources) all.addAll(pieces);
    const parents = sources.flatMap(({ parentId: peerId, bytes, pieces, costMs }) =>
      peerId === undefined
        ? []
        : [
            {
              peerId,
              bytes,
              pieces: pieces.count,
              rateBytesPerSecond: Math.round(bytes / Math.max(0.001, costMs / 1000)),
              failures: 0,
            },
          ],
    );
    this.#report({
      pieces: all.toBytes(),
      parents,
      sourceBytes: origin?.bytes ?? 0,
      sourcePieces: origin?.pieces.count ?? 0,
      originLeaseId: origin ? this.#leaseId : '',
    });
  }

  /** What was on disk before the session. */
  held(pieces: PieceSet): void {
    this.#report({ pieces: pieces.toBytes() });
  }

  pieceFailed(parentId: string, piece: number | undefined, reason: ParentFault): void {
    this.#send({
      $case: 'downloadPieceFailedRequest',
      value: {
        ...(piece !== undefined && { pieceNumber: piece }),
        parentId,
        temporary: reason !== 'corrupt',
        notHeld: reason === 'gone' && this.#extended,
      },
    });
  }

  /** Nothing has come for this long: asks for parents or a lease. */
  starved(idleMs: number): void {
    const description = `nothing has come for ${idleMs} ms`;
    this.#send({ $case: 'reschedulePeerRequest', value: { candidateParents: [], description } });
  }

  /** A reader waits for these bytes. */
  readerAsks(range: RangeSpec): void {
    this.#send({ $case: 'readerRangeRequest', value: readerMessage(range) });
  }

  leaseStarted(leaseId: string): void {
    this.#leaseId = leaseId;
    this.#toldStarted = true;
    this.#send({ $case: 'downloadPeerBackToSourceStartedRequest', value: {} });
  }

  /** This node is at the origin although no piece may be complete yet. Flowing bytes keep the lease. */
  leaseAlive(flows: boolean): void {
    if (!this.#extended || this.#leaseId === '') return;
    this.#report({ originLeaseId: this.#leaseId, aliveEveryMs: downloadLimits.leaseAliveMs, originSilent: !flows });
  }

  leaseFailed(leaseId: string, error: DragonflyError, temporary: boolean): void {
    const { statusCode, header } = error.details ?? {};
    const backend = { message: error.message, header: { ...header }, ...(statusCode !== undefined && { statusCode }) };
    if (this.#extended) {
      const cause =
        statusCode === undefined
          ? ({ $case: 'unknown', value: { message: error.message } } as const)
          : ({ $case: 'backend', value: backend } as const);
      this.#send({ $case: 'originLeaseFailedRequest', value: { leaseId, cause, temporary } });
    } else {
      const response =
        statusCode === undefined
          ? ({ $case: 'unknown', value: { message: error.message } } as const)
          : ({ $case: 'backend', value: backend } as const);
      this.#send({ $case: 'downloadPieceBackToSourceFailedRequest', value: { response } });
      this.#send({ $case: 'downloadPeerBackToSourceFailedRequest', value: { description: error.message } });
    }
  }

  /** Everything is on disk and verified. The scheduler ends the stream. */
  succeeded({ fromOrigin }: { fromOrigin: boolean }): void {
    if (fromOrigin && !this.#extended) this.#send({ $case: 'downloadPeerBackToSourceFinishedRequest', value: {} });
    else this.#send({ $case: 'downloadPeerFinishedRequest', value: {} });
    this.#outgoing.end();
  }

  /** No reader is left. Held pieces are still served; a scheduler of the original only knows success and failure. */
  leftOff(description: string): void {
    if (!this.#extended) return this.failed(description);
    this.#send({ $case: 'downloadPeerLeftOffRequest', value: {} });
    this.#outgoing.end();
  }

  failed(description: string): void {
    this.#send({ $case: 'downloadPeerFailedRequest', value: { description } });
    this.#outgoing.end();
  }

  #take(response: AnnouncePeerResponse): void {
    const message = response.response;
    switch (message?.$case) {
      case 'emptyTaskResponse':
        this.#events.emptyTask();
        return;
      case 'normalTaskResponse': {
        const {
          candidateParents,
          parentLinks,
          additional,
          taskMetadata,
          unproven,
          ticket,
          pieceDigests: digests = false,
        } = message.value;
        const distances = new Map(parentLinks.map((link) => [link.peerId, link.distance]));
        this.#tellStarted();
        this.#takeMetadata(taskMetadata);
        const parents = candidateParents.flatMap((peer): ParentAddress[] =>
          peer.host
            ? [
                {
                  peerId: peer.id,
                  hostId: peer.host.id,
                  hostname: peer.host.hostname,
                  idc: peer.host.network?.idc ?? '',
                  ip: peer.host.ip,
                  port: peer.host.port,
                  distance: distances.get(peer.id) ?? 1,
                  ticket,
                },
              ]
            : [],
        );
        this.#events.parents(parents, { replace: !additional, unproven, digests });
        return;
      }
      case 'needBackToSourceResponse': {
        const lease = message.value.originLease;
        this.#takeMetadata(message.value.taskMetadata);
        this.#events.lease(lease ? toLease(lease) : { id: '', first: 0, end: undefined });
        return;
      }
      case 'metadataOnlyResponse':
        this.#tellStarted();
        return;
      case 'revokeLeaseResponse':
        this.#events.revokeLease(message.value.leaseId);
        return;
      case 'taskMetadataResponse':
        this.#takeMetadata(message.value);
        return;
      case 'pieceDigestsResponse':
        this.#events.digests(message.value);
        return;
      case 'dropParentsResponse':
        this.#events.dropParents(message.value.peerIds);
        return;
      case undefined:
        return; // a message of a later version, which this version ignores
    }
  }

  #takeMetadata(metadata: TaskMetadata | undefined): void {
    if (!metadata || metadata.pieceLength === 0) return;
    this.#events.metadata({
      contentLengthBytes: metadata.contentLength,
      pieceLengthBytes: metadata.pieceLength,
      responseHeader: metadata.responseHeader,
    });
  }

  #tellStarted(): void {
    if (this.#toldStarted) return;
    this.#toldStarted = true;
    this.#send({ $case: 'downloadPeerStartedRequest', value: {} });
  }

  #report(value: Parameters<typeof DownloadPiecesFinishedRequest.fromPartial>[0]): void {
    this.#send({ $case: 'downloadPiecesFinishedRequest', value: DownloadPiecesFinishedRequest.fromPartial(value) });
  }

  #send(request: Request): void {
    if (this.#outgoing.ended) return;
    this.#outgoing.push({ ...this.#ids, request });
  }
}
