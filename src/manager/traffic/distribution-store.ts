/** The distributions of a year: who got what, how long it took until the last node had it, and how much the origin sent. */
import { sql } from 'kysely';
import type { Distribution } from '../../../gen/scheduler/v2/live.ts';
import type { Database } from '../db/database.ts';
import type { DistributionTable } from '../db/history-schema.ts';
import type { Page } from '../db/table-store.ts';
import { distributionKeptMs, distributionsPerStatement, maxDistributions } from '../limits.ts';

export interface DistributionFilter {
  readonly clusterId?: number | undefined;
  readonly application?: string | undefined;
  readonly tag?: string | undefined;
  /** The first digits of it. */
  readonly taskId?: string | undefined;
  /** Part of it. */
  readonly url?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

export const distributionOrders = ['ended', 'slowest', 'bytes', 'origin', 'downloads', 'failures'] as const;
export type DistributionOrder = (typeof distributionOrders)[number];

export type DistributionRow = Omit<DistributionTable, 'id'> & { readonly id: number };

export interface HotTask {
  readonly taskId: string;
  readonly url: string;
  readonly tag: string;
  readonly application: string;
  readonly distributions: number;
  readonly downloads: number;
  readonly failures: number;
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly contentLength: number;
  readonly lastMs: number;
}

export class DistributionStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Known ones are skipped: a scheduler reports everything it remembers to each new listener. @returns ids of the new
   * ones, by number.
   */
  async add(
    clusterId: number,
    scheduler: string,
    ended: readonly Distribution[],
  ): Promise<ReadonlyMap<number, number>> {
    const { db } = this.#database;
    const added = new Map<number, number>();
    for (let start = 0; start < ended.length; start += distributionsPerStatement) {
      const part = ended.slice(start, start + distributionsPerStatement);
      const numbers = part.map(({ number }) => number);
      const known = () =>
        db
          .selectFrom('distribution')
          .select(['id', 'number'])
          .where('scheduler', '=', scheduler)
          .where('number', 'in', numbers)
          .execute();
      const old = new Set((await known()).map(({ number }) => Number(number)));
      const rows = part.filter(({ number }) => !old.has(number)).map((one) => toRow(clusterId, scheduler, one));
      if (rows.length === 0) continue;
      await db.insertInto('distribution').values(rows).execute();
      for (const { id, number } of await known()) if (!old.has(Number(number))) added.set(Number(number), Number(id));
    }
    return added;
  }

  async one(id: number): Promise<DistributionRow | undefined> {
    return this.#database.db.selectFrom('distribution').selectAll().where('id', '=', id).executeTakeFirst();
  }

  async list(
    filter: DistributionFilter,
    order: DistributionOrder,
    { page, perPage }: Page,
  ): Promise<{ readonly rows: DistributionRow[]; readonly total: number }> {
    const weights = {
      ended: sql`ended_at`,
      slowest: sql`slowest`,
      bytes: sql`origin_bytes + peer_bytes`,
      origin: sql`origin_bytes`,
      downloads: sql`downloads`,
      failures: sql`failures`,
    };
    const [rows, counted] = await Promise.all([
      this.#where(filter)
        .selectAll()
        .orderBy(weights[order], 'desc')
        .orderBy('id', 'desc')
        .limit(perPage)
        .offset((page - 1) * perPage)
        .execute(),
      this.#where(filter)
        .select((e) => e.fn.countAll().as('count'))
        .executeTakeFirstOrThrow(),
    ]);
    return { rows, total: Number(counted.count) };
  }

  /** The tasks requested most. */
  async hot(filter: DistributionFilter, limit: number): Promise<HotTask[]> {
    const rows = await this.#where(filter)
      .select((e) => [
        'task_id',
        e.fn.max('url').as('url'),
        e.fn.max('tag').as('tag'),
        e.fn.max('application').as('application'),
        e.fn.max('content_length').as('content_length'),
        e.fn.max('ended_at').as('last'),
        e.fn.countAll().as('distributions'),
        e.fn.sum('downloads').as('downloads'),
        e.fn.sum('failures').as('failures'),
        e.fn.sum('origin_bytes').as('origin_bytes'),
        e.fn.sum('peer_bytes').as('peer_bytes'),
      ])
      .groupBy('task_id')
      .orderBy(sql`sum(downloads)`, 'desc')
      .orderBy('task_id')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      taskId: row.task_id,
      url: row.url,
      tag: row.tag,
      application: row.application,
      distributions: Number(row.distributions),
      downloads: Number(row.downloads),
      failures: Number(row.failures),
      originBytes: Number(row.origin_bytes),
      peerBytes: Number(row.peer_bytes),
      contentLength: Number(row.content_length),
      lastMs: Number(row.last),
    }));
  }

  async prune(nowMs: number): Promise<void> {
    const { db } = this.#database;
    await db
      .deleteFrom('distribution')
      .where('ended_at', '<', nowMs - distributionKeptMs)
      .execute();
    const oldest = await db
      .selectFrom('distribution')
      .select('id')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(maxDistributions)
      .executeTakeFirst();
    if (oldest) await db.deleteFrom('distribution').where('id', '<=', oldest.id).execute();
  }

  #where({ clusterId, application, tag, taskId, url, fromMs, toMs }: DistributionFilter) {
    let query = this.#database.db.selectFrom('distribution');
    if (clusterId !== undefined) query = query.where('scheduler_cluster_id', '=', clusterId);
    if (application !== undefined) query = query.where('application', '=', application);
    if (tag !== undefined) query = query.where('tag', '=', tag);
    if (taskId !== undefined) query = query.where('task_id', 'like', `${taskId}%`);
    if (url !== undefined)
      query = query.where(sql<boolean>`lower(url) like ${`%${escaped(url.toLowerCase())}%`} escape '!'`);
    if (fromMs !== undefined) query = query.where('ended_at', '>=', fromMs);
    if (toMs !== undefined) query = query.where('ended_at', '<', toMs);
    return query;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[!%_]/g, (sign) => `!${sign}`);
}

function toRow(clusterId: number, scheduler: string, ended: Distribution): Omit<DistributionTable, 'id'> {
  return {
    scheduler_cluster_id: clusterId,
    scheduler: scheduler.slice(0, 64),
    number: ended.number,
    task_id: ended.taskId.slice(0, 64),
    url: ended.url.slice(0, 2048),
    tag: ended.tag.slice(0, 255),
    application: ended.application.slice(0, 255),
    content_length: ended.contentLength,
    started_at: ended.startedAtMs,
    ended_at: ended.endedAtMs,
    downloads: ended.downloads,
    failures: ended.failures,
    origin_bytes: ended.originBytes,
    peer_bytes: ended.peerBytes,
    last_node: ended.lastNode.slice(0, 255),
    slowest: ended.slowestMs,
    median: ended.medianMs,
  };
}
