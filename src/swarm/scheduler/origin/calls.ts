/**
 * Daemons of the original that were called to fetch something report twice what they get: on their peer's stream, and
 * in answer to that call. When the stream breaks, they stay at the origin and do not open another; while the call runs,
 * their answers to it count. Every method is one event, like those of the swarm. The
 * broken stream of any other peer ends here, too: that peer leaves.
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
  /** Hosts with a running call, by the peer that they named. */
  readonly #hosts = new Map<string, string>();

  constructor(roster: Roster, events: PeerEvents) {
    this.#roster = roster;
    this.#events = events;
  }

  /** The daemon says which of its peers fetches what it was called for. */
  answered(peerId: string, hostId: string): void {
    this.#hosts.set(peerId, hostId);
  }

  /** The same report may also come on the peer's stream. */
  told(peerId: string, report: PiecesFinished, nowMs: number): Decision[] {
    const peer = this.#roster.peers.get(peerId);
    return peer && this.#hears(peer) ? this.#events.piecesFinished(peerId, report, nowMs) : [];
  }

  /** @param done whether the daemon holds all of it. */
  ended(peerId: string, done: boolean, nowMs: number): Decision[] {
    this.#hosts.delete(peerId);
    const peer = this.#roster.peers.get(peerId);
    if (!peer?.deaf || !isDownloading(peer.state)) return [];
    return done ? this.#events.peerFinished(peerId, nowMs) : this.#events.peerLeft(peerId, nowMs);
  }

  /** A peer at the origin that reports in answer to a call continues; others have left. */
  streamBroke(peerId: string, nowMs: number): Decision[] {
    const peer = this.#roster.peers.get(peerId);
    if (!peer?.lease || !this.#hears(peer)) return this.#events.peerLeft(peerId, nowMs);
    peer.deaf = true;
    return [];
  }

  /** Daemons of this implementation register again instead, with what they hold. */
  #hears({ id, host, features }: Peer): boolean {
    return !features.leases && this.#hosts.get(id) === host.id;
  }
}
