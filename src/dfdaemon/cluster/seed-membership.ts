/** Registers a seed peer with the manager and keeps it alive there, so that schedulers find it. */
import type { Closable } from '../../core/process/lifecycle.ts';
import { SourceType } from '../../../gen/manager/v2/manager.ts';
import type { ManagerClient } from '../../rpc/manager-client.ts';
import { seedPeerConfig, type DfdaemonConfig } from '../config.ts';
import type { HostIdentity } from './host-info.ts';

/** Registers again at every reconnection; dispose to leave. */
export function joinSeedPeerCluster(
  manager: ManagerClient,
  identity: HostIdentity,
  config: DfdaemonConfig,
  port: number,
): Closable {
  const { clusterID, type, keepAlive } = seedPeerConfig(config);
  const controller = new AbortController();
  const member = { sourceType: SourceType.SEED_PEER_SOURCE, hostname: identity.hostname, ip: identity.ip };
  const running = manager.keepAlive(
    { ...member, clusterId: clusterID },
    {
      intervalMs: keepAlive.interval,
      signal: controller.signal,
      beforeConnect: async () => {
        await manager.updateSeedPeer({
          ...member,
          type,
          ...(identity.idc !== '' && { idc: identity.idc }),
          ...(identity.location !== '' && { location: identity.location }),
          port,
          downloadPort: port,
          seedPeerClusterId: clusterID,
        });
      },
    },
  );
  return {
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await running;
    },
  };
}
