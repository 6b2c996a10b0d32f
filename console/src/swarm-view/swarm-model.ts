/**
 * One task's swarm as the events tell it. Frames are applied as they come; whoever draws reads the maps, and whoever
 * lists hears of changes at a pace for the eye.
 */
import { SwarmPace, type Pace } from './swarm-pace.ts';
import type { PeerState, PieceLink, TaskFrame, TaskSummary } from '../events/event-types.ts';

/** Pieces that just moved; `from` is undefined for the origin. */
export interface Flow {
  readonly from: string | undefined;
  readonly to: string;
  readonly pieces: number;
}

const listenersHearEveryMs = 500;

export class SwarmModel {
  readonly peers = new Map<string, PeerState>();
  readonly links = new Map<string, PieceLink>();
  task: TaskSummary | undefined;
  /** Grows with each peer that comes or goes: layouts depend on it. */
  membership = 0;
  readonly #pace = new SwarmPace();
  /** How far the clock of the frames is ahead of the steady clock here. */
  #aheadMs = 0;
  #version = 0;
  #flows: Flow[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();

  /** Says anew what is there; nothing flows because of it. */
  reset(frame: TaskFrame): void {
    this.peers.clear();
    this.links.clear();
    this.#pace.clear();
    this.membership += 1;
    this.apply(frame);
    this.#flows = [];
  }

  apply({ task, peers, removed, links }: TaskFrame): void {
    this.task = task;
    this.#aheadMs = task.updated_at_ms - performance.now();
    for (const id of removed) this.#remove(id);
    for (const peer of peers) {
      const before = this.peers.get(peer.id);
      if (!before) this.membership += 1;
      const fetched = peer.origin_pieces - (before?.origin_pieces ?? 0);
      if (fetched > 0) this.#flows.push({ from: undefined, to: peer.id, pieces: fetched });
      this.peers.set(peer.id, peer);
      this.#pace.note(peer, task.updated_at_ms);
    }
    for (const link of links) {
      const key = `${link.parent_id} ${link.child_id}`;
      const moved = link.pieces - (this.links.get(key)?.pieces ?? 0);
      if (moved > 0) this.#flows.push({ from: link.parent_id, to: link.child_id, pieces: moved });
      this.links.set(key, link);
    }
    this.#changed();
  }

  /** What has moved since the last call. */
  takeFlows(): readonly Flow[] {
    const flows = this.#flows;
    this.#flows = [];
    return flows;
  }

  /** How fast it is now, and who waits. */
  pace(): Pace {
    return this.#pace.at(this.peers.values(), this.task?.piece_count ?? 0, performance.now() + this.#aheadMs);
  }

  /** Names of those that give to it, or should. */
  parentsOf(peerId: string): string[] {
    return [...this.links.values()]
      .filter(({ child_id: child, open }) => open && child === peerId)
      .flatMap(({ parent_id: parent }) => this.peers.get(parent)?.host_name ?? []);
  }

  get version(): number {
    return this.#version;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  };

  #remove(id: string): void {
    if (!this.peers.delete(id)) return;
    this.#pace.remove(id);
    this.membership += 1;
    for (const [key, { parent_id: parent, child_id: child }] of this.links) {
      if (parent === id || child === id) this.links.delete(key);
    }
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#version += 1;
      for (const listener of this.#listeners) listener();
    }, listenersHearEveryMs);
  }
}
