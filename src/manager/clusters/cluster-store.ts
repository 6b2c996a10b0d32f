/** Clusters: a scheduler cluster and the seed peer cluster of the same name, created and changed together. */
import type { Selectable } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { uniqueOr, type Db } from '../db/engine.ts';
import type { SchedulerClusterTable } from '../db/schema.ts';
import { matches, type Page, type PageOf, type Search } from '../db/table-store.ts';
import type { PeerClusterConfig, SchedulerClusterConfig, SeedPeerClusterConfig } from './types.ts';

export interface NewCluster {
  readonly name: string;
  readonly bio?: string | undefined;
  readonly scopes?: object | undefined;
  readonly schedulerClusterConfig: SchedulerClusterConfig;
  readonly seedPeerClusterConfig: SeedPeerClusterConfig;
  readonly peerClusterConfig: PeerClusterConfig;
  readonly isDefault?: boolean | undefined;
}

export interface ClusterRow {
  readonly schedulerCluster: Selectable<SchedulerClusterTable>;
  /** Undefined when an operator has unlinked it from the scheduler cluster through the separate resources. */
  readonly seedPeerCluster: { readonly id: number; readonly config: string } | undefined;
}

export class ClusterStore {
  readonly #database: Database;
  readonly #changes: ChangeFeed;

  constructor(database: Database, changes: ChangeFeed) {
    this.#database = database;
    this.#changes = changes;
  }

  async list(
    { name, search }: { name?: string | undefined; search?: Search | undefined },
    { page, perPage }: Page,
  ): Promise<PageOf<ClusterRow>> {
    const { db } = this.#database;
    let query = db.selectFrom('scheduler_cluster');
    if (name !== undefined) query = query.where('name', '=', name);
    if (search) query = query.where(matches(search));
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('id')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    const seeds = await this.#seedPeerClusters(
      db,
      rows.map(({ id }) => id),
    );
    return {
      rows: rows.map((row) => ({ schedulerCluster: row, seedPeerCluster: seeds.get(row.id) })),
      total: Number(total),
    };
  }

  /** @param id of the scheduler cluster. Throws NOT_FOUND. */
  async get(id: number, db: Db = this.#database.db): Promise<ClusterRow> {
    const row = await db.selectFrom('scheduler_cluster').selectAll().where('id', '=', id).executeTakeFirst();
    if (!row) throw new DragonflyError('NOT_FOUND', `there is no cluster ${id}`);
    return { schedulerCluster: row, seedPeerCluster: (await this.#seedPeerClusters(db, [id])).get(id) };
  }

  /** Throws ALREADY_EXISTS. @returns the id of the scheduler cluster. */
  async create(cluster: NewCluster): Promise<number> {
    const now = Date.now();
    const common = { name: cluster.name, bio: cluster.bio ?? '', created_at: now, updated_at: now };
    const seedConfig = JSON.stringify(cluster.seedPeerClusterConfig);
    return this.#changes.writeNew('cluster', async (db) => {
      if (cluster.isDefault === true) await this.#clearDefault(db);
      const schedulerClusterId = await this.#database.insert(
        'scheduler_cluster',
        {
          ...common,
          config: JSON.stringify(cluster.schedulerClusterConfig),
          client_config: JSON.stringify(cluster.peerClusterConfig),
          seed_client_config: seedConfig,
          scopes: JSON.stringify(cluster.scopes ?? {}),
          is_default: cluster.isDefault === true ? 1 : 0,
        },
        db,
      );
      const seedPeerClusterId = await this.#database.insert('seed_peer_cluster', { ...common, config: seedConfig }, db);
      await linkClusters(db, seedPeerClusterId, schedulerClusterId);
      return schedulerClusterId;
    });
  }

  /** Changes the given fields. Throws NOT_FOUND, ALREADY_EXISTS. */
  async update(id: number, changes: Partial<NewCluster>): Promise<void> {
    const now = Date.now();
    const common = {
      ...(changes.name === undefined ? {} : { name: changes.name }),
      ...(changes.bio === undefined ? {} : { bio: changes.bio }),
      updated_at: now,
    };
    const seedConfig = changes.seedPeerClusterConfig && JSON.stringify(changes.seedPeerClusterConfig);
    await this.#changes.write('cluster', id, (db) =>
      uniqueOr('cluster', async () => {
        const { seedPeerCluster } = await this.get(id, db);
        if (changes.isDefault === true) await this.#clearDefault(db);
        await db
          .updateTable('scheduler_cluster')
          .set({
            ...common,
            ...json('config', changes.schedulerClusterConfig),
            ...json('client_config', changes.peerClusterConfig),
            ...json('scopes', changes.scopes),
            ...(seedConfig === undefined ? {} : { seed_client_config: seedConfig }),
            ...(changes.isDefault === undefined ? {} : { is_default: changes.isDefault ? 1 : 0 }),
          })
          .where('id', '=', id)
          .execute();
        if (!seedPeerCluster) return;
        await db
          .updateTable('seed_peer_cluster')
          .set({ ...common, ...(seedConfig === undefined ? {} : { config: seedConfig }) })
          .where('id', '=', seedPeerCluster.id)
          .execute();
      }),
    );
  }

  /** Throws NOT_FOUND, and FAILED_PRECONDITION while the cluster has schedulers or seed peers. */
  async delete(id: number): Promise<void> {
    await this.#changes.write('cluster', id, async (db) => {
      const { seedPeerCluster } = await this.get(id, db);
      await requireEmpty(db, 'scheduler', id);
      if (seedPeerCluster) {
        await requireEmpty(db, 'seed_peer', seedPeerCluster.id);
        await db.deleteFrom('seed_peer_cluster').where('id', '=', seedPeerCluster.id).execute();
      }
      await db.deleteFrom('seed_peer_cluster_scheduler_cluster').where('scheduler_cluster_id', '=', id).execute();
      await db.deleteFrom('peer').where('scheduler_cluster_id', '=', id).execute();
      await db.deleteFrom('scheduler_cluster').where('id', '=', id).execute();
    });
  }

  async #clearDefault(db: Db): Promise<void> {
    await db.updateTable('scheduler_cluster').set({ is_default: 0 }).where('is_default', '=', 1).execute();
  }

  async #seedPeerClusters(db: Db, ids: readonly number[]): Promise<Map<number, { id: number; config: string }>> {
    if (ids.length === 0) return new Map();
    const rows = await db
      .selectFrom('seed_peer_cluster_scheduler_cluster as link')
      .innerJoin('seed_peer_cluster', 'seed_peer_cluster.id', 'link.seed_peer_cluster_id')
      .select(['link.scheduler_cluster_id', 'seed_peer_cluster.id', 'seed_peer_cluster.config'])
      .where('link.scheduler_cluster_id', 'in', ids)
      .orderBy('seed_peer_cluster.id', 'desc')
      .execute();
    return new Map(rows.map((row) => [row.scheduler_cluster_id, { id: row.id, config: row.config }]));
  }
}

