/**
 * Assigns parents to peers: filters, then evaluates a random sample of the peers that can serve.
 *
 * A task keeps an index of its servers (peers that lead to a root and have a free slot) and one of its traders. A
 * choice draws two entries and takes the better one for each parent needed, which comes close to the global best at the
 * cost of two evaluations.
 */
import type { EdgeKind } from '../shared/decisions.ts';
import { affinity, type Evaluator } from './evaluator.ts';
import { refusal } from './filter.ts';
import { freeSlots, link, unlink } from './graph.ts';
import type { IndexedSet } from './indexed-set.ts';
import type { SwarmLimits } from './limits.ts';
import type { Outbox } from './outbox.ts';
import { type Random, randomIndex } from '../shared/random.ts';
import type { Edge, Host, Peer, Task } from './records.ts';
import { isDownloading } from './states.ts';
import { isFar, type Reach, Zones } from './zones.ts';

/** `swarm`: backbone and exchange. `dag`: several parents, acyclic. `tree`: one parent. The last two exist for comparison. */
export type SwarmMode = 'swarm' | 'dag' | 'tree';

/** Random draws for the far neighbours of one border peer. */
const farDraws = 20;

export class Matchmaker {
  readonly #mode: SwarmMode;
  readonly #limits: SwarmLimits;
  readonly #evaluate: Evaluator;
  readonly #random: Random;
  readonly #out: Outbox;
  readonly #zones: Zones;

  constructor(options: { mode: SwarmMode; limits: SwarmLimits; evaluate: Evaluator; random: Random; out: Outbox }) {
    this.#mode = options.mode;
    this.#limits = options.limits;
    this.#evaluate = options.evaluate;
    this.#random = options.random;
    this.#out = options.out;
    this.#zones = new Zones(options.limits);
  }

