/**
 * One peer's stream: its messages become events of the swarm (swarm/scheduler/swarm.ts), in the order they arrive. The answers,
 * whoever caused them, leave through peer-sessions.ts, so reading here never waits for writing there.
 */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Counter } from '../../core/metrics.ts';
import { isCredentialStatus, isPermanentStatus } from '../../core/net/origin-status.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { knownLength } from '../../rpc/fields/known-length.ts';
import { TrafficType, type Download, type Piece } from '../../../gen/common/v2/common.ts';
import type { Backend } from '../../../gen/errordetails/v2/errordetails.ts';
import type {
  AnnouncePeerRequest,
  AnnouncePeerResponse,
  DownloadPiecesFinishedRequest,
  OriginLeaseFailedRequest,
  RegisterPeerRequest,
  TaskMetadata,
} from '../../../gen/scheduler/v2/scheduler.ts';
import { toRangeSpec } from '../../rpc/fields/reader-range.ts';
import {
  allFeatures,
  originalFeatures,
  type OriginError,
  type RegisterPeer,
  type TaskLayout,
} from '../../swarm/shared/events.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { Brain } from '../brain.ts';
import { isSeed } from '../hosts/host-registry.ts';
import { msFromDuration } from '../messages.ts';
import { PeerCounters, type PeerLabels } from './peer-counters.ts';
import type { PeerSession } from './peer-sessions.ts';
import type { SwarmEvent } from '../swarm-driver.ts';
import { taskTypes } from '../task-types.ts';
import { requireOwnHost, requireShareable } from '../hosts/own-host.ts';
import { namedBundle, requireNameOf, requireSameContent } from '../task-names.ts';

type Request = NonNullable<AnnouncePeerRequest['request']>;

export async function* announcePeer(
  brain: Brain,
  requests: AsyncIterable<AnnouncePeerRequest>,
  context: CallContext,
): AsyncGenerator<AnnouncePeerResponse, void, undefined> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true) return;
  const stream = PeerStream.open(brain, first.value, context);
  void stream.consume(messages);
  try {
    yield* stream.answers;
  } finally {
    stream.close();
  }
}

class PeerStream {
  readonly #brain: Brain;
  readonly #session: PeerSession;
  readonly #labels: PeerLabels;
  readonly #counters: PeerCounters;
  /** True when the peer has reported how its download ended, or was told to end it. */
  #ended = false;
  #originError: OriginError | undefined;
  #originPermanent = false;

  private constructor(brain: Brain, session: PeerSession, labels: PeerLabels) {
    this.#brain = brain;
    this.#session = session;
    this.#labels = labels;
    this.#counters = new PeerCounters(brain, session, labels);
  }

