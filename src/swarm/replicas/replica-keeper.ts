/**
 * Keeps as many replicas of imported content as its owner asked for: owns the records of kept tasks, and decides which host makes the next replica,
 * which one may let its copy go, and when a task has come to its end.
 *
 * Pure, as the swarm is: every method is one event, takes the time (wall clock in unix ms, since a time to live outlasts every process), changes the
 * state at once and returns what is to be done. An event that throws has changed nothing. Nothing here is written to a disk: the replicas themselves
 * carry the record, and their hosts tell it to a scheduler that has forgotten it (`held`).
 *
 * Two rules hold at every moment: no host is told to let a replica go unless as many others as were asked for are there; and nothing is
 * `settled` before so many hosts have it on their disks.
 */
import { DragonflyError } from '../../core/errors.ts';
import { Deadlines } from '../shared/deadlines.ts';
import { EndedTasks } from './ended-tasks.ts';
import {
  expiresMs,
  persistentHosts,
  presentHosts,
  requireSame,
  withNews,
  type KeptFacts,
  type KeptTask,
  type Replica,
} from './kept-task.ts';
import { defaultReplicaLimits, type ReplicaLimits } from './limits.ts';
import { nearestPlace, nextPlace, type HostPlace } from './placement.ts';
import { removal, type ReplicaEffect } from './replica-effect.ts';

export class ReplicaKeeper {
  readonly limits: ReplicaLimits;
  readonly #tasks = new Map<string, KeptTask>();
  readonly #hosts = new Map<string, HostPlace>();
  /** Tasks that may lack a replica: checked whenever a host or capacity becomes available. */
  readonly #lacking = new Set<KeptTask>();
  readonly #ended: EndedTasks;
  readonly #due = new Deadlines<string>();
  #making = 0;
  readonly #out: ReplicaEffect[] = [];

  constructor(limits: Partial<ReplicaLimits> = {}) {
    this.limits = { ...defaultReplicaLimits, ...limits };
    this.#ended = new EndedTasks(this.limits);
  }

  get(taskId: string): Readonly<KeptTask> | undefined {
    return this.#tasks.get(taskId);
  }

  list(): Iterable<Readonly<KeptTask>> {
    return this.#tasks.values();
  }

  /** A host has announced itself and its free space. */
  hostSeen(place: HostPlace, nowMs: number): ReplicaEffect[] {
    this.#hosts.set(place.hostId, place);
    return this.#lookAround(nowMs);
  }

  /** Its persistent replicas are awaited for a while; its other copies no longer count. */
  hostLeft(hostId: string, nowMs: number): ReplicaEffect[] {
    this.#hosts.delete(hostId);
    for (const task of this.#tasks.values()) {
      const replica = task.replicas.get(hostId);
      if (task.making.has(hostId)) this.#endMaking(task, hostId);
      else if (!replica && task.uploader !== hostId) continue;
      if (task.state === 'uploading' && task.uploader === hostId) {
        this.#drop(task);
        continue;
      }
      if (replica?.persistent === true) {
        replica.awaySinceMs ??= nowMs;
        this.#due.add(replica.awaySinceMs + this.limits.returnMs, task.facts.taskId);
      } else task.replicas.delete(hostId);
      task.updatedMs = nowMs;
      this.#lacking.add(task);
    }
    return this.#lookAround(nowMs);
  }

