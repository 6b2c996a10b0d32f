/**
 * Data centres whose links to each other are slow or expensive: with `crossZonePeers` set, only that many peers of
 * each, the border peers, fetch a task from elsewhere; the rest take the pieces from them and from each other. One set
 * of zones per task.
 *
 * Downloads of a part, and hosts without a location, are exempt: nobody near may want the same pieces.
 */
import { IndexedSet } from './indexed-set.ts';
import type { SwarmLimits } from './limits.ts';
import type { Peer, Task } from './records.ts';
import { isDownloading } from './states.ts';

/** The peers that a child may get as parents. */
export type Reach = Pick<Task, 'servers' | 'traders'>;

/** The peers of a task in one data centre. */
export interface Zone extends Reach {
  readonly gates: Set<Peer>;
  /** Peers that have everything and share it: nothing more has to be brought into the zone. */
  readonly whole: Set<Peer>;
}

/** Far neighbours of a border peer: enough that one of them has what is new. */
const farNeighbours = 10;

export class Zones {
  readonly #limits: SwarmLimits;

  constructor(limits: SwarmLimits) {
    this.#limits = limits;
  }

  get #isOn(): boolean {
    return this.#limits.crossZonePeers > 0;
  }

  /** Every index the peer belongs to. */
  indexesOf(peer: Peer): readonly Reach[] {
    return this.#isOn ? [peer.task, zoneOf(peer)] : [peer.task];
  }

  /** Only a peer that downloads and uploads can be a border peer; a replacement is chosen when a child looks for parents. */
  changed(peer: Peer, alive: boolean): void {
    if (!this.#isOn || (alive && isDownloading(peer.state))) return;
    const { servers, traders, gates, whole } = zoneOf(peer);
    gates.delete(peer);
    // A peer that only wanted a part of it counts as well.
    if (alive && peer.pieces.count === peer.task.pieceCount) whole.add(peer);
    else whole.delete(peer);
    if (servers.size + traders.size + gates.size + whole.size === 0) peer.task.zones.delete(peer.zone);
  }

  /** Everybody, or the peers of its own data centre. Makes the child a border peer while there are too few. */
  reach(child: Peer): Reach {
    const { task } = child;
    if (!this.#isOn || child.range || child.zone === '') return task;
    const zone = zoneOf(child);
    const isNeeded = zone.whole.size === 0 && zone.gates.size < this.#limits.crossZonePeers;
    if (isNeeded && child.sharing && isDownloading(child.state)) zone.gates.add(child);
    return zone.gates.has(child) ? task : zone;
  }

  mayTake(child: Peer, parent: Peer): boolean {
    return !this.#isOn || !isFar(child, parent) || this.reach(child) === child.task;
  }

  /** Border peers of other data centres that lack neighbours and could take this one. */
  *gatesBeyond(parent: Peer): Iterable<Peer> {
    if (!this.#isOn) return;
    for (const [name, { gates }] of parent.task.zones) {
      if (name === parent.zone) continue;
      for (const gate of gates) if (this.lacksFar(gate)) yield gate;
    }
  }

  /** Whether it is a border peer with too few neighbours in other data centres. */
  lacksFar(peer: Peer): boolean {
    if (!this.#isOn || !zoneOf(peer).gates.has(peer)) return false;
    let far = 0;
    for (const { parent } of peer.parents.values()) if (isFar(peer, parent)) far += 1;
    return far < farNeighbours;
  }
}

export function isFar(a: Peer, b: Peer): boolean {
  return a.zone !== b.zone;
}

function zoneOf({ task: { zones }, zone: name }: Peer): Zone {
  let zone = zones.get(name);
  if (!zone) {
    zone = { servers: new IndexedSet(), traders: new IndexedSet(), gates: new Set(), whole: new Set() };
    zones.set(name, zone);
  }
  return zone;
}
