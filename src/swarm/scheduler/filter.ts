/** Whether this peer may be that child's parent: the first reason against it, or undefined. */
import { freeSlots, isAncestor } from './graph.ts';
import type { Peer } from './records.ts';
import type { PeerState } from './states.ts';

export type Refusal =
  | 'self'
  | 'same-host'
  | 'dead'
  | 'blocked'
  | 'not-shared'
  | 'quarantined'
  | 'already-parent'
  | 'no-slot'
  | 'nothing-useful'
  | 'slow'
  | 'cycle';

const serving: readonly PeerState[] = ['Running', 'BackToSource', 'Succeeded', 'ReceivedNormal'];

/** Cheap checks first; the cycle check last, since it walks the graph. */
export function refusal(child: Peer, parent: Peer, nowMs: number): Refusal | undefined {
  if (parent === child) return 'self';
  if (parent.host === child.host) return 'same-host';
  if (!serving.includes(parent.state)) return 'dead';
  if (parent.host.info.disableShared) return 'not-shared';
  if (parent.host.quarantinedUntilMs > nowMs) return 'quarantined';
  if ((child.blocked.get(parent.id) ?? 0) > nowMs) return 'blocked';
  if (child.parents.has(parent.id)) return 'already-parent';
  if (freeSlots(parent) <= 0) return 'no-slot';
  // an original daemon gives up on a parent that has nothing to announce
  if (!child.features.exchange && !holdsUseful(child, parent)) return 'nothing-useful';
  if (isSlow(parent)) return 'slow';
  return isAncestor(child, parent) ? 'cycle' : undefined;
}

export function holdsUseful(child: Peer, parent: Peer): boolean {
  if (child.wanted === undefined) return parent.pieces.countNotIn(child.pieces) > 0;
  return parent.pieces.intersection(child.wanted).countNotIn(child.pieces) > 0;
}

const costsForDeviation = 30;

/** The original's test on piece costs: the last cost is far above the mean of those before it. */
export function isSlow(parent: Peer): boolean {
  const costs = parent.costsMs;
  const last = costs.at(-1);
  if (last === undefined || costs.length < 2) return false;
  const before = costs.slice(0, -1);
  const mean = before.reduce((sum, cost) => sum + cost, 0) / before.length;
  if (costs.length < costsForDeviation) return last > 20 * mean;
  const variance = before.reduce((sum, cost) => sum + (cost - mean) ** 2, 0) / before.length;
  return last > mean + 3 * Math.sqrt(variance);
}
