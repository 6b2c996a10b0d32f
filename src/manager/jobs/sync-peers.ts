/** Synchronises the peers table with the hosts that the schedulers know. */
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { PeerTable } from '../db/schema.ts';
import type { ClusterHosts } from './cluster-hosts.ts';
import type { JobExecutor } from './executor.ts';

export interface SyncPeersParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly hosts: ClusterHosts;
  readonly logger: Logger;
}

type PeerValues = Omit<PeerTable, 'id' | 'created_at' | 'updated_at'>;

export function syncPeersJob(parts: SyncPeersParts): JobExecutor {
  return async ({ job, signal }) => {
    await syncPeers(parts, job.schedulerClusterIds, signal);
    return { state: 'SUCCESS', result: { results: [], error: '' } };
  };
}

/** A cluster whose schedulers do not answer is left unchanged. Throws when none of the requested clusters answered. */
export async function syncPeers(
  parts: SyncPeersParts,
  clusterIds: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const failures: Error[] = [];
  const clusters = (await parts.hosts.clusters(clusterIds)).filter(
    ({ schedulers }) => clusterIds.length > 0 || schedulers.length > 0,
  );
  for (const cluster of clusters) {
    try {
      await merge(parts, cluster.id, await parts.hosts.list(cluster, signal));
    } catch (error) {
      signal.throwIfAborted();
      failures.push(toDragonflyError(error));
      parts.logger.warn(
        { cluster: cluster.name, error: toDragonflyError(error).message },
        'peers could not be synchronised',
      );
    }
  }
  if (failures[0] && failures.length === clusters.length) throw failures[0];
}

/** Known peers are refreshed, new ones added, and those that no scheduler reports any more are removed. */
async function merge({ database, changes }: SyncPeersParts, clusterId: number, hosts: readonly Host[]): Promise<void> {
  const now = await database.nowMs();
  await changes.write('peer', clusterId, async (db) => {
    const rows = await db.selectFrom('peer').selectAll().where('scheduler_cluster_id', '=', clusterId).execute();
    const known = new Map(rows.map((row) => [`${row.host_name} ${row.ip}`, row]));
    for (const host of hosts) {
      const values = toPeer(host, clusterId);
      const key = `${values.host_name} ${values.ip}`;
      const row = known.get(key);
      known.delete(key);
      if (row)
        await db
          .updateTable('peer')
          .set({ ...values, updated_at: now })
          .where('id', '=', row.id)
          .execute();
      else await database.insert('peer', { ...values, created_at: now, updated_at: now }, db);
    }
    const gone = [...known.values()].map(({ id }) => id);
    if (gone.length > 0) await db.deleteFrom('peer').where('id', 'in', gone).execute();
  });
}

function toPeer(host: Host, clusterId: number): PeerValues {
  const { build, network } = host;
  const short = (text: string | undefined): string => (text ?? '').slice(0, 255);
  return {
    host_name: short(host.hostname),
    type: host.type === 0 ? 'normal' : 'super',
    idc: (network?.idc ?? '').slice(0, 1024),
    location: (network?.location ?? '').slice(0, 1024),
    ip: host.ip,
    port: host.port,
    download_port: host.downloadPort,
    proxy_port: host.proxyPort,
    object_storage_port: 0,
    state: 'active',
    os: short(host.os),
    platform: short(host.platform),
    platform_family: short(host.platformFamily),
    platform_version: short(host.platformVersion),
    kernel_version: short(host.kernelVersion),
    git_version: short(build?.gitVersion),
    git_commit: short(build?.gitCommit),
    build_platform: short(build?.platform),
    scheduler_cluster_id: clusterId,
  };
}
