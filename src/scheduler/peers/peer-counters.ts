/** What one peer's stream adds to the metrics, the ledger and the traffic book. */
import { taskSizeLevel } from '../../core/task-size-level.ts';
import type { Brain } from '../brain.ts';
import { isSeed } from '../hosts/host-registry.ts';
import type { DownloadSource } from '../live/download-log.ts';
import type { RecordedNode } from '../live/recording.ts';
import { unknownTask, type Share } from '../live/traffic-book.ts';
import { wordsOf } from '../live/traffic-frames.ts';
import type { PeerSession } from './peer-sessions.ts';

export interface PeerLabels {
  readonly priority: string;
  readonly task_type: string;
  readonly host_type: string;
}

type Traffic = 'remote_peer' | 'local_peer' | 'back_to_source';

export class PeerCounters {
  readonly #brain: Brain;
  readonly #session: PeerSession;
  readonly #labels: PeerLabels;
  /** The shares its bytes count for, looked up when the first bytes arrive. */
  #ownShares: OwnShares | undefined;
  #beganAtMs: number | undefined;
  #originBytes = 0;
  #peerBytes = 0;

  constructor(brain: Brain, session: PeerSession, labels: PeerLabels) {
    this.#brain = brain;
    this.#session = session;
    this.#labels = labels;
  }

  /** Measured from the peer's registration. */
  observeDuration(): void {
    const { peerId, taskId } = this.#session;
    const { swarm, metrics } = this.#brain;
    const peer = swarm.peer(peerId);
    if (!peer) return;
    const level = taskSizeLevel(swarm.task(taskId)?.layout?.contentLengthBytes);
    metrics.downloadDuration.observe({ task_size_level: level }, performance.now() - peer.createdAtMs);
  }

  /** @param parentHostId undefined when it is not the parent's fault, because the parent never had the piece. */
  parentFailed(parentHostId: string | undefined): void {
    this.#brain.metrics.piecesFailed.inc(this.#pieceLabels('remote_peer'));
    if (parentHostId !== undefined)
      this.#brain.traffic.grow(this.#brain.traffic.share('node', this.#nameOf(parentHostId)), { failures: 1 });
  }

  originFailed(): void {
    this.#brain.metrics.sourcePiecesFailed.inc(this.#pieceLabels('back_to_source'));
    this.#brain.traffic.grow(this.#shares.origin, { failures: 1 });
  }

