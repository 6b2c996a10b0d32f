/** What must be true of a swarm after every event. Used by tests and throughout simulated runs; walks everything, so not for production paths. */
import assert from 'node:assert/strict';
import { leasesOf } from './origin/lease-book.ts';
import { isRoot } from './matchmaker.ts';
import type { Host, Peer, Task } from './records.ts';
import { isDownloading } from './states.ts';
import type { Swarm } from './swarm.ts';

/** Throws an AssertionError that names what is wrong. */
export function assertInvariants(swarm: Swarm): void {
  for (const host of swarm.hosts()) assertSlots(host);
  for (const task of swarm.tasks()) {
    assertEdges(task);
    assertReachable(task);
    assertLeases(task, swarm.limits.backToSourceCount);
    assertHolders(task);
    assertIndexes(task);
  }
}

function assertSlots(host: Readonly<Host>): void {
  let used = 0;
  for (const peer of host.peers) used += peer.backboneChildren;
  assert.equal(host.slotsUsed, used, `host ${host.id} counts its used slots wrong`);
  assert(host.slotsUsed >= 0, `host ${host.id} has negative slots`);
}

function assertEdges(task: Readonly<Task>): void {
  for (const peer of task.peers.values()) {
    let backbone = 0;
    for (const [id, edge] of peer.parents) {
      assert.equal(edge.child, peer);
      assert.equal(edge.parent.id, id);
      assert.equal(edge.parent.children.get(peer.id), edge, `edge ${id} → ${peer.id} is only known to the child`);
      assert.equal(task.peers.get(id), edge.parent, `${peer.id} has the dead parent ${id}`);
      assert.notEqual(edge.parent.host, peer.host, `${peer.id} has a parent on its own host`);
      if (edge.kind === 'backbone') backbone += 1;
    }
    assert.equal(peer.backboneParents, backbone, `${peer.id} counts its backbone parents wrong`);
    let exchange = 0;
    let children = 0;
    for (const edge of peer.children.values()) {
      assert.equal(
        edge.child.parents.get(peer.id),
        edge,
        `edge ${peer.id} → ${edge.child.id} is only known to the parent`,
      );
      if (edge.kind === 'exchange') exchange += 1;
      else children += 1;
    }
    assert.equal(peer.exchangeChildren, exchange, `${peer.id} counts its exchange children wrong`);
    assert.equal(peer.backboneChildren, children, `${peer.id} counts its backbone children wrong`);
  }
  assertAcyclic(task);
}

/** Removes peers without backbone parents repeatedly; what remains is a cycle. */
function assertAcyclic(task: Readonly<Task>): void {
  const left = new Map<Peer, number>();
  const ready: Peer[] = [];
  for (const peer of task.peers.values()) {
    left.set(peer, peer.backboneParents);
    if (peer.backboneParents === 0) ready.push(peer);
  }
  for (let peer = ready.pop(); peer !== undefined; peer = ready.pop()) {
    left.delete(peer);
    for (const { child, kind } of peer.children.values()) {
      if (kind !== 'backbone') continue;
      const count = (left.get(child) ?? 0) - 1;
      left.set(child, count);
      if (count === 0) ready.push(child);
    }
  }
  assert.equal(left.size, 0, `the backbone of task ${task.id} has a cycle`);
}

/** With an acyclic backbone it suffices that only roots and waiting peers have no parent. */
function assertReachable(task: Readonly<Task>): void {
  for (const peer of task.peers.values()) {
    if (!isDownloading(peer.state) || isRoot(peer) || peer.backboneParents > 0) continue;
    assert(task.waiting.has(peer), `${peer.id} (${peer.state}) has no parent, no lease, and does not wait`);
  }
}

function assertLeases(task: Readonly<Task>, limit: number): void {
  assert(task.leases.size <= limit, `task ${task.id} has ${task.leases.size} leases`);
  const leased = new Set<number>();
  for (const lease of task.leases.values()) {
    assert.equal(task.peers.get(lease.holder.id), lease.holder, `lease ${lease.id} is held by a dead peer`);
    const known = lease.readerRange ? lease.holder.readerLeases.has(lease) : lease.holder.lease === lease;
    assert(known, `lease ${lease.id} is not known to its holder`);
    if (lease.range.end === undefined) {
      const others = [...task.leases.values()].filter(({ readerRange }) => !lease.readerRange || !readerRange);
      assert(others.length <= (lease.readerRange ? 0 : 1), 'an open lease covers everything');
    }
    if (lease.range.end !== undefined) assert(lease.range.first < lease.range.end, `lease ${lease.id} covers nothing`);
    for (let piece = lease.range.first; piece < (lease.range.end ?? 0); piece += 1) {
      assert(!leased.has(piece), `piece ${piece} of task ${task.id} is leased twice`);
      leased.add(piece);
    }
  }
  for (const peer of task.peers.values()) {
    for (const lease of leasesOf(peer))
      assert.equal(task.leases.get(lease.id), lease, `${peer.id} believes in an ended lease`);
    if (peer.asking.length > 0) assert(task.asking.has(peer), `nobody hears the readers of ${peer.id}`);
  }
}

function assertHolders(task: Readonly<Task>): void {
  const holders = new Uint32Array(task.holders.length);
  for (const peer of task.peers.values()) {
    const last = peer.pieces.last ?? -1;
    assert(last < (task.pieceCount ?? Infinity), `${peer.id} counts as holder of piece ${last}, which does not exist`);
    if (peer.sharing) for (const piece of peer.pieces) holders[piece] = (holders[piece] ?? 0) + 1;
  }
  assert.deepEqual(task.holders, holders, `task ${task.id} counts the holders of its pieces wrong`);
}

function assertIndexes(task: Readonly<Task>): void {
  const zones = Array.from(task.zones.values());
  for (const index of [task, ...zones].flatMap(({ servers, traders }) => [servers, traders])) {
    for (let place = 0; place < index.size; place += 1) {
      const peer = index.at(place);
      assert(peer && task.peers.get(peer.id) === peer, 'a dead peer is still chosen from');
    }
  }
  for (const { gates } of zones)
    for (const peer of gates) assert.equal(task.peers.get(peer.id), peer, 'a dead peer is a gate');
  for (const peer of task.waiting) assert.equal(task.peers.get(peer.id), peer, 'a dead peer waits');
}
