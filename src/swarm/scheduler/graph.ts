/**
 * The edges between peers of one task, and the upload slots they hold.
 *
 * Backbone edges are acyclic; each holds a slot at the parent's host from link to unlink, so parallel registrations
 * cannot all be sent to the same host. Exchange edges hold no slot: a host's own upload gate decides how many pieces it
 * sends at once.
 */
import { DragonflyError } from '../../core/errors.ts';
import type { EdgeKind } from '../shared/decisions.ts';
import type { Edge, Peer } from './records.ts';

/** Throws FAILED_PRECONDITION for an edge that would close a cycle, already exists, or joins a peer with itself. */
export function link(parent: Peer, child: Peer, kind: EdgeKind): void {
  if (parent === child || child.parents.has(parent.id))
    throw new DragonflyError('FAILED_PRECONDITION', `${child.id} cannot have ${parent.id} as one more parent`);
  if (kind === 'backbone' && isAncestor(child, parent)) {
    throw new DragonflyError(
      'FAILED_PRECONDITION',
      `${parent.id} descends from ${child.id}: the edge would close a cycle`,
    );
  }
  const edge: Edge = { parent, child, kind };
  child.parents.set(parent.id, edge);
  parent.children.set(child.id, edge);
  if (kind === 'exchange') parent.exchangeChildren += 1;
  else {
    child.backboneParents += 1;
    parent.backboneChildren += 1;
    parent.host.slotsUsed += 1;
  }
}

export function unlink(edge: Edge): void {
  const { parent, child, kind } = edge;
  if (child.parents.get(parent.id) !== edge) return;
  child.parents.delete(parent.id);
  parent.children.delete(child.id);
  if (kind === 'exchange') parent.exchangeChildren -= 1;
  else {
    child.backboneParents -= 1;
    parent.backboneChildren -= 1;
    parent.host.slotsUsed -= 1;
  }
}

/** Whether `ancestor` is on a backbone path above `peer`, or is the peer itself. Cheap in the usual case: a newcomer has no children. */
export function isAncestor(ancestor: Peer, peer: Peer): boolean {
  if (ancestor === peer) return true;
  if (ancestor.backboneChildren === 0) return false;
  const seen = new Set<Peer>([peer]);
  const queue: Peer[] = [peer];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const edge of next.parents.values()) {
      if (edge.kind !== 'backbone' || seen.has(edge.parent)) continue;
      if (edge.parent === ancestor) return true;
      seen.add(edge.parent);
      queue.push(edge.parent);
    }
  }
  return false;
}

export function freeSlots(peer: Peer): number {
  return peer.host.slotLimit - peer.host.slotsUsed;
}
