/** Results of jobs in the layouts that existing clients read: for a preheat one entry per cluster, for others one per scheduler. */
import { randomUUID } from 'node:crypto';
import type { Job } from './job-store.ts';
import type { JobTask } from './job-tasks.ts';

export interface ClusterResult {
  readonly scheduler_cluster_id: number;
  readonly [key: string]: unknown;
}

/** Results by cluster, before they are arranged as a group. */
export interface ResultsByCluster {
  readonly results: readonly ClusterResult[];
  /** Why the job failed, as text for people. */
  readonly error: string;
}

export function preheatResult(tasks: readonly JobTask[]): ResultsByCluster {
  const results = [...Map.groupBy(tasks, (task) => task.scheduler_cluster_id)].map(([clusterId, ofCluster]) => ({
    scheduler_cluster_id: clusterId,
    success_tasks: ofCluster.filter(succeeded).map(({ url, hostname, ip }) => ({ url, hostname, ip })),
    failure_tasks: ofCluster
      .filter((task) => !succeeded(task))
      .map(({ url, hostname, ip, error }) => ({ url, hostname, ip, description: error })),
  }));
  return { results, error: failureText(tasks) };
}

export function deleteResult(clusters: readonly AskedCluster[], tasks: readonly JobTask[]): ResultsByCluster {
  const named = ({ hostname, ip, host_type }: JobTask) => ({ hostname, ip, host_type });
  const ofTasks = (some: readonly JobTask[]) => ({
    success_tasks: some.filter(succeeded).map(named),
    failure_tasks: some.filter((task) => !succeeded(task)).map((task) => ({ ...named(task), description: task.error })),
  });
  const ofCluster = (id: number) => ofTasks(tasks.filter((task) => task.scheduler_cluster_id === id));
  return { results: perScheduler(clusters, ofCluster, ofTasks([])), error: failureText(tasks) };
}

/** @param holders by cluster, in the original's layout. */
export function getResult(
  clusters: readonly AskedCluster[],
  holders: ReadonlyMap<number, readonly object[]>,
): ResultsByCluster {
  return { results: perScheduler(clusters, (id) => ({ peers: holders.get(id) ?? [] }), { peers: [] }), error: '' };
}

interface AskedCluster {
  readonly id: number;
  readonly schedulers: readonly unknown[];
}

/**
 * The original queries each scheduler separately. Here a cluster is queried as a whole: the result is listed with its first
 * scheduler, and the others have empty results.
 */
function perScheduler(
  clusters: readonly AskedCluster[],
  resultOf: (clusterId: number) => object,
  nothing: object,
): ClusterResult[] {
  return clusters.flatMap(({ id, schedulers }) =>
    [resultOf(id), ...schedulers.slice(1).map(() => nothing)].map((result) => ({
      scheduler_cluster_id: id,
      ...result,
    })),
  );
}

/** The group layout of the original: one state per result. */
export function groupResult(job: Job, state: string, { results, error }: ResultsByCluster, finishedAt: Date): object {
  const createdAt = new Date(job.created_at).toISOString();
  const entry = (clusterResults: readonly ClusterResult[]) => ({
    task_uuid: `task_${randomUUID()}`,
    task_name: job.type,
    state,
    results: clusterResults,
    error,
    created_at: createdAt,
    ttl: 0,
  });
  return {
    group_uuid: job.task_id,
    state,
    created_at: createdAt,
    updated_at: finishedAt.toISOString(),
    job_states: results.length === 0 ? [entry([])] : results.map((result) => entry([result])),
  };
}

const maxReasons = 5;

function failureText(tasks: readonly JobTask[]): string {
  const failed = tasks.filter((task) => !succeeded(task));
  if (failed.length === 0) return '';
  const reasons = [...new Set(failed.map((task) => task.error || 'it was not run'))];
  const shown = reasons.slice(0, maxReasons).join('; ');
  return `${failed.length} of ${tasks.length} failed: ${shown}${reasons.length > maxReasons ? '; …' : ''}`;
}

function succeeded(task: JobTask): boolean {
  return task.state === 'SUCCESS';
}