  /** Fills the peer's backbone parents; false when it has to be tried again. */
  attach(child: Peer, nowMs: number): boolean {
    if (!isDownloading(child.state) || isRoot(child)) return true;
    const wanted = this.#backboneWanted(child);
    while (child.backboneParents < wanted) {
      const parent = this.#chooseBackbone(child, nowMs);
      if (!parent) break;
      this.#join(parent, child, 'backbone');
      if (this.#trades(parent) && this.#trades(child) && takesFromPeers(parent) && this.#mayTake(parent, child))
        this.#join(child, parent, 'exchange');
    }
    this.refresh(child);
    // without exchange edges the other parents are added later, as more peers have something to give
    return child.backboneParents >= (this.#mode === 'dag' && child.features.exchange ? wanted : 1);
  }

  /** Fills up the exchange neighbours of a peer. */
  addExchange(child: Peer, nowMs: number): void {
    if (!this.#trades(child) || !takesFromPeers(child)) return;
    this.#joinFar(child, nowMs);
    const { traders } = this.#reach(child);
    const { target } = this.#neighbours(child.task);
    for (let attempt = 0; attempt < target * 2 && child.parents.size < target; attempt += 1) {
      const parent = this.#chooseTrader(traders, child, nowMs);
      if (!parent) continue;
      this.#join(parent, child, 'exchange');
      if (takesFromPeers(parent) && this.#mayTake(parent, child)) this.#join(child, parent, 'exchange');
      this.refresh(parent);
    }
    this.refresh(child);
  }

  /** The layout became known, which determines how many neighbours are useful. */
  layoutKnown(task: Task): void {
    if (this.#neighbours(task).target === this.#limits.exchangeTarget) return;
    for (const peer of task.peers.values()) {
      this.refresh(peer);
      if (isDownloading(peer.state)) task.waiting.add(peer);
    }
  }

  /**
   * Joins a stalled peer with some that hold the piece, even beyond its number of neighbours: random neighbours can all
   * lack it. @param anywhere including other data centres, when peers of its own that fetch from there do not help it.
   */
  introduce(child: Peer, piece: number, { nowMs, anywhere }: { nowMs: number; anywhere: boolean }): void {
    if (!this.#trades(child)) return;
    let left = this.#limits.introductions;
    for (const parent of child.task.peers.values()) {
      if (left === 0) break;
      if (!parent.pieces.has(piece) || !parent.sharing || !this.#trades(parent) || !mayBeParent(parent, child, nowMs))
        continue;
      if (!anywhere && !this.#zones.mayTake(child, parent)) continue;
      this.#join(parent, child, 'exchange');
      left -= 1;
    }
  }

  /** The next settling should look for parents for this peer. */
  lacksParents(peer: Peer): boolean {
    if (!isDownloading(peer.state)) return false;
    if (needsParent(peer)) return true;
    return this.#trades(peer) && takesFromPeers(peer) && peer.parents.size < this.#neighbours(peer.task).target / 2;
  }

  disconnect(edge: Edge): void {
    const wasFull = freeSlots(edge.parent) <= 0;
    unlink(edge);
    this.refresh(edge.parent);
    if (wasFull) this.#refreshHost(edge.parent.host);
  }

  /** Updates the task's indexes for the peer's current state. */
  refresh(peer: Peer): void {
    const { task } = peer;
    const alive =
      task.peers.get(peer.id) === peer && (isDownloading(peer.state) || peer.state === 'Succeeded') && peer.sharing;
    const serves = alive && leadsToRoot(peer) && freeSlots(peer) > 0 && this.#hasRoom(peer);
    const trades = alive && this.#trades(peer) && peer.exchangeChildren < this.#neighbours(task).limit;
    for (const { servers, traders } of this.#zones.indexesOf(peer)) {
      if (serves) servers.add(peer);
      else servers.delete(peer);
      if (trades) traders.add(peer);
      else traders.delete(peer);
    }
    this.#zones.changed(peer, alive);
  }

  /** Content in large pieces goes to more neighbours. */
  #neighbours({ layout }: Task): { readonly target: number; readonly limit: number } {
    const { exchangeTarget, exchangeLimit, exchangeLargeFactor, largePieceBytes } = this.#limits;
    const factor = (layout?.pieceLengthBytes ?? 0) >= largePieceBytes ? exchangeLargeFactor : 1;
    return { target: factor * exchangeTarget, limit: factor * exchangeLimit };
  }

  #backboneWanted(child: Peer): number {
    if (this.#mode === 'tree') return 1;
    return this.#trades(child) ? this.#limits.backboneParents : this.#limits.candidateParentLimit;
  }

  #reach(child: Peer): Reach {
    return this.#trades(child) ? this.#zones.reach(child) : child.task;
  }

  /** The parent is not the child's parent yet, and near enough. */
  #mayTake(child: Peer, parent: Peer): boolean {
    return !child.parents.has(parent.id) && this.#zones.mayTake(child, parent);
  }

  /** Connects border peers with those on the other side of a slow link. */
  #joinFar(peer: Peer, nowMs: number): void {
    for (const gate of this.#zones.gatesBeyond(peer))
      if (takesFromPeers(gate) && mayBeParent(peer, gate, nowMs)) this.#join(peer, gate, 'exchange');
    const { traders } = peer.task;
    for (let draw = 0; draw < farDraws && this.#zones.lacksFar(peer); draw += 1) {
      const parent = traders.at(randomIndex(this.#random, traders.size));
      if (parent && isFar(peer, parent) && mayBeParent(parent, peer, nowMs)) this.#join(parent, peer, 'exchange');
    }
  }

  #hasRoom(peer: Peer): boolean {
    return this.#mode !== 'swarm' || peer.backboneChildren < this.#limits.backboneChildren;
  }

  #trades(peer: Peer): boolean {
    return this.#mode === 'swarm' && peer.features.exchange;
  }

  #join(parent: Peer, child: Peer, edge: EdgeKind): void {
    link(parent, child, edge);
    this.#out.offer(child, {
      peerId: parent.id,
      hostId: parent.host.id,
      edge,
      distance: 1 - affinity(child.host, parent.host),
    });
    if (edge === 'backbone' && freeSlots(parent) <= 0) this.#refreshHost(parent.host);
    else this.refresh(parent);
  }

  #refreshHost(host: Host): void {
    for (const peer of host.peers) this.refresh(peer);
  }

  #chooseBackbone(child: Peer, nowMs: number): Peer | undefined {
    const reach = this.#reach(child);
    const parent = this.#chooseServer(reach.servers, child, nowMs);
    if (parent || reach === child.task || !this.#mayLookFurther(child, nowMs)) return parent;
    return this.#chooseServer(child.task.servers, child, nowMs);
  }

  /** The peer has found no nearby parent with a path to a root for long enough. */
  #mayLookFurther(child: Peer, nowMs: number): boolean {
    if (!child.task.waiting.has(child) || nowMs < child.waitingSinceMs + this.#limits.crossAfterMs) return false;
    for (const { parent } of child.parents.values()) if (leadsToRoot(parent)) return false;
    return true;
  }

  /** With few servers all are evaluated, with many the better of two acceptable ones from a bounded number of draws. */
  #chooseServer(servers: IndexedSet<Peer>, child: Peer, nowMs: number): Peer | undefined {
    const limit = this.#limits.filterParentLimit;
    const all = servers.size <= limit;
    let best: Peer | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    let found = 0;
    for (let draw = 0; draw < (all ? servers.size : limit) && (all || found < 2); draw += 1) {
      const candidate = servers.at(all ? draw : randomIndex(this.#random, servers.size));
      if (!candidate || candidate === best || refusal(child, candidate, nowMs) !== undefined) continue;
      found += 1;
      const score = this.#evaluate(child, candidate) + this.#random() * 1e-6;
      if (score > bestScore) [best, bestScore] = [candidate, score];
    }
    return best;
  }

  #chooseTrader(traders: IndexedSet<Peer>, child: Peer, nowMs: number): Peer | undefined {
    let best: Peer | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let draw = 0; draw < 2 && traders.size > 0; draw += 1) {
      const candidate = traders.at(randomIndex(this.#random, traders.size));
      if (!candidate || !mayBeParent(candidate, child, nowMs)) continue;
      const score =
        affinity(child.host, candidate.host) - candidate.exchangeChildren / this.#neighbours(candidate.task).limit;
      if (score > bestScore) [best, bestScore] = [candidate, score];
    }
    return best;
  }
}

/** Whether it may become one more neighbour, whatever it holds. */
function mayBeParent(parent: Peer, child: Peer, nowMs: number): boolean {
  if (parent.host === child.host || child.parents.has(parent.id)) return false;
  return (child.blocked.get(parent.id) ?? 0) <= nowMs && parent.host.quarantinedUntilMs <= nowMs;
}

/** Needs no parent: complete, or fetching from the origin. */
export function isRoot(peer: Peer): boolean {
  return peer.state === 'Succeeded' || peer.lease !== undefined || hasAllWanted(peer);
}

function leadsToRoot(peer: Peer): boolean {
  return isRoot(peer) || peer.backboneParents > 0;
}

function hasAllWanted({ task, wanted, pieces }: Peer): boolean {
  if (task.pieceCount === undefined) return false;
  return wanted ? pieces.hasAll(wanted) : pieces.count === task.pieceCount;
}

/** True for a peer that is downloading and gets at least some pieces from other peers. */
function takesFromPeers(peer: Peer): boolean {
  return isDownloading(peer.state) && (peer.lease === undefined || peer.task.leases.size > 1);
}

export function needsParent(peer: Peer): boolean {
  return isDownloading(peer.state) && !isRoot(peer) && peer.backboneParents === 0;
}