  /**
   * A host starts to import content. Throws ALREADY_EXISTS when the content is there or another host imports it,
   * INVALID_ARGUMENT for too many replicas, RESOURCE_EXHAUSTED when there are too many tasks.
   */
  uploadStarted(facts: KeptFacts, hostId: string, nowMs: number): ReplicaEffect[] {
    const { taskId, replicas } = facts;
    const known = this.#tasks.get(taskId);
    if (known && known.state === 'uploading' && known.uploader !== hostId)
      throw new DragonflyError('ALREADY_EXISTS', `task ${taskId} is being imported by host ${known.uploader}`);
    // Content that its store does not have yet comes back with its hosts.
    const awaited = known?.facts.object?.state === 'pending' && known.replicas.size > 0;
    if (known && known.state === 'succeeded' && (awaited || presentHosts(known).length > 0))
      throw new DragonflyError('ALREADY_EXISTS', `task ${taskId} is already there`);
    this.#requireReplicas(replicas);
    if (!known && this.#tasks.size >= this.limits.maxTasks)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${this.#tasks.size} tasks are kept already`);
    if (known) this.#drop(known);
    this.#ended.delete(taskId);
    this.#add(facts, nowMs).uploader = hostId;
    return [];
  }

  /**
   * The importing host has everything on its disk. With `waits` the import is acknowledged by `settled`, and given up
   * by `stuck`. Throws NOT_FOUND, FAILED_PRECONDITION.
   */
  uploadFinished(
    taskId: string,
    hostId: string,
    { waits, nowMs, facts }: { waits: boolean; nowMs: number; facts?: KeptFacts | undefined },
  ): ReplicaEffect[] {
    const task = this.#require(taskId);
    // A scheduler that lost its memory may have learned of the content from its holder.
    if (task.uploader !== hostId && !task.replicas.has(hostId))
      throw new DragonflyError('FAILED_PRECONDITION', `task ${taskId} is not imported by host ${hostId}`);
    if (facts) this.#learn(task, facts, hostId);
    task.state = 'succeeded';
    task.uploader = waits ? hostId : undefined;
    this.#addReplica(task, hostId, { persistent: true, imported: waits });
    return this.#look(task, nowMs);
  }

  /** The import came to nothing, and its host has nothing of it any more. No error when it is not known. */
  uploadFailed(taskId: string, hostId: string, nowMs: number): ReplicaEffect[] {
    const task = this.#tasks.get(taskId);
    if (!task || task.uploader !== hostId) return this.released(taskId, hostId, nowMs);
    task.replicas.delete(hostId);
    this.#fail(task, hostId, nowMs);
    return this.#lookAround(nowMs);
  }

  /**
   * A host reports that it has all of the task. It is told to delete a task that was deleted or has expired. Throws
   * INVALID_ARGUMENT when others reported something else, RESOURCE_EXHAUSTED when there are too many tasks.
   */
  held(
    facts: KeptFacts,
    hostId: string,
    { persistent, nowMs }: { persistent: boolean; nowMs: number },
  ): ReplicaEffect[] {
    const { taskId } = facts;
    const known = this.#tasks.get(taskId);
    if (known) this.#learn(known, facts, hostId);
    const isOver = expiresMs(known?.facts ?? facts) <= nowMs;
    if (this.#ended.get(taskId, hostId) || isOver) return [...this.tick(nowMs), removal(facts, hostId)];
    if (!known) {
      this.#requireReplicas(facts.replicas);
      if (this.#tasks.size >= this.limits.maxTasks)
        throw new DragonflyError('RESOURCE_EXHAUSTED', `${this.#tasks.size} tasks are kept already`);
    }
    const task = known ?? this.#adopt(facts, nowMs);
    // A host that was interrupted during its import is back with all of it, and nobody waits any more.
    if (task.state === 'uploading') task.uploader = undefined;
    task.state = 'succeeded';
    this.#addReplica(task, hostId, { persistent, imported: false });
    return this.#look(task, nowMs);
  }

  /** The host holds nothing of it any more, or only a part. */
  released(taskId: string, hostId: string, nowMs: number): ReplicaEffect[] {
    const task = this.#tasks.get(taskId);
    return task?.replicas.delete(hostId) === true ? this.#look(task, nowMs) : [];
  }

  /** A host has done what `make` or `keep` asked for. */
  made(taskId: string, hostId: string, nowMs: number): ReplicaEffect[] {
    const task = this.#tasks.get(taskId);
    const ended = this.#ended.get(taskId, hostId);
    if (!task) return ended ? [{ kind: 'remove', taskId, hostId, ofObject: ended.ofObject }] : [];
    this.#endMaking(task, hostId);
    task.shunned.delete(hostId);
    if (this.#hosts.has(hostId))
      this.#addReplica(task, hostId, { persistent: true, imported: task.uploader !== undefined });
    return this.#look(task, nowMs);
  }

  /** The host failed: another one is asked, and this one not again soon. */
  makeFailed(taskId: string, hostId: string, nowMs: number): ReplicaEffect[] {
    const task = this.#tasks.get(taskId);
    if (!task) return [];
    this.#endMaking(task, hostId);
    const failures = (task.shunned.get(hostId)?.failures ?? 0) + 1;
    const { retryMs, mostRetryMs } = this.limits;
    const untilMs = nowMs + Math.min(mostRetryMs, retryMs * 2 ** (failures - 1));
    task.shunned.set(hostId, { untilMs, failures });
    this.#due.add(untilMs, taskId);
    return this.#look(task, nowMs);
  }

  /** An authorised caller deletes it everywhere. Throws NOT_FOUND. */
  deleted(taskId: string, nowMs: number): ReplicaEffect[] {
    this.#remove(this.#require(taskId), nowMs);
    return this.#lookAround(nowMs);
  }

  /** Does what is due: expiries, hosts that did not come back, hosts to be asked again. */
  tick(nowMs: number): ReplicaEffect[] {
    for (let taskId = this.#due.take(nowMs); taskId !== undefined; taskId = this.#due.take(nowMs)) {
      const task = this.#tasks.get(taskId);
      if (!task) continue;
      if (expiresMs(task.facts) <= nowMs) this.#remove(task, nowMs);
      else this.#settle(task, nowMs);
    }
    this.#ended.forget(nowMs);
    return this.#lookAround(nowMs);
  }

  nextTickMs(): number | undefined {
    return this.#due.nextMs;
  }

  #add(facts: KeptFacts, nowMs: number): KeptTask {
    const task: KeptTask = {
      facts,
      state: 'uploading',
      uploader: undefined,
      replicas: new Map(),
      making: new Set(),
      shunned: new Map(),
      stuckSinceMs: undefined,
      adoptedMs: undefined,
      updatedMs: nowMs,
    };
    this.#tasks.set(facts.taskId, task);
    this.#awaitEnd(facts);
    return task;
  }

  /** An upload that has completed since is reported to the holders, so that the task expires there as well. Throws INVALID_ARGUMENT. */
  #learn(task: KeptTask, told: KeptFacts, hostId: string): void {
    const { taskId } = task.facts;
    requireSame(task.facts, told);
    const facts = withNews(task.facts, told);
    if (facts !== task.facts) {
      task.facts = facts;
      this.#awaitEnd(facts);
      for (const other of presentHosts(task))
        if (other !== hostId) this.#out.push({ kind: 'tell', taskId, hostId: other });
    } else if (withNews(told, facts) !== told) this.#out.push({ kind: 'tell', taskId, hostId });
  }

  #awaitEnd(facts: KeptFacts): void {
    if (Number.isFinite(expiresMs(facts))) this.#due.add(expiresMs(facts), facts.taskId);
  }

  /** A host announces a task that is unknown here, from before a restart: other holders may announce it soon. */
  #adopt(facts: KeptFacts, nowMs: number): KeptTask {
    const task = this.#add(facts, nowMs);
    task.adoptedMs = nowMs;
    this.#due.add(nowMs + this.limits.returnMs, facts.taskId);
    return task;
  }

