/** Figures of a swarm that follow from its peers and links. */
import type { PeerState } from '../events/event-types.ts';
import type { SwarmModel } from './swarm-model.ts';

export interface Timing {
  /** From the first peer's start to the last one's end; undefined while one is still at it, and before any is done. */
  readonly lastMs: number | undefined;
  /** The last one's time over the quickest one's own download: what the slow ones cost. */
  readonly ratio: number | undefined;
}

export function timingOf({ peers }: SwarmModel): Timing {
  const done = [...peers.values()].filter(({ started_at_ms: start, finished_at_ms: end }) => start > 0 && end > start);
  if (done.length === 0 || done.length < peers.size) return { lastMs: undefined, ratio: undefined };
  const times = done.map(({ started_at_ms: start, finished_at_ms: end }) => end - start);
  const first = done.reduce((least, { started_at_ms: start }) => Math.min(least, start), Infinity);
  const last = done.reduce((most, { finished_at_ms: end }) => Math.max(most, end), 0) - first;
  return { lastMs: last, ratio: last / Math.max(1, Math.min(...times)) };
}

export interface ZoneFigures {
  readonly name: string;
  readonly peers: number;
  readonly finished: number;
  readonly originPieces: number;
  /** Pieces got from peers of the same zone, and of others. */
  readonly ownPieces: number;
  readonly foreignPieces: number;
}

export function zonesOf({ peers, links, task }: SwarmModel): ZoneFigures[] {
  const pieces = task?.piece_count ?? 0;
  const zones = new Map<string, { -readonly [Name in keyof ZoneFigures]: ZoneFigures[Name] }>();
  for (const { idc: name, finished_pieces: finished, origin_pieces: fetched } of peers.values()) {
    const zone = zones.get(name) ?? { name, peers: 0, finished: 0, originPieces: 0, ownPieces: 0, foreignPieces: 0 };
    zone.peers += 1;
    if (pieces > 0 && finished >= pieces) zone.finished += 1;
    zone.originPieces += fetched;
    zones.set(name, zone);
  }
  for (const { parent_id: parent, child_id: child, pieces: moved } of links.values()) {
    const to = peers.get(child)?.idc;
    const zone = to === undefined ? undefined : zones.get(to);
    if (!zone) continue;
    if (peers.get(parent)?.idc === to) zone.ownPieces += moved;
    else zone.foreignPieces += moved;
  }
  return [...zones.values()].sort((a, b) => b.peers - a.peers || a.name.localeCompare(b.name));
}

/** Peers as a list is read: the ones still at it first, the furthest of them last. */
export function listed({ peers }: SwarmModel, text: string): PeerState[] {
  const wanted = text.toLowerCase();
  return [...peers.values()]
    .filter(({ host_name: name, ip, idc }) => wanted === '' || `${name} ${ip} ${idc}`.toLowerCase().includes(wanted))
    .sort((a, b) => a.finished_pieces - b.finished_pieces || a.host_name.localeCompare(b.host_name));
}
