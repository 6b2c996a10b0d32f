/** Jobs in the database: created, found, leased to a replica, ended. Secrets in their arguments are sealed. */
import { sql, type Selectable } from 'kysely';
import { randomUUID } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import type { Sealer } from '../access/sealer.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { databaseNowMs, type Db } from '../db/engine.ts';
import type { JobTable } from '../db/schema.ts';
import type { Page, PageOf } from '../db/table-store.ts';
import { jobLeaseMs } from '../limits.ts';
import { openArgs, protectedArgs, sealArgs } from './job-secrets.ts';
import type { JobState, JobType } from './job-types.ts';

export interface Job extends Selectable<JobTable> {
  readonly schedulerClusterIds: readonly number[];
}

export interface NewJob {
  readonly type: JobType;
  readonly bio: string;
  readonly args: Record<string, unknown>;
  readonly userId: number;
  /** All clusters when empty. */
  readonly schedulerClusterIds: readonly number[];
  /** The rule of replication that makes it. */
  readonly ruleId?: number;
}

/** Whose jobs are meant: those that rules of replication made show what such a rule names. */
export interface JobSight {
  readonly ofRules: boolean;
}

export class JobStore {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #sealer: Sealer;

  constructor(database: Database, changes: ChangeFeed, sealer: Sealer) {
    this.#database = database;
    this.#changes = changes;
    this.#sealer = sealer;
  }

