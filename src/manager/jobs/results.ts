/** Results of jobs in the shapes existing clients read, one entry per cluster. */
import { randomUUID } from 'node:crypto';
import type { Job } from './job-store.ts';
import type { JobTask } from './job-tasks.ts';

export interface ClusterResult {
  readonly scheduler_cluster_id: number;
  readonly [key: string]: unknown;
}

/** Results by cluster, before they are dressed as a group. */
export interface ResultsByCluster {
  readonly results: readonly ClusterResult[];
  /** Why the job failed, for people. */
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

export function deleteResult(tasks: readonly JobTask[]): ResultsByCluster {
  const results = [...Map.groupBy(tasks, (task) => task.scheduler_cluster_id)].map(([clusterId, ofCluster]) => ({
    scheduler_cluster_id: clusterId,
    success_tasks: ofCluster.filter(succeeded).map(({ hostname, ip, host_type }) => ({ hostname, ip, host_type })),
    failure_tasks: ofCluster
      .filter((task) => !succeeded(task))
      .map(({ hostname, ip, host_type, error }) => ({ hostname, ip, host_type, description: error })),
  }));
  return { results, error: failureText(tasks) };
}

/** The group layout of the original: one state per cluster. */
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