  began(): void {
    const { ledger, traffic } = this.#brain;
    const { taskId, peerId } = this.#session;
    ledger.touch(taskId, peerId);
    if (this.#beganAtMs !== undefined) return;
    this.#beganAtMs = performance.now();
    traffic.began(taskId, { peerId, ...this.#recordedNode(this.#session.hostId) }, this.#beganAtMs);
  }

  finished(): void {
    const { ledger, metrics, traffic } = this.#brain;
    const { taskId, peerId } = this.#session;
    const nowMs = performance.now();
    metrics.finished.inc(this.#labels);
    ledger.finished(taskId, peerId, nowMs);
    for (const share of this.#shares.ofDownload) traffic.grow(share, { downloads: 1 });
    const tookMs = nowMs - (this.#beganAtMs ?? nowMs);
    traffic.finished(taskId, { peerId, node: this.#shares.node.name, tookMs }, nowMs);
    this.#log(true, nowMs);
  }

  failed(): void {
    const { ledger, traffic } = this.#brain;
    const { taskId, peerId } = this.#session;
    ledger.failed(taskId, peerId);
    for (const share of this.#shares.ofDownload) traffic.grow(share, { failures: 1 });
    const nowMs = performance.now();
    traffic.failed(taskId, peerId, nowMs);
    this.#log(false, nowMs);
  }

  /** Its stream is closed. */
  over(): void {
    if (this.#beganAtMs !== undefined) this.#brain.traffic.over(this.#session.taskId);
    this.#beganAtMs = undefined;
  }

  /** Pieces came to the peer. */
  moved(traffic: Traffic, pieces: number, bytes: number, parentId?: string): void {
    const { metrics, ledger, countsHostTraffic, swarm } = this.#brain;
    const { taskId, peerId, hostId } = this.#session;
    metrics.pieces.inc(this.#pieceLabels(traffic), pieces);
    metrics.traffic.inc({ type: traffic, task_type: this.#labels.task_type, host_type: this.#labels.host_type }, bytes);
    const parent = parentId === undefined ? undefined : swarm.peer(parentId);
    if (traffic !== 'local_peer') {
      ledger.moved(taskId, peerId, { parentId, pieces, bytes });
      this.#share(parentId === undefined ? { originBytes: bytes } : { peerBytes: bytes }, parent?.host.id);
      const to = { id: peerId, node: () => this.#recordedNode(hostId) };
      const giver =
        parentId === undefined ? undefined : { id: parentId, node: () => this.#recordedNode(parent?.host.id ?? '') };
      this.#brain.traffic.moved(taskId, { to, parent: giver, pieces, bytes }, performance.now());
    }
    if (!countsHostTraffic) return;
    this.#countHost('download', hostId, bytes);
    if (parent) this.#countHost('upload', parent.host.id, bytes);
  }

  #share(came: { readonly originBytes?: number; readonly peerBytes?: number }, parentHostId: string | undefined): void {
    const { traffic } = this.#brain;
    const { originBytes = 0, peerBytes = 0 } = came;
    this.#originBytes += originBytes;
    this.#peerBytes += peerBytes;
    for (const share of this.#shares.ofDownload) traffic.grow(share, came);
    if (originBytes > 0) traffic.grow(this.#shares.origin, { originBytes });
    if (parentHostId !== undefined)
      traffic.grow(traffic.share('node', this.#nameOf(parentHostId)), { givenBytes: peerBytes });
  }

  /** Content that was found on the own disk is not counted as a download. */
  #log(succeeded: boolean, nowMs: number): void {
    if (succeeded && this.#originBytes + this.#peerBytes === 0) return;
    const { swarm, downloads } = this.#brain;
    const { taskId, hostId } = this.#session;
    downloads.add({
      taskId,
      hostId,
      hostName: this.#shares.node.name,
      startedAtMs: this.#beganAtMs ?? nowMs,
      endedAtMs: nowMs,
      succeeded,
      originBytes: this.#originBytes,
      peerBytes: this.#peerBytes,
      sources: this.#sources(),
      about: wordsOf(swarm, taskId) ?? unknownTask,
    });
  }

  /** Parents that have gone meanwhile have no name any more. */
  #sources(): DownloadSource[] {
    const { ledger, swarm } = this.#brain;
    const { taskId, peerId } = this.#session;
    const links = ledger.task(taskId)?.peers.get(peerId)?.links ?? new Map<string, number>();
    return [...links].flatMap(([parentId, pieces]) => {
      const parent = swarm.peer(parentId);
      return parent ? [{ hostName: this.#nameOf(parent.host.id), pieces }] : [];
    });
  }

  get #shares(): OwnShares {
    if (this.#ownShares) return this.#ownShares;
    const { traffic, hosts } = this.#brain;
    const { hostId, download } = this.#session;
    const node = traffic.share('node', this.#nameOf(hostId));
    const ofDownload = [
      node,
      traffic.share('application', download.application ?? ''),
      traffic.share('tag', download.tag ?? ''),
      traffic.share('zone', hosts.get(hostId)?.host.network?.idc ?? ''),
    ];
    return (this.#ownShares = { node, ofDownload, origin: traffic.share('origin', originOf(download.url)) });
  }

  #recordedNode(hostId: string): RecordedNode {
    const info = this.#brain.swarm.host(hostId)?.info;
    const ip = this.#brain.hosts.get(hostId)?.contact.ip ?? '';
    return { hostName: this.#nameOf(hostId), ip, idc: info?.idc ?? '', type: info?.type ?? 'normal' };
  }

  #nameOf(hostId: string): string {
    return this.#brain.hosts.get(hostId)?.host.hostname ?? hostId;
  }

  #pieceLabels(traffic: Traffic) {
    return { traffic_type: traffic, task_type: this.#labels.task_type, host_type: this.#labels.host_type };
  }

  #countHost(type: 'upload' | 'download', hostId: string, bytes: number): void {
    const host = this.#brain.hosts.get(hostId)?.host;
    if (!host) return;
    this.#brain.metrics.hostTraffic.inc(
      {
        type,
        task_type: this.#labels.task_type,
        host_type: isSeed(host) ? 'super' : 'normal',
        host_id: host.id,
        host_ip: host.ip,
        host_name: host.hostname,
      },
      bytes,
    );
  }
}

interface OwnShares {
  readonly node: Share;
  readonly ofDownload: readonly Share[];
  readonly origin: Share;
}

/** Leaves out the credentials before the host, because they belong to nobody else. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
