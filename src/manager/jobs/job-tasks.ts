/** The units of a job in the database: the work of one node for one URL, and its progress. */
import type { Selectable } from 'kysely';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Database } from '../db/database.ts';
import { databaseNowMs } from '../db/engine.ts';
import type { JobTaskTable } from '../db/schema.ts';
import { progressAnnounceMs, progressFlushMs } from '../limits.ts';
import type { ClusterHost } from './host-selection.ts';
import type { TaskState } from './job-types.ts';

export type JobTask = Selectable<JobTaskTable>;

export type TaskUpdate = Partial<
  Pick<
    JobTask,
    | 'error'
    | 'attempt'
    | 'content_length'
    | 'completed_length'
    | 'task_id'
    | 'verified'
    | 'host_id'
    | 'hostname'
    | 'ip'
    | 'port'
    | 'host_type'
  >
> & { readonly state?: TaskState };

export interface NewTask {
  readonly host: ClusterHost;
  /** Shown to people: no secrets. */
  readonly url: string;
  readonly item: number;
}

/** Rows per INSERT: all engines accept this many parameters. */
const insertRows = 500;

export class JobTasks {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(jobId: number, tasks: readonly NewTask[]): Promise<void> {
    const now = await this.#database.nowMs();
    await this.#database.transaction(async (db) => {
      for (let start = 0; start < tasks.length; start += insertRows) {
        const rows = tasks.slice(start, start + insertRows).map(({ host, url, item }) => ({
          ...hostColumns(host),
          job_id: jobId,
          scheduler_cluster_id: host.clusterId,
          url,
          item,
          task_id: '',
          state: 'PENDING',
          error: '',
          attempt: 0,
          content_length: 0,
          completed_length: 0,
          verified: 0 as const,
          created_at: now,
          updated_at: now,
        }));
        await db.insertInto('job_task').values(rows).execute();
      }
    });
  }

  async list(jobId: number, limit?: number): Promise<JobTask[]> {
    const query = this.#database.db.selectFrom('job_task').selectAll().where('job_id', '=', jobId).orderBy('id');
    return (limit === undefined ? query : query.limit(limit)).execute();
  }

  /** Number of units in each state. */
  async counts(jobId: number): Promise<Record<TaskState, number>> {
    const rows = await this.#database.db
      .selectFrom('job_task')
      .select((e) => ['state', e.fn.countAll().as('count')])
      .where('job_id', '=', jobId)
      .groupBy('state')
      .execute();
    const counts = { PENDING: 0, RUNNING: 0, SUCCESS: 0, FAILURE: 0 };
    for (const { state, count } of rows) counts[state as TaskState] = Number(count);
    return counts;
  }

  async update(id: number, update: TaskUpdate): Promise<void> {
    await this.#database.db
      .updateTable('job_task')
      .set({ ...update, updated_at: databaseNowMs(this.#database.engine) })
      .where('id', '=', id)
      .execute();
  }

  async updateAll(updates: ReadonlyMap<number, TaskUpdate>): Promise<void> {
    if (updates.size === 0) return;
    const now = databaseNowMs(this.#database.engine);
    await this.#database.transaction(async (db) => {
      for (const [id, update] of updates) {
        await db
          .updateTable('job_task')
          .set({ ...update, updated_at: now })
          .where('id', '=', id)
          .execute();
      }
    });
  }
}

export function hostColumns(host: ClusterHost) {
  return {
    host_id: host.id,
    hostname: host.hostname,
    ip: host.ip,
    port: host.port,
    host_type: host.seed ? 'super' : 'normal',
  };
}

export function hostOf(task: JobTask): ClusterHost {
  return {
    id: task.host_id,
    hostname: task.hostname,
    ip: task.ip,
    port: task.port,
    seed: task.host_type === 'super',
    clusterId: task.scheduler_cluster_id,
  };
}

/** Collects progress and writes it twice a second, so that many running tasks cost one transaction. */
export class TaskProgressWriter implements Closable {
  readonly #tasks: JobTasks;
  readonly #logger: Logger;
  readonly #announce: () => Promise<void>;
  #announcedAtMs = -Infinity;
  readonly #timer: NodeJS.Timeout;
  #pending = new Map<number, TaskUpdate>();
  #writing: Promise<void> = Promise.resolve();

  /** @param announce notifies those who watch the job. */
  constructor(tasks: JobTasks, logger: Logger, announce: () => Promise<void>) {
    this.#tasks = tasks;
    this.#announce = announce;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.flush(), progressFlushMs);
    this.#timer.unref();
  }

  set(id: number, update: TaskUpdate): void {
    this.#pending.set(id, { ...this.#pending.get(id), ...update });
  }

  /** Resolves when everything set so far is stored. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const updates = this.#pending;
    this.#pending = new Map();
    try {
      await this.#tasks.updateAll(updates);
      if (updates.size === 0 || performance.now() - this.#announcedAtMs < progressAnnounceMs) return;
      this.#announcedAtMs = performance.now();
      await this.#announce();
    } catch (error) {
      for (const [id, update] of updates) this.#pending.set(id, { ...update, ...this.#pending.get(id) });
      this.#logger.warn({ error: (error as Error).message }, 'progress of jobs could not be stored');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
