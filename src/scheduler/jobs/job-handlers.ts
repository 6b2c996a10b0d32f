/** Handles the jobs that a manager of the original leaves in its queue, and answers in the layout that it reads. */
import { DragonflyError } from '../../core/errors.ts';
import { deadlineSignal } from '../../core/process/lifecycle.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import { isSeed } from '../hosts/host-registry.ts';
import { defaultConcurrentPeers, jobTimeoutMs } from '../limits.ts';
import { eachLimited } from '../preheat/each-limited.ts';
import type { Preheater } from '../preheat/preheater.ts';
import type { JobHandler } from './job-queue.ts';
import { preheatDownload, preheatRequest, taskRequest } from './job-requests.ts';

export interface JobHandlerParts {
  readonly preheater: Preheater;
  readonly clusterId: number;
  readonly hosts: () => readonly Host[];
  /** The way the cluster's proxies name blobs of registries. */
  readonly blobsByUrl: () => boolean;
  /** Called when the host has deleted the task. */
  readonly onDeleted: (host: Host, taskId: string) => void;
}

export function jobHandlers(parts: JobHandlerParts): Readonly<Record<string, JobHandler>> {
  return {
    preheat: (request, signal) => preheat(parts, request, signal),
    sync_peers: () => Promise.resolve(parts.hosts().map((host) => peerOf(host, parts.clusterId))),
    get_task: (request, signal) => getTask(parts, request, signal),
    delete_task: (request, signal) => deleteTask(parts, request, signal),
  };
}

async function preheat({ preheater, clusterId, blobsByUrl }: JobHandlerParts, text: string, signal: AbortSignal) {
  const request = preheatRequest.parse(text);
  if (request.output_path !== undefined)
    throw new DragonflyError('PERMISSION_DENIED', 'a preheat may not write files on other machines');
  const given = request.urls.length > 0 ? request.urls : [request.url];
  const download = preheatDownload(request, !blobsByUrl());
  const listed = await Promise.all(given.map((url) => preheater.expand(url, download, signal)));
  const outcomes = await preheater.start({
    scope: request.scope,
    ips: request.ips,
    count: request.count,
    percentage: request.percentage,
    urls: [...new Set(listed.flat())],
    download,
    concurrentTaskCount: request.concurrent_task_count,
    concurrentPeerCount: request.concurrent_peer_count,
    timeoutMs: request.timeout,
    signal,
  });
  signal.throwIfAborted();
  const [failed, succeeded] = [
    outcomes.filter(({ error }) => error !== ''),
    outcomes.filter(({ error }) => error === ''),
  ];
  if (succeeded.length === 0)
    throw new DragonflyError('UNAVAILABLE', failed[0]?.error ?? 'there was nothing to preheat');
  return {
    success_tasks: succeeded.map(({ url, hostname, ip }) => ({ url, hostname, ip })),
    failure_tasks: failed.map(({ url, hostname, ip, error }) => ({ url, hostname, ip, description: error })),
    scheduler_cluster_id: clusterId,
  };
}

async function getTask({ preheater, clusterId }: JobHandlerParts, text: string, stopping: AbortSignal) {
  const { task_id: taskId, timeout = jobTimeoutMs, concurrent_peer_count: limit } = taskRequest.parse(text);
  using deadline = deadlineSignal(stopping, timeout);
  const copies = await preheater.copies(taskId, { concurrentPeerCount: limit, signal: deadline.signal });
  stopping.throwIfAborted();
  const peers = copies.map(({ host, copy }) => ({
    id: host.id,
    ...named(host),
    created_at: time(copy.createdAt),
    updated_at: time(copy.updatedAt),
    IsFinished: copy.finishedAt !== undefined,
  }));
  return { peers, scheduler_cluster_id: clusterId };
}

async function deleteTask({ preheater, clusterId, onDeleted }: JobHandlerParts, text: string, stopping: AbortSignal) {
  const { task_id: taskId, timeout = jobTimeoutMs } = taskRequest.parse(text);
  using deadline = deadlineSignal(stopping, timeout);
  const { signal } = deadline;
  const copies = await preheater.copies(taskId, { signal });
  const errors = await eachLimited(copies, defaultConcurrentPeers, async ({ host }) => {
    try {
      await preheater.delete(host, taskId, signal);
      onDeleted(host, taskId);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  });
  stopping.throwIfAborted();
  const outcomes = copies.map(({ host }, index) => ({ host: named(host), error: errors[index] ?? '' }));
  return {
    success_tasks: outcomes.filter(({ error }) => error === '').map(({ host }) => host),
    failure_tasks: outcomes.flatMap(({ host, error }) => (error === '' ? [] : [{ ...host, description: error }])),
    scheduler_cluster_id: clusterId,
  };
}

function named(host: Host) {
  return { hostname: host.hostname, ip: host.ip, host_type: isSeed(host) ? 'super' : 'normal' };
}

function time(date: Date | undefined): string {
  return (date ?? new Date(0)).toISOString();
}

/** The manager turns this into a row of its table `peer`. */
function peerOf(host: Host, clusterId: number) {
  const { build, network } = host;
  return {
    ID: host.id,
    Type: isSeed(host) ? 1 : 0,
    Hostname: host.hostname,
    IP: host.ip,
    Port: host.port,
    DownloadPort: host.downloadPort,
    ProxyPort: host.proxyPort,
    DisableShared: host.disableShared,
    OS: host.os,
    Platform: host.platform,
    PlatformFamily: host.platformFamily,
    PlatformVersion: host.platformVersion,
    KernelVersion: host.kernelVersion,
    Network: { IDC: network?.idc ?? '', Location: network?.location ?? '' },
    Build: {
      GitVersion: build?.gitVersion ?? '',
      GitCommit: build?.gitCommit ?? '',
      Platform: build?.platform ?? '',
    },
    // A daemon without a cluster id belongs to the cluster of the scheduler that it announced itself to.
    SchedulerClusterID: host.schedulerClusterId || clusterId,
  };
}
