/**
 * Gives the keeper of replicas its clock and carries out its decisions: hosts are told to make, keep, release or delete
 * replicas. Callers that wait for an import are answered when it is settled.
 */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { hostPort } from '../../core/net/host-port.ts';
import { orAborted, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient, type RpcClient } from '../../rpc/client.ts';
import { schedulerHeader } from '../../rpc/features.ts';
import { keptUrl, toKeptContent } from '../../rpc/fields/kept-content.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import {
  DfdaemonUploadDefinition,
  DownloadPersistentCacheTaskRequest,
  DownloadPersistentTaskRequest,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import { presentHosts, type KeptFacts, type KeptTask, type StoredObject } from '../../swarm/replicas/kept-task.ts';
import type { ReplicaLimits } from '../../swarm/replicas/limits.ts';
import type { ReplicaEffect } from '../../swarm/replicas/replica-effect.ts';
import { ReplicaKeeper } from '../../swarm/replicas/replica-keeper.ts';
import type { Brain } from '../brain.ts';
import { longestTickMs, replicaCallMs, replicaTimeoutMs } from '../limits.ts';
import { heldPeerId } from './kept-messages.ts';

export interface ReplicaDeskOptions {
  readonly brain: Brain;
  /** Connections to the nodes, with the key of this scheduler. */
  readonly channels: Channels;
  /** The address of this scheduler as daemons know it. */
  readonly ownAddress: () => string;
  readonly logger: Logger;
  readonly limits?: Partial<ReplicaLimits> | undefined;
}

/** A caller that waits: `draining` aborts when this scheduler stops. */
type Waiter = Pick<CallContext, 'signal' | 'draining'>;

type ReplicaEvent = (keeper: ReplicaKeeper, nowMs: number) => readonly ReplicaEffect[];

export class ReplicaDesk implements Closable {
  readonly keeper: ReplicaKeeper;
  readonly #options: ReplicaDeskOptions;
  readonly #controller = new AbortController();
  /** Imports that wait for their replicas. */
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Infinity;

  constructor(options: ReplicaDeskOptions) {
    this.#options = options;
    this.keeper = new ReplicaKeeper(options.limits);
    options.brain.onHostGone((hostId) => this.run((keeper, nowMs) => keeper.hostLeft(hostId, nowMs)));
  }

  /** Runs one event. Throws what the keeper throws; then nothing has changed. */
  run(event: ReplicaEvent): void {
    try {
      for (const effect of event(this.keeper, Date.now())) this.#carryOut(effect);
    } finally {
      this.#schedule();
    }
  }

  hostSeen(host: Host): void {
    const { idc = '', location = '' } = host.network ?? {};
    const place = {
      hostId: host.id,
      ip: host.ip,
      idc,
      location,
      freeBytes: host.disk?.free ?? Number.MAX_SAFE_INTEGER,
      shares: !host.disableShared,
    };
    this.run((keeper, nowMs) => keeper.hostSeen(place, nowMs));
  }

  /** A host holds the whole task, so others can get it from there from now on. */
  held(facts: KeptFacts, hostId: string, persistent: boolean): void {
    this.run((keeper, nowMs) => keeper.held(facts, hostId, { persistent, nowMs }));
  }

