/**
 * Imported content that stays in the clusters, as their schedulers know it: every scheduler has the records of its own
 * tasks. Two may know a task after one of them was away; the record with more holders counts.
 */
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { SchedulerLiveDefinition, type KeptReplica, type KeptTaskSummary } from '../../../gen/scheduler/v2/live.ts';
import { SchedulerDefinition } from '../../../gen/scheduler/v2/scheduler.ts';
import type { ObjectState } from '../../swarm/replicas/kept-task.ts';
import type { SchedulerCluster, Topology } from '../clusters/topology.ts';

const peerSchema = z.object({
  id: z.string().describe('id of the host'),
  persistent: z.boolean().describe('its collector does not take it'),
  state: z.enum(['Succeeded', 'Running', 'Away']),
  host: z.object({
    id: z.string(),
    type: z.enum(['normal', 'super']),
    hostname: z.string(),
    ip: z.string(),
    port: z.int(),
    download_port: z.int(),
    network: z.object({ idc: z.string(), location: z.string() }),
  }),
});

/** Names as in the API of the original. */
export const keptTaskSchema = z.object({
  id: z.string(),
  scheduler_cluster_id: z.int(),
  persistent_replica_count: z.int().describe('hosts that are to hold it'),
  current_persistent_replica_count: z.int().describe('hosts that do'),
  current_replica_count: z.int().describe('with copies in caches'),
  tag: z.string(),
  application: z.string(),
  digest: z.string().describe('of the whole content; empty when it is not known'),
  owner: z.string().describe('user and host that imported it'),
  piece_length: z.int(),
  content_length: z.int(),
  total_piece_count: z.int(),
  state: z.enum(['Uploading', 'Succeeded']),
  ttl: z.int().describe('nanoseconds'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  object: z
    .object({
      url: z.string(),
      region: z.string(),
      endpoint: z.string(),
      state: z.enum(['stored', 'pending', 'replicas']).describe('in its store, on its way there, or not to go there'),
      etag: z.string().describe("the store's entity tag; empty when it is not known"),
    })
    .nullable()
    .describe('of a persistent task: the object of a store that it belongs to'),
  peers: z.array(peerSchema),
});

export type KeptTask = z.output<typeof keptTaskSchema>;

/** A scheduler with a hundred thousand of them takes some time. */
const listTimeoutMs = 30_000;
const deleteTimeoutMs = 60_000;
/** Host id under which the manager deletes; no host has it. */
const managerId = 'manager';

export class KeptTasks {
  readonly #topology: Topology;
  readonly #channels: Channels;

  constructor(topology: Topology, channels: Channels) {
    this.#topology = topology;
    this.#channels = channels;
  }

  /** Newest first. @param clusterId undefined for all clusters. Throws NOT_FOUND, UNAVAILABLE when no scheduler answers. */
  async list(clusterId: number | undefined, taskId = ''): Promise<KeptTask[]> {
    const byKey = new Map<string, KeptTask>();
    for (const cluster of await this.#clusters(clusterId)) {
      for (const summary of await this.#ask(cluster, taskId)) {
        const task = toKeptTask(summary, cluster.id);
        const key = `${cluster.id} ${task.id}`;
        const known = byKey.get(key);
        if (!known || known.current_replica_count < task.current_replica_count) byKey.set(key, task);
      }
    }
    return [...byKey.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  /** Throws NOT_FOUND, UNAVAILABLE. */
  async get(taskId: string, clusterId: number | undefined): Promise<KeptTask> {
    const [task] = await this.list(clusterId, taskId);
    if (!task) throw new DragonflyError('NOT_FOUND', `there is no imported content ${taskId}`);
    return task;
  }

  /** Deletes it from all hosts of the cluster that hold it. Throws NOT_FOUND, UNAVAILABLE. */
  async delete(taskId: string, clusterId: number | undefined): Promise<void> {
    let deleted = 0;
    for (const cluster of await this.#clusters(clusterId)) {
      const answers = await Promise.allSettled(
        cluster.schedulers.map(({ ip, port }) => this.#deleteAt(hostPort(ip, port), taskId)),
      );
      const failures = answers.flatMap((answer) =>
        answer.status === 'rejected' ? [toDragonflyError(answer.reason)] : [],
      );
      const failure = failures.find(({ code }) => code !== 'NOT_FOUND' && code !== 'UNSUPPORTED');
      if (failure) throw failure;
      deleted += answers.length - failures.length;
    }
    if (deleted === 0) throw new DragonflyError('NOT_FOUND', `there is no imported content ${taskId}`);
  }

  /** Deletes a task of either kind. Throws NOT_FOUND, UNSUPPORTED by a scheduler of the original without Redis. */
  async #deleteAt(scheduler: string, taskId: string): Promise<void> {
    const client = createClient(SchedulerDefinition, this.#channels, scheduler);
    const request = { hostId: managerId, taskId };
    const call = { timeoutMs: deleteTimeoutMs };
    try {
      await client.deletePersistentCacheTask(request, call);
    } catch (error) {
      if (toDragonflyError(error).code !== 'NOT_FOUND') throw error;
      await client.deletePersistentTask(request, call);
    }
  }

  async #clusters(id: number | undefined): Promise<SchedulerCluster[]> {
    const { clusters } = await this.#topology.current();
    if (id === undefined) return [...clusters.values()];
    const cluster = clusters.get(id);
    if (!cluster) throw new DragonflyError('NOT_FOUND', `there is no cluster ${id}`);
    return [cluster];
  }

  /** A scheduler that fails, or is of the original, contributes nothing; throws when all of them fail. */
  async #ask({ schedulers }: SchedulerCluster, taskId: string): Promise<KeptTaskSummary[]> {
    const answers = await Promise.allSettled(
      schedulers.map(async ({ ip, port }) => {
        const client = createClient(SchedulerLiveDefinition, this.#channels, hostPort(ip, port));
        const tasks: KeptTaskSummary[] = [];
        for await (const frame of client.listKeptTasks({ taskId }, { timeoutMs: listTimeoutMs }))
          tasks.push(...frame.tasks);
        return tasks;
      }),
    );
    const failed = answers.flatMap((answer) => (answer.status === 'rejected' ? [toDragonflyError(answer.reason)] : []));
    const [first] = failed.filter(({ code }) => code !== 'UNSUPPORTED');
    if (first && failed.length === answers.length) throw first;
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  }
}

function toKeptTask({ task, replicas }: KeptTaskSummary, clusterId: number): KeptTask {
  const { kept, ttl, createdAt, updatedAt } = task ?? {};
  return {
    id: task?.id ?? '',
    scheduler_cluster_id: clusterId,
    persistent_replica_count: task?.persistentReplicaCount ?? 0,
    current_persistent_replica_count: task?.currentPersistentReplicaCount ?? 0,
    current_replica_count: task?.currentReplicaCount ?? 0,
    tag: task?.tag ?? '',
    application: task?.application ?? '',
    digest: kept?.digest ?? '',
    owner: kept?.owner ?? '',
    piece_length: task?.pieceLength ?? 0,
    content_length: task?.contentLength ?? 0,
    total_piece_count: task?.pieceCount ?? 0,
    state: task?.state === 'Uploading' ? 'Uploading' : 'Succeeded',
    ttl: (ttl?.seconds ?? 0) * 1e9,
    created_at: (createdAt ?? new Date(0)).toISOString(),
    updated_at: (updatedAt ?? new Date(0)).toISOString(),
    object: kept?.object ? { ...kept.object, state: kept.object.state as ObjectState } : null,
    peers: replicas.map(toPeer),
  };
}

function toPeer({ host, persistent, away, making }: KeptReplica): KeptTask['peers'][number] {
  const id = host?.id ?? '';
  return {
    id,
    persistent,
    state: away ? 'Away' : making ? 'Running' : 'Succeeded',
    host: {
      id,
      type: (host?.type ?? 0) === 0 ? 'normal' : 'super',
      hostname: host?.hostname ?? '',
      ip: host?.ip ?? '',
      port: host?.port ?? 0,
      download_port: host?.downloadPort ?? 0,
      network: { idc: host?.network?.idc ?? '', location: host?.network?.location ?? '' },
    },
  };
}
