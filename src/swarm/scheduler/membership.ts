/** How peers and hosts leave, are kept apart or are struck off, and which children need other parents as a result. */
import { HashRing } from '../../core/hash-ring.ts';
import type { Deadlines } from '../shared/deadlines.ts';
import type { SwarmLimits } from './limits.ts';
import { type Matchmaker, needsParent } from './matchmaker.ts';
import type { OriginDesk } from './origin/origin-desk.ts';
import type { Outbox } from './outbox.ts';
import type { Host, Peer, Task } from './records.ts';
import type { Roster } from './roster.ts';
import { nextPeerState, peerCan } from './states.ts';

export interface MembershipParts {
  readonly limits: SwarmLimits;
  readonly roster: Roster;
  readonly out: Outbox;
  readonly matchmaker: Matchmaker;
  readonly origin: OriginDesk;
  readonly wakes: Deadlines<Task>;
  /** When the scheduler started: after a restart, holders of tasks may be coming back. */
  readonly startedAtMs: number;
}

export class Membership {
  readonly #parts: MembershipParts;
  #seedRing = new HashRing([]);

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** Seed hosts in the order in which they should be tried for the task. */
  seedsFor(task: Task): Host[] {
    return this.#seedRing.owners(task.id).flatMap((hostId) => this.#parts.roster.hosts.get(hostId) ?? []);
  }

  /** A seed host came or went. */
  seedsChanged(): void {
    const seeds = Array.from(this.#parts.roster.hosts.values()).filter((host) => host.info.type === 'seed');
    this.#seedRing = new HashRing(seeds.map((host) => host.id));
  }

  /**
   * Right after a start, a new task cannot be told from one whose holders are still coming back. Once this scheduler
   * has sent a peer to the origin, it knows who fetches there. @param known a peer knew the content before it
   * registered.
   */
  expectOthers(task: Task, { known, nowMs }: { known: boolean; nowMs: number }): void {
    if (task.proof === 'origin') return;
    const { startedAtMs, limits, wakes } = this.#parts;
    const untilMs = startedAtMs + (known ? limits.resumeKnownMs : limits.resumeMs);
    if (nowMs >= untilMs || task.quietUntilMs >= untilMs) return;
    task.quietUntilMs = untilMs;
    wakes.add(task.quietUntilMs, task);
  }

  /** For good. */
  remove(peer: Peer, nowMs: number): void {
    this.#parts.origin.holderLeaves(peer, nowMs);
    this.forget(peer, nowMs);
  }

  /** A peer registers again, with the pieces it holds. */
  forget(peer: Peer, nowMs: number): void {
    const { roster, out, matchmaker, origin } = this.#parts;
    origin.end(peer, nowMs);
    for (const edge of Array.from(peer.parents.values())) matchmaker.disconnect(edge);
    const children = Array.from(peer.children.values(), (edge) => edge.child);
    for (const edge of Array.from(peer.children.values())) {
      rememberParent(edge.child, peer);
      matchmaker.disconnect(edge);
      out.withdraw(edge.child, peer.id);
    }
    roster.dropPeer(peer);
    matchmaker.refresh(peer);
    if (peerCan(peer.state, 'Leave')) peer.state = nextPeerState(peer.state, 'Leave');
    for (const child of children) this.lookAgain(child, nowMs);
  }

  /** Its heartbeat is overdue: its pieces do not count as held until it is heard from again. */
  fellSilent(peer: Peer): void {
    const { roster, matchmaker } = this.#parts;
    peer.silent = true;
    roster.stopSharing(peer);
    matchmaker.refresh(peer);
  }

  heardAgain(peer: Peer, nowMs: number): void {
    const { roster, matchmaker } = this.#parts;
    peer.silent = false;
    roster.shareAgain(peer, nowMs);
    matchmaker.refresh(peer);
  }

  /** What the peer holds no longer counts until it is reported again. */
  voidPieces(peer: Peer, nowMs: number): void {
    const { roster } = this.#parts;
    for (const piece of Array.from(peer.pieces)) roster.removePiece(peer, piece);
    this.lookAgain(peer, nowMs);
  }

  /** Removes the host with all its peers; returns the tasks that lost a peer. */
  removeHost(host: Host, nowMs: number): Set<Task> {
    const { roster } = this.#parts;
    const tasks = new Set(Array.from(host.peers, (peer) => peer.task));
    for (const peer of Array.from(host.peers)) this.remove(peer, nowMs);
    roster.hosts.delete(host.id);
    if (host.info.type !== 'seed') return tasks;
    this.seedsChanged();
    for (const task of roster.tasks.values()) {
      if (task.trigger?.hostId !== host.id) continue;
      task.trigger = undefined;
      tasks.add(task);
    }
    return tasks;
  }

  /** The peer's parents have changed: if it lacks some, the next settling finds others. */
  lookAgain(peer: Peer, nowMs: number): void {
    const { limits, matchmaker, wakes } = this.#parts;
    const { task } = peer;
    matchmaker.refresh(peer);
    if (task.peers.get(peer.id) !== peer || !matchmaker.lacksParents(peer)) return;
    if (!task.waiting.has(peer)) peer.waitingSinceMs = nowMs;
    task.waiting.add(peer);
    if (needsParent(peer)) wakes.add(peer.waitingSinceMs + limits.waitMs, task);
  }

  /** Keeps the parent from this child until the given time. */
  block(child: Peer, parentId: string, untilMs: number, nowMs: number): void {
    const { out, matchmaker, wakes } = this.#parts;
    child.blocked.set(parentId, untilMs);
    if (Number.isFinite(untilMs)) wakes.add(untilMs, child.task);
    const edge = child.parents.get(parentId);
    if (!edge) return;
    matchmaker.disconnect(edge);
    out.withdraw(child, parentId);
    this.lookAgain(child, nowMs);
  }

  /** For a while the host is nobody's parent and gets no lease. */
  strikeOff(accused: Host, nowMs: number): void {
    const { limits, roster, matchmaker, origin, wakes } = this.#parts;
    roster.strikeOff(accused, nowMs + limits.quarantineMs, nowMs);
    for (const peer of accused.peers) {
      wakes.add(accused.quarantinedUntilMs, peer.task);
      roster.stopSharing(peer);
      origin.revoke(peer, 'this host was found to send corrupt pieces', nowMs);
      origin.keepAway(peer, accused.quarantinedUntilMs);
      matchmaker.refresh(peer);
      for (const edge of Array.from(peer.children.values()))
        this.block(edge.child, peer.id, accused.quarantinedUntilMs, nowMs);
    }
  }
}

/** The most recent ones suffice: corrupt pieces are noticed within seconds. */
const mostLeftParents = 16;

function rememberParent({ leftParents }: Peer, parent: Peer): void {
  const [oldest] = leftParents.keys();
  if (leftParents.size >= mostLeftParents && oldest !== undefined) leftParents.delete(oldest);
  leftParents.set(parent.id, parent.host);
}
