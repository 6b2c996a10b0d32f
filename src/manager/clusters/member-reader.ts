/** Reads single members from the database, so that what a member just wrote through any replica is there. */
import { DragonflyError } from '../../core/errors.ts';
import type { Database } from '../db/database.ts';
import type { MemberKey } from './members.ts';
import { toScheduler, toSeedPeer, type SchedulerMember, type SeedPeerMember } from './topology.ts';

export class MemberReader {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Throws NOT_FOUND. */
  async scheduler({ hostname, ip, clusterId }: MemberKey): Promise<SchedulerMember> {
    const row = await this.#database.db
      .selectFrom('scheduler')
      .selectAll()
      .where('host_name', '=', hostname)
      .where('ip', '=', ip)
      .where('scheduler_cluster_id', '=', clusterId)
      .executeTakeFirst();
    if (row) return toScheduler(row);
    throw new DragonflyError('NOT_FOUND', `cluster ${clusterId} has no scheduler ${hostname} (${ip})`);
  }

  /** Throws NOT_FOUND. */
  async seedPeer({ hostname, ip, clusterId }: MemberKey): Promise<SeedPeerMember> {
    const { db } = this.#database;
    const row = await db
      .selectFrom('seed_peer')
      .selectAll()
      .where('host_name', '=', hostname)
      .where('ip', '=', ip)
      .where('seed_peer_cluster_id', '=', clusterId)
      .executeTakeFirst();
    const cluster = await db.selectFrom('seed_peer_cluster').selectAll().where('id', '=', clusterId).executeTakeFirst();
    if (row && cluster) return toSeedPeer(row, cluster);
    throw new DragonflyError('NOT_FOUND', `seed peer cluster ${clusterId} has no seed peer ${hostname} (${ip})`);
  }
}
