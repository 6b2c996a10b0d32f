/** The cluster as this daemon knows it: its schedulers, and the manager's word on which they are. */
import { peerId } from '../../core/ids.ts';
import { isServing } from '../../rpc/server/health.ts';
import { ManagerClient } from '../../rpc/manager-client.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import type { BlockList } from '../cluster/block-list.ts';
import { Dynconfig } from '../cluster/dynconfig.ts';
import { finishedTasks, holdingsOf } from '../cluster/holdings.ts';
import type { HostIdentity } from '../cluster/host-info.ts';
import { configuredSettings } from '../cluster/local-dynconfig.ts';
import { Schedulers } from '../cluster/schedulers.ts';
import { joinSeedPeerCluster } from '../cluster/seed-membership.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { NodeLocal } from '../task/node-local.ts';
import type { DaemonNode } from './node.ts';

/** Creates the ring without any scheduler in it. The caller does not own it, because it must outlive the downloads. */
export function createSchedulers({ config, identity, channels, logger }: DaemonNode): Schedulers {
  return new Schedulers({
    channels,
    hostId: identity.hostId,
    newPeerId: () => peerId(identity.ip, identity.hostname, identity.isSeed),
    announceIntervalMs: config.announcer.schedulerInterval,
    logger,
  });
}

/** Announces this node to the schedulers, and reports tasks that it no longer holds, so that no child waits for them. */
export function announceContent(
  schedulers: Schedulers,
  parts: {
    readonly store: TaskStore;
    readonly engine: TaskEngine;
    readonly identity: HostIdentity;
    readonly nodeLocal: NodeLocal;
    readonly readHost: () => Promise<Host>;
  },
): void {
  const { store, engine, identity, nodeLocal, readHost } = parts;
  schedulers.represent({
    readHost,
    holdings: async () => {
      await store.recovered();
      return holdingsOf(store, engine, { identity, nodeLocal });
    },
    held: () => finishedTasks(store, nodeLocal),
  });
  store.onCorrupt(({ id }) => schedulers.forgetTask(id));
  store.onRemoved(({ id }, { quietly }) => {
    if (!quietly) schedulers.forgetTask(id);
  });
}

/** Resolves when the first settings apply; a manager or scheduler that is away is no error. */
export async function joinCluster(
  node: DaemonNode,
  { schedulers, blockList, peerPort }: { schedulers: Schedulers; blockList: BlockList; peerPort: number },
): Promise<Dynconfig> {
  const { config, identity, managers, owned, logger, channels, managerChannels, controlPlane, certificate } = node;
  const manager = managers.length > 0 ? new ManagerClient(managerChannels, managers, logger) : undefined;
  const dynconfig = new Dynconfig({
    manager,
    staticSettings: await configuredSettings(config, identity.isSeed),
    identity,
    cacheDirectory: config.cacheDir,
    refreshIntervalMs: config.scheduler.manager.refreshInterval,
    isServing: (address, signal) => isServing(channels, address, signal),
    onSettings: async (settings) => {
      blockList.update(settings.blocked);
      controlPlane.clusterId = settings.clusterId ?? 0;
      await controlPlane.update('schedulers', settings.schedulers);
      await schedulers.update(settings.schedulers);
    },
    onRevocation: () => void certificate?.refreshRevocations(),
    logger,
  });
  owned.add('dynamic configuration', dynconfig);
  schedulers.listen({ failed: () => dynconfig.suspect() });
  if (manager && identity.isSeed) {
    const port = config.host.advertisePort ?? peerPort;
    owned.add('seed peer membership', joinSeedPeerCluster(manager, identity, config, port));
  }
  await controlPlane.update('manager', managers);
  await dynconfig.start();
  return dynconfig;
}
