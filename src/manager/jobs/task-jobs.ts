/** Finds the hosts that hold a task (`get_task`, `get_image_distribution`), and deletes it from all of them (`delete_task`). */
import { toDragonflyError } from '../../core/errors.ts';
import { taskId } from '../../core/ids.ts';
import { redact } from '../../core/redact.ts';
import type { StatLocalTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { SchedulerCluster } from '../clusters/topology.ts';
import { concurrentPeers, concurrentTasks } from '../limits.ts';
import type { JobContext, JobExecutor } from './executor.ts';
import type { ClusterHost } from './host-selection.ts';
import { hostOf } from './job-tasks.ts';
import { defaultPlatform, distributionArgs, identityOf, taskArgs, type TaskArgs } from './job-types.ts';
import { runAll } from './pool.ts';
import type { PreheatParts } from './preheat.ts';
import { findImage } from '../../rpc/registry/image.ts';
import { deleteResult, getResult } from './results.ts';

interface Holder {
  readonly host: ClusterHost;
  readonly local: StatLocalTaskResponse;
}

export function getTask(parts: PreheatParts): JobExecutor {
  return async (context) => {
    const args = taskArgs.parse(context.args);
    const id = identify(args);
    const limits = { limit: args.concurrent_peer_count, signal: context.signal };
    const clusters = await askedClusters(parts, context);
    const found = new Map<number, object[]>();
    for (const cluster of clusters) {
      const hosts = await parts.hosts.listReachable(cluster, context.signal);
      found.set(cluster.id, (await findHolders(parts, hosts, id, limits)).map(holderResult));
    }
    return { state: 'SUCCESS', result: getResult(clusters, found) };
  };
}

export function deleteTask(parts: PreheatParts): JobExecutor {
  return async (context) => {
    const args = taskArgs.parse(context.args);
    const id = identify(args);
    const { tasks, signal, job } = context;
    const clusters = await askedClusters(parts, context);
    let units = await tasks.list(job.id);
    if (units.length === 0) {
      for (const cluster of clusters) {
        const hosts = await parts.hosts.listReachable(cluster, signal);
        const holders = await findHolders(parts, hosts, id, { limit: args.concurrent_peer_count, signal });
        await tasks.create(
          job.id,
          holders.map(({ host }) => ({ host, url: redact(args.url ?? ''), item: 0 })),
        );
      }
      units = await tasks.list(job.id);
    }
    const open = units.filter((unit) => unit.state !== 'SUCCESS');
    await runAll(
      open,
      args.concurrent_peer_count ?? concurrentPeers,
      async (unit) => {
        try {
          await parts.daemons.delete(hostOf(unit), id, signal);
          await tasks.update(unit.id, { state: 'SUCCESS', task_id: id, error: '' });
        } catch (error) {
          signal.throwIfAborted();
          await tasks.update(unit.id, { state: 'FAILURE', task_id: id, error: toDragonflyError(error).message });
        }
      },
      signal,
    );
    const finished = await tasks.list(job.id);
    const failed = finished.some((unit) => unit.state !== 'SUCCESS');
    return { state: failed ? 'FAILURE' : 'SUCCESS', result: deleteResult(clusters, finished) };
  };
}

/** Finds which layers of an image are on which hosts. */
export function imageDistribution(parts: PreheatParts): JobExecutor {
  return async (context) => {
    const args = distributionArgs.parse(context.args);
    const { signal } = context;
    const { blobs } = await findImage(parts.registry, { ...args, platform: args.platform ?? defaultPlatform }, signal);
    const urls = blobs.map(({ url }) => url);
    const layersByHost = new Map<string, { host: ClusterHost; layers: { url: string }[] }>();
    for (const cluster of await askedClusters(parts, context)) {
      const hosts = await parts.hosts.listReachable(cluster, signal);
      const blobDigestAsId = !(await parts.hosts.blobsByUrl([cluster.id], signal));
      await runAll(
        urls,
        args.concurrent_layer_count ?? concurrentTasks,
        async (url) => {
          const holders = await findHolders(parts, hosts, taskId({ url, ...identityOf(args), blobDigestAsId }), {
            limit: args.concurrent_peer_count,
            signal,
          });
          for (const { host } of holders.filter(({ local }) => local.finishedAt !== undefined)) {
            const key = `${host.clusterId} ${host.id}`;
            const known = layersByHost.get(key) ?? { host, layers: [] };
            layersByHost.set(key, known);
            known.layers.push({ url });
          }
        },
        signal,
      );
    }
    const peers = [...layersByHost.values()].map(({ host, layers }) => ({
      ip: host.ip,
      hostname: host.hostname,
      cached_layers: layers,
      scheduler_cluster_id: host.clusterId,
    }));
    return {
      state: 'SUCCESS',
      result: { results: [], error: '', reply: { image: { layers: urls.map((url) => ({ url })) }, peers } },
    };
  };
}

function identify(args: TaskArgs): string {
  if (args.url !== undefined) return taskId({ url: args.url, ...identityOf(args) });
  return args.task_id ?? taskId({ url: '', contentForCalculatingTaskId: args.content_for_calculating_task_id });
}

async function askedClusters({ hosts }: PreheatParts, { job }: JobContext): Promise<SchedulerCluster[]> {
  const clusters = await hosts.clusters(job.schedulerClusterIds);
  return job.schedulerClusterIds.length > 0 ? clusters : clusters.filter(({ schedulers }) => schedulers.length > 0);
}

function holderResult({ host, local }: Holder) {
  return {
    id: host.id,
    hostname: host.hostname,
    ip: host.ip,
    host_type: host.seed ? 'super' : 'normal',
    created_at: iso(local.createdAt),
    updated_at: iso(local.updatedAt),
    IsFinished: local.finishedAt !== undefined,
  };
}

/** A host that cannot be asked does not count as a holder. */
async function findHolders(
  { daemons }: PreheatParts,
  hosts: readonly ClusterHost[],
  id: string,
  { limit = concurrentPeers, signal }: { limit: number | undefined; signal: AbortSignal },
): Promise<Holder[]> {
  const holders: Holder[] = [];
  await runAll(
    hosts,
    limit,
    async (host) => {
      try {
        const local = await daemons.stat(host, id, signal);
        if (local) holders.push({ host, local });
      } catch {
        signal.throwIfAborted();
      }
    },
    signal,
  );
  return holders;
}

function iso(date: Date | undefined): string {
  return (date ?? new Date(0)).toISOString();
}
