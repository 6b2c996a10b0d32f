/**
 * How much each peer got from whom. Kept for watchers; plays no role in the swarm's decisions. Every change gets a
 * number from one clock, so that a watcher finds what is new since its last frame.
 */
import { maxLinksPerPeer } from '../limits.ts';

export interface PeerLedger {
  version: number;
  originPieces: number;
  /** By the monotonic clock; undefined while the peer downloads. */
  finishedAtMs: number | undefined;
  /** Pieces by parent. */
  readonly links: Map<string, number>;
}

export interface TaskLedger {
  version: number;
  originBytes: number;
  peerBytes: number;
  peersFailed: number;
  readonly peers: Map<string, PeerLedger>;
}

export interface Traffic {
  /** Id of the parent; undefined for the origin. */
  readonly parentId: string | undefined;
  readonly pieces: number;
  readonly bytes: number;
}

export class Ledger {
  readonly #tasks = new Map<string, TaskLedger>();
  #version = 0;
  #originBytes = 0;
  #peerBytes = 0;
  #downloads = 0;

  /** The number of the newest change. */
  get version(): number {
    return this.#version;
  }

  /** Downloads that have finished since the start. */
  get downloads(): number {
    return this.#downloads;
  }

  /** Bytes since the start. */
  get totals(): { readonly originBytes: number; readonly peerBytes: number } {
    return { originBytes: this.#originBytes, peerBytes: this.#peerBytes };
  }

  task(taskId: string): TaskLedger | undefined {
    return this.#tasks.get(taskId);
  }

  /** Marks the peer as changed. */
  touch(taskId: string, peerId: string): void {
    this.#peer(taskId, peerId);
  }

  moved(taskId: string, peerId: string, { parentId, pieces, bytes }: Traffic): void {
    const { task, peer } = this.#peer(taskId, peerId);
    if (parentId === undefined) {
      peer.originPieces += pieces;
      task.originBytes += bytes;
      this.#originBytes += bytes;
      return;
    }
    task.peerBytes += bytes;
    this.#peerBytes += bytes;
    const known = peer.links.get(parentId);
    if (known !== undefined || peer.links.size < maxLinksPerPeer) peer.links.set(parentId, (known ?? 0) + pieces);
  }

  finished(taskId: string, peerId: string, nowMs: number): void {
    this.#downloads += 1;
    this.#peer(taskId, peerId).peer.finishedAtMs = nowMs;
  }

  failed(taskId: string, peerId: string): void {
    this.#peer(taskId, peerId).task.peersFailed += 1;
  }

  keepOnly(isKnown: { readonly task: (taskId: string) => boolean; readonly peer: (peerId: string) => boolean }): void {
    for (const [taskId, { peers }] of this.#tasks) {
      if (!isKnown.task(taskId)) this.#tasks.delete(taskId);
      else for (const peerId of peers.keys()) if (!isKnown.peer(peerId)) peers.delete(peerId);
    }
  }

  #peer(taskId: string, peerId: string): { task: TaskLedger; peer: PeerLedger } {
    this.#version += 1;
    let task = this.#tasks.get(taskId);
    if (!task) {
      task = { version: 0, originBytes: 0, peerBytes: 0, peersFailed: 0, peers: new Map() };
      this.#tasks.set(taskId, task);
    }
    let peer = task.peers.get(peerId);
    if (!peer) {
      peer = { version: 0, originPieces: 0, finishedAtMs: undefined, links: new Map() };
      task.peers.set(peerId, peer);
    }
    task.version = this.#version;
    peer.version = this.#version;
    return { task, peer };
  }
}
