/** The formulas that rank possible parents: ours, and the original's versions by name. Higher is better; each term is 0…1 unless noted. */
import type { HostInfo } from '../shared/events.ts';
import { freeSlots } from './graph.ts';
import type { Host, Peer } from './records.ts';

export type EvaluatorName = 'measured' | 'v2.0.2' | 'v2.1.28' | 'v2.5';
export type Evaluator = (child: Peer, parent: Peer) => number;

export const evaluators: Readonly<Record<EvaluatorName, Evaluator>> = {
  /**
   * Ours: how fast the parent has served, what it holds that this child lacks, and how near it is. The rate is relative
   * to a gigabit link, so that an unmeasured host ranks in the middle and is tried.
   */
  measured: (child, parent) =>
    0.3 * servedRate(parent.host) +
    0.25 * usefulShare(child, parent) +
    0.2 * freeUpload(parent) +
    0.15 * affinity(child.host, parent.host) +
    0.1 * uploadSuccess(parent.host),

  'v2.0.2': (child, parent) =>
    0.3 * pieceScore(child, parent) +
    0.2 * freeUpload(parent) +
    0.2 * hostTypeByState(parent) +
    0.15 * idcScore(child.host, parent.host) +
    0.05 * locationScore(child.host, parent.host),

  'v2.1.28': (child, parent) =>
    0.2 * pieceScore(child, parent) +
    0.2 * uploadSuccess(parent.host) +
    0.15 * freeUpload(parent) +
    0.15 * hostTypeByState(parent) +
    0.15 * idcScore(child.host, parent.host) +
    0.15 * locationScore(child.host, parent.host),

  'v2.5': (child, parent) =>
    0.6 * loadScore(parent.host) +
    0.2 * idcScore(child.host, parent.host) +
    0.1 * locationScore(child.host, parent.host) +
    0.1 * hostTypeByState(parent),
};

/** Same data centre and place 1, nothing known in common 0. */
export function affinity(a: Host, b: Host): number {
  return 0.6 * idcScore(a, b) + 0.4 * locationScore(a, b);
}

interface Place {
  readonly idc: string;
  readonly location: string;
  readonly elements: readonly string[];
}

/** Evaluated at every draw of every search, so a host's location is parsed once. */
const places = new WeakMap<HostInfo, Place>();

function placeOf({ info }: Host): Place {
  let place = places.get(info);
  if (!place) {
    const location = info.location.toLowerCase();
    place = { idc: info.idc.toLowerCase(), location, elements: location.split('|').slice(0, locationElements) };
    places.set(info, place);
  }
  return place;
}

export function idcScore(a: Host, b: Host): number {
  const { idc } = placeOf(a);
  return idc !== '' && idc === placeOf(b).idc ? 1 : 0;
}

const locationElements = 5;

/** Share of the five location elements, broadest first, that agree. */
export function locationScore(a: Host, b: Host): number {
  const [left, right] = [placeOf(a), placeOf(b)];
  if (left.location === '' || right.location === '') return 0;
  if (left.location === right.location) return 1;
  let same = 0;
  while (left.elements[same] !== undefined && left.elements[same] === right.elements[same]) same += 1;
  return same / locationElements;
}

/** Share of the content when its size is known; otherwise the lead over the child in pieces: unbounded, negative when behind. */
export function pieceScore(child: Peer, parent: Peer): number {
  const total = parent.task.pieceCount ?? 0;
  return total > 0 ? parent.pieces.count / total : parent.pieces.count - child.pieces.count;
}

export function uploadSuccess(host: Host): number {
  if (host.uploads < host.uploadsFailed) return 0;
  return host.uploads === 0 ? 1 : (host.uploads - host.uploadsFailed) / host.uploads;
}

export function freeUpload(parent: Peer): number {
  const free = freeSlots(parent);
  return free > 0 && parent.host.slotLimit > 0 ? free / parent.host.slotLimit : 0;
}

/** A seed counts while it downloads from others; one at the origin or complete scores below normal peers (as the original has it). */
export function hostTypeByState(parent: Peer): number {
  if (parent.host.info.type === 'normal') return 0.5;
  return parent.state === 'ReceivedNormal' || parent.state === 'Running' ? 1 : 0;
}

const maxBlockBytes = 16 * 2 ** 20;

/** Load as in v2.5: assigned uploads against the announced line speed; 0 when none is announced. */
export function loadScore(host: Host): number {
  const capacity = host.info.maxTxBitsPerSec;
  if (capacity === 0) return 0;
  let peakBits = 0;
  let contentBytes = 0;
  let concurrent = 0;
  for (const peer of host.peers) {
    for (const { child } of peer.children.values()) {
      peakBits += (peer.task.layout?.pieceLengthBytes ?? 0) * child.concurrentPieceCount * 8;
      contentBytes += peer.task.layout?.contentLengthBytes ?? 0;
      concurrent += child.concurrentPieceCount;
    }
  }
  const peak = peakBits >= capacity ? 0 : 1 - peakBits / capacity;
  const duration = Math.max(0, 1 - (contentBytes * 8) / capacity / 60);
  const need = capacity / maxBlockBytes / 8;
  const concurrency = need <= 1 ? 0 : concurrent <= need ? 1 : need / concurrent;
  return 0.5 * peak + 0.3 * duration + 0.2 * concurrency;
}

const gigabitBytesPerSec = 125e6;

function servedRate(host: Host): number {
  const rate = host.serveRateBytesPerSec;
  return rate === undefined ? 0.5 : rate / (rate + gigabitBytesPerSec);
}

/** How much of what the child lacks the parent holds. */
function usefulShare(child: Peer, parent: Peer): number {
  const total = parent.task.pieceCount ?? 0;
  const lacking = total - child.pieces.count;
  return lacking <= 0 ? 0 : parent.pieces.countNotIn(child.pieces) / lacking;
}
