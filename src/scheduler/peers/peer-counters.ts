/** What one peer's stream adds to the metrics and to the ledger. */
import { taskSizeLevel } from '../../core/task-size-level.ts';
import type { Brain } from '../brain.ts';
import { isSeed } from '../hosts/host-registry.ts';
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

  constructor(brain: Brain, session: PeerSession, labels: PeerLabels) {
    this.#brain = brain;
    this.#session = session;
    this.#labels = labels;
  }

  /** Since the peer was registered. */
  observeDuration(): void {
    const { peerId, taskId } = this.#session;
    const { swarm, metrics } = this.#brain;
    const peer = swarm.peer(peerId);
    if (!peer) return;
    const level = taskSizeLevel(swarm.task(taskId)?.layout?.contentLengthBytes);
    metrics.downloadDuration.observe({ task_size_level: level }, performance.now() - peer.createdAtMs);
  }

  parentFailed(): void {
    this.#brain.metrics.piecesFailed.inc(this.#pieceLabels('remote_peer'));
  }

  originFailed(): void {
    this.#brain.metrics.sourcePiecesFailed.inc(this.#pieceLabels('back_to_source'));
  }

  /** Pieces came to the peer. */
  moved(traffic: Traffic, pieces: number, bytes: number, parentId?: string): void {
    const { metrics, ledger, countsHostTraffic, swarm } = this.#brain;
    const { taskId, peerId, hostId } = this.#session;
    metrics.pieces.inc(this.#pieceLabels(traffic), pieces);
    metrics.traffic.inc({ type: traffic, task_type: this.#labels.task_type, host_type: this.#labels.host_type }, bytes);
    if (traffic !== 'local_peer') ledger.moved(taskId, peerId, { parentId, pieces, bytes });
    if (!countsHostTraffic) return;
    this.#countHost('download', hostId, bytes);
    const parent = parentId === undefined ? undefined : swarm.peer(parentId);
    if (parent) this.#countHost('upload', parent.host.id, bytes);
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
