/** Creates jobs: applies rate limits, then writes a row. Can also wait for a job's result. */
import { DragonflyError } from '../../core/errors.ts';
import { parseJson, type SchedulerClusterConfig } from '../clusters/types.ts';
import type { Topology } from '../clusters/topology.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { ManagerMetrics } from '../metrics.ts';
import type { Job, JobStore, NewJob } from './job-store.ts';

/** Default number of jobs that a cluster accepts per second. */
const defaultJobsPerSec = 10;

export class JobService {
  readonly store: JobStore;
  readonly #topology: Topology;
  readonly #changes: ChangeFeed;
  readonly #metrics: ManagerMetrics;

  constructor(parts: { store: JobStore; topology: Topology; changes: ChangeFeed; metrics: ManagerMetrics }) {
    this.store = parts.store;
    this.#topology = parts.topology;
    this.#changes = parts.changes;
    this.#metrics = parts.metrics;
  }

  /** Throws NOT_FOUND for an unknown cluster, RESOURCE_EXHAUSTED when jobs come too fast. */
  async create(job: NewJob): Promise<Job> {
    this.#metrics.jobs.inc({ name: job.type });
    const { clusters } = await this.#topology.current();
    const wanted = job.schedulerClusterIds.length === 0 ? [...clusters.keys()] : [...new Set(job.schedulerClusterIds)];
    for (const id of wanted) {
      const cluster = clusters.get(id);
      if (!cluster) throw new DragonflyError('NOT_FOUND', `there is no cluster ${id}`);
      const { job_rate_limit: limit = defaultJobsPerSec } = parseJson<SchedulerClusterConfig>(cluster.config, {});
      if ((await this.store.recentCount(id)) < limit) continue;
      this.#metrics.rateLimited.inc({ what: 'jobs' });
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'rate limit exceeded', {
        hint: `Cluster ${cluster.name} takes ${limit} jobs per second; its job_rate_limit can be raised.`,
      });
    }
    const id = await this.store.create({ ...job, schedulerClusterIds: [...new Set(job.schedulerClusterIds)] });
    this.#metrics.jobSuccesses.inc({ name: job.type });
    return this.store.get(id);
  }

  /** Resolves when the job has ended. Throws DEADLINE_EXCEEDED; the job then continues. */
  async finished(id: number, timeoutMs: number): Promise<Job> {
    const { promise, resolve, reject } = Promise.withResolvers<Job>();
    const look = (): void => {
      this.store.get(id).then((job) => job.state !== 'PENDING' && resolve(job), reject);
    };
    const unsubscribe = this.#changes.subscribe(({ topic, entityId }) => {
      if (topic === 'job' && entityId === id) look();
    });
    const timer = setTimeout(
      () => reject(new DragonflyError('DEADLINE_EXCEEDED', `job ${id} has not ended yet`)),
      timeoutMs,
    );
    look();
    try {
      return await promise;
    } finally {
      unsubscribe();
      clearTimeout(timer);
    }
  }
}