/** Links are one to one: linking two clusters removes the previous link of each. */
export async function linkClusters(db: Db, seedPeerClusterId: number, schedulerClusterId: number): Promise<void> {
  await db
    .deleteFrom('seed_peer_cluster_scheduler_cluster')
    .where((e) =>
      e.or([e('seed_peer_cluster_id', '=', seedPeerClusterId), e('scheduler_cluster_id', '=', schedulerClusterId)]),
    )
    .execute();
  await db
    .insertInto('seed_peer_cluster_scheduler_cluster')
    .values({ seed_peer_cluster_id: seedPeerClusterId, scheduler_cluster_id: schedulerClusterId })
    .execute();
}

/** Throws FAILED_PRECONDITION when the cluster has members. */
export async function requireEmpty(db: Db, kind: 'scheduler' | 'seed_peer', clusterId: number): Promise<void> {
  const member =
    kind === 'scheduler'
      ? await db
          .selectFrom('scheduler')
          .select('id')
          .where('scheduler_cluster_id', '=', clusterId)
          .limit(1)
          .executeTakeFirst()
      : await db
          .selectFrom('seed_peer')
          .select('id')
          .where('seed_peer_cluster_id', '=', clusterId)
          .limit(1)
          .executeTakeFirst();
  if (!member) return;
  const what = kind === 'scheduler' ? 'schedulers' : 'seed peers';
  throw new DragonflyError('FAILED_PRECONDITION', `the cluster still has ${what}`, {
    hint: `Stop its ${what} and delete them, then delete the cluster.`,
  });
}

function json<C extends string>(column: C, value: object | undefined): Partial<Record<C, string>> {
  return value === undefined ? {} : ({ [column]: JSON.stringify(value) } as Record<C, string>);
}
