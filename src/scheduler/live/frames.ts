/** Builds the frames for one watcher: everything first, then the changes since the last frame. */
import type { Link, PeerState, TaskFrame, TasksFrame, TaskSummary } from '../../../gen/scheduler/v2/live.ts';
import type { Peer, Task } from '../../swarm/scheduler/records.ts';
import { isDownloading } from '../../swarm/scheduler/states.ts';
import type { Brain } from '../brain.ts';
import { maxWatchedPeers, maxWatchedTasks } from '../limits.ts';
import { wallTime } from '../messages.ts';

export class TasksWatcher {
  readonly #brain: Brain;
  readonly #known = new Set<string>();
  #seenVersion = -1;
  #seenMs = -Infinity;
  #first = true;

  constructor(brain: Brain) {
    this.#brain = brain;
  }

  /** Undefined when nothing changed. */
  next(): TasksFrame | undefined {
    const { swarm, ledger } = this.#brain;
    const [seenVersion, seenMs] = [this.#seenVersion, this.#seenMs];
    this.#seenVersion = ledger.version;
    this.#seenMs = performance.now();
    const tasks: TaskSummary[] = [];
    let peersRunning = 0;
    for (const task of swarm.tasks()) {
      peersRunning += running(task);
      const isNew = !this.#known.has(task.id);
      if (isNew && this.#known.size >= maxWatchedTasks) continue;
      if (!isNew && (ledger.task(task.id)?.version ?? 0) <= seenVersion && task.updatedAtMs <= seenMs) continue;
      this.#known.add(task.id);
      tasks.push(taskSummary(this.#brain, task));
    }
    const removed = [...this.#known].filter((taskId) => !swarm.task(taskId));
    for (const taskId of removed) this.#known.delete(taskId);
    if (!this.#first && tasks.length === 0 && removed.length === 0) return undefined;
    const snapshot = this.#first;
    this.#first = false;
    return { snapshot, tasks, removed, ...ledger.totals, hosts: swarm.counts.hosts, peersRunning };
  }
}

export class TaskWatcher {
  readonly #brain: Brain;
  readonly #taskId: string;
  readonly #known = new Set<string>();
  /** Pieces and state of each link as last sent. */
  readonly #links = new Map<string, string>();
  #seenVersion = -1;
  #seenMs = -Infinity;
  #first = true;

  constructor(brain: Brain, taskId: string) {
    this.#brain = brain;
    this.#taskId = taskId;
  }

  /** Undefined when nothing changed; `gone` when the task is no longer known. */
  next(): TaskFrame | 'gone' | undefined {
    const task = this.#brain.swarm.task(this.#taskId);
    if (!task) return 'gone';
    const [seenVersion, seenMs] = [this.#seenVersion, this.#seenMs];
    this.#seenVersion = this.#brain.ledger.version;
    this.#seenMs = performance.now();
    const peers: PeerState[] = [];
    const links: Link[] = [];
    const history = this.#brain.ledger.task(task.id);
    for (const peer of task.peers.values()) {
      const isNew = !this.#known.has(peer.id);
      if (isNew && this.#known.size >= maxWatchedPeers) continue;
      if (!isNew && (history?.peers.get(peer.id)?.version ?? 0) <= seenVersion && peer.updatedAtMs <= seenMs) continue;
      this.#known.add(peer.id);
      peers.push(this.#peerState(peer));
      links.push(...this.#changedLinks(peer));
    }
    const removed = [...this.#known].filter((peerId) => !task.peers.has(peerId));
    for (const peerId of removed) this.#known.delete(peerId);
    if (!this.#first && peers.length === 0 && removed.length === 0) return undefined;
    const snapshot = this.#first;
    this.#first = false;
    return { snapshot, task: taskSummary(this.#brain, task), peers, removed, links };
  }

  #peerState(peer: Readonly<Peer>): PeerState {
    const host = this.#brain.hosts.get(peer.host.id)?.contact;
    const history = this.#brain.ledger.task(this.#taskId)?.peers.get(peer.id);
    const { finishedAtMs } = history ?? {};
    return {
      id: peer.id,
      hostId: peer.host.id,
      hostName: host?.hostname ?? '',
      ip: host?.ip ?? '',
      idc: peer.host.info.idc,
      location: peer.host.info.location,
      type: peer.host.info.type,
      state: peer.state,
      finishedPieces: peer.pieces.count,
      originPieces: history?.originPieces ?? 0,
      startedAtMs: wallTime(peer.createdAtMs).getTime(),
      finishedAtMs: finishedAtMs === undefined ? 0 : wallTime(finishedAtMs).getTime(),
    };
  }

  #changedLinks(child: Readonly<Peer>): Link[] {
    const moved = this.#brain.ledger.task(this.#taskId)?.peers.get(child.id)?.links ?? new Map<string, number>();
    const parentIds = new Set([...moved.keys(), ...child.parents.keys()]);
    return [...parentIds].flatMap((parentId) => {
      const link = { parentId, childId: child.id, pieces: moved.get(parentId) ?? 0, open: child.parents.has(parentId) };
      const key = `${parentId} ${child.id}`;
      const told = `${link.pieces} ${link.open}`;
      if (this.#links.get(key) === told) return [];
      this.#links.set(key, told);
      return [link];
    });
  }
}

function taskSummary(brain: Brain, task: Readonly<Task>): TaskSummary {
  const history = brain.ledger.task(task.id);
  return {
    id: task.id,
    url: task.url,
    tag: task.tag,
    application: task.application,
    state: task.state,
    contentLength: task.layout?.contentLengthBytes ?? 0,
    pieceLength: task.layout?.pieceLengthBytes ?? 0,
    pieceCount: task.pieceCount ?? 0,
    createdAtMs: wallTime(brain.facts.get(task.id)?.createdAtMs ?? task.updatedAtMs).getTime(),
    updatedAtMs: wallTime(task.updatedAtMs).getTime(),
    peers: task.peers.size,
    peersFinished: [...task.peers.values()].filter((peer) => peer.state === 'Succeeded').length,
    peersFailed: history?.peersFailed ?? 0,
    originBytes: history?.originBytes ?? 0,
    peerBytes: history?.peerBytes ?? 0,
    peersRunning: running(task),
  };
}

function running(task: Readonly<Task>): number {
  let count = 0;
  for (const peer of task.peers.values()) if (isDownloading(peer.state)) count += 1;
  return count;
}
