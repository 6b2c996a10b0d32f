import { DragonflyError } from '../../core/errors.ts';
import type { Database } from '../db/database.ts';
import { defaultPeerClusterConfig, defaultSchedulerClusterConfig, defaultSeedPeerClusterConfig } from './types.ts';

const name = 'cluster-1';

/** An empty installation gets one default cluster, so that the first scheduler has somewhere to register. */
export async function createFirstCluster(database: Database): Promise<void> {
  try {
    await database.transaction(async (db) => {
      const any = await db.selectFrom('scheduler_cluster').select('id').limit(1).executeTakeFirst();
      if (any) return;
      const now = Date.now();
      const common = { name, bio: '', created_at: now, updated_at: now };
      const schedulerClusterId = await database.insert(
        'scheduler_cluster',
        {
          ...common,
          config: JSON.stringify(defaultSchedulerClusterConfig),
          client_config: JSON.stringify(defaultPeerClusterConfig),
          seed_client_config: JSON.stringify(defaultSeedPeerClusterConfig),
          scopes: '{}',
          is_default: 1,
        },
        db,
      );
      const seedPeerClusterId = await database.insert(
        'seed_peer_cluster',
        { ...common, config: JSON.stringify(defaultSeedPeerClusterConfig) },
        db,
      );
      await db
        .insertInto('seed_peer_cluster_scheduler_cluster')
        .values({ seed_peer_cluster_id: seedPeerClusterId, scheduler_cluster_id: schedulerClusterId })
        .execute();
    });
  } catch (error) {
    // Another replica was first.
    if (!(error instanceof DragonflyError && error.code === 'ALREADY_EXISTS')) throw error;
  }
}
