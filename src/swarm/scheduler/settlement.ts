/** What follows every event: OriginDesk leases what is missing, Matchmaker gives parents to those who lack them. */
import type { Deadlines } from '../shared/deadlines.ts';
import type { Decision } from '../shared/decisions.ts';
import type { TaskLayout } from '../shared/events.ts';
import type { SwarmLimits } from './limits.ts';
import { type Matchmaker, needsParent } from './matchmaker.ts';
import { leasesOf } from './origin/lease-book.ts';
import type { OriginDesk } from './origin/origin-desk.ts';
import type { Outbox } from './outbox.ts';
import type { Peer, Task } from './records.ts';
import type { Refusals } from './refusals.ts';
import { isDownloading } from './states.ts';

export interface SettlementParts {
  readonly limits: SwarmLimits;
  readonly out: Outbox;
  readonly matchmaker: Matchmaker;
  readonly origin: OriginDesk;
  readonly refusals: Refusals;
  readonly wakes: Deadlines<Task>;
}

export class Settlement {
  readonly #parts: SettlementParts;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** The caller settles the task afterwards. */
  layoutKnown(task: Task, layout: TaskLayout): void {
    const { origin, matchmaker, out } = this.#parts;
    origin.layoutKnown(task);
    matchmaker.layoutKnown(task);
    for (const peer of task.peers.values())
      if (isDownloading(peer.state)) out.send(peer, { kind: 'task-layout', layout });
  }

  settle(tasks: Iterable<Task>, nowMs: number): void {
    const { origin, limits, refusals } = this.#parts;
    let left = limits.edgesPerSettling;
    for (const task of tasks) {
      origin.settle(task, nowMs);
      left -= this.#giveParents(task, nowMs, left);
      this.#rescue(task, nowMs);
      refusals.failHopeless(task, nowMs);
    }
  }

  /**
   * Serves a crowd that waited for the first root over several events, so that no single one blocks the scheduler. Returns the
   * number of new edges, about `most`.
   */
  #giveParents(task: Task, nowMs: number, most: number): number {
    const { matchmaker, wakes } = this.#parts;
    let joined = 0;
    for (const peer of Array.from(task.waiting)) {
      if (joined >= most) {
        wakes.add(nowMs, task);
        break;
      }
      const before = peer.parents.size;
      const attached = matchmaker.attach(peer, nowMs);
      matchmaker.addExchange(peer, nowMs);
      joined += peer.parents.size - before;
      if (attached) task.waiting.delete(peer);
      else if (
        task.servers.size === 0 &&
        task.traders.size <= task.waiting.size &&
        task.leases.size + task.seedPeers.size === 0
      )
        break;
    }
    return joined;
  }

  /** A peer without parents although some could serve it is rescheduled soon, and finally sent to the origin. */
  #rescue(task: Task, nowMs: number): void {
    const { limits, origin, wakes } = this.#parts;
    const [waiting] = task.waiting;
    if (!waiting || !needsParent(waiting)) return;
    if (waiting.parents.size === 0 && !mayBeServed(waiting)) origin.rescue(waiting, nowMs);
    if (waiting.lease) task.waiting.delete(waiting);
    wakes.add(nowMs + limits.retryMs, task);
  }
}

/** Whether some peer can serve this one, now or later; peers that sent it corrupt pieces never will. */
function mayBeServed(peer: Peer): boolean {
  const { servers } = peer.task;
  for (let place = 0; place < servers.size; place += 1) {
    const server = servers.at(place);
    if (!server || server.host === peer.host) continue;
    if (peer.blocked.get(server.id) !== Number.POSITIVE_INFINITY) return true;
  }
  return false;
}

/** Whether a daemon of the original waits: it only takes parents that hold something, so every report may matter to it. */
export function originalWaits(task: Task): boolean {
  for (const peer of task.waiting) if (!peer.features.exchange) return true;
  return false;
}

/** Tells a peer that asked, or was about to go to the origin, that the first piece is on its way to another peer. */
export function promised(peer: Peer, nowMs: number): Decision[] {
  if (!isPromised(peer, nowMs)) return [];
  return [{ kind: 'withdraw-parents', peerId: peer.id, taskId: peer.task.id, parentIds: [] }];
}

function isPromised(peer: Peer, nowMs: number): boolean {
  const { task, parents, features, state } = peer;
  if (!features.exchange || !isDownloading(state) || parents.size > 0 || leasesOf(peer).length > 0) return false;
  if (task.holders.some((count) => count > 0)) return false; // its holder may be unreachable
  return task.leases.size > 0 || task.trigger !== undefined || nowMs < task.quietUntilMs;
}
