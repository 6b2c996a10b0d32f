/**
 * Daemons of the original that were called to fetch something tell twice what they get: on the stream of their peer, and in
 * answer to that call. When the stream breaks they go on at the origin and do not come back with another; while the call
 * runs they are heard there. Every method is one event, as those of the swarm.
 */
import type { Decision } from '../../shared/decisions.ts';
import type { PiecesFinished } from '../../shared/events.ts';
import type { Peer } from '../records.ts';
import type { Roster } from '../roster.ts';
import { isDownloading } from '../states.ts';

/** Of the swarm. */
interface PeerEvents {
  piecesFinished(peerId: string, report: PiecesFinished, nowMs: number): Decision[];
  peerFinished(peerId: string, nowMs: number): Decision[];
  peerLeft(peerId: string, nowMs: number): Decision[];
}

export class Calls {
  readonly #roster: Roster;
  readonly #events: PeerEvents;
  /** Hosts that have answered a call that still runs, by the peer they named. */
  readonly #hosts = new Map<string, string>();

  constructor(roster: Roster, events: PeerEvents) {
    this.#roster = roster;
    this.#events = events;
  }

  /** The daemon says which peer of it fetches what it was called for. */
  answered(peerId: string, hostId: string): void {
    this.#hosts.set(peerId, hostId);
  }

  /** The same may come on the stream of the peer as well. */
  told(peerId: string, report: PiecesFinished, nowMs: number): Decision[] {
    const peer = this.#roster.peers.get(peerId);
    return peer && this.#hears(peer) ? this.#events.piecesFinished(peerId, report, nowMs) : [];
  }

  /** @param done the daemon holds all of it. */
  ended(peerId: string, done: boolean, nowMs: number): Decision[] {
    this.#hosts.delete(peerId);
    const peer = this.#roster.peers.get(peerId);
    if (!peer?.deaf || !isDownloading(peer.state)) return [];
    return done ? this.#events.peerFinished(peerId, nowMs) : this.#events.peerLeft(peerId, nowMs);
  }

  /** A peer at the origin that is heard in answer to a call goes on; others have left. */
  streamBroke(peerId: string, nowMs: number): Decision[] {
    const peer = this.#roster.peers.get(peerId);
    if (!peer?.lease || !this.#hears(peer)) return this.#events.peerLeft(peerId, nowMs);
    peer.deaf = true;
    return [];
  }

  /** Daemons of this implementation register again, with what they hold. */
  #hears({ id, host, features }: Peer): boolean {
    return !features.leases && this.#hosts.get(id) === host.id;
  }
}