  async create(job: NewJob): Promise<number> {
    const now = await this.#database.nowMs();
    return this.#changes.writeNew('job', async (db) => {
      const id = await this.#database.insert(
        'job',
        {
          task_id: `group_${randomUUID()}`,
          bio: job.bio,
          type: job.type,
          state: 'PENDING',
          ...protectedArgs(job.args, this.#sealer),
          task_result: null,
          user_id: job.userId,
          lease_owner: '',
          lease_expires_at: 0,
          attempt: 0,
          cancel_requested: 0,
          rule_id: job.ruleId ?? 0,
          created_at: now,
          updated_at: now,
        },
        db,
      );
      const links = job.schedulerClusterIds.map((clusterId) => ({ job_id: id, scheduler_cluster_id: clusterId }));
      if (links.length > 0) await db.insertInto('job_scheduler_cluster').values(links).execute();
      return id;
    });
  }

  /** Throws NOT_FOUND, for what is out of sight as well. */
  async get(id: number, sight: JobSight = { ofRules: true }): Promise<Job> {
    const row = await this.#database.db.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirst();
    if (!row || (row.rule_id !== 0 && !sight.ofRules)) throw new DragonflyError('NOT_FOUND', `there is no job ${id}`);
    const [job] = await this.#withClusters([row]);
    return job as Job;
  }

  async list(
    filter: { type?: string | undefined; state?: string | undefined; user_id?: number | undefined },
    { page, perPage }: Page,
    sight: JobSight,
  ): Promise<PageOf<Job>> {
    let query = this.#database.db.selectFrom('job');
    if (!sight.ofRules) query = query.where('rule_id', '=', 0);
    if (filter.type !== undefined) query = query.where('type', '=', filter.type);
    if (filter.state !== undefined) query = query.where('state', '=', filter.state);
    if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id);
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('id', 'desc')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    return { rows: await this.#withClusters(rows), total: Number(total) };
  }

  /** How many jobs the cluster got in the last second; jobs for all clusters count for each. */
  async recentCount(clusterId: number): Promise<number> {
    const since = (await this.#database.nowMs()) - 1_000;
    const row = await this.#database.db
      .selectFrom('job')
      .leftJoin('job_scheduler_cluster as link', 'link.job_id', 'job.id')
      .select((e) => e.fn.count('job.id').distinct().as('count'))
      .where('job.created_at', '>', since)
      .where((e) => e.or([e('link.scheduler_cluster_id', '=', clusterId), e('link.scheduler_cluster_id', 'is', null)]))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** The arguments with their secrets. */
  args(job: Pick<Job, 'sealed_args'>): Record<string, unknown> {
    return openArgs(job.sealed_args, this.#sealer);
  }

  /** Adds intermediate findings to the arguments, so that a replica that takes the job over need not repeat the work. */
  async amendArgs(job: Job, more: Record<string, unknown>): Promise<void> {
    await this.#database.db
      .updateTable('job')
      .set({ sealed_args: sealArgs({ ...this.args(job), ...more }, this.#sealer) })
      .where('id', '=', job.id)
      .execute();
  }

  /** Leases the oldest job that nobody works on. */
  async lease(owner: string): Promise<Job | undefined> {
    const { db, engine } = this.#database;
    const now = databaseNowMs(engine);
    const waiting = await db
      .selectFrom('job')
      .select('id')
      .where('state', '=', 'PENDING')
      .where('lease_expires_at', '<', now)
      .orderBy('id')
      .limit(10)
      .execute();
    for (const { id } of waiting) {
      const { numUpdatedRows } = await db
        .updateTable('job')
        .set((e) => ({
          lease_owner: owner,
          lease_expires_at: sql<number>`${databaseNowMs(engine)} + ${sql.lit(jobLeaseMs)}`,
          attempt: e('attempt', '+', 1),
        }))
        .where('id', '=', id)
        .where('state', '=', 'PENDING')
        .where('lease_expires_at', '<', now)
        .executeTakeFirst();
      if (numUpdatedRows > 0n) return this.get(id);
    }
    return undefined;
  }

  /** @returns the jobs that this owner still holds, and which of them were cancelled. */
  async renew(ids: readonly number[], owner: string): Promise<{ held: Set<number>; cancelled: Set<number> }> {
    if (ids.length === 0) return { held: new Set(), cancelled: new Set() };
    const { db, engine } = this.#database;
    await db
      .updateTable('job')
      .set({ lease_expires_at: sql<number>`${databaseNowMs(engine)} + ${sql.lit(jobLeaseMs)}` })
      .where('id', 'in', ids)
      .where('lease_owner', '=', owner)
      .where('state', '=', 'PENDING')
      .execute();
    const rows = await db
      .selectFrom('job')
      .select(['id', 'cancel_requested'])
      .where('id', 'in', ids)
      .where('lease_owner', '=', owner)
      .where('state', '=', 'PENDING')
      .execute();
    return {
      held: new Set(rows.map(({ id }) => id)),
      cancelled: new Set(rows.filter((row) => row.cancel_requested === 1).map(({ id }) => id)),
    };
  }

  async announce(id: number): Promise<void> {
    await this.#changes.record(this.#database.db, 'job', id);
    await this.#changes.poke();
  }

  /** Lets another replica continue the job at once. */
  async release(id: number, owner: string): Promise<void> {
    await this.#changes.write('job', id, (db) =>
      db
        .updateTable('job')
        .set((e) => ({ lease_owner: '', lease_expires_at: 0, attempt: e('attempt', '-', 1) }))
        .where('id', '=', id)
        .where('lease_owner', '=', owner)
        .execute(),
    );
  }

  /** Ends the job, if this owner still holds it. */
  async finish(id: number, owner: string, state: JobState, result: object): Promise<void> {
    const now = await this.#database.nowMs();
    await this.#changes.write('job', id, (db) =>
      db
        .updateTable('job')
        .set({ state, task_result: JSON.stringify(result), lease_owner: '', lease_expires_at: 0, updated_at: now })
        .where('id', '=', id)
        .where('lease_owner', '=', owner)
        .where('state', '=', 'PENDING')
        .execute(),
    );
  }

  /** Throws FAILED_PRECONDITION when it has ended. */
  async cancel(id: number): Promise<void> {
    await this.get(id);
    await this.#changes.write('job', id, async (db) => {
      if (!(await this.#requestCancel(id, db)))
        throw new DragonflyError('FAILED_PRECONDITION', `job ${id} has ended already`);
    });
  }

  /** In the caller's transaction; those that have ended stay as they are. */
  async cancelAll(ids: readonly number[], db: Db): Promise<void> {
    for (const id of ids) if (await this.#requestCancel(id, db)) await this.#changes.record(db, 'job', id);
  }

  async #requestCancel(id: number, db: Db): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('job')
      .set({ cancel_requested: 1, updated_at: databaseNowMs(this.#database.engine) })
      .where('id', '=', id)
      .where('state', '=', 'PENDING')
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** Repeats the failed part. Throws FAILED_PRECONDITION while the job runs, or when all of it succeeded. */
  async retry(id: number): Promise<void> {
    await this.get(id);
    await this.#changes.write('job', id, async (db) => {
      const { numUpdatedRows } = await db
        .updateTable('job')
        .set({
          state: 'PENDING',
          cancel_requested: 0,
          attempt: 0,
          task_result: null,
          updated_at: databaseNowMs(this.#database.engine),
        })
        .where('id', '=', id)
        .where('state', 'in', ['FAILURE', 'CANCELLED'])
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new DragonflyError('FAILED_PRECONDITION', `job ${id} has not failed`);
      await db
        .updateTable('job_task')
        .set({ state: 'PENDING', error: '', attempt: 0 })
        .where('job_id', '=', id)
        .where('state', '!=', 'SUCCESS')
        .execute();
    });
  }

  async update(id: number, values: { bio?: string | undefined; user_id?: number | undefined }): Promise<void> {
    await this.get(id);
    await this.#changes.write('job', id, (db) =>
      db
        .updateTable('job')
        .set({
          ...(values.bio === undefined ? {} : { bio: values.bio }),
          ...(values.user_id === undefined ? {} : { user_id: values.user_id }),
          updated_at: databaseNowMs(this.#database.engine),
        })
        .where('id', '=', id)
        .execute(),
    );
  }

  /** A running job stops when its runner notices the deletion. */
  async delete(id: number): Promise<void> {
    await this.get(id);
    await this.deleteAll([id]);
  }

  async deleteAll(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#changes.write('job', ids.length === 1 ? (ids[0] ?? 0) : 0, async (db) => {
      await db.deleteFrom('job_task').where('job_id', 'in', ids).execute();
      await db.deleteFrom('job_scheduler_cluster').where('job_id', 'in', ids).execute();
      await db.deleteFrom('job').where('id', 'in', ids).execute();
    });
  }

  async #withClusters(rows: readonly Selectable<JobTable>[]): Promise<Job[]> {
    if (rows.length === 0) return [];
    const links = await this.#database.db
      .selectFrom('job_scheduler_cluster')
      .selectAll()
      .where(
        'job_id',
        'in',
        rows.map(({ id }) => id),
      )
      .orderBy('scheduler_cluster_id')
      .execute();
    const byJob = Map.groupBy(links, (link) => link.job_id);
    return rows.map((row) => ({
      ...row,
      schedulerClusterIds: (byJob.get(row.id) ?? []).map((link) => link.scheduler_cluster_id),
    }));
  }
}