  /**
   * The import is on its host's disk. Resolves when as many hosts hold it as were asked for. Throws NOT_FOUND,
   * FAILED_PRECONDITION, RESOURCE_EXHAUSTED when there are too few hosts, UNAVAILABLE when this scheduler stops, and
   * the signal's reason; in that last case the import goes on without its caller.
   */
  async finished(taskId: string, hostId: string, { signal, draining }: Waiter): Promise<void> {
    const waiting = this.#waiting.get(taskId) ?? Promise.withResolvers<void>();
    this.#waiting.set(taskId, waiting);
    waiting.promise.catch(() => undefined);
    try {
      this.run((keeper, nowMs) => keeper.uploadFinished(taskId, hostId, { waits: true, nowMs }));
      this.showHolders(taskId);
      const ends = AbortSignal.any([signal, draining, this.#controller.signal]);
      await orAborted(waiting.promise, ends).catch((error: unknown) => {
        signal.throwIfAborted();
        throw ends.aborted ? stopping() : error;
      });
    } finally {
      if (this.#waiting.get(taskId) === waiting) this.#waiting.delete(taskId);
    }
  }

  /** Resolves when every present host has deleted it, or could not be reached. Throws NOT_FOUND. */
  async deleted(taskId: string): Promise<void> {
    const before = new Set(this.#running);
    this.run((keeper, nowMs) => keeper.deleted(taskId, nowMs));
    await Promise.all([...this.#running].filter((work) => !before.has(work)));
  }

  /** The holders are parents for every download of the task. Holders that the swarm has forgotten, or does not know yet, are added to it. */
  showHolders(taskId: string): void {
    const task = this.keeper.get(taskId);
    if (!task) return;
    const { brain, logger } = this.#options;
    for (const hostId of presentHosts(task)) {
      const peers = [...(brain.swarm.host(hostId)?.peers ?? [])];
      if (!brain.swarm.host(hostId) || peers.some((peer) => peer.task.id === taskId)) continue;
      try {
        brain.run((swarm, nowMs) => swarm.announceHeld(hostId, heldTask(task, hostId), nowMs));
      } catch (error) {
        logger.warn({ taskId, hostId, error: toDragonflyError(error).message }, 'a holder cannot be offered to others');
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#controller.abort(stopping());
    await Promise.all(this.#running);
  }

  #carryOut(effect: ReplicaEffect): void {
    const { taskId } = effect;
    if (effect.kind === 'settled') return this.#waiting.get(taskId)?.resolve();
    if (effect.kind === 'stuck') return this.#waiting.get(taskId)?.reject(tooFewHosts(taskId, effect.hosts));
    const work = this.#atHost(effect).finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  /** Never rejects: failures of a host are reported to the keeper. */
  async #atHost(effect: Extract<ReplicaEffect, { hostId: string }>): Promise<void> {
    const { logger } = this.#options;
    const { kind, taskId, hostId } = effect;
    const asks = kind === 'make' || kind === 'keep';
    const facts = this.keeper.get(taskId)?.facts;
    try {
      await Promise.resolve(); // the keeper is still handling an event
      if (asks) this.showHolders(taskId);
      await (effect.kind === 'remove' ? this.#remove(effect) : this.#call(effect.kind, { taskId, hostId, facts }));
      if (asks) this.run((keeper, nowMs) => keeper.made(taskId, hostId, nowMs));
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      const { code, message } = toDragonflyError(error);
      if (code !== 'NOT_FOUND')
        logger.warn({ taskId, hostId, code, reason: message }, `a host did not ${kind} a replica`);
      if (asks) this.run((keeper, nowMs) => keeper.makeFailed(taskId, hostId, nowMs));
    }
  }

  /** Daemons of the original store the two kinds separately. */
  async #remove({ taskId, hostId, ofObject }: Extract<ReplicaEffect, { kind: 'remove' }>): Promise<void> {
    const client = this.#client(hostId);
    const call = { signal: this.#controller.signal, timeoutMs: replicaCallMs };
    await (ofObject
      ? client.deletePersistentTask({ taskId }, call)
      : client.deletePersistentCacheTask({ taskId }, call));
  }

  async #call(
    kind: 'make' | 'keep' | 'tell' | 'release',
    {
      taskId,
      hostId,
      facts,
    }: { readonly taskId: string; readonly hostId: string; readonly facts: KeptFacts | undefined },
  ): Promise<void> {
    const { signal } = this.#controller;
    const client = this.#client(hostId);
    const call = { signal, timeoutMs: replicaCallMs };
    if (!facts) throw new DragonflyError('NOT_FOUND', `task ${taskId} is gone`);
    if (kind !== 'make') {
      const persistent = this.#isPersistentAt(taskId, hostId, kind);
      if (!facts.object) return void (await client.updatePersistentCacheTask({ taskId, persistent }, call));
      await client.updatePersistentTask({ taskId, persistent, kept: toKeptContent(facts, persistent) }, call);
      return;
    }
    const metadata = { [schedulerHeader]: this.#options.ownAddress() };
    const download = { signal, timeoutMs: replicaTimeoutMs, metadata };
    const pieces = facts.object
      ? client.downloadPersistentTask(objectReplica(facts, facts.object), download)
      : client.downloadPersistentCacheTask(cacheReplica(facts), download);
    for await (const _piece of pieces);
  }

  #isPersistentAt(taskId: string, hostId: string, kind: 'keep' | 'tell' | 'release'): boolean {
    return kind === 'tell' ? this.keeper.get(taskId)?.replicas.get(hostId)?.persistent === true : kind === 'keep';
  }

  #client(hostId: string): RpcClient<typeof DfdaemonUploadDefinition> {
    const { brain, channels } = this.#options;
    const host = brain.hosts.get(hostId)?.host;
    if (!host) throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is gone`);
    return createClient(DfdaemonUploadDefinition, channels, hostPort(host.ip, host.port));
  }

  #schedule(): void {
    const dueMs = this.keeper.nextTickMs();
    if (this.#controller.signal.aborted || dueMs === undefined || dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    const waitMs = Math.min(longestTickMs, Math.max(0, dueMs - Date.now()));
    this.#timer = setTimeout(() => {
      this.#timerDueMs = Infinity;
      this.run((keeper, nowMs) => keeper.tick(nowMs));
    }, waitMs);
    this.#timer.unref();
  }
}

function heldTask({ facts }: Readonly<KeptTask>, hostId: string): Parameters<Brain['swarm']['announceHeld']>[1] {
  const { taskId, contentLengthBytes, pieceLengthBytes } = facts;
  return {
    taskId,
    peerId: heldPeerId(hostId, taskId),
    url: keptUrl(facts),
    layout: { contentLengthBytes, pieceLengthBytes },
    pieces: PieceSet.range(0, Math.ceil(contentLengthBytes / pieceLengthBytes)),
  };
}

function cacheReplica(facts: KeptFacts): DownloadPersistentCacheTaskRequest {
  const { taskId, tag, application } = facts;
  return DownloadPersistentCacheTaskRequest.fromPartial({
    taskId,
    persistent: true,
    kept: toKeptContent(facts, true),
    ...(tag !== undefined && { tag }),
    ...(application !== undefined && { application }),
  });
}

/** Nodes get it from each other, so no credentials are needed. */
function objectReplica(facts: KeptFacts, { url, region, endpoint }: StoredObject): DownloadPersistentTaskRequest {
  return DownloadPersistentTaskRequest.fromPartial({
    url,
    objectStorage: { region, endpoint },
    persistent: true,
    kept: toKeptContent(facts, true),
  });
}

function stopping(): DragonflyError {
  return new DragonflyError('UNAVAILABLE', 'the scheduler is shutting down');
}

function tooFewHosts(taskId: string, hosts: number): DragonflyError {
  return new DragonflyError(
    'RESOURCE_EXHAUSTED',
    `only ${hosts} of the hosts could hold task ${taskId}: it is not imported`,
    {
      hint: 'Ask for fewer replicas with --persistent-replica-count, or add hosts with room on their disks.',
    },
  );
}