  static open(brain: Brain, message: AnnouncePeerRequest, context: CallContext): PeerStream {
    const { hostId, taskId, peerId, request } = message;
    const registered = request?.$case === 'registerPeerRequest' ? request.value.download : undefined;
    if (!registered) {
      throw new DragonflyError('FAILED_PRECONDITION', `peer ${peerId} must register before anything else`);
    }
    requireOwnHost(hostId, context, brain);
    const standing = brain.swarm.peer(peerId);
    if (standing && standing.host.id !== hostId)
      throw new DragonflyError('PERMISSION_DENIED', `peer ${peerId} is of another host`);
    requireShareable(registered.url, context.peerHost);
    requireNameOf(taskId, registered);
    // Daemons of the original have no other id for the content.
    const known = brain.facts.get(taskId)?.download;
    if (context.callerHasSwarm) requireSameContent(taskId, known, registered);
    // A seed that is asked to fetch the task interprets "localhost" by this address.
    const download = { ...registered, bundle: namedBundle(taskId, registered, known), remoteIp: context.peerHost };
    const extended = context.callerHasSwarm;
    const host = brain.hosts.get(hostId);
    if (!host) {
      throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is not announced`, {
        hint: 'Announce the host before its peers.',
      });
    }
    const labels = {
      priority: String(download.priority),
      task_type: taskTypes[download.type] ?? 'standard',
      host_type: isSeed(host.host) ? 'super' : 'normal',
    };
    const session = brain.sessions.prepare({ peerId, taskId, hostId, extended, download });
    const stream = new PeerStream(brain, session, labels);
    try {
      stream.#register(download, request?.$case === 'registerPeerRequest' ? request.value : {});
    } catch (error) {
      brain.metrics.registerFailed.inc(labels);
      throw error;
    }
    return stream;
  }

  get answers(): AsyncIterable<AnnouncePeerResponse> {
    return this.#session.answers;
  }

  /** Never rejects: a failure ends the answers, and with them the call. */
  async consume(messages: AsyncIterator<AnnouncePeerRequest>): Promise<void> {
    const { answers } = this.#session;
    try {
      for (;;) {
        const next = await messages.next();
        if (next.done === true || answers.ended) break;
        this.#checkSender(next.value);
        if (next.value.request) this.#take(next.value.request);
      }
      answers.end();
    } catch (error) {
      answers.fail(toDragonflyError(error));
    }
  }

  close(): void {
    const current = this.#brain.sessions.close(this.#session);
    this.#counters.over();
    // A finished peer stays as a parent, and so does one of the original that reports by another call. Any other leaves: a daemon of
    // ours registers again, with what it holds.
    const { peerId } = this.#session;
    if (current && !this.#ended) this.#brain.run((swarm, nowMs) => swarm.calls.streamBroke(peerId, nowMs));
  }

  #register(download: Download, { reader, pieceDigests, hasFallback }: Partial<RegisterPeerRequest>): void {
    const { peerId, taskId, hostId, extended } = this.#session;
    const remember = this.#brain.facts.admit(taskId, download, download.remoteIp ?? '');
    const { range, actualPieceLength } = download;
    const actualContentLength = knownLength(download.actualContentLength);
    const knownLayout: TaskLayout | undefined =
      actualContentLength === undefined || !actualPieceLength
        ? undefined
        : { contentLengthBytes: actualContentLength, pieceLengthBytes: actualPieceLength };
    const request: RegisterPeer = {
      peerId,
      taskId,
      hostId,
      url: download.url,
      tag: download.tag,
      application: download.application,
      digest: download.digest,
      priority: this.#brain.priorities.resolve(download),
      range,
      readerRange: extended && reader ? toRangeSpec(reader) : undefined,
      needBackToSource: download.needBackToSource,
      disableBackToSource: download.disableBackToSource,
      hasFallback,
      metadataOnly: download.metadataOnly,
      knownLayout,
      concurrentPieceCount: download.concurrentPieceCount,
      features: extended ? { ...allFeatures, digests: pieceDigests === true } : originalFeatures,
    };
    this.#brain.run(
      (swarm, nowMs) => swarm.registerPeer(request, nowMs),
      () => {
        remember();
        if (this.#labels.host_type === 'normal') this.#brain.blobNames.registered(download);
        this.#brain.sessions.open(this.#session);
        this.#brain.metrics.registered.inc(this.#labels);
        this.#counters.began();
      },
    );
  }

  #checkSender({ hostId, taskId, peerId }: AnnouncePeerRequest): void {
    const { peerId: ownPeer, taskId: ownTask, hostId: ownHost } = this.#session;
    if (peerId === ownPeer && taskId === ownTask && hostId === ownHost) return;
    throw new DragonflyError('INVALID_ARGUMENT', `a message of peer ${peerId} came on the stream of peer ${ownPeer}`);
  }

  #take(request: Request): void {
    const { peerId } = this.#session;
    const { metrics, run } = this.#brain;
    switch (request.$case) {
      case 'registerPeerRequest':
        throw new DragonflyError('FAILED_PRECONDITION', `peer ${peerId} is registered already`);
      case 'downloadPeerStartedRequest':
        return this.#begin(metrics.started, metrics.startFailed, (swarm, nowMs) => swarm.peerStarted(peerId, nowMs));
      case 'downloadPeerBackToSourceStartedRequest':
        return this.#begin(metrics.backToSourceStarted, metrics.backToSourceStartFailed, (swarm, nowMs) =>
          swarm.backToSourceStarted(peerId, nowMs),
        );
      case 'reschedulePeerRequest': {
        const blocked = request.value.candidateParents.map((parent) => parent.id);
        this.#session.askedAtMs ??= performance.now();
        return run((swarm, nowMs) => swarm.reschedule(peerId, blocked, nowMs));
      }
      case 'downloadPeerFinishedRequest':
      case 'downloadPeerBackToSourceFinishedRequest':
        run(
          (swarm, nowMs) => swarm.peerFinished(peerId, nowMs),
          () => {
            this.#counters.observeDuration();
            this.#counters.finished();
          },
        );
        return this.#end();
      case 'downloadPeerFailedRequest':
        run(
          (swarm, nowMs) => swarm.peerFailed(peerId, nowMs),
          () => {
            metrics.failed.inc(this.#labels);
            this.#counters.failed();
          },
        );
        return this.#end();
      case 'downloadPeerBackToSourceFailedRequest':
        metrics.backToSourceFailed.inc(this.#labels);
        return this.#backToSourceFailed(request.value.description);
      case 'downloadPieceFinishedRequest':
        return this.#pieceFinished(request.value.piece, undefined);
      case 'downloadPieceBackToSourceFinishedRequest':
        return this.#pieceFinished(request.value.piece, 'source');
      case 'downloadPieceFailedRequest': {
        const { parentId, temporary, notHeld, pieceNumber } = request.value;
        const reason = notHeld ? 'not-held' : temporary ? 'temporary' : 'corrupt';
        const parentHost = this.#brain.swarm.peer(parentId)?.host.id;
        this.#counters.parentFailed(notHeld ? undefined : parentHost);
        run((swarm, nowMs) => swarm.pieceFailed(peerId, parentId, reason, nowMs, pieceNumber));
        if (reason === 'temporary' && parentHost !== undefined)
          this.#brain.silentHosts.doubted(parentHost, this.#session.hostId);
        return;
      }
      case 'downloadPieceBackToSourceFailedRequest': {
        const { response } = request.value;
        this.#counters.originFailed();
        if (response?.$case === 'backend') this.#noteOriginError(response.value);
        else this.#originError ??= { message: response?.value.message ?? 'the origin failed' };
        return;
      }
      case 'downloadPiecesFinishedRequest':
        return this.#piecesFinished(request.value);
      case 'taskMetadataRequest':
        return this.#metadata(request.value);
      case 'originLeaseFailedRequest':
        return this.#leaseFailed(request.value);
      case 'readerRangeRequest': {
        const range = toRangeSpec(request.value);
        return run((swarm, nowMs) => swarm.readerAsks(peerId, range, nowMs));
      }
      case 'pieceDigestsRequest': {
        const { certain: checked, ...told } = request.value;
        return run((swarm, nowMs) => swarm.pieceDigests(peerId, { ...told, checked }, nowMs));
      }
      case 'downloadPeerLeftOffRequest':
        run(
          (swarm, nowMs) => swarm.peerLeftOff(peerId, nowMs),
          () => this.#counters.finished(),
        );
        return this.#end();
    }
  }

  #begin(began: Counter<keyof PeerLabels>, failed: Counter<keyof PeerLabels>, event: SwarmEvent): void {
    try {
      this.#brain.run(event);
    } catch (error) {
      failed.inc(this.#labels);
      throw error;
    }
    began.inc(this.#labels);
  }

  #pieceFinished(piece: Piece | undefined, source: 'source' | undefined): void {
    if (!piece) return;
    const { peerId } = this.#session;
    const costMs = msFromDuration(piece.cost) ?? 0;
    const local = piece.trafficType === TrafficType.LOCAL_PEER;
    const parentId = source || local ? undefined : piece.parentId;
    const from = parentId ?? (local ? 'local' : 'source');
    const traffic = parentId !== undefined ? 'remote_peer' : local ? 'local_peer' : 'back_to_source';
    const measured = costMs > 0 && { costMs, rateBytesPerSec: (piece.length / costMs) * 1000 };
    this.#brain.run(
      (swarm, nowMs) => swarm.piecesFinished(peerId, { pieces: [piece.number], from, ...measured }, nowMs),
      () => this.#counters.moved(traffic, 1, piece.length, parentId),
    );
  }

  /** The batch does not say which parent gave which piece, and no decision depends on it, so the counts are assigned in order. */
  #piecesFinished(batch: DownloadPiecesFinishedRequest): void {
    const { peerId } = this.#session;
    const all = PieceSet.fromBytes(batch.pieces);
    if (all.count === 0 && batch.originLeaseId !== '') {
      const { aliveEveryMs, originSilent } = batch;
      return this.#brain.run((swarm, nowMs) => swarm.originProgress(peerId, { aliveEveryMs, originSilent }, nowMs));
    }
    const numbers = [...all];
    const { parents, sourceBytes, sourcePieces } = batch;
    const counted = parents.reduce((sum, parent) => sum + parent.pieces, sourcePieces);
    // Pieces that no parent is named for were on the disk before.
    const local = numbers.splice(0, Math.max(0, numbers.length - counted));
    const fromSource = numbers.splice(0, sourcePieces);
    const report = (pieces: readonly number[], from: string, rate: number, count: () => void): void => {
      const measured = rate > 0 ? { rateBytesPerSec: rate } : {};
      this.#brain.run((swarm, nowMs) => swarm.piecesFinished(peerId, { pieces, from, ...measured }, nowMs), count);
    };
    const countSource = (): void => this.#counters.moved('back_to_source', sourcePieces, sourceBytes);
    if (local.length > 0) report(local, 'local', 0, () => undefined);
    if (sourcePieces > 0) report(fromSource, 'source', 0, countSource);
    else if (sourceBytes > 0) countSource();
    for (const parent of parents) {
      report(numbers.splice(0, parent.pieces), parent.peerId, parent.rateBytesPerSecond, () =>
        this.#counters.moved('remote_peer', parent.pieces, parent.bytes, parent.peerId),
      );
    }
  }

  #metadata(metadata: TaskMetadata): void {
    const { peerId, taskId } = this.#session;
    if (metadata.confirmed) return this.#brain.run((swarm, nowMs) => swarm.originConfirmed(peerId, nowMs));
    const { contentLength, pieceLength } = metadata;
    const remember = (): void => this.#brain.facts.setMetadata(taskId, metadata);
    if (contentLength === undefined || pieceLength === 0) return remember(); // the length becomes known when the content ends
    const layout = { contentLengthBytes: contentLength, pieceLengthBytes: pieceLength };
    this.#brain.run((swarm, nowMs) => swarm.taskMetadata(peerId, layout, nowMs, metadata.rangesSupported), remember);
  }

  #leaseFailed({ leaseId: id, cause, temporary }: OriginLeaseFailedRequest): void {
    const { peerId } = this.#session;
    this.#counters.originFailed();
    if (cause?.$case === 'backend') this.#noteOriginError(cause.value);
    else this.#originError = { message: cause?.value.message ?? 'the origin failed' };
    const error = this.#originError ?? { message: 'the origin failed' };
    const permanent = !temporary && !this.#lacksCredentials();
    const leaseId = id === '' ? undefined : Number(id);
    this.#brain.run((swarm, nowMs) => swarm.originFailed(peerId, { permanent, error, leaseId }, nowMs));
  }

  /** A daemon of the original has given up on the origin; the origin's answer came in an earlier message. */
  #backToSourceFailed(description: string | undefined): void {
    const { peerId } = this.#session;
    const error = this.#originError ?? { message: description ?? 'the origin failed' };
    const permanent = this.#originPermanent && !this.#lacksCredentials();
    this.#brain.run((swarm, nowMs) => swarm.originFailed(peerId, { permanent, error }, nowMs));
    // A permanent answer of the origin has ended every waiting peer, including this one.
    this.#brain.run((swarm, nowMs) => (swarm.peer(peerId) ? swarm.peerFailed(peerId, nowMs) : []));
    this.#counters.failed();
    this.#end();
  }

  /** The origin refused this host's credentials, which never leave the host. Any other host may have better ones, and asks for itself. */
  #lacksCredentials(): boolean {
    return isCredentialStatus(this.#originError?.details?.statusCode ?? 0);
  }

  #noteOriginError({ message, header, statusCode }: Backend): void {
    this.#originError = { message, details: { header, ...(statusCode === undefined ? {} : { statusCode }) } };
    this.#originPermanent = statusCode !== undefined && isPermanentStatus(statusCode);
  }

  #end(): void {
    this.#ended = true;
    this.#session.answers.end();
  }
}
