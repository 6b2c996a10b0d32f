/** Schedulers and seed peers as they register themselves, and their signs of life. */
import { sql } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { databaseNowMs, type Db } from '../db/engine.ts';
import { schedulerFeatures } from './types.ts';

export type MemberKind = 'scheduler' | 'seed_peer';

export interface MemberKey {
  readonly hostname: string;
  readonly ip: string;
  readonly clusterId: number;
}

export interface SchedulerRegistration extends MemberKey {
  readonly port: number;
  readonly idc: string;
  readonly location: string;
  readonly features: readonly string[];
  readonly config: string;
}

export interface SeedPeerRegistration extends MemberKey {
  readonly type: string;
  readonly port: number;
  readonly downloadPort: number;
  readonly idc: string;
  readonly location: string;
}

/** A registration that races with another one of the same member fails once and then finds the row. */
const registrationAttempts = 3;

export class Members {
  readonly #database: Database;
  readonly #changes: ChangeFeed;

  constructor(database: Database, changes: ChangeFeed) {
    this.#database = database;
    this.#changes = changes;
  }

  /** Creates an inactive row, or refreshes its addresses. Features that a person set later stay. @returns its id. */
  async registerScheduler(registration: SchedulerRegistration): Promise<number> {
    const { clusterId, features, config, ...member } = registration;
    await this.#requireCluster('scheduler_cluster', clusterId);
    const addresses = { ...address(member), config };
    return this.#upsert('scheduler', registration, {
      update: (db, id) =>
        db
          .updateTable('scheduler')
          .set({ ...addresses, updated_at: databaseNowMs(this.#database.engine) })
          .where('id', '=', id)
          .execute(),
      insert: async (db) =>
        this.#database.insert(
          'scheduler',
          {
            ...created(await this.#database.nowMs(db)),
            ...addresses,
            host_name: member.hostname,
            ip: member.ip,
            state: 'inactive',
            last_keep_alive_at: 0,
            keep_alive_owner: '',
            features: JSON.stringify(features.length > 0 ? features : schedulerFeatures),
            scheduler_cluster_id: clusterId,
          },
          db,
        ),
    });
  }

  /** Creates or refreshes the row and marks it active, so that seeds of older versions can be used at once. */
  async registerSeedPeer(registration: SeedPeerRegistration): Promise<number> {
    const { clusterId, type, downloadPort, ...member } = registration;
    await this.#requireCluster('seed_peer_cluster', clusterId);
    const addresses = {
      ...address(member),
      type,
      download_port: downloadPort,
      state: 'active',
      last_keep_alive_at: await this.#database.nowMs(),
    };
    return this.#upsert('seed_peer', registration, {
      update: (db, id) =>
        db
          .updateTable('seed_peer')
          .set({ ...addresses, updated_at: databaseNowMs(this.#database.engine) })
          .where('id', '=', id)
          .execute(),
      insert: async (db) =>
        this.#database.insert(
          'seed_peer',
          {
            ...created(await this.#database.nowMs(db)),
            ...addresses,
            host_name: member.hostname,
            ip: member.ip,
            keep_alive_owner: '',
            object_storage_port: 0,
            seed_peer_cluster_id: clusterId,
          },
          db,
        ),
    });
  }

  /** @returns whether the member existed. */
  async deleteSeedPeer(key: MemberKey): Promise<boolean> {
    const id = await this.find('seed_peer', key);
    if (id === undefined) return false;
    await this.#changes.write('seed_peer', id, (db) => db.deleteFrom('seed_peer').where('id', '=', id).execute());
    return true;
  }

  async find(kind: MemberKind, key: MemberKey, db: Db = this.#database.db): Promise<number | undefined> {
    const row = await db
      .selectFrom(kind)
      .select('id')
      .where('host_name', '=', key.hostname)
      .where('ip', '=', key.ip)
      .where(sql.ref(`${kind}_cluster_id`), '=', key.clusterId)
      .executeTakeFirst();
    return row?.id;
  }

  /** @param ip counts only members that registered this address. */
  async count(kind: MemberKind, ip?: string): Promise<number> {
    const { db } = this.#database;
    const all = db.selectFrom(kind).select((query) => query.fn.countAll().as('count'));
    const { count } = await (ip === undefined ? all : all.where('ip', '=', ip)).executeTakeFirstOrThrow();
    return Number(count);
  }

  /** @param owner replica that holds the stream. */
  async markActive(kind: MemberKind, id: number, owner: string): Promise<void> {
    await this.#changes.write(kind, id, (db) =>
      db
        .updateTable(kind)
        .set({
          state: 'active',
          keep_alive_owner: owner,
          last_keep_alive_at: databaseNowMs(this.#database.engine),
          updated_at: databaseNowMs(this.#database.engine),
        })
        .where('id', '=', id)
        .execute(),
    );
  }

  /** Only while `owner` still holds the stream: a member that has returned through another replica stays active. */
  async markInactive(kind: MemberKind, id: number, owner: string): Promise<void> {
    await this.#changes.write(kind, id, (db) =>
      db
        .updateTable(kind)
        .set({ state: 'inactive', updated_at: databaseNowMs(this.#database.engine) })
        .where('id', '=', id)
        .where('keep_alive_owner', '=', owner)
        .where('state', '=', 'active')
        .execute(),
    );
  }

  /** Updates members whose streams brought a message. @returns those that had been considered dead and are active again. */
  async touch(kind: MemberKind, ids: readonly number[], owner: string): Promise<number[]> {
    if (ids.length === 0) return [];
    const { db, engine } = this.#database;
    await db
      .updateTable(kind)
      .set({ last_keep_alive_at: databaseNowMs(engine), keep_alive_owner: owner })
      .where('id', 'in', ids)
      .execute();
    const rows = await db
      .selectFrom(kind)
      .select('id')
      .where('id', 'in', ids)
      .where('state', '=', 'inactive')
      .execute();
    for (const { id } of rows) await this.markActive(kind, id, owner);
    return rows.map(({ id }) => id);
  }

  /** Deactivates members without a keep-alive to any replica for `timeoutMs`. @returns how many. */
  async reap(timeoutMs: number): Promise<number> {
    const beforeMs = (await this.#database.nowMs()) - timeoutMs;
    let count = 0;
    for (const kind of ['scheduler', 'seed_peer'] as const) {
      const silent = await this.#database.db
        .selectFrom(kind)
        .select('id')
        .where('state', '=', 'active')
        .where('last_keep_alive_at', '<', beforeMs)
        .execute();
      for (const { id } of silent) {
        count += await this.#changes.write(kind, id, async (db) => {
          const { numUpdatedRows } = await db
            .updateTable(kind)
            .set({ state: 'inactive', updated_at: databaseNowMs(this.#database.engine) })
            .where('id', '=', id)
            .where('last_keep_alive_at', '<', beforeMs)
            .executeTakeFirst();
          return Number(numUpdatedRows);
        });
      }
    }
    return count;
  }

  /** Deletes members that have been inactive for longer than `afterMs`. @returns how many. */
  async forget(afterMs: number): Promise<number> {
    const beforeMs = (await this.#database.nowMs()) - afterMs;
    let count = 0;
    for (const kind of ['scheduler', 'seed_peer'] as const) {
      const { numDeletedRows } = await this.#database.db
        .deleteFrom(kind)
        .where('state', '=', 'inactive')
        .where('updated_at', '<', beforeMs)
        .executeTakeFirst();
      count += Number(numDeletedRows);
    }
    return count;
  }

  async #upsert(
    kind: MemberKind,
    key: MemberKey,
    write: { update: (db: Db, id: number) => Promise<unknown>; insert: (db: Db) => Promise<number> },
  ): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#changes.writeNew(kind, async (db) => {
          const known = await this.find(kind, key, db);
          if (known === undefined) return write.insert(db);
          await write.update(db, known);
          return known;
        });
      } catch (error) {
        if (attempt === registrationAttempts || !(error instanceof DragonflyError && error.code === 'ALREADY_EXISTS'))
          throw error;
      }
    }
  }

  async #requireCluster(table: 'scheduler_cluster' | 'seed_peer_cluster', id: number): Promise<void> {
    const row = await this.#database.db.selectFrom(table).select('id').where('id', '=', id).executeTakeFirst();
    if (row) return;
    throw new DragonflyError('NOT_FOUND', `there is no ${table.replaceAll('_', ' ')} ${id}`, {
      hint: 'Create the cluster first, or configure the id of an existing one.',
    });
  }
}

function address({ port, idc, location }: { port: number; idc: string; location: string }) {
  return { port, idc, location };
}

function created(nowMs: number): { created_at: number; updated_at: number } {
  return { created_at: nowMs, updated_at: nowMs };
}