  /** One that is to stay does, and one that was there before an import is not of it. */
  #addReplica(task: KeptTask, hostId: string, now: Pick<Replica, 'persistent' | 'imported'>): void {
    const before = task.replicas.get(hostId);
    const stays = before?.persistent === true;
    const imported = now.imported && (!stays || before.imported);
    task.replicas.set(hostId, { hostId, persistent: now.persistent || stays, imported, awaySinceMs: undefined });
  }

  /** Handles a changed task, then others that lack replicas, as long as capacity is left. */
  #look(task: KeptTask, nowMs: number): ReplicaEffect[] {
    task.updatedMs = nowMs;
    if (this.#tasks.get(task.facts.taskId) === task) this.#settle(task, nowMs);
    return this.#lookAround(nowMs);
  }

  #lookAround(nowMs: number): ReplicaEffect[] {
    for (const task of Array.from(this.#lacking)) {
      if (this.#making >= this.limits.maxMaking) break;
      this.#settle(task, nowMs);
    }
    return this.#out.splice(0);
  }

  #endMaking(task: KeptTask, hostId: string): void {
    if (task.making.delete(hostId)) this.#making -= 1;
  }

  /** Ends the record; those who hold something of it are told, and those who come back with it later. */
  #remove(task: KeptTask, nowMs: number, hosts?: ReadonlySet<string>): void {
    for (const hostId of new Set([...presentHosts(task), ...task.making])) this.#out.push(removal(task.facts, hostId));
    this.#ended.add(task.facts, nowMs, hosts);
    this.#drop(task);
  }

  /**
   * Nobody is told that an import has succeeded: what came to be for it goes. What hosts held before is not of it, also where this keeper has not
   * heard of it yet; and the host of the import sees to its own copy itself, since it alone knows whether that was there before.
   */
  #fail(task: KeptTask, hostId: string, nowMs: number): void {
    task.uploader = undefined;
    task.stuckSinceMs = undefined;
    if (task.replicas.get(hostId)?.imported === true) task.replicas.delete(hostId);
    const replicas = [...task.replicas.values()];
    if (replicas.some(({ persistent, imported }) => persistent && !imported)) {
      for (const replica of replicas) replica.imported = false;
      this.#lacking.add(task);
      return;
    }
    this.#remove(task, nowMs, new Set([...task.replicas.keys(), ...task.making]));
  }

  #drop(task: KeptTask): void {
    for (const hostId of Array.from(task.making)) this.#endMaking(task, hostId);
    this.#tasks.delete(task.facts.taskId);
    this.#lacking.delete(task);
  }

  #settle(task: KeptTask, nowMs: number): void {
    if (task.state === 'uploading') return;
    const { replicas: wanted } = task.facts;
    const present = persistentHosts(task);
    if (present.length >= wanted) return this.#enough(task, present);
    this.#lacking.add(task);
    // A waiting import does not wait for hosts to come back.
    const returning = task.uploader === undefined ? this.#returning(task, nowMs) : 0;
    let missing = wanted - present.length - task.making.size - returning;
    while (missing > 0 && this.#making < this.limits.maxMaking && presentHosts(task).length > 0) {
      const effect = this.#nextReplica(task, nowMs);
      if (!effect) break;
      task.making.add(effect.hostId);
      this.#making += 1;
      this.#out.push(effect);
      missing -= 1;
    }
    if (missing <= 0 || task.making.size > 0) task.stuckSinceMs = undefined;
    else if (task.uploader !== undefined && this.#making < this.limits.maxMaking)
      this.#stuck(task, present.length, nowMs);
  }

  #enough(task: KeptTask, present: readonly string[]): void {
    const { taskId, replicas: wanted } = task.facts;
    this.#lacking.delete(task);
    task.stuckSinceMs = undefined;
    if (task.uploader !== undefined) {
      task.uploader = undefined;
      for (const replica of task.replicas.values()) replica.imported = false;
      this.#out.push({ kind: 'settled', taskId });
    }
    for (let spare = present.length - wanted; spare > 0; spare -= 1) {
      const place = nearestPlace(this.#places(persistentHosts(task)));
      const replica = place && task.replicas.get(place.hostId);
      if (!replica) return;
      replica.persistent = false;
      this.#out.push({ kind: 'release', taskId, hostId: replica.hostId });
    }
  }

  #stuck(task: KeptTask, hosts: number, nowMs: number): void {
    if (task.stuckSinceMs === undefined) {
      task.stuckSinceMs = nowMs;
      this.#due.add(nowMs + this.limits.patienceMs, task.facts.taskId);
    } else if (nowMs - task.stuckSinceMs >= this.limits.patienceMs) {
      this.#out.push({ kind: 'stuck', taskId: task.facts.taskId, hosts });
      this.#fail(task, task.uploader ?? '', nowMs);
    }
  }

  /** Prefers an existing copy, which costs nothing, to a host without one. */
  #nextReplica(task: KeptTask, nowMs: number): (ReplicaEffect & { readonly kind: 'keep' | 'make' }) | undefined {
    const { taskId, contentLengthBytes } = task.facts;
    const isFree = (hostId: string): boolean =>
      !task.making.has(hostId) && (task.shunned.get(hostId)?.untilMs ?? 0) <= nowMs;
    const holders = this.#places([...persistentHosts(task), ...task.making]);
    const cached = [...task.replicas.values()].filter(({ hostId, persistent }) => !persistent && isFree(hostId));
    const kept = nextPlace(this.#places(cached.map(({ hostId }) => hostId)), holders);
    if (kept) return { kind: 'keep', taskId, hostId: kept.hostId };
    const candidates = [...this.#hosts.values()].filter(
      ({ hostId, shares, freeBytes }) =>
        shares && freeBytes >= contentLengthBytes && !task.replicas.has(hostId) && isFree(hostId),
    );
    const place = nextPlace(candidates, holders);
    return place && { kind: 'make', taskId, hostId: place.hostId };
  }

  /** Persistent replicas whose host may still return in time; unlimited while hosts may not have reported yet. */
  #returning({ replicas, adoptedMs }: KeptTask, nowMs: number): number {
    const { returnMs } = this.limits;
    if (adoptedMs !== undefined && nowMs - adoptedMs < returnMs) return Number.POSITIVE_INFINITY;
    return [...replicas.values()].filter(
      ({ persistent, awaySinceMs }) => persistent && awaySinceMs !== undefined && nowMs - awaySinceMs < returnMs,
    ).length;
  }

  #places(hostIds: readonly string[]): HostPlace[] {
    return hostIds.flatMap((hostId) => this.#hosts.get(hostId) ?? []);
  }

  #require(taskId: string): KeptTask {
    const task = this.#tasks.get(taskId);
    if (!task) throw new DragonflyError('NOT_FOUND', `this scheduler knows no kept task ${taskId}`);
    return task;
  }

  #requireReplicas(replicas: number): void {
    if (Number.isInteger(replicas) && replicas >= 1 && replicas <= this.limits.maxReplicas) return;
    throw new DragonflyError('INVALID_ARGUMENT', `${replicas} replicas are none of 1 to ${this.limits.maxReplicas}`);
  }
}
